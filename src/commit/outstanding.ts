const LEAST_ROOM = 16;

/**
 * What was handed out of one partition and may be finished in any order: a ring of units (a record, or a batch of them) in
 * the order of their offsets, 16 bytes each. Finishing one by its ticket is O(1), by an offset in it O(log n), and each
 * is passed once by the head. Offsets that hold no record belong to the unit behind them: gaps cost nothing.
 */
export class Outstanding {
  /** Where the oldest unit begins, or the next one where there is none; −1 before the first. */
  headOffset = -1;
  /** Leader epoch of the unit that the head passed last. */
  headEpoch = -1;
  /** Ticket of the oldest unit. Tickets count up and are never used again. */
  #headTicket = 0;
  #headIndex = 0;
  #count = 0;
  /** Where the partition's next record may lie, once the last unit is passed. */
  #tailOffset = -1;
  #nextOffsets = new Float64Array(LEAST_ROOM);
  #leaderEpochs = new Int32Array(LEAST_ROOM);
  /** How many records of the unit are not finished. */
  #left = new Int32Array(LEAST_ROOM);
  /** Of batches that are finished record by record: which ones are. By ticket. */
  #finishedWithin: Map<number, Set<number>> | null = null;

  /** Units from the oldest unfinished one on, finished ones among them included. */
  get count(): number {
    return this.#count;
  }

  /** Forgets all; tickets from before are worth nothing any more. */
  clear(headOffset: number): void {
    this.#headTicket += this.#count;
    this.#headIndex = 0;
    this.#count = 0;
    this.#finishedWithin = null;
    this.headOffset = headOffset;
    this.headEpoch = -1;
    this.#tailOffset = headOffset;
  }

  /**
   * @param nextOffset one past the unit's last record
   * @returns the ticket to finish it by
   */
  add(nextOffset: number, leaderEpoch: number, records: number): number {
    if (this.#count === this.#left.length) this.#grow();
    const index = (this.#headIndex + this.#count) & (this.#left.length - 1);
    this.#nextOffsets[index] = nextOffset;
    this.#leaderEpochs[index] = leaderEpoch;
    this.#left[index] = records;
    return this.#headTicket + this.#count++;
  }

  /** Forgets the unit that was added last. @returns false where it is another one, or finished */
  takeBack(ticket: number): boolean {
    const position = ticket - this.#headTicket;
    if (position < 0 || position !== this.#count - 1 || this.#left[this.#indexOf(position)] === 0) return false;
    this.#count--;
    this.#finishedWithin?.delete(ticket);
    this.#tailOffset = this.endOffset;
    return true;
  }

  /** What lies behind the last unit holds no record up to there. */
  skipTo(nextOffset: number): void {
    this.#tailOffset = nextOffset;
    if (this.#count === 0) this.headOffset = nextOffset;
  }

  /** Where the last unit ends. */
  get endOffset(): number {
    return this.#count === 0 ? this.headOffset : (this.#nextOffsets[this.#indexOf(this.#count - 1)] ?? -1);
  }

  /** @returns whether the head has moved */
  finish(ticket: number): boolean {
    const position = ticket - this.#headTicket;
    if (position < 0 || position >= this.#count) return false; // finished before, or of another assignment
    this.#left[this.#indexOf(position)] = 0;
    return position === 0 && this.#advance();
  }

  /** Finishes one record, or the batch where it is the last one of it that was missing. @returns whether the head has moved */
  finishRecord(offset: number): boolean {
    const position = this.#find(offset);
    if (position < 0) return false;
    const index = this.#indexOf(position);
    const left = this.#left[index] ?? 0;
    if (left > 1 || this.#finishedWithin !== null) {
      const ticket = this.#headTicket + position;
      this.#finishedWithin ??= new Map();
      const known = this.#finishedWithin.get(ticket);
      if (known?.has(offset) === true) return false;
      if (known !== undefined) known.add(offset);
      else if (left > 1) this.#finishedWithin.set(ticket, new Set([offset]));
    }
    if (left > 0) this.#left[index] = left - 1;
    return position === 0 && this.#advance();
  }

  /** Finishes the units that lie between. @returns whether the head has moved */
  finishRange(firstOffset: number, nextOffset: number): boolean {
    const first = firstOffset < this.headOffset ? 0 : this.#find(firstOffset);
    if (first < 0) return false; // nothing of it is outstanding
    for (let position = first; position < this.#count; position++) {
      const index = this.#indexOf(position);
      if ((this.#nextOffsets[index] ?? 0) > nextOffset) break;
      this.#left[index] = 0;
    }
    return first === 0 && this.#advance();
  }

  /** Whatever ends there or before is finished. @returns whether the head has moved */
  finishUpTo(nextOffset: number): boolean {
    return this.finishRange(-1, nextOffset);
  }

  /** Past all units at the head that are finished. */
  #advance(): boolean {
    const mask = this.#left.length - 1;
    const before = this.#headTicket;
    while (this.#count > 0 && this.#left[this.#headIndex] === 0) {
      this.headOffset = this.#nextOffsets[this.#headIndex] ?? -1;
      this.headEpoch = this.#leaderEpochs[this.#headIndex] ?? -1;
      this.#finishedWithin?.delete(this.#headTicket);
      this.#headIndex = (this.#headIndex + 1) & mask;
      this.#headTicket++;
      this.#count--;
    }
    if (this.#count === 0 && this.#tailOffset > this.headOffset) this.headOffset = this.#tailOffset;
    return this.#headTicket !== before;
  }

  /** The unit that the offset lies in, counted from the head; −1 for none. */
  #find(offset: number): number {
    if (this.#count === 0 || offset < this.headOffset || offset >= this.endOffset) return -1;
    let low = 0;
    let high = this.#count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#nextOffsets[this.#indexOf(middle)] ?? 0) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #indexOf(position: number): number {
    return (this.#headIndex + position) & (this.#left.length - 1);
  }

  #grow(): void {
    const room = this.#left.length * 2;
    const nextOffsets = new Float64Array(room);
    const leaderEpochs = new Int32Array(room);
    const left = new Int32Array(room);
    for (let position = 0; position < this.#count; position++) {
      const index = this.#indexOf(position);
      nextOffsets[position] = this.#nextOffsets[index] ?? 0;
      leaderEpochs[position] = this.#leaderEpochs[index] ?? -1;
      left[position] = this.#left[index] ?? 0;
    }
    this.#nextOffsets = nextOffsets;
    this.#leaderEpochs = leaderEpochs;
    this.#left = left;
    this.#headIndex = 0;
  }
}
