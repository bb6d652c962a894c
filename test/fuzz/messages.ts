// Messages of every API, kind and version from random bytes, changed vectors and forged lengths: each has to decode or to be a ProtocolError, in
// little time. Then what valid messages may cost: for every array of every message, thousands of the smallest elements, and the
// heap that they take for each byte received.
//
//   npx tsx test/fuzz/messages.ts [--cases 1000000] [--seed 1]
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ProtocolError } from '../../src/errors.ts';
import { messageOf, type Shape } from '../conformance/fields.ts';
import type { Codec } from '../conformance/messages.ts';
import { casesOf, NAMES } from '../protocol/message-vectors.ts';

const { values } = parseArgs({
  options: { cases: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } },
});
const CASES = Number(values.cases);
const ELEMENTS = 20_000;

let state = Number(values.seed) >>> 0;
/** mulberry32: the same cases for the same seed. */
function random(below: number): number {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
function heap(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const seeds = NAMES.flatMap((name) => casesOf(name));
const FORGED = [-1, 0x7fffffff, -0x80000000, 0x7ffffffe, 1 << 20];
/** Compact lengths: 2^32 − 2, 2^31 − 2, and one without end. */
const VARINTS = ['ffffffff0f', 'ffffffff07', 'ffffffffffffffffffff'].map((hex) => Buffer.from(hex, 'hex'));

function mutate(seed: Buffer): Buffer {
  let bytes = Buffer.from(seed);
  for (let changes = 1 + random(4); changes > 0; changes--) {
    const at = random(bytes.length + 1);
    switch (random(6)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      case 1:
        if (at < bytes.length) bytes[at] = random(256);
        break;
      case 2:
        if (at + 4 <= bytes.length) bytes.writeInt32BE(FORGED[random(FORGED.length)] ?? 0, at);
        break;
      case 3:
        VARINTS[random(VARINTS.length)]?.copy(bytes, at);
        break;
      case 4:
        bytes = Buffer.from(bytes.subarray(0, at));
        break;
      case 5:
        bytes.copyWithin(at, random(bytes.length + 1), random(bytes.length + 1));
        break;
    }
  }
  return bytes;
}

function noise(): Buffer {
  const bytes = Buffer.alloc(random(300));
  const below = [3, 8, 256][random(3)] ?? 256; // small numbers are lengths that nearly fit
  for (let at = 0; at < bytes.length; at++) bytes[at] = random(below);
  return bytes;
}

function decodeAll(): void {
  let decoded = 0;
  let slowest = 0;
  let peak = 0;
  Error.stackTraceLimit = 0;
  const began = performance.now();
  for (let n = 0; n < CASES; n++) {
    const one = seeds[random(seeds.length)];
    if (one === undefined) throw new Error('no vectors');
    const bytes = random(3) === 0 ? noise() : mutate(one.bytes);
    const attempt = (): number => {
      const start = performance.now();
      try {
        one.codec.decode(bytes);
        isDecoded = true;
      } catch (error) {
        isDecoded = false;
        if (!(error instanceof ProtocolError)) {
          console.error(`case ${n} of seed ${values.seed}: ${one.title}: ${bytes.toString('hex')}`);
          throw error;
        }
      }
      return performance.now() - start;
    };
    let isDecoded = false;
    let took = attempt();
    // What only the machine or the garbage collector has made slow is fast the next time.
    for (let again = 0; took > 1 && again < 3; again++) took = Math.min(took, attempt());
    if (isDecoded) decoded++;
    slowest = Math.max(slowest, took);
    if (n % 10_000 === 0) peak = Math.max(peak, process.memoryUsage().rss);
  }
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${CASES} messages in ${seconds.toFixed(0)} s: ${decoded} decoded, ${CASES - decoded} ProtocolErrors and nothing else; ` +
      `slowest ${slowest.toFixed(2)} ms, peak RSS ${(peak / 1e6).toFixed(0)} MB`,
  );
}

/** For each array in the shape a message with nothing else in it. */
function* crowded(shape: Shape): Generator<{ path: string; message: Record<string, unknown> }> {
  for (const [name, field] of Object.entries(shape)) {
    if (typeof field !== 'object' || field?.of === undefined || field.of === 'plain') {
      if (typeof field === 'object' && field?.of === 'plain') {
        // Which of the two the array has is not told by the shape: the encoder refuses the wrong one.
        for (const item of ['', 0]) {
          yield { path: name, message: { ...messageOf(shape, {}), [name]: Array<unknown>(ELEMENTS).fill(item) } };
        }
      }
      continue;
    }
    const element = messageOf(field.of, {});
    const isList = Array.isArray(field.default) || field.fromJson([]) instanceof Array;
    const wrap = (inner: unknown, n: number): unknown => (isList ? Array<unknown>(n).fill(inner) : inner);
    if (isList) yield { path: name, message: { ...messageOf(shape, {}), [name]: wrap(element, ELEMENTS) } };
    for (const { path, message } of crowded(field.of)) {
      yield { path: `${name}.${path}`, message: { ...messageOf(shape, {}), [name]: wrap(message, 1) } };
    }
  }
}

function costOf(codec: Codec, message: Record<string, unknown>): { bytes: number; perByte: number } | null {
  let bytes: Buffer;
  try {
    bytes = codec.encode(message);
  } catch {
    return null; // this version does not have the field
  }
  if (bytes.length < ELEMENTS) return null; // nor here
  const before = heap();
  const kept = codec.decode(bytes);
  const taken = heap() - before;
  return kept === null ? null : { bytes: bytes.length, perByte: taken / bytes.length };
}

function measureCrowds(): void {
  const found: { title: string; bytes: number; perByte: number }[] = [];
  // The newest version: its lengths are the shortest.
  const newest = new Map(seeds.map((one) => [`${one.vector.api} ${one.vector.kind}`, one]));
  for (const { vector, codec } of newest.values()) {
    const title = `${vector.api} ${vector.kind} v${vector.version}`;
    for (const { path, message } of crowded(codec.shape)) {
      const cost = costOf(codec, message);
      if (cost !== null) found.push({ title: `${title} ${path}`, ...cost });
    }
  }
  found.sort((a, b) => b.perByte - a.perByte);
  console.log(`${found.length} arrays of ${ELEMENTS} elements that are as small as can be; heap per byte received:`);
  for (const { title, bytes, perByte } of found.slice(0, 5))
    console.log(`  ${perByte.toFixed(1)} ${title} (${bytes} bytes)`);
  const middle = found[found.length >> 1];
  if (middle !== undefined) console.log(`  ${middle.perByte.toFixed(1)} in the middle`);
}

decodeAll();
measureCrowds();
