// Record batches with bits flipped, bytes set, lengths forged and ends cut off, their lengths and CRCs made right again: each has to
// decode or to fail with an error of ours, in little time and little memory.
//
//   npx tsx test/fuzz/run.ts [--cases 1000000] [--seed 1]
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { CorruptRecordError, KafkaError } from '../../src/errors.ts';
import { crc32c } from '../../src/protocol/crc32c.ts';
import { crc32 } from '../../src/protocol/legacy-records.ts';
import { openBatch } from '../../src/protocol/open-batch.ts';
import { WireBatchReader } from '../../src/protocol/record-batch.ts';
import { RecordCursor } from '../../src/protocol/record-cursor.ts';
import type { RecordSource } from '../../src/protocol/record-source.ts';
import { compress } from '../../src/testing/compression.ts';
import { encodeRecordBatch } from '../../src/testing/record-batch-writer.ts';

const { values } = parseArgs({
  options: { cases: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } },
});
const CASES = Number(values.cases);
const MAX_DECOMPRESSED_BYTES = 1 << 20;
const CONTEXT = { topic: 'fuzz', partition: 0 };
const VECTORS = new URL('../vectors/records/', import.meta.url);

let state = Number(values.seed) >>> 0;
/** mulberry32: the same cases for the same seed. */
function random(below: number): number {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
}

const written = (['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const).map((compression) =>
  encodeRecordBatch(
    Array.from({ length: 20 }, (_, i) => ({ key: `k${i}`, value: `{"order":${i}}`, headers: [['h', 'x']] as const })),
    { compression, baseOffset: 5 },
  ),
);
const seeds = [
  ...written,
  ...readdirSync(VECTORS)
    .filter((file) => file.endsWith('.bin'))
    .map((file) => readFileSync(new URL(file, VECTORS)))
    .filter((bytes) => bytes.length < 8192),
];

const CODECS = ['gzip', 'snappy', 'lz4', 'zstd'] as const;
const HEADER_BYTES = 61;

/** A plain batch whose records were changed before they were compressed: what is wrong lies behind a sound frame. */
function changedInside(): Buffer {
  const plain = mutate(written[0] ?? Buffer.alloc(0));
  if (plain.length < HEADER_BYTES) return plain;
  const codec = random(CODECS.length);
  // Now and then far more than the bound, in few bytes.
  const records = random(50) === 0 ? Buffer.alloc(4 * MAX_DECOMPRESSED_BYTES) : plain.subarray(HEADER_BYTES);
  const batch = Buffer.concat([plain.subarray(0, HEADER_BYTES), compress(records, CODECS[codec] ?? 'gzip')]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt8(2, 16);
  batch.writeInt16BE(codec + 1, 21);
  return batch;
}

/** Somewhere in a larger buffer, at any alignment, with bytes around it that are none of its business. */
function embedded(bytes: Buffer): Buffer {
  const before = random(9);
  const larger = Buffer.alloc(before + bytes.length + random(64), 0x02);
  bytes.copy(larger, before);
  return larger.subarray(before, before + bytes.length);
}

const INTERESTING = [0, 1, 0x7f, 0x80, 0xfe, 0xff];

function mutate(seed: Buffer): Buffer {
  let bytes = Buffer.from(seed);
  for (let changes = 1 + random(4); changes > 0; changes--) {
    const at = random(bytes.length);
    switch (random(6)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      case 1:
        bytes[at] = random(256);
        break;
      case 2:
        bytes[at] = INTERESTING[random(INTERESTING.length)] ?? 0;
        break;
      case 3:
        if (at + 4 <= bytes.length)
          bytes.writeInt32LE([-1, 0x7fffffff, -0x80000000, random(70_000)][random(4)] ?? 0, at);
        break;
      case 4:
        bytes = Buffer.from(bytes.subarray(0, Math.max(20, at)));
        break;
      case 5:
        bytes.copyWithin(at, random(bytes.length), random(bytes.length));
        break;
    }
  }
  return bytes;
}

/** The first batch's length and CRC, so that what is behind them is looked at. Now and then they stay wrong. */
function seal(bytes: Buffer): void {
  if (bytes.length < 27 || random(20) === 0) return;
  const isLegacy = bytes.readInt8(16) < 2;
  const length = random(3) === 0 ? bytes.length - 12 : Math.min(bytes.readInt32BE(8), bytes.length - 12);
  if (length < 14) return;
  bytes.writeInt32BE(length, 8);
  const end = 12 + length;
  if (isLegacy) bytes.writeUInt32BE(crc32(bytes, 16, end), 12);
  else bytes.writeUInt32BE(crc32c(bytes, 21, end), 17);
}

function expectWithin({ buffer, start, end }: RecordSource, view: Buffer, n: number): void {
  const at = view.byteOffset - buffer.byteOffset;
  if (view.length === 0 || (view.buffer === buffer.buffer && at >= start && at + view.length <= end)) return;
  throw new Error(`case ${n}: a view from ${at} to ${at + view.length}, outside of its batch from ${start} to ${end}`);
}

const outcomes = { decoded: 0, corrupt: 0, otherTyped: 0, records: 0 };
let slowest = 0;
let largest = 0;
const began = performance.now();
let peak = 0;
for (let n = 0; n < CASES; n++) {
  const bytes = embedded(random(5) === 0 ? changedInside() : mutate(seeds[random(seeds.length)] ?? Buffer.alloc(0)));
  seal(bytes);
  const start = performance.now();
  try {
    const reader = new WireBatchReader(bytes, CONTEXT);
    for (let batch = reader.next(); batch !== null; batch = reader.next()) {
      const source = openBatch(batch, CONTEXT, { checkCrcs: true, maxDecompressedBytes: MAX_DECOMPRESSED_BYTES });
      if (source.buffer.buffer !== bytes.buffer) largest = Math.max(largest, source.buffer.length);
      const cursor = new RecordCursor(source);
      for (let record = cursor.next(); record !== undefined; record = cursor.next()) {
        outcomes.records++;
        for (const view of [record.keyBytes, record.valueBytes]) if (view !== null) expectWithin(source, view, n);
        for (const [, value] of record.headers) if (value !== null) expectWithin(source, value, n);
      }
    }
    outcomes.decoded++;
  } catch (error) {
    if (error instanceof CorruptRecordError) outcomes.corrupt++;
    else if (error instanceof KafkaError) outcomes.otherTyped++;
    else {
      console.error(`case ${n} of seed ${values.seed}: ${bytes.toString('base64')}`);
      throw error;
    }
  }
  slowest = Math.max(slowest, performance.now() - start);
  if (n % 1000 === 0) {
    peak = Math.max(peak, process.memoryUsage().rss);
    await setImmediate(); // what zlib has thrown lets go of its buffers in a turn of the event loop
  }
}
if (largest > MAX_DECOMPRESSED_BYTES) throw new Error(`a batch of ${largest} bytes, beyond the bound`);
const seconds = (performance.now() - began) / 1000;
console.log(
  `${CASES} batches in ${seconds.toFixed(0)} s: ${outcomes.decoded} decoded, ${outcomes.corrupt} corrupt, ${outcomes.otherTyped} refused otherwise; ` +
    `${outcomes.records} records; slowest ${slowest.toFixed(1)} ms, largest ${largest} bytes, peak RSS ${(peak / 1e6).toFixed(0)} MB`,
);
