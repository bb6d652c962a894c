interface EpochStart {
  readonly epoch: number;
  readonly startOffset: number;
}

/** What OffsetForLeaderEpoch is answered from (KIP-101, KIP-279): at which offset each leader began. */
export class LeaderEpochs {
  #entries: EpochStart[] = [];

  /** A leader of `epoch` begins at `startOffset`. What an older one was to write from there on has never been. */
  begin(epoch: number, startOffset: number): void {
    const last = this.#entries.at(-1);
    if (last !== undefined && last.epoch >= epoch) return;
    this.#entries = this.#entries.filter((entry) => entry.startOffset < startOffset);
    this.#entries.push({ epoch, startOffset });
  }

  truncate(endOffset: number): void {
    this.#entries = this.#entries.filter(({ startOffset }) => startOffset < endOffset);
  }

  /**
   * The largest epoch not above `epoch`, and where it ends; null where there is nothing to say: an epoch that the log has not reached.
   * @param logEndOffset where the newest epoch ends
   */
  endOf(epoch: number, logEndOffset: number): { leaderEpoch: number; endOffset: number } | null {
    const newest = this.#entries.at(-1);
    if (newest === undefined || epoch < 0 || epoch > newest.epoch) return null;
    if (epoch === newest.epoch) return { leaderEpoch: epoch, endOffset: logEndOffset };
    const next = this.#entries.findIndex((entry) => entry.epoch > epoch);
    const endOffset = this.#entries[next]?.startOffset ?? logEndOffset;
    return { leaderEpoch: this.#entries[next - 1]?.epoch ?? epoch, endOffset };
  }

  /** Who wrote the record at `offset`; −1 where nobody has yet. */
  at(offset: number): number {
    return this.#entries.findLast(({ startOffset }) => startOffset <= offset)?.epoch ?? -1;
  }
}
