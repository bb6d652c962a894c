import { Outstanding } from './outstanding.ts';

/**
 * What the application has finished of one partition, and how much of that is committed. Lives from the partition's
 * assignment to its revocation. Offsets are the next ones to be consumed, as OffsetCommit wants them.
 *
 * A loop finishes in order, and that is two assignments (`finish`). Where work ends in any order (`track`: handlers, `markConsumed`),
 * each unit that is handed out is noted (`begin`), and `finished` is the offset of the oldest one that is not done.
 */
export class PartitionLedger {
  /** One past the last finished record before which all are; −1 while nothing was finished. */
  finished = -1;
  /** Leader epoch of the batch that the last finished record came in; −1 for unknown (KIP-320). */
  leaderEpoch = -1;
  /** Where reading began, last; −1 before. */
  startedAt = -1;
  /** What the broker has acknowledged; −1 for nothing in this assignment. */
  committed = -1;
  #outstanding: Outstanding | null = null;
  /** What the application wants to be kept, and with which offset. */
  #note = { offset: -1, metadata: '' };

  /** Everything before `nextOffset` is done. */
  finish(nextOffset: number, leaderEpoch: number): void {
    this.finished = nextOffset;
    this.leaderEpoch = leaderEpoch;
  }

  /** The same, unless more than that is finished already. */
  finishUpTo(nextOffset: number, leaderEpoch: number): void {
    this.#outstanding?.finishUpTo(nextOffset);
    this.#take();
    if (nextOffset > this.finished) this.finish(nextOffset, leaderEpoch);
  }

  /** To be kept with this offset, and with no other. */
  describe(nextOffset: number, metadata: string): void {
    this.#note = { offset: nextOffset, metadata };
  }

  /** What is committed with `finished`. */
  get metadata(): string {
    return this.#note.offset === this.finished ? this.#note.metadata : '';
  }

  /** After a seek: what was handed out before counts no more, and this is what is to be committed, also where it is back. */
  restart(position: number): void {
    this.#outstanding?.clear(position);
    this.describe(-1, '');
    this.committed = -1; // what is under way may still change it
    this.startedAt = position;
    this.finish(position, -1);
  }

  get isDirty(): boolean {
    return this.finished >= 0 && this.finished !== this.committed;
  }

  get isTracking(): boolean {
    return this.#outstanding !== null;
  }

  /** From here on what is handed out is noted by `begin`. */
  track(): void {
    if (this.#outstanding !== null) return;
    this.#outstanding = new Outstanding();
    this.#outstanding.clear(this.finished);
  }

  /** Work is finished in order again. What was not is forgotten: the caller reads it again, from `finished` on. */
  untrack(): void {
    this.#outstanding = null;
  }

  /** The offset from which on something is unfinished: where reading goes on if what was handed out is given up. */
  get oldestUnfinished(): number {
    return this.outstandingCount > 0 ? (this.#outstanding?.headOffset ?? this.finished) : this.finished;
  }

  /** How many records (or batches) were handed out from the oldest unfinished one on. */
  get outstandingCount(): number {
    return this.#outstanding?.count ?? 0;
  }

  /**
   * A record is handed out, or a batch of so many.
   * @returns the ticket for `end`
   */
  begin(firstOffset: number, nextOffset: number, leaderEpoch: number, records = 1): number {
    const outstanding = this.#outstanding;
    if (outstanding === null) return -1;
    if (outstanding.headOffset < 0) outstanding.skipTo(firstOffset);
    return outstanding.add(nextOffset, leaderEpoch, records);
  }

  /** What was handed out last comes again. @returns false where it is finished already */
  takeBack(ticket: number): boolean {
    return this.#outstanding?.takeBack(ticket) ?? false;
  }

  /** It is finished. Legal twice, and for tickets from before a `restart`. */
  end(ticket: number): void {
    if (this.#outstanding?.finish(ticket) === true) this.#take();
  }

  /** The same by the offset of the record. */
  endRecord(offset: number): void {
    if (this.#outstanding?.finishRecord(offset) === true) this.#take();
  }

  /** The same for a batch, or for what it is a part of. */
  endRange(firstOffset: number, nextOffset: number): void {
    if (this.#outstanding?.finishRange(firstOffset, nextOffset) === true) this.#take();
  }

  /** Offsets up to there hold no record for the application. */
  skip(nextOffset: number, leaderEpoch: number): void {
    const outstanding = this.#outstanding;
    if (outstanding === null) return this.finish(nextOffset, leaderEpoch);
    outstanding.skipTo(nextOffset);
    if (outstanding.count === 0) this.finish(nextOffset, leaderEpoch);
  }

  /** The position was reset: forwards it is a gap like any other; backwards nothing that was handed out before counts. */
  jump(offset: number): void {
    if (this.#outstanding !== null && offset >= this.#outstanding.endOffset && this.outstandingCount > 0)
      this.#outstanding.skipTo(offset);
    else this.restart(offset);
  }

  #take(): void {
    const { headOffset, headEpoch } = this.#outstanding ?? { headOffset: -1, headEpoch: -1 };
    if (headOffset > this.finished) this.finish(headOffset, headEpoch);
  }
}
