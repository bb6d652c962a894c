import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type TestRecord, encodeRecordBatch } from '../../src/testing/record-batch-writer.ts';

const RECORDS = join(import.meta.dirname, '..', 'vectors', 'records');

interface VectorBatch {
  baseOffset: string;
  partitionLeaderEpoch: number;
  producerId: string;
  producerEpoch: number;
  baseSequence: number;
  isTransactional: boolean;
  isControl: boolean;
  records: { timestamp: string; key: string | null; value: string | null; headers: [string, string | null][] }[];
}

const bytes = (base64: string | null): Buffer | null => (base64 === null ? null : Buffer.from(base64, 'base64'));

function encodeVector(batch: VectorBatch): Buffer {
  const records = batch.records.map(({ timestamp, key, value, headers }): TestRecord => ({
    timestamp: Number(timestamp),
    key: bytes(key),
    value: bytes(value),
    headers: headers.map(([name, content]) => [name, bytes(content)]),
  }));
  return encodeRecordBatch(records, {
    baseOffset: Number(batch.baseOffset),
    partitionLeaderEpoch: batch.partitionLeaderEpoch,
    producerId: Number(batch.producerId),
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    transactional: batch.isTransactional,
    control: batch.isControl,
  });
}

describe('encodeRecordBatch', () => {
  it.each(['v2-none', 'v2-none-many', 'v2-none-large-value', 'v2-many-headers', 'v2-single'])(
    'writes the bytes that Java writes: %s',
    (name) => {
      const { batches } = JSON.parse(readFileSync(join(RECORDS, `${name}.json`), 'utf8')) as { batches: VectorBatch[] };
      const written = Buffer.concat(batches.map(encodeVector));
      expect(written.toString('hex')).toBe(readFileSync(join(RECORDS, `${name}.bin`)).toString('hex'));
    },
  );

  it('compresses what follows the header and nothing else', () => {
    const records = Array.from({ length: 50 }, (_, index) => ({ key: `${index}`, value: 'x'.repeat(100) }));
    const plain = encodeRecordBatch(records, { timestamp: 1_700_000_000_000 });
    const zipped = encodeRecordBatch(records, { timestamp: 1_700_000_000_000, compression: 'gzip' });
    expect(zipped.readInt16BE(21)).toBe(1);
    expect(zipped.readInt32BE(8)).toBe(zipped.length - 12);
    expect(zipped.subarray(23, 61)).toEqual(plain.subarray(23, 61));
    expect(gunzipSync(zipped.subarray(61)).equals(plain.subarray(61))).toBe(true);
  });
});
