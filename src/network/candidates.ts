import type { KafkaError } from '../errors.ts';
import type { ClusterMetadata } from './metadata.ts';

export interface HostPort {
  host: string;
  port: number;
}

export interface CandidatesOptions {
  bootstrapServers: readonly HostPort[];
  /** KIP-899: whether to go back to the bootstrap servers when no known broker helps. */
  metadataRecoveryStrategy: 'rebootstrap' | 'none';
  /** A number in [0, 1): who is asked first. */
  random: () => number;
}

/** For so long a broker that has failed is asked after the others. Afterwards it may well have recovered. */
const SUSPECTED_MS = 60_000;
/** For so long a broker whose answer did not help is asked after the others. */
const DOUBTED_MS = 30_000;

/**
 * Who may be asked about the cluster, and whom first. The order is drawn anew each time, so that a fleet of consumers with one list of
 * servers does not ask the same server; but a broker that answers is better than one that did not.
 */
export class Candidates {
  readonly #options: CandidatesOptions;
  readonly #metadata: ClusterMetadata;
  readonly #now: () => number;
  /** By address: how often in a row a question came to nothing, and when it last did. */
  readonly #failures = new Map<string, { count: number; at: number }>();
  /** By address: until when its answers are out of date, as far as anybody can tell. */
  readonly #doubts = new Map<string, number>();

  constructor(options: CandidatesOptions, metadata: ClusterMetadata, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#metadata = metadata;
    this.#now = now;
  }

  /**
   * The known brokers in random order, then the bootstrap servers in random order; those that failed less often come first,
   * then those whose last answer was of use, then those for which `isPreferred` holds.
   */
  inOrder(isPreferred: (address: string) => boolean = () => false): HostPort[] {
    const { bootstrapServers, metadataRecoveryStrategy } = this.#options;
    const known = [...this.#metadata.brokers.values()];
    const all: HostPort[] = this.#shuffled(known);
    if (known.length === 0 || metadataRecoveryStrategy === 'rebootstrap') all.push(...this.#shuffled(bootstrapServers));
    const byAddress = new Map<string, HostPort>();
    for (const each of all) if (!byAddress.has(addressOf(each))) byAddress.set(addressOf(each), each);
    this.#forgetOthers(byAddress);
    const now = this.#now();
    const ranked = [...byAddress].map(([address, candidate]) => ({
      candidate,
      failures: this.#failures.get(address)?.count ?? 0,
      doubts: (this.#doubts.get(address) ?? 0) > now ? 1 : 0,
      others: isPreferred(address) ? 0 : 1,
    }));
    ranked.sort((a, b) => a.failures - b.failures || a.doubts - b.doubts || a.others - b.others);
    return ranked.map(({ candidate }) => candidate);
  }

  /** It gave no answer, or none in time. */
  failed(address: string): void {
    this.#failures.set(address, { count: (this.#failures.get(address)?.count ?? 0) + 1, at: this.#now() });
  }

  succeeded(address: string): void {
    this.#failures.delete(address);
  }

  /** It has answered, and what it said was of no help. */
  doubt(address: string): void {
    this.#doubts.set(address, this.#now() + DOUBTED_MS);
  }

  /** What is known of the brokers is out of date: begin anew. */
  forgetBrokers(): void {
    this.#metadata.brokers.clear();
    this.#failures.clear();
    this.#doubts.clear();
  }

  /** What the bootstrap servers said is what a person can do something about; all of it where none of them was asked. */
  told(failures: ReadonlyMap<string, KafkaError>): KafkaError[] {
    const told = this.#options.bootstrapServers.flatMap((server) => failures.get(addressOf(server)) ?? []);
    return told.length > 0 ? [...new Set(told)] : [...failures.values()];
  }

  /** Addresses come and go for years; what was said of those that are gone is of no use. */
  #forgetOthers(candidates: ReadonlyMap<string, HostPort>): void {
    const now = this.#now();
    for (const [address, { at }] of this.#failures)
      if (!candidates.has(address) || now - at >= SUSPECTED_MS) this.#failures.delete(address);
    for (const [address, until] of this.#doubts)
      if (!candidates.has(address) || until <= now) this.#doubts.delete(address);
  }

  /** Fisher and Yates. */
  #shuffled<T extends HostPort>(servers: readonly T[]): T[] {
    const shuffled = [...servers];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = Math.floor(this.#options.random() * (i + 1));
      const [one, other] = [shuffled[i], shuffled[j]];
      if (one === undefined || other === undefined) continue; // both indices are within
      shuffled[i] = other;
      shuffled[j] = one;
    }
    return shuffled;
  }
}

/** `host:port`, or `[host]:port` for an IPv6 address, as `bootstrapServers` takes it. */
export function addressOf({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
