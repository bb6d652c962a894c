import { once } from 'node:events';
import net from 'node:net';
import { apiByKey } from '../../src/protocol/apis.ts';
import { FrameAssembler } from '../../src/protocol/frame.ts';
import { peekRequestHeader, type RequestHeader } from '../../src/protocol/header.ts';
import type { Misdeed } from './misdeeds.ts';

const MAX_FRAME_BYTES = 1 << 27;

/** Stands before a broker and hands everything on, until it is told to do something else with the answers. */
export class HostilePeer {
  readonly host = '127.0.0.1';
  port = 0;
  /** How many connections were made to it. */
  connections = 0;
  /** What is done in place of an answer; null to hand it on. */
  misdeed: Misdeed | null = null;
  /** Answers that are handed on all the same. */
  spared: readonly string[] = [];
  /** How often it was done. */
  misdeeds = 0;
  readonly #upstream: net.NetConnectOpts;
  readonly #sockets = new Set<net.Socket>();
  readonly #server: net.Server;

  private constructor(upstream: net.NetConnectOpts) {
    this.#upstream = upstream;
    this.#server = net.createServer((socket) => this.#accept(socket));
  }

  /** @param upstream `host:port` of a real or mock broker */
  static async before(upstream: string): Promise<HostilePeer> {
    const [host = '', port = ''] = upstream.split(':');
    const peer = new HostilePeer({ host, port: Number(port) });
    peer.#server.listen(0, peer.host);
    await once(peer.#server, 'listening');
    peer.port = (peer.#server.address() as net.AddressInfo).port; // a TCP server has one
    return peer;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: net.Socket): void {
    this.connections++;
    const broker = net.connect(this.#upstream);
    const asked: RequestHeader[] = [];
    const pair = [client, broker] as const;
    for (const socket of pair) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        for (const each of pair) each.destroy();
      });
    }
    eachFrame(client, (frame) => {
      asked.push(peekRequestHeader(frame.subarray(4)));
      broker.write(frame);
    });
    eachFrame(broker, (frame) => this.#answer(client, frame, asked.shift()));
  }

  #answer(client: net.Socket, bytes: Buffer, request: RequestHeader | undefined): void {
    const api = request === undefined ? undefined : apiByKey(request.requestApiKey);
    if (client.destroyed || request === undefined || api === undefined) return;
    if (this.misdeed === null || this.spared.includes(api.name)) {
      client.write(bytes);
      return;
    }
    this.misdeeds++;
    const { requestApiVersion: version, correlationId } = request;
    this.misdeed.commit(client, { api, version, correlationId, bytes });
  }
}

/** With their lengths. */
function eachFrame(socket: net.Socket, onFrame: (frame: Buffer) => void): void {
  const assembler = new FrameAssembler(MAX_FRAME_BYTES);
  socket.on('data', (data: Buffer) => {
    for (const frame of assembler.feed(data)) {
      const whole = Buffer.alloc(4 + frame.length);
      whole.writeInt32BE(frame.length, 0);
      frame.copy(whole, 4);
      onFrame(whole);
    }
  });
}
