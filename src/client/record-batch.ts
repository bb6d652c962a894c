import { RecordCursor, type RecordView } from '../protocol/record-cursor.ts';
import type { KafkaRecord } from '../protocol/record.ts';
import type { RecordSlice } from './handed.ts';

/** Whoever handed the batch out. */
export interface BatchOrigin {
  /** @returns the offset at which the batch ends now; −1 where the rest of the slice is passed over */
  onDamaged(slice: RecordSlice, epoch: number, error: unknown): number;
}

/**
 * Records of one partition, in order, as they lie in the received bytes; at most `maxPollRecords` of them. Iterating makes the
 * records one by one and keeps none; it can be done any number of times.
 */
export class RecordBatch<K = Buffer | null, V = Buffer | null> implements Iterable<KafkaRecord<K, V>> {
  readonly topic: string;
  readonly partition: number;
  /** How many records iterating gives. */
  readonly recordCount: number;
  /** Of the partition, when this was fetched: the offset after the last record that every in-sync replica has. */
  readonly highWatermark: number;
  /** Leader epoch of the last record's batch; −1 for unknown. */
  readonly leaderEpoch: number;
  private next: number;
  private readonly epoch: number;
  private readonly slices: readonly RecordSlice[];
  private readonly origin: BatchOrigin | null;

  constructor(
    where: {
      topic: string;
      partition: number;
      highWatermark: number;
      nextOffset: number;
      leaderEpoch: number;
      epoch: number;
    },
    slices: readonly RecordSlice[],
    origin: BatchOrigin | null,
  ) {
    this.topic = where.topic;
    this.partition = where.partition;
    this.highWatermark = where.highWatermark;
    this.next = where.nextOffset;
    this.leaderEpoch = where.leaderEpoch;
    this.epoch = where.epoch;
    this.slices = slices;
    this.origin = origin;
    let count = 0;
    for (const slice of slices) count += slice.count;
    this.recordCount = count;
  }

  /**
   * Where consuming goes on after this batch; what `commit(batch)` commits. Once iterating has come to a record that makes
   * no sense: the offset after the last record before it.
   */
  get nextOffset(): number {
    return this.next;
  }

  /** Offset of the first record. */
  get firstOffset(): number {
    for (const { source, at, index, count } of this.slices) {
      if (count > 0) return new RecordCursor(source, at, index).next()?.offset ?? this.nextOffset;
    }
    return this.nextOffset;
  }

  /** `nextOffset − 1`: the last record's offset, or a later one whose record compaction has removed. */
  get lastOffset(): number {
    return this.nextOffset - 1;
  }

  /**
   * Calls `visit` for each record with where it lies in the received bytes: offset, timestamp, ranges of key and value. No object a
   * record is made, one `RecordView` stands for all: for sums, filters and copies of millions of records, decoded at half the cost.
   * @throws CorruptRecordError at a record whose bytes make no sense, and whatever `visit` throws
   */
  scan(visit: (view: RecordView) => void): void {
    for (const slice of this.slices) {
      const cursor = new RecordCursor(slice.source, slice.at, slice.index);
      for (let left = slice.count; left > 0 && this.advance(slice, cursor); left--) visit(cursor);
      slice.endAt = cursor.at;
    }
  }

  /** @throws CorruptRecordError from the iterator, at a record whose bytes make no sense */
  [Symbol.iterator](): IterableIterator<KafkaRecord<K, V>> {
    return new BatchIterator<K, V>(this.slices, (slice, error) => this.onDamaged(slice, error));
  }

  private advance(slice: RecordSlice, cursor: RecordCursor): boolean {
    try {
      return cursor.advance();
    } catch (error) {
      this.onDamaged(slice, error);
      return false;
    }
  }

  /** @throws the error, unless the rest of the slice is passed over */
  private onDamaged(slice: RecordSlice, error: unknown): void {
    const end = this.origin?.onDamaged(slice, this.epoch, error) ?? this.next;
    if (end < 0) return;
    this.next = Math.min(this.next, end);
    throw error;
  }
}

/** By hand: a generator costs twice as much per record. */
class BatchIterator<K, V> implements IterableIterator<KafkaRecord<K, V>> {
  readonly #slices: readonly RecordSlice[];
  readonly #onDamaged: (slice: RecordSlice, error: unknown) => void;
  #slice = 0;
  #left = 0;
  #cursor: RecordCursor<K, V> | null = null;

  constructor(slices: readonly RecordSlice[], onDamaged: (slice: RecordSlice, error: unknown) => void) {
    this.#slices = slices;
    this.#onDamaged = onDamaged;
  }

  [Symbol.iterator](): this {
    return this;
  }

  /** With one `return`: an object that could have been made in two places is made indeed, where the compiler else leaves it out. */
  next(): IteratorResult<KafkaRecord<K, V>, undefined> {
    let value: KafkaRecord<K, V> | undefined;
    while (this.#left > 0 || this.#nextSlice()) {
      this.#left--;
      try {
        value = this.#cursor?.next();
        break;
      } catch (error) {
        this.#pastDamage(error);
      }
    }
    return { done: value === undefined, value } as IteratorResult<KafkaRecord<K, V>, undefined>; // done without a value, and only then
  }

  /** @throws the error, again at every call, unless the rest of the slice is passed over */
  #pastDamage(error: unknown): void {
    const slice = this.#slices[this.#slice - 1];
    this.#left++;
    if (slice === undefined) throw error;
    this.#onDamaged(slice, error);
    this.#left = 0;
  }

  #nextSlice(): boolean {
    while (this.#left === 0) {
      const done = this.#slices[this.#slice - 1];
      if (done !== undefined && this.#cursor !== null) done.endAt = this.#cursor.at;
      const slice = this.#slices[this.#slice++];
      if (slice === undefined) return false;
      this.#cursor = new RecordCursor<K, V>(slice.source, slice.at, slice.index);
      this.#left = slice.count;
    }
    return true;
  }
}
