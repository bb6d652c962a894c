import { once } from 'node:events';
import net from 'node:net';
import { ClientConnection } from './client-connection.ts';
import type { Cluster } from './cluster.ts';
import { FetchSessions } from './fetch-sessions.ts';
import { Gate } from './gate.ts';
import type { VersionRanges } from './versions.ts';

/** One broker of the cluster: a listener on the loopback, and what it remembers by itself. */
export class Broker {
  readonly nodeId: number;
  readonly host: string;
  readonly rack: string | null;
  versions: VersionRanges;
  /** Shut while the broker is frozen: it takes bytes and answers nothing. */
  readonly gate = new Gate();
  sessions: FetchSessions;
  readonly connections = new Set<ClientConnection>();
  readonly #cluster: Cluster;
  #server: net.Server | null = null;
  #port: number;

  /** @param port 0 for any that is free */
  constructor(
    cluster: Cluster,
    options: { nodeId: number; host: string; port: number; rack: string | null; versions: VersionRanges },
  ) {
    this.#cluster = cluster;
    this.nodeId = options.nodeId;
    this.host = options.host;
    this.#port = options.port;
    this.rack = options.rack;
    this.versions = options.versions;
    this.sessions = new FetchSessions(cluster.random);
  }

  get port(): number {
    return this.#port;
  }

  get isUp(): boolean {
    return this.#server !== null;
  }

  /** Listens; always at the port that it had the first time. */
  async listen(): Promise<void> {
    if (this.#server !== null) return;
    const server = net.createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#server = server;
    try {
      server.listen(this.#port, this.host);
      await once(server, 'listening');
    } catch (error) {
      this.#server = null;
      throw error;
    }
    this.#port = (server.address() as net.AddressInfo).port; // a TCP server has one
    this.sessions = new FetchSessions(this.#cluster.random);
  }

  /** As a broker that was killed: every connection is reset, the port is closed. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    const closed = once(server, 'close');
    server.close();
    for (const connection of [...this.connections]) connection.reset();
    this.gate.open();
    await closed;
  }

  #accept(socket: net.Socket): void {
    const connection = new ClientConnection(socket, this, this.#cluster);
    this.connections.add(connection);
    socket.once('close', () => this.connections.delete(connection));
  }
}
