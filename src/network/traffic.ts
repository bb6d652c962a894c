import { addressOf } from './candidates.ts';
import type { Connection, Traffic } from './connection.ts';
import type { BrokerAddress } from './metadata.ts';

/** So many addresses at which no broker is any more are remembered: in a cluster whose brokers get new ones all the time they would add up. */
const MOST_FORMER = 32;

/** `nodeId` −1: no broker that is known. */
export type BrokerTraffic = Traffic & { nodeId: number; address: string; connections: number };

/** What went to and fro, address by address, over all connections so far. */
export class TrafficTotals {
  /** Over connections that are closed; whose last one was closed last is the last one. */
  readonly #past = new Map<string, Traffic>();

  /** @param brokers those that are known now */
  closed(connection: Connection, brokers: Iterable<BrokerAddress>): void {
    const { address } = connection;
    const total = this.#past.get(address);
    this.#past.delete(address);
    if (total !== undefined) this.#past.set(address, total);
    add(this.#past, connection);
    if (this.#past.size <= MOST_FORMER) return;
    const known = new Set([...brokers].map(addressOf));
    const former = [...this.#past.keys()].filter((each) => !known.has(each));
    for (const each of former.slice(0, -MOST_FORMER)) this.#past.delete(each);
  }

  /** @param open all connections there are */
  of(open: ReadonlySet<Connection>, brokers: Iterable<BrokerAddress>): BrokerTraffic[] {
    const all = new Map([...this.#past].map(([address, traffic]) => [address, { ...traffic }]));
    const counts = new Map<string, number>();
    for (const connection of open) {
      add(all, connection);
      counts.set(connection.address, (counts.get(connection.address) ?? 0) + 1);
    }
    const nodes = new Map([...brokers].map((broker) => [addressOf(broker), broker.nodeId]));
    return [...all].map(([address, traffic]) => {
      return { nodeId: nodes.get(address) ?? -1, address, connections: counts.get(address) ?? 0, ...traffic };
    });
  }
}

function add(totals: Map<string, Traffic>, { address, traffic }: Connection): void {
  const total = totals.get(address) ?? { requests: 0, bytesIn: 0, bytesOut: 0 };
  total.requests += traffic.requests;
  total.bytesIn += traffic.bytesIn;
  total.bytesOut += traffic.bytesOut;
  totals.set(address, total);
}
