/*
 * How long a gzip batch of some size holds the event loop when it is decompressed at once, and when it is there if that is done off the
 * main thread: where `MIN_ASYNC_BYTES` in src/protocol/compression/codecs.ts comes from.
 *
 *   npx tsx bench/records/aside.ts
 */
import { gzip } from '../../src/protocol/compression/gzip.ts';
import { gzippedOrders } from './inputs.ts';

const ROUNDS = 41;
const MAX_BYTES = 1 << 28;

const rows: Record<string, number>[] = [];
for (const kib of [4, 16, 32, 64, 128, 256, 1024]) {
  const bytes = gzippedOrders(kib * 1024);
  const atOnce: number[] = [];
  const aside: number[] = [];
  let decompressed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    let start = performance.now();
    decompressed = gzip.decompress(bytes, MAX_BYTES).length;
    atOnce.push(performance.now() - start);
    start = performance.now();
    await new Promise<void>((resolve, reject) => {
      gzip.decompressAside?.(bytes, MAX_BYTES, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
    aside.push(performance.now() - start);
  }
  rows.push({
    'compressed KiB': Math.round(bytes.length / 1024),
    'decompressed KiB': Math.round(decompressed / 1024),
    'at once, ms': median(atOnce),
    'aside, ms': median(aside),
  });
}
console.table(rows);

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round((sorted[sorted.length >> 1] ?? Number.NaN) * 1000) / 1000;
}
