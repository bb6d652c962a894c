// What every program here does with a record, and what it prints at the end. Arguments: BOOTSTRAP TOPIC RECORDS GROUP [MODE]
const [bootstrapServers, topic, wanted, groupId, mode] = process.argv.slice(2);
export { bootstrapServers, topic, groupId, mode };
export const target = Number(wanted);

/** The same limits for all: those that Kafka's own consumer has by default. */
export const LIMITS = { minBytes: 1, maxBytes: 50 * 1024 * 1024, maxPartitionBytes: 1024 * 1024, maxWaitMs: 500 };

let records = 0;
let bytes = 0;
let lastBytes = 0;
let offsets = 0;
let first = 0;

/** Looks at the value, the key and the offset; ends the process after the last record. */
export function touch(value, key, offset) {
  if (records === 0) first = performance.now();
  if (value !== null && value !== undefined) {
    bytes += value.length;
    lastBytes += value[value.length - 1];
  }
  if (key !== null && key !== undefined) bytes += key.length;
  offsets = (offsets + offset) >>> 0;
  if (++records === target) end();
}

/** The same for who has no buffer of the value, but the place where it lies. */
export function touchRange(memory, valueStart, valueLength, keyLength, offset) {
  if (records === 0) first = performance.now();
  if (valueLength > 0) {
    bytes += valueLength;
    lastBytes += memory[valueStart + valueLength - 1];
  }
  if (keyLength > 0) bytes += keyLength;
  offsets = (offsets + offset) >>> 0;
  if (++records === target) end();
}

function end() {
  const seconds = (performance.now() - first) / 1000;
  const startMs = performance.timeOrigin + first - Number(process.env.STARTED_AT ?? performance.timeOrigin);
  console.log(JSON.stringify({ records, bytes, lastBytes, offsets, seconds, startMs }));
  process.exit(0);
}
