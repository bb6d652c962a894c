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
  random: () => number;
}

/** Who may be asked about the cluster, and whom first: a broker that answers is better than one that did not. */
export class Candidates {
  readonly #options: CandidatesOptions;
  readonly #metadata: ClusterMetadata;
  /** By address: how often in a row a question came to nothing. */
  readonly #failures = new Map<string, number>();

  constructor(options: CandidatesOptions, metadata: ClusterMetadata) {
    this.#options = options;
    this.#metadata = metadata;
  }

  /** The known brokers, beginning with any of them, then the bootstrap servers; of these, those that failed less often first. */
  inOrder(): HostPort[] {
    const { bootstrapServers, metadataRecoveryStrategy, random } = this.#options;
    const known = [...this.#metadata.brokers.values()];
    const first = Math.floor(random() * known.length);
    const rotated: HostPort[] = [...known.slice(first), ...known.slice(0, first)];
    if (known.length === 0 || metadataRecoveryStrategy === 'rebootstrap') rotated.push(...bootstrapServers);
    const byAddress = new Map<string, HostPort>();
    for (const each of rotated) if (!byAddress.has(addressOf(each))) byAddress.set(addressOf(each), each);
    return [...byAddress.values()].sort((one, other) => this.#failuresOf(one) - this.#failuresOf(other));
  }

  failed(address: string): void {
    this.#failures.set(address, (this.#failures.get(address) ?? 0) + 1);
  }

  succeeded(address: string): void {
    this.#failures.delete(address);
  }

  /** What is known of the brokers is out of date: begin anew. */
  forgetBrokers(): void {
    this.#metadata.brokers.clear();
    this.#failures.clear();
  }

  /** What the bootstrap servers said is what a person can do something about; all of it where none of them was asked. */
  told(failures: ReadonlyMap<string, KafkaError>): KafkaError[] {
    const told = this.#options.bootstrapServers.flatMap((server) => failures.get(addressOf(server)) ?? []);
    return told.length > 0 ? [...new Set(told)] : [...failures.values()];
  }

  #failuresOf(candidate: HostPort): number {
    return this.#failures.get(addressOf(candidate)) ?? 0;
  }
}

export function addressOf({ host, port }: HostPort): string {
  return `${host}:${port}`;
}
