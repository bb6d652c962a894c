import { RecordCursor } from '../protocol/record-cursor.ts';
import { WireBatch } from '../protocol/record-batch.ts';
import { openBatch } from '../protocol/open-batch.ts';
import type { StoredBatch } from './partition-log.ts';

/** A record in a log. */
export interface StoredRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [string, Buffer | null])[];
}

/** Control batches left out. */
export function recordsOf(batches: readonly StoredBatch[]): StoredRecord[] {
  return batches.flatMap(({ bytes }) => {
    const batch = new WireBatch(bytes, 0);
    if (batch.isControl) return [];
    const source = openBatch(batch, { topic: '', partition: -1 }, { checkCrcs: true, maxDecompressedBytes: 1 << 30 });
    const cursor = new RecordCursor(source);
    const records: StoredRecord[] = [];
    for (let record = cursor.next(); record !== undefined; record = cursor.next()) {
      const { offset, timestamp, keyBytes: key, valueBytes: value } = record;
      records.push({ offset, timestamp, key, value, headers: [...record.headers] });
    }
    return records;
  });
}
