import { CorruptRecordError } from '../errors.ts';
import type { FetchedRecords } from '../fetch/partition.ts';
import { TransactionFilter } from '../fetch/transactions.ts';
import { WireBatch, WireBatchReader, type RecordContext } from '../protocol/record-batch.ts';
import { isWorthOpeningAside, openBatch, openBatchAside, type OpenOptions } from '../protocol/open-batch.ts';
import type { RecordSource } from '../protocol/record.ts';
import type { FrameTenant } from './frames.ts';

/** What comes next in a chunk: a batch to read from, or only offsets to go past. */
export interface ChunkStep {
  /** `null` for a batch that holds nothing for the application. */
  readonly source: RecordSource | null;
  /** Where reading goes on after it. */
  readonly nextOffset: number;
}

export interface ChunkEvents {
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
export class ChunkReader implements FrameTenant {
  readonly epoch: number;
  /** The position after the last batch. */
  readonly nextOffset: number;
  readonly #highWatermark: number;
  readonly #context: RecordContext;
  readonly #options: OpenOptions;
  readonly #events: ChunkEvents;
  #bytes: Buffer;
  #reader: WireBatchReader;
  readonly #filter: TransactionFilter | null;
  #opening: Opening | null = null;
  #ahead: WireBatch | null = null;

  constructor(records: FetchedRecords, epoch: number, options: OpenOptions, events: ChunkEvents) {
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

  /** The next batch is being decompressed: `next` has nothing until `onOpened`. */
  get isWaiting(): boolean {
    return this.#opening?.isSettled === false;
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
    if (this.#opening !== null) return this.#takeOpened(this.#opening);
    const batch = this.#ahead ?? this.#reader.next();
    this.#ahead = null;
    if (batch === null) return null;
    const { nextOffset } = batch;
    if (!this.#isWanted(batch) || nextOffset <= position) return { source: null, nextOffset };
    if (isWorthOpeningAside(batch, this.#options)) {
      const opening = this.#beginOpening(batch);
      return opening.isSettled ? this.#takeOpened(opening) : null; // one that cannot even begin is settled at once
    }
    return { source: openBatch(batch, this.#context, this.#options), nextOffset };
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
    // The one behind it is decompressed while the application handles this one.
    const ahead = this.#reader.next();
    if (ahead !== null && this.#filter === null && !ahead.isControl && isWorthOpeningAside(ahead, this.#options))
      this.#beginOpening(ahead);
    else this.#ahead = ahead;
    return { source: opening.source, nextOffset: opening.nextOffset };
  }

  /** Control batches are never delivered. In the order of the batches: the filter follows the transactions' markers. */
  #isWanted(batch: WireBatch): boolean {
    if (this.#filter === null) return !batch.isControl;
    return this.#filter.isWanted(batch, () => openBatch(batch, this.#context, this.#options));
  }

  #beginOpening(batch: WireBatch): Opening {
    const opening: Opening = { nextOffset: batch.nextOffset, source: null, error: null, isSettled: false };
    this.#opening = opening;
    let hasReturned = false;
    openBatchAside(batch, this.#context, this.#options, (error, source) => {
      opening.source = source;
      opening.error = error;
      opening.isSettled = true;
      if (hasReturned) this.#events.onOpened(this);
    });
    hasReturned = true;
    return opening;
  }
}
