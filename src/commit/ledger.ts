/**
 * What the application has finished of one partition, and how much of that is committed. Lives from the partition's
 * assignment to its revocation. Offsets are the next ones to be consumed, as OffsetCommit wants them.
 */
export class PartitionLedger {
  /** One past the last finished record; −1 while nothing was finished. */
  finished = -1;
  /** Leader epoch of the batch that the last finished record came in; −1 for unknown (KIP-320). */
  leaderEpoch = -1;
  /** What the broker has acknowledged; −1 for nothing in this assignment. */
  committed = -1;

  /** Everything before `nextOffset` is done. */
  finish(nextOffset: number, leaderEpoch: number): void {
    this.finished = nextOffset;
    this.leaderEpoch = leaderEpoch;
  }

  /** The same, unless more than that is finished already. */
  finishUpTo(nextOffset: number, leaderEpoch: number): void {
    if (nextOffset > this.finished) this.finish(nextOffset, leaderEpoch);
  }

  get isDirty(): boolean {
    return this.finished >= 0 && this.finished !== this.committed;
  }
}
