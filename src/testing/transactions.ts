import type { AbortedTransaction } from '../protocol/api/fetch.ts';
import { RecordCursor } from '../protocol/record-cursor.ts';
import { type WireBatch } from '../protocol/record-batch.ts';
import { openBatch } from '../protocol/open-batch.ts';
import Long from 'long';

interface Aborted {
  readonly producerId: Long;
  readonly firstOffset: number;
  /** Of the marker. */
  readonly lastOffset: number;
}

interface Ongoing {
  readonly producerId: Long;
  readonly firstOffset: number;
}

const CONTEXT = { topic: '', partition: -1 };
const ABORT = 0;
const COMMIT = 1;

/** What transactions have left in one log (KIP-98): where undecided ones begin, and which were aborted. */
export class TransactionIndex {
  readonly #ongoing = new Map<string, Ongoing>();
  #aborted: Aborted[] = [];

  /** Takes note of a batch that was appended at the log's end. */
  append(batch: WireBatch): void {
    if (!batch.isTransactional) return;
    const { producerId } = batch;
    const key = producerId.toString();
    const ongoing = this.#ongoing.get(key);
    if (!batch.isControl) {
      if (ongoing === undefined) this.#ongoing.set(key, { producerId, firstOffset: batch.baseOffset });
      return;
    }
    const type = markerType(batch);
    if (ongoing === undefined || (type !== ABORT && type !== COMMIT)) return;
    this.#ongoing.delete(key);
    if (type === ABORT) {
      this.#aborted.push({ producerId, firstOffset: ongoing.firstOffset, lastOffset: batch.lastOffset });
    }
  }

  /** Where the first undecided transaction begins; `endOffset` without one. */
  lastStableOffset(endOffset: number): number {
    let offset = endOffset;
    for (const { firstOffset } of this.#ongoing.values()) offset = Math.min(offset, firstOffset);
    return offset;
  }

  /** Aborted ones with a record in [from, to), by their first offset. */
  abortedBetween(from: number, to: number): AbortedTransaction[] {
    return this.#aborted
      .filter(({ firstOffset, lastOffset }) => lastOffset >= from && firstOffset < to)
      .sort((a, b) => a.firstOffset - b.firstOffset)
      .map(({ producerId, firstOffset }) => ({ producerId, firstOffset: Long.fromNumber(firstOffset) }));
  }
}

/** The key of a control record: version int16, type int16. */
function markerType(batch: WireBatch): number {
  const source = openBatch(batch, CONTEXT, { checkCrcs: false, maxDecompressedBytes: 1024 });
  const key = new RecordCursor(source).next()?.keyBytes;
  return key !== undefined && key !== null && key.length >= 4 ? key.readInt16BE(2) : -1;
}
