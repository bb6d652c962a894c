/**
 * The bytes that every decoder in this bench gets: Fetch responses' worth of record batches, made once from a fixed seed. lz4 and
 * zstd are compressed by the tools of these names; where one is missing, `makeInput` throws.
 */
import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { encodeRecordBatch, sealBatch, type TestRecord } from '../../src/testing/record-batch-writer.ts';

export interface Input {
  readonly name: string;
  /** One response's record bytes each, in a buffer of its own, as a consumer holds them. */
  readonly responses: readonly Buffer[];
  readonly records: number;
  /** Keys, values and headers with their lengths: what is there after decompression. */
  readonly decodedBytes: number;
}

const RESPONSES = 4;
const BATCHES_PER_RESPONSE = 16;
/** Java's default `batch.size`. */
const BATCH_BYTES = 16_384;
const HEADER_BYTES = 61;

const noise = numbers();

function* numbers(): Generator<number, never> {
  for (let state = 1; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state;
  }
}

/** JSON with some 100 bytes, compressible as such data is: about to a third. */
function order(index: number): Buffer {
  const id = noise.next().value.toString(16).padStart(8, '0');
  const amount = noise.next().value % 100_000;
  const text = `{"id":"${id}","customer":${index % 1000},"amount":${amount},"currency":"EUR","status":"shipped"`;
  return Buffer.from(`${text},"n":"`.padEnd(98, '.').slice(0, 98) + '"}');
}

const HEADERS = [
  ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
  ['content-type', 'application/json'],
  ['tenant', 'north'],
] as const;

interface Shape {
  readonly valueBytes: number;
  readonly record: (index: number) => TestRecord;
  readonly codec?: Codec;
}

type Codec = 'gzip' | 'snappy' | 'lz4' | 'zstd';

const SHAPES: Readonly<Record<string, Shape>> = {
  '100 B': { valueBytes: 100, record: (index) => ({ value: order(index) }) },
  '1 KiB, keys': {
    valueBytes: 1024,
    record: (index) => ({ key: `key-${index % 1000}`, value: Buffer.alloc(1024, order(index)) }),
  },
  '100 B, 3 headers': { valueBytes: 200, record: (index) => ({ value: order(index), headers: HEADERS }) },
  'gzip, 100 B': { valueBytes: 100, record: (index) => ({ value: order(index) }), codec: 'gzip' },
  'snappy, 100 B': { valueBytes: 100, record: (index) => ({ value: order(index) }), codec: 'snappy' },
  'lz4, 100 B': { valueBytes: 100, record: (index) => ({ value: order(index) }), codec: 'lz4' },
  'zstd, 100 B': { valueBytes: 100, record: (index) => ({ value: order(index) }), codec: 'zstd' },
};

/** What producers compress with: the writer of the tests only stores in lz4 and zstd. */
function compressed(records: readonly TestRecord[], plain: Buffer, codec: Codec): Buffer {
  const baseOffset = plain.readBigInt64BE(0);
  if (codec === 'gzip' || codec === 'snappy')
    return encodeRecordBatch(records, { baseOffset: Number(baseOffset), compression: codec });
  const level = codec === 'lz4' ? ['-1', '-B4', '-BI', '--no-frame-crc'] : ['-3', '--no-check'];
  const frame = execFileSync(codec, [...level, '-c', '-q'], {
    input: plain.subarray(HEADER_BYTES),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const batch = Buffer.concat([plain.subarray(0, HEADER_BYTES), frame]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt16BE(codec === 'lz4' ? 3 : 4, 21);
  sealBatch(batch);
  return batch;
}

export const INPUT_NAMES = Object.keys(SHAPES);

export function makeInput(name: string): Input {
  const shape = SHAPES[name];
  if (shape === undefined) throw new Error(`no input '${name}'`);
  const { codec, valueBytes, record } = shape;
  const perBatch = Math.max(1, Math.round(BATCH_BYTES / (valueBytes + 9)));
  let offset = 0;
  let decodedBytes = 0;
  const responses: Buffer[] = [];
  for (let r = 0; r < RESPONSES; r++) {
    const batches: Buffer[] = [];
    for (let b = 0; b < BATCHES_PER_RESPONSE; b++) {
      const records = Array.from({ length: perBatch }, (_, i) => ({
        ...record(offset + i),
        timestamp: 1_700_000_000_000 + i,
      }));
      const batch = encodeRecordBatch(records, { baseOffset: offset });
      decodedBytes += batch.length;
      batches.push(codec === undefined ? batch : compressed(records, batch, codec));
      offset += perBatch;
    }
    const response = Buffer.allocUnsafeSlow(batches.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const batch of batches) at += batch.copy(response, at);
    responses.push(response);
  }
  return { name, responses, records: offset, decodedBytes };
}

/** About so many bytes of gzip, as a producer with a large `batch.size` sends them. */
export function gzippedOrders(compressedBytes: number): Buffer {
  const parts: Buffer[] = [];
  for (let index = 0; index < compressedBytes / 30; index++) parts.push(order(index));
  return gzipSync(Buffer.concat(parts));
}
