import { PartitionLedger } from '../commit/ledger.ts';
import { toKafkaError, type KafkaError } from '../errors.ts';
import type { FetchedRecords, TopicPartition } from '../fetch/partition.ts';
import type { OpenOptions } from '../protocol/open-batch.ts';
import { RecordCursor } from '../protocol/record-cursor.ts';
import type { Deserializers, KafkaRecord, RecordSource } from '../protocol/record.ts';
import { ChunkReader, type ChunkStep } from './chunk-reader.ts';
import type { Frames } from './frames.ts';
import { RecordBatch, type RecordSlice } from './record-batch.ts';

export interface DeliveryOptions extends OpenOptions {
  deserializers: Deserializers;
  /** Of all partitions. */
  frames: Frames<ChunkReader>;
  /** Bytes of a chunk are used up or dropped. */
  release: (partition: TopicPartition & { epoch: number }, bytes: number) => void;
}

/** The position was reset while records fetched before it were still to be handed out: reading goes on there after them. */
interface Jump {
  readonly offset: number;
}

/**
 * One assigned partition on the application's side: the received bytes in their order, the position within them, and
 * what is in the application's hands. Batches are opened one by one, when the application gets to them.
 */
export class PartitionDelivery<K, V> implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly ledger = new PartitionLedger();
  epoch: number;
  /** The next offset to hand out; −1 while it is being looked up. */
  position = -1;
  /** Leader epoch of the last batch that was handed out. */
  leaderEpoch = -1;
  highWatermark = -1;
  /** Where the partition ended when it was last fetched, by isolation level. */
  endOffset = -1;
  isPaused = false;
  /** Assigned, with its `onAssigned` still to return: nothing is handed out yet. */
  isStarting = false;
  /** Being revoked: nothing is handed out any more. */
  isBlocked = false;
  /** The application holds records of it that it has not finished. */
  isInHand = false;
  /** Handlers that work on records of it. */
  running = 0;
  /** Nothing is handed out for now: its handlers are busy, or one has failed. Not the application's `pause`. */
  isHeld = false;
  /** Where somebody reads this partition alone: there may be something new. It is in no line then. */
  onReady: (() => void) | null = null;
  /** What `ledger.end` takes for the record that was handed out last. */
  lastTicket = -1;
  /** Waits in the delivery's line of those that have something to hand out. */
  isQueued = false;
  /** `partitionEnd` was said and no record has come since. */
  isEndReported = false;
  /** Thrown when all that was fetched before it is handed out, at every read until a seek. */
  failure: KafkaError | null = null;
  /** What the broker refuses of it at the moment, and is asked again; null for nothing. */
  refusal: KafkaError | null = null;
  #options: DeliveryOptions;
  #onOpened: () => void;
  #chunks: (ChunkReader | Jump)[] = [];
  /** A batch is being put together for the application, which has finished nothing of it. */
  #isTaking = false;
  #source: RecordSource | null = null;
  #cursor: RecordCursor<K, V> | null = null;
  /** The last slice of `#source` that was handed out; null once the cursor stands behind it. */
  #cut: RecordSlice | null = null;
  #sourceNextOffset = -1;

  /** @param onOpened there is something to hand out, which was being decompressed */
  constructor(topic: string, partition: number, epoch: number, options: DeliveryOptions, onOpened: () => void) {
    this.topic = topic;
    this.partition = partition;
    this.epoch = epoch;
    this.#options = options;
    this.#onOpened = onOpened;
  }

  /** Something to hand out: records, or the failure after them. */
  get hasSomething(): boolean {
    if (this.#source !== null) return true;
    const first = this.#chunks[0];
    if (first instanceof ChunkReader && first.isWaiting) return false;
    return first !== undefined || this.failure !== null;
  }

  /** All that the broker had when it was last asked is handed out. */
  get isAtEnd(): boolean {
    return (
      this.#source === null &&
      this.#chunks.length === 0 &&
      this.position >= 0 &&
      this.position >= this.endOffset &&
      this.endOffset >= 0
    );
  }

  add(records: FetchedRecords): void {
    this.highWatermark = records.highWatermark;
    this.endOffset = records.endOffset;
    // Without bytes only the high watermark is news: records before `nextOffset` may still be waiting here.
    if (records.bytes.length === 0) return;
    const added = new ChunkReader(records, this.epoch, this.#options, {
      onOpened: (chunk) => {
        if (this.#chunks[0] === chunk) this.#onOpened(); // else dropped meanwhile
      },
      onMoved: (left, copy) => this.#move(left, copy),
    });
    this.#chunks.push(added);
    this.#options.frames.moveIn(added);
    this.isEndReported = false;
  }

  /**
   * Where reading begins, once that is looked up, or goes on, when the broker no longer had the position. By a reset: it is
   * committed, so that a restart begins there too (as in Java). What was fetched before a reset is handed out first.
   */
  startAt(offset: number, isReset: boolean): void {
    if (this.#source !== null || this.#chunks.length > 0) {
      this.#chunks.push({ offset });
      return;
    }
    this.#jumpTo(offset);
    if (!isReset) this.ledger.committed = offset;
  }

  /** After a seek: nothing that was fetched or handed out before counts any more. */
  restart(epoch: number, position: number): void {
    this.drop();
    this.epoch = epoch;
    this.position = position;
    this.leaderEpoch = -1;
    this.highWatermark = -1;
    this.endOffset = -1;
    this.isInHand = false;
    this.isHeld = false;
    this.isEndReported = false;
    this.failure = null;
    this.refusal = null;
    // The application says where it stands: that is what is committed next, also when that is back (as in Java).
    this.ledger.restart(position);
  }

  /** Forgets what is buffered. */
  drop(): void {
    for (const chunk of this.#chunks) if (chunk instanceof ChunkReader) this.#release(chunk);
    this.#chunks = [];
    this.#source = null;
    this.#cursor = null;
    this.#cut = null;
  }

  /** What was handed out is done, unless that is said for each record by itself. */
  finish(): void {
    this.isInHand = false;
    if (!this.ledger.isTracking) this.ledger.finish(this.position, this.leaderEpoch);
  }

  /** @throws CorruptRecordError, or what is in `failure` */
  nextRecord(): KafkaRecord<K, V> | undefined {
    for (;;) {
      const cursor = this.#cursor;
      if (cursor === null) {
        if (!this.#open()) return undefined;
        continue;
      }
      const record = cursor.next();
      if (record !== undefined) {
        const { offset } = record;
        this.position = offset + 1;
        if (this.ledger.isTracking) this.lastTicket = this.ledger.begin(offset, offset + 1, this.leaderEpoch);
        return record;
      }
      this.#close();
    }
  }

  /** `maxRecords` if there are so many, else what there is. @throws CorruptRecordError, or what is in `failure` */
  nextBatch(maxRecords: number): RecordBatch<K, V> | undefined {
    try {
      return this.#takeBatch(maxRecords);
    } finally {
      this.#isTaking = false;
    }
  }

  #takeBatch(maxRecords: number): RecordBatch<K, V> | undefined {
    const slices: RecordSlice[] = [];
    let count = 0;
    while (count < maxRecords) {
      this.#isTaking = count > 0;
      try {
        if (this.#cursor === null && !this.#open()) break;
      } catch (error) {
        if (count === 0) throw error;
        break; // the good batches before it first; it is thrown at the next call
      }
      const cursor = this.#cursor;
      const source = this.#source;
      if (cursor === null || source === null) break;
      const { at, index } = cursor;
      const taken = Math.min(source.count - index, maxRecords - count);
      const slice: RecordSlice = { source, at, index, count: taken, endAt: -1 };
      if (index + taken < source.count) this.#leaveAt(slice, cursor);
      if (taken > 0) slices.push(slice);
      count += taken;
      this.#isTaking = count > 0;
      if (index + taken === source.count) this.#close();
    }
    if (slices.length === 0) return undefined;
    const { topic, partition, highWatermark, leaderEpoch, position: nextOffset } = this;
    const batch = new RecordBatch<K, V>({ topic, partition, highWatermark, nextOffset, leaderEpoch }, slices);
    if (this.ledger.isTracking)
      this.lastTicket = this.ledger.begin(batch.firstOffset, nextOffset, leaderEpoch, batch.recordCount);
    return batch;
  }

  /**
   * The rest of the wire batch is for the next call. Where that begins is known when the application has been through the slice:
   * so nobody walks the records twice.
   */
  #leaveAt(slice: RecordSlice, cursor: RecordCursor<K, V>): void {
    const { source, index, count } = slice;
    if (source.isDense) this.position = source.baseOffsetNumber + index + count;
    else {
      cursor.skip(count - 1);
      this.position = (cursor.next()?.offset ?? this.position) + 1;
      slice.endAt = cursor.at;
    }
    this.#cut = slice;
    this.#cursor = null;
  }

  /** The open batch goes along, or it would keep the frame. */
  #move(left: Buffer, copy: Buffer): void {
    const source = this.#source;
    if (source?.buffer !== left) return; // decompressed, or not open
    this.#source = source.in(copy);
    if (this.#cut !== null) this.#cut = { ...this.#cut, source: this.#source };
    if (this.#cursor !== null) this.#cursor = new RecordCursor(this.#source, this.#cursor.at, this.#cursor.index);
  }

  #goOnBehind({ source, at, index, count, endAt }: RecordSlice): void {
    const cursor =
      endAt < 0 ? new RecordCursor<K, V>(source, at, index) : new RecordCursor<K, V>(source, endAt, index + count);
    if (endAt < 0) cursor.skip(count);
    this.#cut = null;
    this.#cursor = cursor;
  }

  /** Opens the next batch that has records for the application. */
  #open(): boolean {
    if (this.#cut !== null) {
      this.#goOnBehind(this.#cut);
      return true;
    }
    for (;;) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) {
        if (this.failure !== null) throw this.failure;
        return false;
      }
      if (!(chunk instanceof ChunkReader)) {
        if (this.#isTaking) return false; // a batch ends where the offsets jump
        this.#chunks.shift();
        this.#jumpTo(chunk.offset);
        continue;
      }
      const step = this.#step(chunk);
      if (step === null) {
        if (chunk.isWaiting) return false;
        this.#shift(chunk);
      } else if (step.source === null) this.#moveTo(step.nextOffset);
      else return true;
    }
  }

  /** Takes the chunk's next batch, and reads from it if there are records in it. */
  #step(chunk: ChunkReader): ChunkStep | null {
    try {
      const step = chunk.next(this.position);
      const source = step?.source ?? null;
      if (step === null || source === null) return step;
      source.deserializers = this.#options.deserializers;
      const cursor = new RecordCursor<K, V>(source);
      cursor.skipTo(this.position);
      this.#source = source;
      this.#cursor = cursor;
      this.#sourceNextOffset = step.nextOffset;
      this.leaderEpoch = source.leaderEpoch;
      return step;
    } catch (error) {
      // The chunk is past the batch: keep the error, or the next read would silently go on behind it.
      this.failure ??= toKafkaError(error);
      this.#chunks = this.#chunks.filter((each) => each !== chunk);
      this.#release(chunk);
      this.drop();
      throw error;
    }
  }

  /** The open batch is used up. */
  #close(): void {
    this.#source = null;
    this.#cursor = null;
    this.#moveTo(this.#sourceNextOffset);
    const chunk = this.#chunks[0];
    // As early as possible, so that the next fetch leaves while the last batch of this one is handled.
    if (chunk instanceof ChunkReader && chunk.isUsedUp) this.#shift(chunk);
  }

  #shift(chunk: ChunkReader): void {
    this.#chunks.shift();
    this.#moveTo(chunk.nextOffset);
    this.#release(chunk);
  }

  /** Past what holds no record for the application: compacted, control and empty batches (semantics §5). */
  #moveTo(nextOffset: number): void {
    if (nextOffset <= this.position) return;
    this.position = nextOffset;
    if (this.#isTaking || this.isBlocked) return;
    // Behind what is in hand it counts once that is finished.
    if (this.ledger.isTracking || !this.isInHand) this.ledger.skip(nextOffset, this.leaderEpoch);
  }

  #jumpTo(offset: number): void {
    this.position = offset;
    this.leaderEpoch = -1;
    if (this.ledger.isTracking || !this.isInHand) this.ledger.jump(offset);
  }

  #release(chunk: ChunkReader): void {
    const { topic, partition } = this;
    this.#options.frames.leave(chunk);
    this.#options.release({ topic, partition, epoch: chunk.epoch }, chunk.sizeInBytes);
  }
}
