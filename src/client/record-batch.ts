import { RecordCursor, type RecordView } from '../protocol/record-cursor.ts';
import type { KafkaRecord, RecordSource } from '../protocol/record.ts';

/** A run of records within one batch as it came over the wire. */
export interface RecordSlice {
  readonly source: RecordSource;
  /** Where a cursor of the source stood before the first record. */
  readonly at: number;
  readonly index: number;
  readonly count: number;
  /** Where the last record ended, once somebody has come past it; −1 before. */
  endAt: number;
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
  /** Where consuming goes on after this batch; what `commit(batch)` commits. */
  readonly nextOffset: number;
  /** Leader epoch of the last record's batch; −1 for unknown. */
  readonly leaderEpoch: number;
  private readonly slices: readonly RecordSlice[];

  constructor(
    where: { topic: string; partition: number; highWatermark: number; nextOffset: number; leaderEpoch: number },
    slices: readonly RecordSlice[],
  ) {
    this.topic = where.topic;
    this.partition = where.partition;
    this.highWatermark = where.highWatermark;
    this.nextOffset = where.nextOffset;
    this.leaderEpoch = where.leaderEpoch;
    this.slices = slices;
    let count = 0;
    for (const slice of slices) count += slice.count;
    this.recordCount = count;
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
      for (let left = slice.count; left > 0 && cursor.advance(); left--) visit(cursor);
      slice.endAt = cursor.at;
    }
  }

  /** @throws CorruptRecordError from the iterator, at a record whose bytes make no sense */
  [Symbol.iterator](): IterableIterator<KafkaRecord<K, V>> {
    return new BatchIterator<K, V>(this.slices);
  }
}

/** By hand: a generator costs twice as much per record. */
class BatchIterator<K, V> implements IterableIterator<KafkaRecord<K, V>> {
  readonly #slices: readonly RecordSlice[];
  #slice = 0;
  #left = 0;
  #cursor: RecordCursor<K, V> | null = null;

  constructor(slices: readonly RecordSlice[]) {
    this.#slices = slices;
  }

  [Symbol.iterator](): this {
    return this;
  }

  /** With one `return`: an object that could have been made in two places is made indeed, where the compiler else leaves it out. */
  next(): IteratorResult<KafkaRecord<K, V>, undefined> {
    let value: KafkaRecord<K, V> | undefined;
    if (this.#left > 0 || this.#nextSlice()) {
      this.#left--;
      value = this.#cursor?.next();
    }
    return { done: value === undefined, value } as IteratorResult<KafkaRecord<K, V>, undefined>; // done without a value, and only then
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
