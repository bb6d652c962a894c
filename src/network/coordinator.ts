import { ConnectionError } from '../errors.ts';
import type { Api } from '../protocol/api.ts';
import type { ApiRange } from '../protocol/header.ts';
import { addressOf } from './candidates.ts';
import type { Cluster } from './cluster.ts';
import type { Connection, Request, SendOptions } from './connection.ts';

const ABANDONED = 'this client has closed its connection to the coordinator';

/** The broker that coordinates one group, and the connection that only group requests use. */
export class Coordinator {
  #cluster: Cluster;
  #groupId: string;
  #onLost: (error: ConnectionError) => void;
  #nodeId = -1;
  #connection: Connection | null = null;
  #opening: Promise<Connection> | null = null;
  /** Counts what `disconnect` and `forget` have ended. */
  #attempt = 0;
  /** Ends the attempt to connect that others wait for. */
  #abandon: (error: ConnectionError) => void = () => undefined;
  #isAsking = false;

  /** @param onLost a connection that was in use is gone */
  constructor(cluster: Cluster, groupId: string, onLost: (error: ConnectionError) => void) {
    this.#cluster = cluster;
    this.#groupId = groupId;
    this.#onLost = onLost;
  }

  /** For logs: `2 (kafka-2:9092)`. */
  get name(): string {
    const broker = this.#cluster.metadata.brokers.get(this.#nodeId);
    return broker === undefined ? 'unknown' : `${broker.nodeId} (${addressOf(broker)})`;
  }

  /** Asks who the coordinator is, once, and connects to it. Rejects with the broker's code or a ConnectionError. */
  async find(): Promise<void> {
    this.forget();
    await this.#ready();
  }

  /** Sends to the coordinator, looking it up and connecting first where that is needed. */
  async send<Req extends object, Res>(api: Api<Req, Res>, request: Request<Req>, options?: SendOptions): Promise<Res> {
    return (await this.#ready()).send(api, request, options);
  }

  /** The same, over another connection while JoinGroup or SyncGroup holds this one up: until the rest of the group is there. */
  async lookUp<Req extends object, Res>(
    api: Api<Req, Res>,
    request: Request<Req>,
    options?: SendOptions,
  ): Promise<Res> {
    const connection = await this.#ready();
    if (!connection.isHeldUpByGroup) return connection.send(api, request, options);
    return (await this.#cluster.connection(this.#nodeId, 'lookup')).send(api, request, options);
  }

  /** The version of an API that `send` will use. */
  async versionOf(api: ApiRange): Promise<number> {
    return (await this.#ready()).versionOf(api);
  }

  /** Closes the connection and keeps the address. */
  disconnect(): void {
    const connection = this.#connection;
    this.#connection = null;
    this.#opening = null;
    this.#attempt++;
    const error = new ConnectionError(ABANDONED);
    this.#abandon(error);
    connection?.close(error);
  }

  /** The coordinator is another broker, or silent. */
  forget(): void {
    this.disconnect();
    this.#nodeId = -1;
  }

  /**
   * A broker is silent where it should have answered. If it is the coordinator, others are asked whether it still is; where they name another
   * one, it is not waited for.
   */
  async doubt(nodeId: number): Promise<void> {
    if (nodeId !== this.#nodeId || this.#isAsking) return;
    this.#isAsking = true;
    try {
      const found = await this.#cluster.findCoordinator(this.#groupId);
      if (nodeId !== this.#nodeId || found === nodeId) return;
      const wasInUse = this.#connection !== null;
      this.forget();
      if (wasInUse)
        this.#onLost(new ConnectionError(`the coordinator is broker ${found} now, and broker ${nodeId} silent`));
    } catch {
      // Nobody knows better: it goes on being waited for.
    } finally {
      this.#isAsking = false;
    }
  }

  #ready(): Promise<Connection> {
    if (this.#connection?.isOpen === true) return Promise.resolve(this.#connection);
    this.#opening ??= this.#connect(this.#attempt);
    return this.#opening;
  }

  /** @param attempt what began before the last `disconnect` or `forget` ends in an error, as what was in flight does */
  async #connect(attempt: number): Promise<Connection> {
    const abandoned = new Promise<never>((_, reject) => (this.#abandon = reject));
    abandoned.catch(() => undefined);
    try {
      const nodeId = this.#nodeId === -1 ? await this.#cluster.findCoordinator(this.#groupId) : this.#nodeId;
      this.#mustBeWanted(attempt);
      this.#nodeId = nodeId;
      const opening = this.#cluster.connection(nodeId, 'coordinator');
      const connection = await Promise.race([opening, abandoned]).catch((error: unknown) => {
        this.#closeIfUnwanted(opening, nodeId);
        throw error;
      });
      if (attempt !== this.#attempt) this.#closeIfUnwanted(opening, nodeId);
      this.#mustBeWanted(attempt);
      this.#opening = null;
      this.#adopt(connection);
      return connection;
    } catch (error) {
      if (attempt === this.#attempt) {
        this.#opening = null;
        this.#nodeId = -1;
      }
      throw error;
    }
  }

  /** One that was abandoned: nobody else uses it, unless the same broker is the coordinator again. */
  #closeIfUnwanted(opening: Promise<Connection>, nodeId: number): void {
    opening.then(
      (connection) => {
        if (nodeId !== this.#nodeId) connection.close(new ConnectionError(ABANDONED));
      },
      () => undefined,
    );
  }

  #mustBeWanted(attempt: number): void {
    if (attempt !== this.#attempt) throw new ConnectionError(ABANDONED);
  }

  #adopt(connection: Connection): void {
    this.#connection = connection;
    void connection.closed.then((error) => {
      if (this.#connection !== connection) return; // closed by disconnect()
      this.#connection = null;
      this.#onLost(error);
    });
  }
}
