import { addressOf } from './address.ts';
import type { Broker } from './broker.ts';
import type { Cluster } from './cluster.ts';
import { versionRanges, type VersionOptions } from './versions.ts';

/** One broker of a mock cluster, to be mistreated. */
export class BrokerHandle {
  readonly #broker: Broker;
  readonly #cluster: Cluster;

  constructor(cluster: Cluster, nodeId: number) {
    this.#cluster = cluster;
    this.#broker = cluster.broker(nodeId);
  }

  get nodeId(): number {
    return this.#broker.nodeId;
  }

  get address(): string {
    return addressOf(this.#broker);
  }

  get isUp(): boolean {
    return this.#broker.isUp;
  }

  get connections(): number {
    return this.#broker.connections.size;
  }

  /**
   * As `kill -9`: connections are reset, the port is closed. Leaders and coordinators that were here are elsewhere from then on, with
   * `{ failover: false }` only the coordinators are.
   */
  async stop({ failover = true }: { failover?: boolean } = {}): Promise<void> {
    await this.#cluster.stopBroker(this.#broker, failover);
  }

  /** At the port that it had. It leads what nobody else does. */
  async start(): Promise<void> {
    await this.#cluster.startBroker(this.#broker);
  }

  /** It accepts connections and requests, and answers nothing until `thaw()`. */
  freeze(): void {
    this.#broker.gate.shut();
  }

  thaw(): void {
    this.#broker.gate.open();
  }

  /** Resets every connection that clients have to it; it goes on listening. */
  disconnectAll(): void {
    for (const connection of [...this.#broker.connections]) connection.reset();
  }

  /** Which versions it has from now on, as after an upgrade: clients ask on each new connection. */
  setVersions(versions: VersionOptions): void {
    this.#broker.versions = versionRanges(this.#cluster.handlers.values(), versions);
  }
}
