import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';

// Record batches of magic 2 (KIP-98) from records, for tests: simple, and independent of the decoder that they test.
//
//  0 baseOffset i64 | 8 batchLength i32 | 12 partitionLeaderEpoch i32 | 16 magic i8 | 17 crc u32 | 21 attributes i16
// 23 lastOffsetDelta i32 | 27 baseTimestamp i64 | 35 maxTimestamp i64 | 43 producerId i64 | 51 producerEpoch i16
// 53 baseSequence i32 | 57 recordCount i32 | 61 records

// Neither file brings types along; snappyjs is loaded when something is to be compressed with it.
const require = createRequire(import.meta.url);
const crc32c = require('crc-32/crc32c.js') as { buf(bytes: Uint8Array): number };

function snappyBlock(bytes: Buffer): Buffer<ArrayBuffer> {
  return (require('snappyjs') as { compress(bytes: Buffer): Buffer<ArrayBuffer> }).compress(bytes);
}

const HEADER_BYTES = 61;
const CRC_STARTS_AT = 21;
/** A varint of 32 bits and one of 64. */
const VARINT_BYTES = 5;
const VARLONG_BYTES = 10;
const XERIAL_BLOCK_BYTES = 32 * 1024;

export type TestCompression = 'none' | 'gzip' | 'snappy' | 'snappy-xerial';

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
}

/**
 * One batch as a producer would send it, or as a broker stores it with `baseOffset` and `partitionLeaderEpoch` given; the
 * offsets of its records have no gaps.
 */
export function encodeRecordBatch(records: readonly TestRecord[], options: BatchOptions = {}): Buffer {
  const defaultTimestamp = options.timestamp ?? Date.now();
  const baseTimestamp = records[0]?.timestamp ?? defaultTimestamp;
  const maxTimestamp = records.reduce((max, record) => Math.max(max, record.timestamp ?? defaultTimestamp), 0);
  const compression = options.compression ?? 'none';
  const body = compress(encodeRecords(records, baseTimestamp, defaultTimestamp), compression);

  const batch = Buffer.allocUnsafeSlow(HEADER_BYTES + body.length);
  batch.writeBigInt64BE(BigInt(options.baseOffset ?? 0), 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(options.partitionLeaderEpoch ?? -1, 12);
  batch.writeInt8(2, 16);
  const transactional = options.transactional === true ? 0x10 : 0;
  const control = options.control === true ? 0x20 : 0;
  batch.writeInt16BE(compressionId(compression) | transactional | control, 21);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(BigInt(baseTimestamp), 27);
  batch.writeBigInt64BE(BigInt(maxTimestamp), 35);
  batch.writeBigInt64BE(BigInt(options.producerId ?? -1), 43);
  batch.writeInt16BE(options.producerEpoch ?? -1, 51);
  batch.writeInt32BE(options.baseSequence ?? -1, 53);
  batch.writeInt32BE(records.length, 57);
  body.copy(batch, HEADER_BYTES);
  batch.writeInt32BE(crc32c.buf(batch.subarray(CRC_STARTS_AT)), 17);
  return batch;
}

function compressionId(compression: TestCompression): number {
  if (compression === 'none') return 0;
  return compression === 'gzip' ? 1 : 2;
}

function compress(bytes: Buffer, compression: TestCompression): Buffer {
  if (compression === 'gzip') return gzipSync(bytes);
  if (compression === 'snappy') return snappyBlock(bytes);
  if (compression === 'snappy-xerial') return xerial(bytes);
  return bytes;
}

/** What snappy-java writes: a magic, two versions, then blocks with their length before them. */
function xerial(bytes: Buffer): Buffer {
  const parts = [Buffer.from('82534e415050590000000001' + '00000001', 'hex')];
  for (let at = 0; at < bytes.length; at += XERIAL_BLOCK_BYTES) {
    const block = snappyBlock(bytes.subarray(at, at + XERIAL_BLOCK_BYTES));
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

// length | attributes i8 | timestampDelta | offsetDelta | key | value | headers; all numbers but one zigzag varints
function encodeRecords(records: readonly TestRecord[], baseTimestamp: number, defaultTimestamp: number): Buffer {
  const out = new VarintWriter(records.reduce((sum, record) => sum + mostBytes(record), 0));
  const body = new VarintWriter(records.reduce((max, record) => Math.max(max, mostBytes(record)), 0));
  records.forEach((record, offsetDelta) => {
    body.length = 0;
    body.byte(0);
    body.varint((record.timestamp ?? defaultTimestamp) - baseTimestamp);
    body.varint(offsetDelta);
    body.bytes(record.key ?? null);
    body.bytes(record.value);
    const headers = record.headers ?? [];
    body.varint(headers.length);
    for (const [name, value] of headers) {
      body.bytes(name);
      body.bytes(value);
    }
    out.bytes(body.written());
  });
  return out.written();
}

/** More than any encoding of the record takes, so that the writers below need not grow. */
function mostBytes(record: TestRecord): number {
  let bytes = 1 + VARLONG_BYTES + 5 * VARINT_BYTES + byteLength(record.key ?? null) + byteLength(record.value);
  for (const [name, value] of record.headers ?? []) bytes += 2 * VARINT_BYTES + byteLength(name) + byteLength(value);
  return bytes;
}

function byteLength(value: string | Buffer | null): number {
  return value === null ? 0 : Buffer.byteLength(value);
}

class VarintWriter {
  readonly #buffer: Buffer;
  length = 0;

  constructor(capacity: number) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  byte(value: number): void {
    this.#buffer[this.length++] = value;
  }

  /** Zigzag, by arithmetic: a difference of timestamps may need more than 32 bits. */
  varint(value: number): void {
    let rest = value < 0 ? -2 * value - 1 : 2 * value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  /** With its length before it; -1 for null. */
  bytes(value: string | Buffer | null): void {
    if (value === null) return this.varint(-1);
    this.varint(Buffer.byteLength(value));
    if (typeof value === 'string') this.length += this.#buffer.write(value, this.length);
    else this.length += value.copy(this.#buffer, this.length);
  }

  written(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }
}
