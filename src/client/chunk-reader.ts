import { CorruptRecordError } from '../errors.ts';
import type { FetchedRecords } from '../fetch/partition.ts';
import { TransactionFilter } from '../fetch/transactions.ts';
import { COMPRESSION_MASK, WireBatch, WireBatchReader, type RecordContext } from '../protocol/record-batch.ts';
import { isWorthOpeningAside, openBatch, openBatchAside, type OpenOptions } from '../protocol/open-batch.ts';
import type { RecordSource } from '../protocol/record.ts';
import type { FrameTenant } from './frames.ts';
import type { OpenedBytes, OpenWaiter } from './opened-bytes.ts';

/** What comes next in a chunk: a batch to read from, or only offsets to go past. */
export interface ChunkStep {
  /** `null` for a batch that holds nothing for the application. */
  readonly source: RecordSource | null;
  /** Where reading goes on after it. */
  readonly nextOffset: number;
}

export interface ChunkOptions extends OpenOptions {
  /** Of all partitions. */
  readonly opened: OpenedBytes;
}

export interface ChunkEvents {
  /** The partition is being read. */
  isWanted(): boolean;
  /** The batch that `next` could not give yet is there. */
  onOpened(chunk: ChunkReader): void;
  /** What the chunk had in `left` is in `copy` now. */
  onMoved(left: Buffer, copy: Buffer): void;
}

/** A batch that is being decompressed off the main thread, or was. */
interface Opening {
  readonly nextOffset: number;
  source: RecordSource | null;
  error: unknown;
  isSettled: boolean;
}

/**
 * The bytes of one partition in one Fetch response, batch by batch: leaves out control batches and, for `read_committed`,
 * those of aborted transactions; opens the others, large compressed ones off the main thread and one ahead.
 */
export class ChunkReader implements FrameTenant, OpenWaiter {
  readonly epoch: number;
  /** The position after the last batch. */
  readonly nextOffset: number;
  readonly #highWatermark: number;
  readonly #context: RecordContext;
  readonly #options: ChunkOptions;
  readonly #events: ChunkEvents;
  #bytes: Buffer;
  #reader: WireBatchReader;
  readonly #filter: TransactionFilter | null;
  #opening: Opening | null = null;
  #ahead: WireBatch | null = null;
  /** `#ahead` is for the application: the filter was asked, as it has to be once. */
  #isAdmitted = false;
  /** `#ahead` waits for room in the budget. */
  #isQueued = false;
  #isClosed = false;

  constructor(records: FetchedRecords, epoch: number, options: ChunkOptions, events: ChunkEvents) {
    this.epoch = epoch;
    this.#context = { topic: records.topic, partition: records.partition }; // not `records`, which keeps the frame
    this.nextOffset = records.nextOffset;
    this.#highWatermark = records.highWatermark;
    this.#options = options;
    this.#events = events;
    this.#bytes = records.bytes;
    this.#reader = new WireBatchReader(records.bytes, this.#context);
    this.#filter = records.abortedTransactions.length > 0 ? new TransactionFilter(records.abortedTransactions) : null;
  }

  get sizeInBytes(): number {
    return this.#bytes.length;
  }

  get memory(): ArrayBufferLike {
    return this.#bytes.buffer;
  }

  /** Whole, so that positions stay what they are. */
  moveOut(): void {
    const left = this.#bytes;
    const copy = Buffer.allocUnsafeSlow(left.length);
    left.copy(copy);
    this.#bytes = copy;
    if (this.#ahead !== null) this.#ahead = new WireBatch(copy, this.#ahead.position);
    this.#reader = new WireBatchReader(copy, this.#context, this.#reader.position);
    this.#events.onMoved(left, copy);
  }

  /** The next batch is being decompressed, or waits for room: `next` has nothing until `onOpened`. */
  get isWaiting(): boolean {
    return this.#isQueued || this.#opening?.isSettled === false;
  }

  get isWanted(): boolean {
    return this.#events.isWanted();
  }

  get waitingBytes(): number {
    return this.#ahead?.sizeInBytes ?? 0;
  }

  onRoom(reserved: number): void {
    const batch = this.#ahead;
    this.#isQueued = false;
    if (reserved < 0 || batch === null) return; // `next` asks again
    this.#ahead = null;
    this.#isAdmitted = false;
    const opening = this.#beginOpening(batch, reserved);
    if (opening.isSettled) this.#events.onOpened(this);
  }

  /** Nobody reads what is left of it. */
  close(): void {
    const source = this.#opening?.source;
    this.#isClosed = true;
    this.#isQueued = false;
    this.#opening = null;
    this.#options.opened.leave(this);
    if (source != null) this.#options.opened.release(source);
  }

  /** All batches were taken. */
  get isUsedUp(): boolean {
    return this.#opening === null && this.#ahead === null && this.#reader.position >= this.sizeInBytes;
  }

  /**
   * The next step; `null` at the end, and while `isWaiting`.
   * @param position records before it are not wanted
   * @throws CorruptRecordError for a batch that cannot be opened; the next call goes on after it
   */
  next(position: number): ChunkStep | null {
    try {
      return this.#next(position);
    } catch (error) {
      throw this.#bounded(error);
    }
  }

  #next(position: number): ChunkStep | null {
    if (this.#isQueued) return null;
    if (this.#opening !== null) return this.#takeOpened(this.#opening);
    const batch = this.#ahead ?? this.#reader.next();
    this.#ahead = null;
    if (batch === null) return null;
    const { nextOffset } = batch;
    const isWanted = this.#isAdmitted || this.#isForApplication(batch);
    this.#isAdmitted = false;
    if (!isWanted || nextOffset <= position) return { source: null, nextOffset };
    if ((batch.attributes & COMPRESSION_MASK) === 0) {
      const source = openBatch(batch, this.#context, this.#options);
      this.#options.opened.add(source); // a message of before 0.11 is copied
      return { source, nextOffset };
    }
    const reserved = this.#options.opened.reserve(batch.sizeInBytes);
    if (reserved < 0) {
      this.#ahead = batch;
      this.#isAdmitted = true;
      this.#isQueued = true;
      this.#options.opened.wait(this);
      return null;
    }
    if (!isWorthOpeningAside(batch, this.#options)) return { source: this.#openNow(batch, reserved), nextOffset };
    const opening = this.#beginOpening(batch, reserved);
    return opening.isSettled ? this.#takeOpened(opening) : null; // one that cannot even begin is settled at once
  }

  /** The end of a damaged batch may be what is damaged: nobody may go past the next batch, or the end of the log, by it. */
  #bounded(error: unknown): unknown {
    if (!(error instanceof CorruptRecordError)) return error;
    let end = this.#highWatermark;
    try {
      const next = new WireBatchReader(this.#bytes, this.#context, this.#reader.position).next();
      if (next?.isLegacy === false) end = next.baseOffset;
    } catch {
      // what comes after it is damaged as well
    }
    return end >= 0 && error.nextOffset > end ? error.goingOnAt(end > error.offset ? end : -1) : error;
  }

  #takeOpened(opening: Opening): ChunkStep | null {
    if (!opening.isSettled) return null;
    this.#opening = null;
    if (opening.source === null) throw opening.error;
    this.#openAhead();
    return { source: opening.source, nextOffset: opening.nextOffset };
  }

  /** The next batch is decompressed while the application handles this one, if there is room for both. */
  #openAhead(): void {
    let ahead: WireBatch | null;
    try {
      ahead = this.#reader.next();
    } catch {
      return; // its header is damaged: thrown when it is its turn
    }
    this.#ahead = ahead;
    if (ahead === null || this.#filter !== null || ahead.isControl || !isWorthOpeningAside(ahead, this.#options))
      return;
    const reserved = this.#options.opened.reserve(ahead.sizeInBytes);
    if (reserved < 0) return;
    this.#ahead = null;
    this.#beginOpening(ahead, reserved);
  }

  /** Control batches are never delivered. In the order of the batches: the filter follows the transactions' markers. */
  #isForApplication(batch: WireBatch): boolean {
    if (this.#filter === null) return !batch.isControl;
    return this.#filter.isWanted(batch, () => openBatch(batch, this.#context, this.#options));
  }

  /** On this thread. */
  #openNow(batch: WireBatch, reserved: number): RecordSource {
    let source: RecordSource | null = null;
    try {
      source = openBatch(batch, this.#context, this.#options);
      return source;
    } finally {
      this.#options.opened.settle(reserved, batch.sizeInBytes, source);
    }
  }

  /** Off this thread, if that is worth it. */
  #beginOpening(batch: WireBatch, reserved: number): Opening {
    const opening: Opening = { nextOffset: batch.nextOffset, source: null, error: null, isSettled: false };
    this.#opening = opening;
    const { sizeInBytes } = batch;
    if (!isWorthOpeningAside(batch, this.#options)) {
      opening.isSettled = true;
      try {
        opening.source = this.#openNow(batch, reserved);
      } catch (error) {
        opening.error = error;
      }
      return opening;
    }
    let hasReturned = false;
    openBatchAside(batch, this.#context, this.#options, (error, source) => {
      opening.error = error;
      opening.isSettled = true;
      const { opened } = this.#options;
      opened.settle(reserved, sizeInBytes, this.#isClosed ? null : source);
      if (this.#isClosed) return;
      opening.source = source;
      if (hasReturned) this.#events.onOpened(this);
    });
    hasReturned = true;
    return opening;
  }
}
