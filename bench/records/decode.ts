/*
 * What one record of 100 bytes costs on its way out of a batch, each step by itself:
 *
 *   npx tsx bench/records/decode.ts [--write]
 *
 * Rounds are interleaved, so that whatever else the machine does hits every case alike; the median counts. `--write` puts
 * the figures into bench/results/records.json.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg } from 'node:os';
import crc32cPure from 'crc-32/crc32c.js';
import { WireBatchReader, type WireBatch } from '../../src/protocol/record-batch.ts';
import { openBatch } from '../../src/protocol/open-batch.ts';
import { RecordCursor } from '../../src/protocol/record.ts';
import { encodeRecordBatch, type TestRecord } from '../../src/testing/record-batch-writer.ts';

const ROUNDS = 11;
const PASSES = 20;
const BATCHES = 64;
/** With their overhead about 16 KiB, the Java producer's default `batch.size`. */
const RECORDS_PER_BATCH = 150;
const VALUE_BYTES = 100;
const CONTEXT = { topic: 'bench', partition: 0 };

const { crc32c: crc32cNative } = createRequire(import.meta.url)('@node-rs/crc32') as {
  crc32c: (bytes: Uint8Array) => number;
};

const frame = makeFrame();
const batches = readBatches(frame);
const recordCount = BATCHES * RECORDS_PER_BATCH;

/** Every case gives back a number that depends on what it read, so that no work can be left out. */
const cases: Record<string, () => number> = {
  'lengths only (cursor.skip)': () => eachBatch((batch) => skipAll(batch)),
  'varints only (bare loop, no checks)': () => eachBatch((batch) => bareVarints(batch)),
  'record objects': () => eachBatch((batch) => walk(batch, false)),
  'record objects, offset read': () => eachBatch((batch) => offsets(batch)),
  'value viewed': () => eachBatch((batch) => values(batch, false)),
  'value viewed, CRC checked': () => eachBatch((batch) => values(batch, true)),
  'text()': () => eachBatch((batch) => texts(batch)),
  'CRC native': () => eachBatch((batch) => crc32cNative(crcRange(batch))),
  'CRC pure': () => eachBatch((batch) => crc32cPure.buf(crcRange(batch))),
};

const samples = new Map<string, number[]>(Object.keys(cases).map((name) => [name, []]));
for (let round = -2; round < ROUNDS; round++) {
  for (const [name, run] of Object.entries(cases)) {
    const start = process.hrtime.bigint();
    for (let pass = 0; pass < PASSES; pass++) run();
    const nanoseconds = Number(process.hrtime.bigint() - start) / (PASSES * recordCount);
    if (round >= 0) samples.get(name)?.push(nanoseconds); // the first two rounds are for the compiler
  }
}

const nsPerRecord = Object.fromEntries(
  [...samples].map(([name, values]) => [
    name,
    { median: rounded(median(values)), fastest: rounded(Math.min(...values)) },
  ]),
);
console.table(nsPerRecord);
if (process.argv.includes('--write')) write();

function walk(batch: WireBatch, checkCrcs: boolean): number {
  const cursor = new RecordCursor(openBatch(batch, CONTEXT, { checkCrcs, maxDecompressedBytes: 1 }));
  let count = 0;
  while (cursor.next() !== undefined) count++;
  return count;
}

function offsets(batch: WireBatch): number {
  const cursor = new RecordCursor(openBatch(batch, CONTEXT, { checkCrcs: false, maxDecompressedBytes: 1 }));
  let sum = 0;
  for (let record = cursor.next(); record !== undefined; record = cursor.next()) sum += record.offset;
  return sum;
}

function values(batch: WireBatch, checkCrcs: boolean): number {
  const cursor = new RecordCursor(openBatch(batch, CONTEXT, { checkCrcs, maxDecompressedBytes: 1 }));
  let sum = 0;
  for (let record = cursor.next(); record !== undefined; record = cursor.next()) {
    const { value } = record;
    if (value !== null) sum += value.length + (value[value.length - 1] ?? 0);
  }
  return sum;
}

function texts(batch: WireBatch): number {
  const cursor = new RecordCursor(openBatch(batch, CONTEXT, { checkCrcs: false, maxDecompressedBytes: 1 }));
  let sum = 0;
  for (let record = cursor.next(); record !== undefined; record = cursor.next()) sum += record.text()?.length ?? 0;
  return sum;
}

function skipAll(batch: WireBatch): number {
  const cursor = new RecordCursor(openBatch(batch, CONTEXT, { checkCrcs: false, maxDecompressedBytes: 1 }));
  cursor.skip(RECORDS_PER_BATCH);
  return cursor.at;
}

/** The floor: the six varints of each record, nothing checked, nothing made. */
function bareVarints(batch: WireBatch): number {
  const { buffer } = batch;
  let at = batch.position + 61;
  let sum = 0;
  const varint = (): number => {
    let byte = buffer[at++] as number; // the bench made these bytes itself
    let value = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = buffer[at++] as number;
      value |= (byte & 0x7f) << shift;
    }
    return (value >>> 1) ^ -(value & 1);
  };
  for (let i = 0; i < RECORDS_PER_BATCH; i++) {
    const length = varint();
    const end = at + length;
    at++;
    sum += varint() + varint();
    const keyLength = varint();
    if (keyLength > 0) at += keyLength;
    const valueLength = varint();
    if (valueLength > 0) at += valueLength;
    sum += varint();
    at = end;
  }
  return sum + at;
}

function crcRange(batch: WireBatch): Buffer {
  return batch.buffer.subarray(batch.position + 21, batch.position + batch.sizeInBytes);
}

function eachBatch(run: (batch: WireBatch) => number): number {
  let sum = 0;
  for (const batch of batches) sum += run(batch);
  return sum;
}

function makeFrame(): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < BATCHES; i++) {
    const records: TestRecord[] = [];
    for (let j = 0; j < RECORDS_PER_BATCH; j++) {
      records.push({ value: Buffer.alloc(VALUE_BYTES, 97 + (j % 26)), timestamp: 1_700_000_000_000 + j });
    }
    parts.push(encodeRecordBatch(records, { baseOffset: i * RECORDS_PER_BATCH }));
  }
  return Buffer.concat(parts);
}

function readBatches(bytes: Buffer): WireBatch[] {
  const reader = new WireBatchReader(bytes, CONTEXT);
  const found: WireBatch[] = [];
  for (let batch = reader.next(); batch !== null; batch = reader.next()) found.push(batch);
  return found;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

function write(): void {
  const path = new URL('../results/records.json', import.meta.url);
  const cpu = cpus()[0]?.model ?? 'unknown';
  const result = {
    command: 'npx tsx bench/records/decode.ts --write',
    machine: `${cpu}, ${cpus().length} cores, shared`,
    loadAverage: rounded(loadavg()[0] ?? 0),
    node: process.version,
    samsa: (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string })
      .version,
    records: { valueBytes: VALUE_BYTES, perBatch: RECORDS_PER_BATCH, batches: BATCHES },
    rounds: ROUNDS,
    nsPerRecord,
  };
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
}
