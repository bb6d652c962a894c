import { RecordCursor } from '../protocol/record-cursor.ts';
import type { RecordSource } from '../protocol/record.ts';

/** A run of records within one batch as it came over the wire. */
export interface RecordSlice {
  readonly source: RecordSource;
  /** Where a cursor of the source stood before the first record. */
  readonly at: number;
  readonly index: number;
  readonly count: number;
  /** The partition's position before the first record. */
  readonly from: number;
  /** Where reading goes on after the source. */
  readonly nextOffset: number;
  /** Where the last record ended, once somebody has come past it; −1 before. */
  endAt: number;
  /** A record in it makes no sense, and that was told. */
  isDamaged: boolean;
}

/** Records that were handed out and not finished, and come again: a source from a record on. */
export class Rewound {
  source: RecordSource;
  readonly at: number;
  readonly index: number;
  readonly nextOffset: number;
  /** The position before the partition was rewound. What is finished up to there does not come again. */
  readonly upTo: number;

  constructor(source: RecordSource, at: number, index: number, nextOffset: number, upTo: number) {
    this.source = source;
    this.at = at;
    this.index = index;
    this.nextOffset = nextOffset;
    this.upTo = upTo;
  }

  /** What lay in `left` is in `copy` now. */
  move(left: Buffer, copy: Buffer): void {
    if (this.source.buffer === left) this.source = this.source.in(copy);
  }
}

/** The slice as far as its records make sense, and the offset after the last of them. */
export function soundPart(slice: RecordSlice): { slice: RecordSlice; nextOffset: number } {
  const { source, at, index, count, from } = slice;
  const cursor = new RecordCursor(source, at, index);
  let sound = 0;
  let nextOffset = from;
  try {
    while (sound < count && cursor.advance()) {
      nextOffset = cursor.offset + 1;
      sound++;
    }
  } catch {
    // the record that makes no sense: the cursor stays before it
  }
  const part = source.upTo(index + sound, cursor.at);
  return { slice: { ...slice, source: part, count: sound, nextOffset, endAt: cursor.at }, nextOffset };
}

/** Before the first record after the slice. */
export function cursorAfter<K, V>({ source, at, index, count, endAt }: RecordSlice): RecordCursor<K, V> {
  if (endAt >= 0) return new RecordCursor<K, V>(source, endAt, index + count);
  const cursor = new RecordCursor<K, V>(source, at, index);
  cursor.skip(count);
  return cursor;
}
