import { type Acknowledged, type Entry, isCovered, type Sendable } from './jobs.ts';

/** What waits to be committed of one partition, in the order of the calls. */
interface Chain {
  readonly key: string;
  entries: Entry[];
  /** Not before this is it sent. */
  dueAt: number;
}

/** One offset of a request, and the entries that it settles: its own, and those before it that are no more than that. */
export interface Sending {
  readonly key: string;
  readonly owner: Entry;
  /** As sent: the owner's may be another one by the time of the answer. */
  readonly sent: Sendable;
  readonly entries: readonly Entry[];
}

export interface ChainsHost {
  /** What is committed of a partition. */
  acknowledged: (key: string) => Acknowledged | undefined;
  /** This need not be sent: more is committed already. */
  leftOut: (entry: Entry) => void;
}

/**
 * What waits, partition by partition: order matters within a partition only. The newest of a partition's offsets stands for all
 * before it. Nothing here is walked through unless it is due, so that thousands of waiting commits cost no more than few.
 */
export class Chains {
  readonly #chains = new Map<string, Chain>();
  readonly #due = new Set<Chain>();
  readonly #waiting = new Set<Chain>();
  /** The earliest of those that wait, or earlier. */
  #nextDueAt = Infinity;

  /** When `take` next has something to give; 0 for at once. */
  get dueAt(): number {
    return this.#due.size > 0 ? 0 : this.#nextDueAt;
  }

  add(entry: Entry): void {
    const chain = this.#chains.get(entry.key);
    if (chain === undefined) {
      const fresh = { key: entry.key, entries: [entry], dueAt: 0 };
      this.#chains.set(entry.key, fresh);
      this.#due.add(fresh);
      return;
    }
    chain.entries.push(entry);
    this.#hurry(chain);
  }

  /** What waits of a partition is sent at the next opportunity, without regard to its back-off. */
  hurry(key: string): void {
    const chain = this.#chains.get(key);
    if (chain !== undefined) this.#hurry(chain);
  }

  /** What waits, of one partition or of all. */
  *entries(key?: string): Iterable<Entry> {
    const one = key === undefined ? undefined : this.#chains.get(key);
    const chains = key === undefined ? this.#chains.values() : one === undefined ? [] : [one];
    for (const { entries } of chains) for (const entry of entries) if (!entry.isOver) yield entry;
  }

  /**
   * Takes what is due, of no more than `limit` partitions: from each one offset. The next time only after `back`, of all of them.
   */
  take(now: number, limit: number, host: ChainsHost): Sending[] {
    if (now >= this.#nextDueAt) this.#wake(now);
    const sendings: Sending[] = [];
    for (const chain of this.#due) {
      if (sendings.length >= limit) break;
      this.#due.delete(chain);
      const sending = fold(chain, host);
      if (sending === null) this.#chains.delete(chain.key);
      else sendings.push(sending);
    }
    return sendings;
  }

  /** The answer is in: what is still left of the partition waits until its jobs may try again. */
  back(key: string): void {
    const chain = this.#chains.get(key);
    if (chain === undefined) return;
    chain.entries = chain.entries.filter(({ isOver }) => !isOver);
    this.#due.delete(chain);
    this.#waiting.delete(chain);
    if (chain.entries.length === 0) {
      this.#chains.delete(key);
      return;
    }
    chain.dueAt = Infinity;
    for (const { job } of chain.entries) chain.dueAt = Math.min(chain.dueAt, job.retryAt);
    this.#waiting.add(chain);
    this.#nextDueAt = Math.min(this.#nextDueAt, chain.dueAt);
  }

  clear(): void {
    this.#chains.clear();
    this.#due.clear();
    this.#waiting.clear();
    this.#nextDueAt = Infinity;
  }

  #hurry(chain: Chain): void {
    chain.dueAt = 0;
    this.#waiting.delete(chain);
    this.#due.add(chain);
  }

  #wake(now: number): void {
    this.#nextDueAt = Infinity;
    for (const chain of this.#waiting) {
      if (chain.dueAt <= now) {
        this.#waiting.delete(chain);
        this.#due.add(chain);
      } else this.#nextDueAt = Math.min(this.#nextDueAt, chain.dueAt);
    }
  }
}

/** As if each were committed in the order of the calls: what the last one leaves behind. */
function fold(chain: Chain, host: ChainsHost): Sending | null {
  const acknowledged = host.acknowledged(chain.key);
  let owner: Entry | null = null;
  for (const entry of chain.entries) {
    if (entry.isOver) continue;
    if (owner !== null) {
      const { era, offset } = owner.sent;
      if (!isCovered(entry.sent, { era, offset: offset.offset })) owner = entry;
    } else if (acknowledged !== undefined && isCovered(entry.sent, acknowledged)) host.leftOut(entry);
    else owner = entry;
  }
  chain.entries = chain.entries.filter(({ isOver }) => !isOver);
  return owner === null ? null : { key: chain.key, owner, sent: owner.sent, entries: [...chain.entries] };
}
