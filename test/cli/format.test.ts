import { describe, expect, test } from 'vitest';
import { Chunk } from '../../src/cli/chunk.ts';
import { compileFormat } from '../../src/cli/format.ts';
import { WireBatchReader } from '../../src/protocol/record-batch.ts';
import { openBatch } from '../../src/protocol/open-batch.ts';
import { RecordCursor } from '../../src/protocol/record-cursor.ts';
import type { KafkaRecord } from '../../src/protocol/record.ts';
import { encodeRecordBatch, type TestRecord } from '../../src/testing/record-batch-writer.ts';

const CONTEXT = { topic: 'orders', partition: 3 };
const NOON = 1_700_000_000_000;
const NOT_UTF8 = Buffer.from([0xff, 0xfe, 0x00]);

function recordOf(record: TestRecord, baseOffset = 42): KafkaRecord {
  const batch = new WireBatchReader(encodeRecordBatch([record], { baseOffset, timestamp: NOON }), CONTEXT).next();
  if (batch === null) throw new Error('no batch');
  const source = openBatch(batch, CONTEXT, { checkCrcs: true, maxDecompressedBytes: 1 << 20 });
  const found = new RecordCursor(source).next();
  if (found === undefined) throw new Error('no record');
  return found;
}

function bytesOf(format: string, record: TestRecord, baseOffset?: number): Buffer {
  const chunk = new Chunk(4);
  compileFormat(format)(recordOf(record, baseOffset), chunk);
  return Buffer.from(chunk.take());
}

const print = (format: string, record: TestRecord): string => bytesOf(format, record).toString();

describe('format', () => {
  const record: TestRecord = {
    key: 'k1',
    value: 'grün',
    headers: [
      ['a', '1'],
      ['b', null],
    ],
  };
  test.each([
    ['%s\\n', 'grün\n'],
    ['%t [%p] %o @%T', `orders [3] 42 @${NOON}`],
    ['%k=%s', 'k1=grün'],
    ['%K/%S', '2/5'],
    ['%h', 'a=1,b=NULL'],
    ['100%%', '100%'],
    ['\\t|\\r|\\\\n|\\x41', '\t|\r|\\n|A'],
    ['plain', 'plain'],
    ['', ''],
  ])('%s', (format, expected) => expect(print(format, record)).toBe(expected));

  test('null prints as nothing, of length -1', () => {
    expect(print('[%k %s %K %S %h]', { key: null, value: null })).toBe('[  -1 -1 ]');
    expect(print('%K %S', { key: '', value: '' })).toBe('0 0');
  });

  test('bytes stay what they are', () => {
    expect(bytesOf('%s%k', { key: NOT_UTF8, value: NOT_UTF8 })).toEqual(Buffer.concat([NOT_UTF8, NOT_UTF8]));
    expect(bytesOf('\\xff', { value: '' })).toEqual(Buffer.from([0xff]));
  });

  test.each(['%z', '50%', '%s\\', '\\q', '\\x4', '%constructor', '\\constructor'])('refuses %j', (format) => {
    expect(() => compileFormat(format)).toThrow(/^-f: there is no /);
  });

  test('json', () => {
    const line = print('json', record);
    expect(line.endsWith('}\n')).toBe(true);
    expect(JSON.parse(line)).toEqual({
      topic: 'orders',
      partition: 3,
      offset: 42,
      timestamp: NOON,
      key: 'k1',
      value: 'grün',
      headers: [
        ['a', '1'],
        ['b', null],
      ],
    });
  });

  test('json: base64 where the bytes are not UTF-8, and said beside', () => {
    const headers: TestRecord['headers'] = [['h', NOT_UTF8]];
    expect(JSON.parse(print('json', { key: NOT_UTF8, value: null, headers }))).toMatchObject({
      key: '//4A',
      keyEncoding: 'base64',
      value: null,
      headers: [['h', '//4A', 'base64']],
    });
    const plain = JSON.parse(print('json', { key: null, value: NOT_UTF8 })) as object;
    expect(plain).toMatchObject({ key: null, value: '//4A', valueEncoding: 'base64' });
    expect(plain).not.toHaveProperty('keyEncoding');
  });
});

describe('Chunk', () => {
  test('grows, and begins anew after take', () => {
    const chunk = new Chunk(1);
    for (let i = 0; i < 100; i++) {
      chunk.text('žlutý ');
      chunk.bytes(Buffer.from('kůň'));
    }
    expect(chunk.length).toBe(100 * Buffer.byteLength('žlutý kůň'));
    expect(chunk.take().toString()).toBe('žlutý kůň'.repeat(100));
    expect(chunk.length).toBe(0);
    chunk.text('x');
    expect(chunk.take().toString()).toBe('x');
  });
});
