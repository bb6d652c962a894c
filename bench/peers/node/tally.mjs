// What every program here does with a record, and what it prints at the end. Arguments: BOOTSTRAP TOPIC RECORDS GROUP [MODE]
import { monitorEventLoopDelay } from 'node:perf_hooks';

const [bootstrapServers, topic, wanted, groupId, mode] = process.argv.slice(2);
export { bootstrapServers, topic, groupId, mode };
export const target = Number(wanted);

/** The same limits for all: those that Kafka's own consumer has by default. */
export const LIMITS = { minBytes: 1, maxBytes: 50 * 1024 * 1024, maxPartitionBytes: 1024 * 1024, maxWaitMs: 500 };

/** Milliseconds from a value's own time stamp (CLOCK_MONOTONIC, nanoseconds, its first eight bytes) to here; with LATENCY=1. */
const latencies = process.env.LATENCY === '1' ? new Float64Array(target) : null;
/** How long the event loop did not turn; with LOOP=1. */
const loop = process.env.LOOP === '1' ? monitorEventLoopDelay({ resolution: 1 }) : null;

let records = 0;
let first = 0;
// In typed arrays: a number above 2^31 in a variable would be an object of its own, a new one per record.
const sums = new Float64Array(2);
const BYTES = 0;
const LAST_BYTES = 1;
const offsets = new Uint32Array(1); // modulo 2^32

/** Looks at the value, the key and the offset; ends the process after the last record. */
export function touch(value, key, offset) {
  if (records === 0) begin();
  if (value !== null && value !== undefined) {
    sums[BYTES] += value.length;
    sums[LAST_BYTES] += value[value.length - 1];
  }
  if (key !== null && key !== undefined) sums[BYTES] += key.length;
  offsets[0] += offset;
  if (latencies !== null) latencies[records] = Number(process.hrtime.bigint() - value.readBigInt64BE(0)) / 1e6;
  if (++records === target) end();
}

/** The same for who has no buffer of the value, but the place where it lies. */
export function touchRange(memory, valueStart, valueLength, keyLength, offset) {
  if (records === 0) begin();
  if (valueLength > 0) {
    sums[BYTES] += valueLength;
    sums[LAST_BYTES] += memory[valueStart + valueLength - 1];
  }
  if (keyLength > 0) sums[BYTES] += keyLength;
  offsets[0] += offset;
  if (++records === target) end();
}

function begin() {
  first = performance.now();
  loop?.enable();
}

function end() {
  const seconds = (performance.now() - first) / 1000;
  const startMs = performance.timeOrigin + first - Number(process.env.STARTED_AT ?? performance.timeOrigin);
  const more = {};
  if (latencies !== null) more.latencies = quantiles(latencies.subarray(Number(process.env.LATENCY_SKIP ?? 0)).sort());
  if (loop !== null)
    more.loop = { p50: loop.percentile(50) / 1e6, p99: loop.percentile(99) / 1e6, max: loop.max / 1e6 };
  const [bytes, lastBytes] = sums;
  console.log(JSON.stringify({ records, bytes, lastBytes, offsets: offsets[0], seconds, startMs, ...more }));
  process.exit(0);
}

function quantiles(sorted) {
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: sorted.at(-1) };
}
