import { createRequire } from 'node:module';
import { compress, compressionId, type TestCompression } from './compression.ts';

// Record batches of magic 2 (KIP-98) from records, for tests: simple, and independent of the decoder that they test.
//
//  0 baseOffset i64 | 8 batchLength i32 | 12 partitionLeaderEpoch i32 | 16 magic i8 | 17 crc u32 | 21 attributes i16
// 23 lastOffsetDelta i32 | 27 baseTimestamp i64 | 35 maxTimestamp i64 | 43 producerId i64 | 51 producerEpoch i16
// 53 baseSequence i32 | 57 recordCount i32 | 61 records

// Brings no types along.
const require = createRequire(import.meta.url);
const crc32c = require('crc-32/crc32c.js') as { buf(bytes: Uint8Array): number };

export type { TestCompression };

const HEADER_BYTES = 61;
const CRC_STARTS_AT = 21;

type Content = string | Buffer | null;

export interface TestRecord {
  key?: string | Buffer | null;
  value: string | Buffer | null;
  headers?: readonly (readonly [string, string | Buffer | null])[];
  /** Milliseconds since 1970. Default: the batch's. */
  timestamp?: number;
}

export interface BatchOptions {
  /** Default 0, as a producer sends it. */
  baseOffset?: number;
  compression?: TestCompression;
  /** Of records without their own. Default: now. */
  timestamp?: number;
  partitionLeaderEpoch?: number;
  producerId?: number;
  producerEpoch?: number;
  baseSequence?: number;
  transactional?: boolean;
  control?: boolean;
  /** Of each record, from `baseOffset` on, where compaction has made gaps. Default 0, 1, 2, … */
  offsetDeltas?: readonly number[];
  /** Of the batch as it was before compaction. Default: the last record's. */
  lastOffsetDelta?: number;
  /** What the batch's own timestamps are after compaction. Default: from the records. */
  baseTimestamp?: number;
  maxTimestamp?: number;
  timestampType?: 'CreateTime' | 'LogAppendTime';
}

/**
 * One batch as a producer would send it, or as a broker stores it with `baseOffset` and `partitionLeaderEpoch` given; the
 * offsets of its records have no gaps, unless `offsetDeltas` says so.
 */
export function encodeRecordBatch(records: readonly TestRecord[], options: BatchOptions = {}): Buffer {
  const defaultTimestamp = options.timestamp ?? Date.now();
  const baseTimestamp = options.baseTimestamp ?? records[0]?.timestamp ?? defaultTimestamp;
  const compression = options.compression ?? 'none';
  const shape: BatchShape = { baseTimestamp, defaultTimestamp, offsetDeltas: options.offsetDeltas };
  const lengths = records.map((record, index) => bodyLength(record, index, shape));
  const total = lengths.reduce((sum, length) => sum + varintSize(length) + length, 0);
  let batch: Buffer;
  if (compression === 'none') {
    batch = Buffer.allocUnsafeSlow(HEADER_BYTES + total);
    writeRecords(batch, HEADER_BYTES, records, lengths, shape);
  } else {
    const plain = Buffer.allocUnsafe(total);
    writeRecords(plain, 0, records, lengths, shape);
    const body = compress(plain, compression);
    batch = Buffer.allocUnsafeSlow(HEADER_BYTES + body.length);
    body.copy(batch, HEADER_BYTES);
  }

  let maxTimestamp = options.maxTimestamp ?? 0;
  if (options.maxTimestamp === undefined) {
    for (const { timestamp } of records) maxTimestamp = Math.max(maxTimestamp, timestamp ?? defaultTimestamp);
  }
  batch.writeBigInt64BE(BigInt(options.baseOffset ?? 0), 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(options.partitionLeaderEpoch ?? -1, 12);
  batch.writeInt8(2, 16);
  const logAppendTime = options.timestampType === 'LogAppendTime' ? 0x08 : 0;
  const transactional = options.transactional === true ? 0x10 : 0;
  const control = options.control === true ? 0x20 : 0;
  batch.writeInt16BE(compressionId(compression) | logAppendTime | transactional | control, 21);
  batch.writeInt32BE(options.lastOffsetDelta ?? options.offsetDeltas?.at(-1) ?? records.length - 1, 23);
  batch.writeBigInt64BE(BigInt(baseTimestamp), 27);
  batch.writeBigInt64BE(BigInt(maxTimestamp), 35);
  batch.writeBigInt64BE(BigInt(options.producerId ?? -1), 43);
  batch.writeInt16BE(options.producerEpoch ?? -1, 51);
  batch.writeInt32BE(options.baseSequence ?? -1, 53);
  batch.writeInt32BE(records.length, 57);
  sealBatch(batch);
  return batch;
}

/** Writes the checksum of a batch whose bytes from the attributes on were changed. */
export function sealBatch(batch: Buffer): void {
  batch.writeInt32BE(crc32c.buf(batch.subarray(CRC_STARTS_AT)), 17);
}

interface BatchShape {
  readonly baseTimestamp: number;
  readonly defaultTimestamp: number;
  readonly offsetDeltas: readonly number[] | undefined;
}

/** Of everything after the record's own length. */
function bodyLength(record: TestRecord, index: number, shape: BatchShape): number {
  const { key, value, headers } = record;
  let length = 1 + varintSize((record.timestamp ?? shape.defaultTimestamp) - shape.baseTimestamp);
  length += varintSize(shape.offsetDeltas === undefined ? index : (shape.offsetDeltas[index] ?? index));
  length += contentSize(key ?? null) + contentSize(value);
  if (headers === undefined) return length + 1;
  length += varintSize(headers.length);
  for (const [name, content] of headers) length += contentSize(name) + contentSize(content);
  return length;
}

// length | attributes i8 | timestampDelta | offsetDelta | key | value | headers; all numbers but one zigzag varints
function writeRecords(
  out: Buffer,
  start: number,
  records: readonly TestRecord[],
  lengths: readonly number[],
  shape: BatchShape,
): void {
  let at = start;
  for (let index = 0; index < records.length; index++) {
    const { key, value, headers, timestamp } = records[index] as TestRecord; // below the length
    at = putVarint(out, at, lengths[index] ?? 0);
    out[at++] = 0;
    at = putVarint(out, at, (timestamp ?? shape.defaultTimestamp) - shape.baseTimestamp);
    at = putVarint(out, at, shape.offsetDeltas === undefined ? index : (shape.offsetDeltas[index] ?? index));
    at = putContent(out, at, key ?? null);
    at = putContent(out, at, value);
    if (headers === undefined) {
      out[at++] = 0;
      continue;
    }
    at = putVarint(out, at, headers.length);
    for (const [name, content] of headers) at = putContent(out, putContent(out, at, name), content);
  }
}

function byteLength(content: string | Buffer): number {
  return typeof content === 'string' ? Buffer.byteLength(content) : content.length;
}

/** Zigzag, by arithmetic: a difference of timestamps may need more than 32 bits. */
function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = zigzag(value); rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/** With its length before it; -1 for null. */
function contentSize(content: Content): number {
  if (content === null) return 1;
  const length = byteLength(content);
  return varintSize(length) + length;
}

function putVarint(out: Buffer, at: number, value: number): number {
  let rest = zigzag(value);
  while (rest >= 0x80) {
    out[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  out[at++] = rest;
  return at;
}

function putContent(out: Buffer, at: number, content: Content): number {
  if (content === null) return putVarint(out, at, -1);
  const length = byteLength(content);
  at = putVarint(out, at, length);
  if (typeof content === 'string') out.write(content, at, length);
  else content.copy(out, at);
  return at + length;
}
