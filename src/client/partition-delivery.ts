import { toKafkaError, type KafkaError } from '../errors.ts';
import type { FetchedRecords } from '../fetch/partition.ts';
import { RecordCursor } from '../protocol/record-cursor.ts';
import type { KafkaRecord, RecordSource } from '../protocol/record.ts';
import { ChunkReader, type ChunkStep } from './chunk-reader.ts';
import { DamagePolicy } from './damage.ts';
import type { DeliveryOptions } from './delivery-options.ts';
import { cursorAfter, Rewound, soundPart, type RecordSlice } from './handed.ts';
import { PartitionBuffer } from './partition-buffer.ts';
import { PartitionStanding } from './partition-standing.ts';
import { RecordBatch } from './record-batch.ts';

const NOTHING_HANDED: readonly RecordSlice[] = [];

/**
 * One assigned partition on the application's side: the received bytes in their order, the position within them, and
 * what is in the application's hands. Batches are opened one by one, when the application gets to them.
 */
export class PartitionDelivery<K, V> extends PartitionStanding {
  readonly #options: DeliveryOptions;
  readonly #buffer: PartitionBuffer;
  readonly #damage: DamagePolicy;
  /** The engine fetches nothing more: what comes all the same is dropped. */
  #isHalted = false;
  /** What the application holds, where that came as batches. */
  #handed: readonly RecordSlice[] = NOTHING_HANDED;
  /** A batch is being put together for the application, which has finished nothing of it. */
  #isTaking = false;
  #source: RecordSource | null = null;
  #cursor: RecordCursor<K, V> | null = null;
  /** The last slice of `#source` that was handed out; null once the cursor stands behind it. */
  #cut: RecordSlice | null = null;
  #sourceNextOffset = -1;

  /** @param onOpened there is something to hand out, which was being decompressed */
  constructor(topic: string, partition: number, epoch: number, options: DeliveryOptions, onOpened: () => void) {
    super(topic, partition, epoch);
    this.#options = options;
    this.#damage = new DamagePolicy(options.damage.policy);
    this.#buffer = new PartitionBuffer({
      ...options,
      isWanted: () => this.isReadable,
      release: (epoch, bytes) => options.release({ topic, partition, epoch }, bytes),
      onOpened,
      onMoved: (left, copy) => this.#move(left, copy),
    });
  }

  /** Something to hand out: records, or the failure after them. */
  get hasSomething(): boolean {
    if (this.#source !== null) return true;
    return !this.#buffer.isWaiting && (!this.#buffer.isEmpty || this.failure !== null);
  }

  /** All that the broker had when it was last asked is handed out. */
  get isAtEnd(): boolean {
    const { position, endOffset } = this;
    return this.#source === null && this.#buffer.isEmpty && position >= 0 && endOffset >= 0 && position >= endOffset;
  }

  add(records: FetchedRecords): void {
    this.highWatermark = records.highWatermark;
    this.endOffset = records.endOffset;
    const { topic, partition, epoch, bytes } = records;
    // Without bytes only the high watermark is news: records before `nextOffset` may still be waiting here.
    if (bytes.length === 0) return;
    if (this.#isHalted) return this.#options.release({ topic, partition, epoch }, bytes.length);
    this.#buffer.add(records);
    this.isEndReported = false;
  }

  /**
   * Where reading begins, once that is looked up, or goes on, when the broker no longer had the position. By a reset: it is
   * committed, so that a restart begins there too (as in Java). What was fetched before a reset is handed out first.
   */
  startAt(offset: number, isReset: boolean): void {
    if (this.#isHalted) return;
    if (this.#source !== null || !this.#buffer.isEmpty) return this.#buffer.jump(offset);
    this.jumpTo(offset);
    if (!isReset) this.ledger.committed = offset;
  }

  /** After a seek: nothing that was fetched or handed out before counts any more. */
  restart(epoch: number, position: number): void {
    this.drop();
    this.letGo();
    this.standAt(epoch, position);
    this.#isHalted = false;
    this.#damage.reset();
  }

  /** Forgets what is buffered. */
  drop(): void {
    this.#buffer.drop();
    this.#closeSource();
  }

  #closeSource(): void {
    const source = this.#source;
    this.#source = null;
    this.#cursor = null;
    this.#cut = null;
    if (source !== null) this.#options.opened.release(source);
  }

  /** What was handed out is done, unless that is said for each record by itself. */
  finish(): void {
    this.isInHand = false;
    if (this.#handed !== NOTHING_HANDED) this.#handed = NOTHING_HANDED;
    if (!this.ledger.isTracking) this.ledger.finish(this.position, this.leaderEpoch);
  }

  /** The application has let go of what it holds without finishing it. */
  letGo(): void {
    this.isInHand = false;
    this.#handed = NOTHING_HANDED;
  }

  /** As `letGo`, and what is not finished of it comes again: from what is here, or else from the broker. */
  rewind(): void {
    if (!this.isInHand) return;
    const handed = this.#handed;
    this.letGo();
    const to = this.isBlocked ? -1 : this.#unfinishedFrom(handed);
    if (to < 0 || to >= this.position) return;
    const upTo = this.position;
    const open = this.#source;
    const rewound = handed.map((slice) => new Rewound(slice.source, slice.at, slice.index, slice.nextOffset, upTo));
    if (open !== null && handed.at(-1)?.source !== open)
      rewound.push(new Rewound(open, open.start, 0, this.#sourceNextOffset, upTo));
    this.#closeSource();
    this.position = to;
    if (rewound.length > 0) this.#buffer.putBack(rewound);
    else this.#refetch(-1);
  }

  /** The oldest offset of what was handed out last that is neither finished nor marked; −1 for none. */
  #unfinishedFrom(handed: readonly RecordSlice[]): number {
    if (this.ledger.isTracking && !this.ledger.takeBack(this.lastTicket)) return -1;
    // Without batches it was one record, the one before the position.
    const first = handed[0]?.from ?? this.position - 1;
    return this.ledger.isTracking ? first : Math.max(first, this.ledger.finished);
  }

  /** @throws CorruptRecordError, or what is in `failure` */
  nextRecord(): KafkaRecord<K, V> | undefined {
    for (;;) {
      const cursor = this.#cursor;
      if (cursor === null) {
        if (!this.#open()) return this.#nothing();
        continue;
      }
      let record: KafkaRecord<K, V> | undefined;
      try {
        record = cursor.next();
      } catch (error) {
        this.#onDamage(error);
        continue;
      }
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
      return this.#takeBatch(maxRecords) ?? this.#nothing();
    } finally {
      this.#isTaking = false;
    }
  }

  /** Others come first: what it has failed with is thrown at the next read. */
  keepFailure(): void {
    this.#damage.exhaust();
  }

  /** There is nothing to hand out. @throws what the partition has failed with */
  #nothing(): undefined {
    const { failure } = this;
    if (failure === null || !this.#buffer.isEmpty) return undefined;
    const attempt = this.#damage.nextRefetch(failure);
    if (attempt >= 0) return this.#refetch(attempt);
    this.#damage.thrown();
    throw failure;
  }

  #takeBatch(maxRecords: number): RecordBatch<K, V> | undefined {
    const slices: RecordSlice[] = [];
    const begin = this.position;
    let count = 0;
    while (count < maxRecords) {
      this.#isTaking = count > 0;
      if (this.#cursor === null && !this.#open()) break;
      const cursor = this.#cursor;
      const source = this.#source;
      if (cursor === null || source === null) break;
      const { at, index } = cursor;
      const taken = Math.min(source.count - index, maxRecords - count);
      const place = { at, index, from: this.position, nextOffset: this.#sourceNextOffset };
      let slice: RecordSlice = { source, ...place, count: taken, endAt: -1, isDamaged: false };
      if (index + taken < source.count) {
        try {
          this.#leaveAt(slice, cursor);
        } catch (error) {
          const sound = soundPart(slice);
          slice = sound.slice;
          this.position = sound.nextOffset;
          this.#isTaking = true; // what is passed over counts once that what comes before it is finished
          this.#onDamage(error);
        }
      } else this.#isTaking = count + taken > 0;
      if (slice.count > 0) slices.push(slice);
      count += slice.count;
      if (this.#source === source && index + taken === source.count) this.#close();
    }
    if (slices.length === 0) return undefined;
    if (this.failure !== null) this.#damage.exhaust();
    const { topic, partition, highWatermark, leaderEpoch, epoch, position: nextOffset } = this;
    const where = { topic, partition, highWatermark, nextOffset, leaderEpoch, epoch };
    const batch = new RecordBatch<K, V>(where, slices, this);
    this.#handed = this.#handed === NOTHING_HANDED ? slices : [...this.#handed, ...slices];
    if (this.ledger.isTracking) this.lastTicket = this.ledger.begin(begin, nextOffset, leaderEpoch, batch.recordCount);
    return batch;
  }

  /**
   * The application has come to a record of a batch that makes no sense. What lies before it is what was handed out; nothing
   * after it is delivered, or finished by asking for more.
   * @returns the offset at which the batch ends now; −1 where the rest of its slice is passed over, and it goes on
   */
  onDamaged(slice: RecordSlice, epoch: number, error: unknown): number {
    const { slice: sound, nextOffset } = soundPart(slice);
    const passed = this.#damage.passOver(error, nextOffset);
    const place = epoch === this.epoch ? this.#handed.indexOf(slice) : -1;
    const isNews = !slice.isDamaged;
    slice.isDamaged = true;
    if (passed !== null) {
      // With the rest of it, where that is for the next call.
      if (place >= 0 && this.#source === slice.source) this.#close();
      if (isNews) this.#options.damage.passedOver(passed);
      return -1;
    }
    if (place < 0 || !isNews) return nextOffset;
    this.#handed = [...this.#handed.slice(0, place), sound];
    this.position = nextOffset;
    this.#fail(toKafkaError(error));
    this.#buffer.announce();
    return nextOffset;
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

  /** Opens the next batch that has records for the application. What has failed is in `failure`. */
  #open(): boolean {
    for (;;) {
      try {
        if (this.#cut !== null) {
          this.#cursor = cursorAfter<K, V>(this.#cut);
          this.#cut = null;
          return true;
        }
        const chunk = this.#buffer.first;
        if (chunk === undefined) return false;
        if (chunk instanceof Rewound) this.#openAgain(chunk);
        else if (chunk instanceof ChunkReader) {
          const step = chunk.next(this.position);
          if (step === null) {
            if (chunk.isWaiting) return false;
            this.#shift(chunk);
          } else this.#take(step);
        } else if (this.#isTaking)
          return false; // a batch ends where the offsets jump
        else {
          this.#buffer.shift();
          this.jumpTo(chunk.offset);
        }
        if (this.#source !== null) return true;
      } catch (error) {
        this.#onDamage(error);
      }
    }
  }

  /** The chunk's next batch: reads from it if there are records in it. */
  #take({ source, nextOffset }: ChunkStep): void {
    if (source === null) return this.#moveTo(nextOffset);
    source.deserializers = this.#options.deserializers;
    source.epoch = this.epoch;
    this.#read(source, nextOffset, new RecordCursor<K, V>(source));
    this.#damage.reset();
  }

  /** What was handed out before and not finished; what was committed or marked by itself meanwhile is. */
  #openAgain(chunk: Rewound): void {
    this.#buffer.shift();
    const { source, nextOffset, at, index, upTo } = chunk;
    if (!this.ledger.isTracking) this.position = Math.max(this.position, Math.min(this.ledger.finished, upTo));
    if (this.position >= nextOffset) return;
    this.#options.opened.add(source);
    this.#read(source, nextOffset, new RecordCursor<K, V>(source, at, index));
  }

  #read(source: RecordSource, nextOffset: number, cursor: RecordCursor<K, V>): void {
    this.#source = source;
    this.#sourceNextOffset = nextOffset;
    this.leaderEpoch = source.leaderEpoch;
    cursor.skipTo(this.position);
    this.#cursor = cursor;
  }

  /** Bytes that make no sense: they are fetched again, passed over, or the partition goes no further. */
  #onDamage(error: unknown): void {
    const failure = toKafkaError(error);
    const attempt = this.#damage.nextRefetch(failure);
    if (attempt >= 0) return this.#refetch(attempt);
    const passed = this.#damage.passOver(failure, this.position);
    if (passed === null) return this.#fail(failure);
    if (this.#source !== null) this.#close();
    else this.#moveTo(passed.nextOffset);
    this.#options.damage.passedOver(passed);
  }

  #fail(failure: KafkaError): void {
    this.drop();
    this.failure = failure;
    this.#isHalted = true;
    this.#options.damage.halt(this);
  }

  #refetch(attempt: number): undefined {
    this.drop();
    this.failure = null;
    this.#isHalted = false;
    this.#options.damage.refetch(this, attempt);
  }

  /** The open batch is used up. */
  #close(): void {
    this.#closeSource();
    this.#moveTo(this.#sourceNextOffset);
    const chunk = this.#buffer.first;
    // As early as possible, so that the next fetch leaves while the last batch of this one is handled.
    if (chunk instanceof ChunkReader && chunk.isUsedUp) this.#shift(chunk);
  }

  #shift(chunk: ChunkReader): void {
    this.#buffer.shift();
    this.#moveTo(chunk.nextOffset);
  }

  /** Past what holds no record for the application: compacted, control and empty batches (semantics §5). */
  #moveTo(nextOffset: number): void {
    if (nextOffset <= this.position) return;
    this.position = nextOffset;
    if (this.#isTaking || this.isBlocked) return;
    // Behind what is in hand it counts once that is finished.
    if (this.ledger.isTracking || !this.isInHand) this.ledger.skip(nextOffset, this.leaderEpoch);
  }
}
