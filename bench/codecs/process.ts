// process.ts DATA ROUNDS PEERS: what this Node.js can do, with SAMSA_PURE=1 only what that changes. Prints a JSON array of `Speed`.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { codecs } from '../../src/protocol/compression/codecs.ts';
import { crc32c, crc32cImplementation } from '../../src/protocol/crc32c.ts';
import { RECORDS, WireBatchReader } from '../../src/protocol/record-batch.ts';
import { median } from '../consume/report.ts';

export interface Speed {
  readonly what: string;
  readonly by: string;
  readonly megabytesPerSecond: number;
}

type Decompress = (bytes: Buffer) => Uint8Array;

const [data = '', rounds = '', peers = ''] = process.argv.slice(2);
const MOST_BYTES = 64 << 20;
const BATCHES = 300;
const isPure = process.env['SAMSA_PURE'] === '1';
const require = createRequire(join(peers, 'package.json'));
const speeds: Speed[] = [];

/** What the topic's first batches hold, as it was compressed. */
function batchesOf(topic: string): Buffer[] {
  const log = readFileSync(join(data, `${topic}-0`, '00000000000000000000.log')).subarray(0, MOST_BYTES);
  const reader = new WireBatchReader(log, { topic, partition: 0 });
  const found: Buffer[] = [];
  for (let batch = reader.next(); batch !== null && found.length < BATCHES; batch = reader.next())
    found.push(Buffer.from(log.subarray(batch.position + RECORDS, batch.position + batch.sizeInBytes)));
  return found;
}

/** @param run gives how many bytes it has worked on */
function measure(what: string, by: string, run: () => number): void {
  run();
  const found: number[] = [];
  for (let round = 0; round < Number(rounds); round++) {
    const before = process.cpuUsage();
    const bytes = run();
    const { user, system } = process.cpuUsage(before);
    found.push(bytes / (user + system));
  }
  speeds.push({ what, by, megabytesPerSecond: Math.round(median(found)) });
}

function measureAll(what: string, by: string, batches: readonly Buffer[], decompress: Decompress): void {
  measure(what, by, () => batches.reduce((sum, bytes) => sum + decompress(bytes).length, 0));
}

for (const [id, name] of Object.entries({ 1: 'gzip', 2: 'snappy', 3: 'lz4', 4: 'zstd' })) {
  const codec = codecs[Number(id)];
  if (codec === undefined) continue;
  const batches = batchesOf(name);
  if (!isPure || codec.implementation === 'pure')
    measureAll(name, `samsa (${codec.implementation})`, batches, (bytes) => codec.decompress(bytes, MOST_BYTES));
  if (isPure) continue;
  if (name === 'lz4') {
    const { decompressFrameSync } = require('lz4-napi') as { decompressFrameSync: Decompress };
    measureAll(name, 'lz4-napi', batches, (bytes) => decompressFrameSync(bytes));
    const wasm = await webAssembly();
    if (wasm !== null) measureAll(name, 'WebAssembly', batches, wasm.lz4Decompress);
  }
  if (name === 'snappy') {
    const { uncompressSync } = require('snappy') as { uncompressSync: (bytes: Buffer, options?: object) => Buffer };
    const blocks = batches.flatMap(blocksOf);
    measureAll('snappy, blocks of 32 KiB', 'snappy, external buffers', blocks, (bytes) => uncompressSync(bytes));
    measureAll('snappy, blocks of 32 KiB', 'snappy, copyOutputData', blocks, (bytes) =>
      uncompressSync(bytes, { copyOutputData: true }),
    );
    const wasm = await webAssembly();
    if (wasm !== null) measureAll('snappy, blocks of 32 KiB', 'WebAssembly', blocks, wasm.snappyDecompress);
  }
  if (name === 'zstd') {
    const { decompress } = require('fzstd') as { decompress: Decompress };
    measureAll(name, 'fzstd', batches, decompress);
  }
}
const plain = batchesOf('small');
const crc = (by: string, compute: (bytes: Buffer) => number): void =>
  measure('CRC-32C', by, () => plain.reduce((sum, bytes) => sum + (compute(bytes) < 0 ? 0 : bytes.length), 0));
crc(`samsa (${crc32cImplementation()})`, (bytes) => crc32c(bytes, 0, bytes.length));
if (!isPure) {
  const wasm = await webAssembly();
  if (wasm !== null) crc('WebAssembly', wasm.crc32c);
}
console.log(JSON.stringify(speeds));

/** The xerial frame's blocks, as Java's producer makes them: a header of 16 bytes, then lengths and blocks. */
function blocksOf(bytes: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  for (let at = 16; at < bytes.length;) {
    const length = bytes.readInt32BE(at);
    blocks.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return blocks;
}

/** Of @platformatic/kafka, which wants Node.js 22.19. */
async function webAssembly(): Promise<{
  lz4Decompress: Decompress;
  snappyDecompress: Decompress;
  crc32c: (bytes: Buffer) => number;
} | null> {
  try {
    const path = require.resolve('@platformatic/wasm-utils');
    return (await import(path)) as Awaited<ReturnType<typeof webAssembly>>;
  } catch {
    return null;
  }
}
