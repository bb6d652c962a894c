/** What a group has committed for one partition. */
export interface CommittedOffset {
  readonly offset: number;
  /** −1 where the member did not say. */
  readonly leaderEpoch: number;
  readonly metadata: string;
}

/** The committed offsets of one group. */
export class CommittedOffsets {
  readonly #topics = new Map<string, Map<number, CommittedOffset>>();

  commit(topic: string, partition: number, committed: CommittedOffset): void {
    const partitions = this.#topics.get(topic) ?? new Map<number, CommittedOffset>();
    partitions.set(partition, committed);
    this.#topics.set(topic, partitions);
  }

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.#topics.get(topic)?.get(partition);
  }

  get topics(): ReadonlyMap<string, ReadonlyMap<number, CommittedOffset>> {
    return this.#topics;
  }

  /** A topic was deleted. */
  forget(topic: string): void {
    this.#topics.delete(topic);
  }
}
