import { inspect } from 'node:util';
import Long from 'long';
import { describe, expect, test } from 'vitest';
import { CorruptRecordError, KafkaError } from '../../../src/errors.ts';
import { crc32c } from '../../../src/protocol/crc32c.ts';
import { RecordHeaders } from '../../../src/protocol/headers.ts';
import { WireBatchReader, type WireBatch } from '../../../src/protocol/record-batch.ts';
import { openBatch } from '../../../src/protocol/open-batch.ts';
import { RecordCursor } from '../../../src/protocol/record-cursor.ts';
import type { KafkaRecord, RecordSource } from '../../../src/protocol/record.ts';
import { encodeRecordBatch, type TestRecord } from '../../../src/testing/record-batch-writer.ts';

const CONTEXT = { topic: 'orders', partition: 3 };
const OPTIONS = { checkCrcs: true, maxDecompressedBytes: 1 << 20 };
const NOON = 1_700_000_000_000;

function batchOf(bytes: Buffer): WireBatch {
  const batch = new WireBatchReader(bytes, CONTEXT).next();
  if (batch === null) throw new Error('no whole batch');
  return batch;
}

function open(bytes: Buffer): RecordSource {
  return openBatch(batchOf(bytes), CONTEXT, OPTIONS);
}

function all<K, V>(cursor: RecordCursor<K, V>): KafkaRecord<K, V>[] {
  const records: KafkaRecord<K, V>[] = [];
  for (let record = cursor.next(); record !== undefined; record = cursor.next()) records.push(record);
  return records;
}

function first(record: TestRecord, baseOffset = 0): KafkaRecord {
  const found = new RecordCursor(open(encodeRecordBatch([record], { baseOffset, timestamp: NOON }))).next();
  if (found === undefined) throw new Error('no record');
  return found;
}

/** Changes header bytes and makes the CRC right again. */
function changed(bytes: Buffer, change: (bytes: Buffer) => void): Buffer {
  change(bytes);
  bytes.writeUInt32BE(crc32c(bytes, 21, bytes.length), 17);
  return bytes;
}

describe('a record', () => {
  test('shows its bytes in place', () => {
    const bytes = encodeRecordBatch([{ key: 'key', value: 'value' }], { baseOffset: 42, timestamp: NOON });
    const record = new RecordCursor(open(bytes)).next();
    expect(record?.value?.buffer).toBe(bytes.buffer);
    bytes.write('V', bytes.indexOf('value'));
    expect(record?.value?.toString()).toBe('Value');
    expect(record?.key?.toString()).toBe('key');
  });

  test('gives real Buffers', () => {
    const record = first({ key: 'key', value: 'value', headers: [['h', 'x']] });
    const views = [record.key, record.value, record.headers.get('h')];
    for (const view of views) {
      expect(Object.getPrototypeOf(view)).toBe(Buffer.prototype);
      expect(Buffer.isBuffer(view)).toBe(true);
    }
    expect(views).toStrictEqual([Buffer.from('key'), Buffer.from('value'), Buffer.from('x')]);
    expect(inspect(record.value)).toBe('<Buffer 76 61 6c 75 65>');
    expect(first({ key: '', value: '' }).value).toStrictEqual(Buffer.alloc(0));
  });

  test('makes each view once', () => {
    const record = first({ key: 'k', value: 'v', headers: [['h', '1']] });
    expect(record.value).toBe(record.value);
    expect(record.key).toBe(record.key);
    expect(record.headers).toBe(record.headers);
  });

  test('tells null from empty', () => {
    const none = first({ key: null, value: null });
    expect([none.key, none.value, none.text(), none.json()]).toEqual([null, null, null, null]);
    const empty = first({ key: '', value: '' });
    expect([empty.key?.length, empty.value?.length, empty.text()]).toEqual([0, 0, '']);
  });

  test('decodes text and JSON', () => {
    expect(first({ value: 'grüße' }).text()).toBe('grüße');
    expect(first({ value: '{"a":[1]}' }).json<{ a: number[] }>()?.a).toEqual([1]);
    expect(() => first({ value: '{oops' }, 42).json()).toThrow(/^orders-3 at offset 42: the value is not JSON: /);
  });

  test('prints as what it holds', () => {
    const record = first({ key: 'k', value: 'v', headers: [['h', null]] }, 42);
    const plain = {
      topic: 'orders',
      partition: 3,
      offset: 42,
      timestamp: NOON,
      key: 'k',
      value: 'v',
      headers: [['h', null]],
    };
    expect(JSON.parse(JSON.stringify(record))).toEqual(plain);
    expect(inspect(record)).toBe(`KafkaRecord ${inspect(plain)}`);
    expect(JSON.parse(JSON.stringify(first({ key: null, value: null })))).toMatchObject({ key: null, value: null });
  });

  test('goes through the deserializers, text() and json() do not', () => {
    const source = open(encodeRecordBatch([{ key: 'k', value: '7' }, { value: null }], { baseOffset: 5 }));
    const seen: unknown[] = [];
    source.deserializers = {
      key: (bytes) => bytes?.toString() ?? 'no key',
      value: (bytes, { topic, partition, offset, headers }) => {
        seen.push([topic, partition, offset, headers.length]);
        return bytes === null ? null : Number(bytes.toString());
      },
    };
    const [one, two] = all(new RecordCursor<string, number | null>(source));
    expect([one?.key, one?.value, one?.text(), one?.json()]).toEqual(['k', 7, '7', 7]);
    expect([two?.key, two?.value]).toEqual(['no key', null]);
    expect(seen).toEqual([
      ['orders', 3, 5, 0],
      ['orders', 3, 6, 0],
    ]);
    expect(one?.keyBytes?.toString()).toBe('k');
    expect(one?.valueBytes?.toString()).toBe('7');
    expect(one?.toJSON()).toMatchObject({ key: 'k', value: 7 });
  });

  test('has an exact offset or none', () => {
    const bytes = encodeRecordBatch([{ value: 'a' }, { value: 'b' }], { baseOffset: Number.MAX_SAFE_INTEGER });
    const batch = batchOf(bytes);
    const [last, beyond] = all(new RecordCursor(open(bytes)));
    expect(last?.offset).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => beyond?.offset).toThrow(KafkaError);
    expect(() => beyond?.offset).toThrow(/^offset 9007199254740992 is above 2\^53 - 1/);
    expect(beyond?.offsetLong).toEqual(Long.fromString('9007199254740992'));
    expect(beyond?.toJSON()).toMatchObject({ offset: '9007199254740992' });
    expect(batch.baseOffset).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => batch.lastOffset).toThrow(KafkaError);
    expect(() => batch.nextOffset).toThrow(KafkaError);
  });

  test.each([0, 63, 64, 8191, 8192, 2 ** 31, 2 ** 40, 2 ** 52 - 1])(
    'has a timestamp %d away from the first',
    (delta) => {
      const list = [
        { value: '', timestamp: 0 },
        { value: '', timestamp: delta },
        { value: '', timestamp: -delta },
      ];
      const timestamps = all(new RecordCursor(open(encodeRecordBatch(list)))).map((record) => record.timestamp);
      expect(timestamps).toEqual([0, delta, 0 - delta]);
    },
  );

  test('has the timestamp of the batch when the broker sets it', () => {
    const bytes = encodeRecordBatch([
      { value: 'a', timestamp: 5 },
      { value: 'b', timestamp: 9 },
    ]);
    const source = open(
      changed(bytes, (batch) => {
        batch.writeInt16BE(0x08, 21);
        batch.writeBigInt64BE(BigInt(NOON), 35);
      }),
    );
    for (const record of all(new RecordCursor(source))) {
      expect([record.timestamp, record.timestampType]).toEqual([NOON, 'LogAppendTime']);
    }
  });
});

describe('headers', () => {
  const { headers } = first({ value: 'v', headers: [['a', '1'], ['', null], ['a', '2'], ['ü', '']] }); // prettier-ignore

  test('by name and in order', () => {
    expect(headers.get('a')?.toString()).toBe('2');
    expect(headers.get('')).toBeNull();
    expect(headers.get('none')).toBeUndefined();
    expect(headers.getAll('a').map(String)).toEqual(['1', '2']);
    expect([headers.has('ü'), headers.has('u')]).toEqual([true, false]);
    expect([headers.length, headers.size]).toEqual([4, 4]);
    expect([...headers].map(([name]) => name)).toEqual(['a', '', 'a', 'ü']);
    expect(inspect(headers)).toBe(inspect(headers.toJSON()));
  });

  test('none', () => {
    expect(first({ value: null }).headers).toBe(RecordHeaders.EMPTY);
    expect([...RecordHeaders.EMPTY]).toEqual([]);
  });
});

describe('a cursor', () => {
  const bytes = encodeRecordBatch(
    Array.from({ length: 500 }, (_, i) => ({ key: i % 3 === 0 ? null : `k${i}`, value: 'x'.repeat(i) })),
    { baseOffset: 1000, timestamp: NOON },
  );

  test('goes on where another one stopped', () => {
    const source = open(bytes);
    const offsets: number[] = [];
    let at = source.start;
    let index = 0;
    while (index < source.count) {
      const cursor = new RecordCursor(source, at, index);
      for (let i = 0; i < 7; i++) offsets.push(cursor.next()?.offset ?? -1);
      ({ at, index } = cursor);
    }
    expect(offsets.filter((offset) => offset >= 0)).toEqual(Array.from({ length: 500 }, (_, i) => 1000 + i));
  });

  test('skips by count and to an offset', () => {
    const cursor = new RecordCursor(open(bytes));
    cursor.skip(10);
    expect([cursor.index, cursor.next()?.offset]).toEqual([10, 1010]);
    expect(cursor.skipTo(1005)).toBe(0);
    expect(cursor.skipTo(1200)).toBe(189);
    expect(cursor.next()?.text()).toBe('x'.repeat(200));
    expect(cursor.skipTo(99_999)).toBe(299);
    expect(cursor.next()).toBeUndefined();
    cursor.skip(5);
    expect([cursor.index, cursor.at]).toEqual([500, bytes.length]);
  });

  test('finds bytes after the last record, and records that are not there', () => {
    const few = changed(Buffer.from(bytes), (batch) => batch.writeInt32BE(499, 57));
    const cursor = new RecordCursor(open(few));
    cursor.skip(499);
    expect(() => cursor.next()).toThrow(/bytes are left after the last record/);
    const many = changed(Buffer.from(bytes), (batch) => batch.writeInt32BE(501, 57));
    const beyond = new RecordCursor(open(many));
    expect(() => beyond.skip(501)).toThrow(CorruptRecordError);
    expect(() => new RecordCursor(open(many)).skipTo(99_999)).toThrow(/the batch ends before it/);
    expect(beyond.index).toBe(500);
  });
});

describe('a batch', () => {
  test.each([
    ['a negative record count', /-1 records in/, (batch: Buffer) => batch.writeInt32BE(-1, 57)],
    ['a record count beyond its bytes', /9 records in/, (batch: Buffer) => batch.writeInt32BE(9, 57)],
    ['a negative base offset', /offsets from -/, (batch: Buffer) => batch.writeBigInt64BE(-5n, 0)],
    ['a last offset before its first', /offsets from 0 to -3/, (batch: Buffer) => batch.writeInt32BE(-3, 23)],
  ])('with %s is corrupt', (_, message, change) => {
    const bytes = changed(encodeRecordBatch([{ value: 'v' }]), change);
    expect(() => open(bytes)).toThrow(CorruptRecordError);
    expect(() => open(bytes)).toThrow(message);
  });

  test('is not checked when checkCrcs is off', () => {
    const bytes = encodeRecordBatch([{ value: 'value' }]);
    bytes.write('V', bytes.indexOf('value'));
    const batch = batchOf(bytes);
    expect(batch.isCrcValid()).toBe(false);
    expect(() => openBatch(batch, CONTEXT, OPTIONS)).toThrow(/CRC-32C is 0x[0-9a-f]{8}, the header says 0x/);
    expect(new RecordCursor(openBatch(batch, CONTEXT, { ...OPTIONS, checkCrcs: false })).next()?.text()).toBe('Value');
  });

  test.each([5, 6, 7])('of compression type %d is refused by its name', (id) => {
    const batch = batchOf(changed(encodeRecordBatch([{ value: 'v' }]), (bytes) => bytes.writeInt16BE(id, 21)));
    expect(() => openBatch(batch, CONTEXT, OPTIONS)).toThrow(
      expect.objectContaining({ code: 76, name: 'UNSUPPORTED_COMPRESSION_TYPE' }),
    );
    expect(() => openBatch(batch, CONTEXT, OPTIONS)).toThrow(new RegExp(`${id}`));
  });

  test.each(['gzip', 'snappy', 'snappy-xerial'] as const)('of %s larger than maxDecompressedBytes', (compression) => {
    const bytes = encodeRecordBatch([{ value: Buffer.alloc(100_000) }], { compression, baseOffset: 42 });
    const openWith = (maxDecompressedBytes: number) => () =>
      openBatch(batchOf(bytes), CONTEXT, { checkCrcs: true, maxDecompressedBytes });
    expect(openWith(200_000)().count).toBe(1);
    expect(openWith(99_999)).toThrow(CorruptRecordError);
    expect(openWith(99_999)).toThrow(
      expect.objectContaining({ code: 10, name: 'RECORD_TOO_LARGE', offset: 42, topic: 'orders', partition: 3 }),
    );
    expect(openWith(99_999)).toThrow(/maxDecompressedBytes/);
  });

  test('shows its flags', () => {
    const options = { transactional: true, control: true, producerId: 5, producerEpoch: 6, baseSequence: 7 };
    const batch = batchOf(
      encodeRecordBatch([{ value: 'v' }], { ...options, partitionLeaderEpoch: 8, timestamp: NOON }),
    );
    expect([batch.isTransactional, batch.isControl, batch.hasDeleteHorizon]).toEqual([true, true, false]);
    expect([batch.producerId.toNumber(), batch.producerEpoch, batch.baseSequence]).toEqual([5, 6, 7]);
    expect([batch.partitionLeaderEpoch, batch.baseTimestamp, batch.maxTimestamp]).toEqual([8, NOON, NOON]);
    expect([batch.magic, batch.compression, batch.timestampType]).toEqual([2, 'none', 'CreateTime']);
    expect([batch.lastOffsetDelta, batch.recordCount, batch.nextOffset]).toEqual([0, 1, 1]);
  });
});

describe('a walk without objects', () => {
  const RECORDS: TestRecord[] = [
    { key: 'k', value: 'one', timestamp: NOON },
    { key: null, value: null, timestamp: NOON - 5 },
    { key: 'x'.repeat(300), value: 'y'.repeat(20_000), headers: [['h', 'z'.repeat(200)]], timestamp: NOON + 1e11 },
    { key: '', value: '', timestamp: NOON },
  ];

  test.each(['none', 'gzip'] as const)('gives the same as records do (%s)', (compression) => {
    const bytes = encodeRecordBatch(RECORDS, { baseOffset: 7, compression });
    const cursor = new RecordCursor(open(bytes));
    const range = (start: number, length: number): string | null =>
      length < 0 ? null : cursor.bytes.toString('utf8', start, start + length);
    const seen = [];
    while (cursor.advance()) {
      const { offset, timestamp } = cursor;
      const key = range(cursor.keyStart, cursor.keyLength);
      seen.push({ offset, timestamp, key, value: range(cursor.valueStart, cursor.valueLength) });
    }
    const records = all(new RecordCursor(open(bytes)));
    expect(seen).toEqual(
      records.map((record) => ({
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key?.toString() ?? null,
        value: record.text(),
      })),
    );
    expect(seen.map(({ value }) => value)).toEqual(RECORDS.map(({ value }) => value));
    expect(cursor.advance()).toBe(false);
  });

  test('refuses an offset that a number cannot hold', () => {
    const bytes = changed(encodeRecordBatch([{ value: 'v' }]), (batch) => batch.writeBigInt64BE(2n ** 53n, 0));
    const cursor = new RecordCursor(open(bytes));
    expect(cursor.advance()).toBe(true);
    expect(() => cursor.offset).toThrow(/9007199254740992 is above/);
  });
});
