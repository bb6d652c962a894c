import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CorruptRecordError, KafkaError } from '../../../src/errors.ts';
import { crc32c } from '../../../src/protocol/crc32c.ts';
import { WireBatchReader, type WireBatch } from '../../../src/protocol/record-batch.ts';
import { openBatch } from '../../../src/protocol/open-batch.ts';
import { RecordCursor } from '../../../src/protocol/record-cursor.ts';
import type { KafkaRecord } from '../../../src/protocol/record.ts';
import type { ExpectedRecord } from '../../conformance/records.ts';
import { encodeRecordBatch, type TestCompression } from '../../../src/testing/record-batch-writer.ts';
import { referenceRecords } from './reference.ts';
import { vectors } from './vectors.ts';

/*
 * Bytes that a forger gave a right CRC: they decode, or end in a typed error; no view leaves its batch, nothing grows beyond
 * its bound, and what decodes is what the plain reference decoder reads.
 */

const CONTEXT = { topic: 'forged', partition: 1 };
const MAX_BYTES = 1 << 20;
const GUARD = 16;

interface Change {
  kind: 'flip' | 'set' | 'varint' | 'header' | 'cut';
  at: number;
  value: number;
}

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('flip', 'set', 'varint', 'header', 'cut'),
  at: fc.nat({ max: 0xffff }),
  value: fc.oneof(fc.integer(), fc.constantFrom(-2, -1, 0, 1, 0x7f, 0x80, 0xff, 0x7fffffff, -0x80000000)),
});

const small = vectors.filter(({ bin, json }) => {
  return bin.length < 4096 && json.error === undefined;
});

describe('record bytes', () => {
  test.each(small)('$name, changed', ({ bin }) => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        decode(forge(bin, changes));
      }),
      { numRuns: 300 },
    );
  });

  const records = fc.array(
    fc.record({
      key: fc.option(fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes))),
      value: fc.option(fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))),
      timestamp: fc.oneof(fc.nat(), fc.constantFrom(1_700_000_000_000, 2 ** 52 - 1)),
      headers: fc.array(fc.tuple(fc.string({ maxLength: 5 }), fc.option(fc.string({ maxLength: 5 }))), {
        maxLength: 3,
      }),
    }),
    { minLength: 1, maxLength: 20 },
  );

  test('of any records, as they are', () => {
    fc.assert(
      fc.property(
        records,
        fc.constantFrom<TestCompression>('none', 'gzip', 'snappy', 'snappy-xerial'),
        (list, codec) => {
          const bytes = encodeRecordBatch(list, { baseOffset: 77, compression: codec });
          const found = decode(bytes);
          expect(found).toHaveLength(list.length);
          expect(found).toEqual(
            list.map((record, index) => ({
              offset: String(index),
              timestamp: String(record.timestamp - (list[0]?.timestamp ?? 0)),
              key: record.key?.toString('base64') ?? null,
              value: record.value?.toString('base64') ?? null,
              headers: record.headers.map(([name, value]) => [
                Buffer.from(name).toString(),
                value === null ? null : Buffer.from(value).toString('base64'),
              ]),
            })),
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  test('of any records, changed', () => {
    fc.assert(
      fc.property(records, fc.array(change, { minLength: 1, maxLength: 4 }), (list, changes) => {
        decode(forge(encodeRecordBatch(list), changes));
      }),
      { numRuns: 4000 },
    );
  });

  test('that are only noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 40 }), (noise, count) => {
        const batch = Buffer.concat([encodeRecordBatch([{ value: 'x' }]).subarray(0, 61), noise]);
        batch.writeInt32BE(batch.length - 12, 8);
        batch.writeInt32BE(count, 57);
        decode(withCrc(batch));
      }),
      { numRuns: 4000 },
    );
  });
});

/** Applies the changes to the first batch of `bin` and gives it a right length and CRC again. */
function forge(bin: Buffer, changes: readonly Change[]): Buffer {
  let batch: Buffer = Buffer.from(bin.subarray(0, 12 + bin.readInt32BE(8)));
  for (const { kind, at, value } of changes) {
    const position = 61 + (at % Math.max(1, batch.length - 61));
    if (kind === 'cut') batch = batch.subarray(0, position);
    else if (kind === 'header') batch[21 + (at % 40)] = value;
    else if (position >= batch.length) continue;
    else if (kind === 'flip') batch[position] = (batch[position] ?? 0) ^ (1 << (value & 7));
    else if (kind === 'set') batch[position] = value;
    else writeVarint(batch, position, value);
  }
  batch.writeInt32BE(batch.length - 12, 8);
  return withCrc(batch);
}

function withCrc(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch, 21, batch.length), 17);
  return batch;
}

function writeVarint(batch: Buffer, position: number, value: number): void {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let at = position;
  for (; rest > 0x7f && at < batch.length; rest >>>= 7) batch[at++] = (rest & 0x7f) | 0x80;
  if (at < batch.length) batch[at] = rest;
}

/** Decodes one batch with guard bytes around it, as far as it goes, and checks everything that has to hold for any bytes. */
function decode(bytes: Buffer): ExpectedRecord[] | null {
  const guarded = Buffer.alloc(bytes.length + 2 * GUARD, 0x02);
  bytes.copy(guarded, GUARD);
  const reader = new WireBatchReader(guarded.subarray(GUARD, GUARD + bytes.length), CONTEXT);
  try {
    const batch = reader.next();
    if (batch === null) throw new Error('the batch is not cut off');
    const found = decodeWhole(batch);
    expect(reader.position).toBe(bytes.length);
    expect(reader.next()).toBeNull();
    return found;
  } catch (error) {
    expect(error).toBeInstanceOf(KafkaError);
    if (!(error instanceof CorruptRecordError)) expect([43, 76]).toContain((error as KafkaError).code);
    else expect(error.topic).toBe(CONTEXT.topic);
    return null;
  }
}

function decodeWhole(batch: WireBatch): ExpectedRecord[] {
  const source = openBatch(batch, CONTEXT, { checkCrcs: true, maxDecompressedBytes: MAX_BYTES });
  expect(source.end - source.start).toBeLessThanOrEqual(Math.max(MAX_BYTES, batch.buffer.length));
  const reference = referenceRecords(source.buffer.subarray(source.start, source.end), source.count);
  const found: ExpectedRecord[] = [];
  const cursor = new RecordCursor(source);
  try {
    for (let record = cursor.next(); record !== undefined; record = cursor.next()) {
      expectInside(record, source);
      found.push(relative(record, source, batch));
    }
  } catch (error) {
    expect(error).toBeInstanceOf(CorruptRecordError);
    expect(reference).toBeNull();
    expect(() => cursor.next()).toThrow(CorruptRecordError);
    throw error;
  }
  const isLogAppendTime = batch.timestampType === 'LogAppendTime';
  expect(found).toEqual(reference?.map((record) => (isLogAppendTime ? { ...record, timestamp: '0' } : record)));
  return found;
}

function expectInside(record: KafkaRecord, source: { buffer: Buffer; start: number; end: number }): void {
  for (const view of [record.key, record.value, ...[...record.headers].map(([, value]) => value)]) {
    if (view === null || view.length === 0) continue;
    const start = view.byteOffset - source.buffer.byteOffset;
    const isInside = view.buffer === source.buffer.buffer && start >= source.start && start + view.length <= source.end;
    expect(isInside).toBe(true);
  }
}

function relative(record: KafkaRecord, source: { baseTimestamp: number }, batch: WireBatch): ExpectedRecord {
  const base64 = (bytes: Buffer | null): string | null => bytes?.toString('base64') ?? null;
  // The record's own field: a sum with a forged base timestamp need not be exact.
  const { timestampDelta } = record as unknown as { timestampDelta: number };
  expect(record.timestamp).toBe(source.baseTimestamp + timestampDelta);
  return {
    offset: record.offsetLong.sub(batch.baseOffsetLong).toString(),
    timestamp: Number.isSafeInteger(timestampDelta) ? String(timestampDelta) : 'unsafe',
    key: base64(record.key),
    value: base64(record.value),
    headers: [...record.headers].map(([name, value]) => [name, base64(value)]),
  };
}
