import type { AbortedTransaction } from '../protocol/api/fetch.ts';
import { RecordCursor } from '../protocol/record-cursor.ts';
import { WireBatch } from '../protocol/record-batch.ts';
import { openBatch } from '../protocol/open-batch.ts';
import { compactBatches } from './compaction.ts';
import { LeaderEpochs } from './leader-epochs.ts';
import { TransactionIndex } from './transactions.ts';

/** A batch as it was received, with its offset and leader epoch written in. */
export interface StoredBatch {
  readonly bytes: Buffer;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly maxTimestamp: number;
}

export interface TimestampedOffset {
  readonly offset: number;
  readonly timestamp: number;
  readonly leaderEpoch: number;
}

const NO_BYTES = Buffer.alloc(0);
const CONTEXT = { topic: '', partition: -1 };
const OPEN = { checkCrcs: false, maxDecompressedBytes: 1 << 30 };

/** The batches of one partition, in memory. All replicas share it: nothing is ever behind, so its end is the high watermark. */
export class PartitionLog {
  #batches: StoredBatch[] = [];
  #startOffset = 0;
  #endOffset = 0;
  #epochs = new LeaderEpochs();
  #transactions = new TransactionIndex();

  get startOffset(): number {
    return this.#startOffset;
  }

  get endOffset(): number {
    return this.#endOffset;
  }

  get lastStableOffset(): number {
    return this.#transactions.lastStableOffset(this.#endOffset);
  }

  get batches(): readonly StoredBatch[] {
    return this.#batches;
  }

  beginEpoch(epoch: number): void {
    this.#epochs.begin(epoch, this.#endOffset);
  }

  /** @param bytes one whole batch; it is kept, not copied, and gets its offset and leader epoch written in. Gives its first offset. */
  append(bytes: Buffer, leaderEpoch: number): number {
    const baseOffset = this.#endOffset;
    bytes.writeBigInt64BE(BigInt(baseOffset), 0);
    bytes.writeInt32BE(leaderEpoch, 12);
    const batch = new WireBatch(bytes, 0);
    const { lastOffset, maxTimestamp } = batch;
    this.#batches.push({ bytes, baseOffset, lastOffset, maxTimestamp });
    this.#endOffset = lastOffset + 1;
    this.#transactions.append(batch);
    return baseOffset;
  }

  /** How many bytes there are to read from `offset` on below `upTo`; stops counting above `enough`. */
  bytesFrom(offset: number, upTo: number, enough: number): number {
    let bytes = 0;
    for (let index = this.#indexOf(offset); index < this.#batches.length && bytes < enough; index++) {
      const batch = this.#batches[index];
      if (batch === undefined || batch.baseOffset >= upTo) break;
      bytes += batch.bytes.length;
    }
    return bytes;
  }

  /**
   * Batches from the one with `offset` on, those that begin below `upTo`, at most `maxBytes` of them: the last may be cut off there, as brokers
   * do. The first comes whole even where it is larger if `alwaysFirst`, else not at all (KIP-74).
   */
  read(offset: number, upTo: number, maxBytes: number, alwaysFirst: boolean): { records: Buffer; nextOffset: number } {
    const parts: Buffer[] = [];
    let room = maxBytes;
    let nextOffset = offset;
    for (let index = this.#indexOf(offset); index < this.#batches.length; index++) {
      const batch = this.#batches[index];
      if (batch === undefined || batch.baseOffset >= upTo) break;
      const isFirst = parts.length === 0;
      if (batch.bytes.length > room && !(isFirst && alwaysFirst)) {
        if (!isFirst && room > 0) parts.push(batch.bytes.subarray(0, room));
        break;
      }
      parts.push(batch.bytes);
      room -= batch.bytes.length;
      nextOffset = batch.lastOffset + 1;
    }
    const [only] = parts;
    return { records: only === undefined ? NO_BYTES : parts.length === 1 ? only : Buffer.concat(parts), nextOffset };
  }

  /** Drops everything from `offset` on: what an unclean leader election does. */
  truncate(offset: number): void {
    this.#batches = this.#batches.filter(({ lastOffset }) => lastOffset < offset);
    this.#endOffset = Math.min(this.#endOffset, Math.max(offset, this.#startOffset));
    this.#epochs.truncate(this.#endOffset);
    this.#transactions = new TransactionIndex();
    for (const { bytes } of this.#batches) this.#transactions.append(new WireBatch(bytes, 0));
  }

  /** Drops batches that lie wholly before `offset`, which is the log's first one from now on: what retention does. */
  deleteBefore(offset: number): void {
    this.#startOffset = Math.max(this.#startOffset, Math.min(offset, this.#endOffset));
    this.#batches = this.#batches.filter(({ lastOffset }) => lastOffset >= this.#startOffset);
  }

  /** Keeps the last record of each key. The newest batch stays as it is, as the active segment does. */
  compact(): void {
    const newest = this.#batches.at(-1);
    if (newest === undefined) return;
    const compacted = compactBatches(this.#batches.slice(0, -1), newest);
    this.#batches = [...compacted, newest];
  }

  abortedBetween(from: number, to: number): AbortedTransaction[] {
    return this.#transactions.abortedBetween(from, to);
  }

  endOfEpoch(epoch: number): { leaderEpoch: number; endOffset: number } | null {
    return this.#epochs.endOf(epoch, this.#endOffset);
  }

  epochAt(offset: number): number {
    return this.#epochs.at(offset);
  }

  /** The first record at or after a time, below `upTo`; null where there is none. */
  offsetAtTime(timestamp: number, upTo: number): TimestampedOffset | null {
    for (const batch of this.#batches) {
      if (batch.baseOffset >= upTo) break;
      if (batch.maxTimestamp < timestamp) continue;
      const found = this.#findRecord(batch, (at) => at >= timestamp);
      if (found !== null && found.offset < upTo) return found;
    }
    return null;
  }

  /** The first of the records with the largest timestamp (KIP-734); null in an empty log. */
  maxTimestamp(): TimestampedOffset | null {
    let newest: StoredBatch | null = null;
    for (const batch of this.#batches) {
      if (newest === null || batch.maxTimestamp > newest.maxTimestamp) newest = batch;
    }
    if (newest === null) return null;
    const { maxTimestamp } = newest;
    return this.#findRecord(newest, (timestamp) => timestamp === maxTimestamp);
  }

  #findRecord(batch: StoredBatch, matches: (timestamp: number) => boolean): TimestampedOffset | null {
    const wire = new WireBatch(batch.bytes, 0);
    const cursor = new RecordCursor(openBatch(wire, CONTEXT, OPEN));
    for (let record = cursor.next(); record !== undefined; record = cursor.next()) {
      const { offset, timestamp } = record;
      if (offset >= this.#startOffset && matches(timestamp)) {
        return { offset, timestamp, leaderEpoch: wire.partitionLeaderEpoch };
      }
    }
    return null;
  }

  /** The first batch that ends at or after `offset`. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#batches[middle]?.lastOffset ?? Infinity) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
