const PRIME_1 = 0x9e3779b185ebca87n;
const PRIME_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME_3 = 0x165667b19e3779f9n;
const PRIME_4 = 0x85ebca77c2b2ae63n;
const PRIME_5 = 0x27d4eb2f165667c5n;
// Their halves.
const PRIME_1_LOW = 0x85ebca87 | 0;
const PRIME_1_HIGH = 0x9e3779b1 | 0;
const PRIME_2_LOW = 0x27d4eb4f;
const PRIME_2_HIGH = 0xc2b2ae3d | 0;

/**
 * The low 32 bits of XXH64 of `bytes[start, end)` with seed 0, unsigned: the checksum of zstd frames.
 * https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
 *
 * BigInt for the few steps at the end, 32-bit halves for the many before: 0.9 GB/s, and 0.1 with BigInt alone.
 */
export function xxhash64Low(bytes: Buffer, start: number, end: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = start;
  let hash = PRIME_5;
  if (end - start >= 32) {
    const halves = new Int32Array([wrap(PRIME_1 + PRIME_2), PRIME_2, 0n, wrap(-PRIME_1)].flatMap(halvesOf));
    for (const last = end - 32; at <= last; at += 32) {
      addRound(halves, 0, view.getInt32(at, true), view.getInt32(at + 4, true));
      addRound(halves, 2, view.getInt32(at + 8, true), view.getInt32(at + 12, true));
      addRound(halves, 4, view.getInt32(at + 16, true), view.getInt32(at + 20, true));
      addRound(halves, 6, view.getInt32(at + 24, true), view.getInt32(at + 28, true));
    }
    const lanes = [0, 2, 4, 6].map((index) => joined(halves, index));
    hash = [1n, 7n, 12n, 18n].reduce((sum, bits, i) => wrap(sum + rotate(lanes[i] ?? 0n, bits)), 0n);
    for (const lane of lanes) hash = wrap((hash ^ round(lane)) * PRIME_1 + PRIME_4);
  }
  hash = wrap(hash + BigInt(end - start));
  for (; at <= end - 8; at += 8) {
    hash = wrap(rotate(hash ^ round(view.getBigUint64(at, true)), 27n) * PRIME_1 + PRIME_4);
  }
  for (; at <= end - 4; at += 4) {
    hash = wrap(rotate(hash ^ wrap(BigInt(view.getUint32(at, true)) * PRIME_1), 23n) * PRIME_2 + PRIME_3);
  }
  for (; at < end; at++) hash = wrap(rotate(hash ^ wrap(BigInt(view.getUint8(at)) * PRIME_5), 11n) * PRIME_1);
  hash = wrap((hash ^ (hash >> 33n)) * PRIME_2);
  hash = wrap((hash ^ (hash >> 29n)) * PRIME_3);
  return Number(BigInt.asUintN(32, hash ^ (hash >> 32n)));
}

/** lane = rotate(lane + input * PRIME_2, 31) * PRIME_1 */
function addRound(halves: Int32Array, at: number, inputLow: number, inputHigh: number): void {
  const productLow = Math.imul(inputLow, PRIME_2_LOW);
  const productHigh =
    highProduct(inputLow, PRIME_2_LOW) + Math.imul(inputLow, PRIME_2_HIGH) + Math.imul(inputHigh, PRIME_2_LOW);
  const low = ((halves[at] as number) + productLow) | 0; // `halves` has 8
  const carry = low >>> 0 < productLow >>> 0 ? 1 : 0;
  const high = ((halves[at + 1] as number) + productHigh + carry) | 0;
  const rotatedLow = (low << 31) | (high >>> 1);
  const rotatedHigh = (high << 31) | (low >>> 1);
  halves[at] = Math.imul(rotatedLow, PRIME_1_LOW);
  halves[at + 1] =
    highProduct(rotatedLow, PRIME_1_LOW) + Math.imul(rotatedLow, PRIME_1_HIGH) + Math.imul(rotatedHigh, PRIME_1_LOW);
}

/** Bits 32-63 of the product of two unsigned numbers. */
function highProduct(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const one = Math.imul(aHigh, bLow);
  const other = Math.imul(aLow, bHigh);
  const middle = (one & 0xffff) + (other & 0xffff) + (Math.imul(aLow, bLow) >>> 16);
  return (Math.imul(aHigh, bHigh) + (one >>> 16) + (other >>> 16) + (middle >>> 16)) | 0;
}

function halvesOf(value: bigint): [number, number] {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
}

function joined(halves: Int32Array, at: number): bigint {
  return (BigInt((halves[at + 1] as number) >>> 0) << 32n) | BigInt((halves[at] as number) >>> 0); // `halves` has 8
}

function round(input: bigint): bigint {
  return wrap(rotate(wrap(input * PRIME_2), 31n) * PRIME_1);
}

function rotate(value: bigint, bits: bigint): bigint {
  return wrap(value << bits) | (value >> (64n - bits));
}

function wrap(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}
