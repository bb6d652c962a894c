import { bitsBelow, corrupt, highestBit, readFseTable, streamStart } from './zstd-fse.ts';

/*
 * Huffman-coded literals of Zstandard, decoding side: RFC 8878, section 4.2.
 *
 * Indices marked `as number` are below 2^log by a mask or a shift, or below an end that was checked.
 */

/** By the next `log` bits: symbol in bits 0-7, how many of these bits it takes from 8 on. */
export interface HuffmanTable {
  readonly entries: Uint16Array;
  readonly log: number;
}

const MAX_LOG = 11;
const MAX_WEIGHT = MAX_LOG;
const MAX_WEIGHT_TABLE_LOG = 6;
/** Of 256 symbols the last one's weight follows from the others'. */
const MAX_WEIGHTS = 255;

/** The tree that `bytes[start, end)` begins with; `next` is the byte after it. */
export function readHuffmanTable(
  bytes: Buffer,
  view: DataView,
  start: number,
  end: number,
): { table: HuffmanTable; next: number } {
  if (start >= end) throw corrupt('no Huffman tree', start);
  const header = bytes[start] as number;
  const isDirect = header >= 128;
  const next = start + 1 + (isDirect ? (header - 126) >>> 1 : header);
  if (next > end) throw corrupt('Huffman tree cut off', start);
  const weights = new Uint8Array(MAX_WEIGHTS + 1);
  let count: number;
  if (isDirect) {
    count = header - 127;
    for (let i = 0; i < count; i++) {
      const pair = bytes[start + 1 + (i >>> 1)] as number;
      weights[i] = (i & 1) === 0 ? pair >>> 4 : pair & 15;
    }
  } else count = readWeights(bytes, view, start + 1, next, weights);
  return { table: buildTable(weights, count, start), next };
}

/** Two states take turns on one stream until a next state would need more bits than are left; then the other gives the last weight. */
function readWeights(bytes: Buffer, view: DataView, start: number, end: number, weights: Uint8Array): number {
  const { table, next } = readFseTable(bytes, start, end, MAX_WEIGHT_TABLE_LOG, MAX_WEIGHT);
  const { entries, log } = table;
  const firstBit = next * 8;
  let position = streamStart(bytes, next, end);
  if (position - 2 * log < firstBit) throw corrupt('Huffman weights cut off', start);
  let word = bitsBelow(view, position);
  let state = word >>> (32 - log);
  let other = (word << log) >>> (32 - log);
  position -= 2 * log;
  let count = 0;
  for (;;) {
    const entry = entries[state] as number;
    // A table of one symbol takes no bits at all: only their number ends the weights then.
    if (count >= MAX_WEIGHTS - 1) throw corrupt('too many Huffman weights', start);
    weights[count++] = entry & 0xff;
    const bits = (entry >>> 8) & 0xff;
    if (position - bits < firstBit) {
      weights[count++] = (entries[other] as number) & 0xff;
      return count;
    }
    word = bitsBelow(view, position);
    position -= bits;
    state = other;
    other = (entry >>> 16) + ((word >>> 1) >>> (31 - bits));
  }
}

function buildTable(weights: Uint8Array, count: number, at: number): HuffmanTable {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const weight = weights[i] as number;
    if (weight > MAX_WEIGHT) throw corrupt(`Huffman weight ${weight}`, at);
    sum += (1 << weight) >>> 1;
  }
  if (sum === 0) throw corrupt('no Huffman weights', at);
  const log = highestBit(sum) + 1;
  const left = (1 << log) - sum;
  if (log > MAX_LOG || (left & (left - 1)) !== 0) throw corrupt('Huffman weights do not add up', at);
  weights[count] = highestBit(left) + 1;
  // Where the entries of each weight begin: the least likely symbols, of weight 1, come first.
  const starts = new Uint16Array(MAX_WEIGHT + 2);
  for (let i = 0; i <= count; i++) {
    const weight = weights[i] as number;
    starts[weight + 1] = (starts[weight + 1] as number) + ((1 << weight) >>> 1);
  }
  for (let weight = 1; weight <= MAX_WEIGHT; weight++) {
    starts[weight + 1] = (starts[weight + 1] as number) + (starts[weight] as number);
  }
  if ((starts[2] as number) < 2) throw corrupt('Huffman tree without its longest codes', at);
  const entries = new Uint16Array(1 << log);
  for (let symbol = 0; symbol <= count; symbol++) {
    const weight = weights[symbol] as number;
    if (weight === 0) continue;
    const from = starts[weight] as number;
    const to = from + (1 << (weight - 1));
    entries.fill(symbol | ((log + 1 - weight) << 8), from, to);
    starts[weight] = to;
  }
  return { entries, log };
}

/** `bytes[start, end)`, from its end, to exactly `output[from, to)`. */
export function decodeStream(
  { entries, log }: HuffmanTable,
  bytes: Buffer,
  view: DataView,
  start: number,
  end: number,
  output: Buffer,
  from: number,
  to: number,
): void {
  const firstBit = start * 8;
  decodeRest(entries, 32 - log, view, streamStart(bytes, start, end), firstBit, output, from, to);
}

/**
 * Four streams of `bytes[start, end)` after their three lengths, to exactly `output[0, size)`, a quarter of it each. All four at
 * once, so that one stream's lookup need not wait for the one before: 0.9 ns a literal instead of 2.4.
 */
export function decodeFourStreams(
  { entries, log }: HuffmanTable,
  bytes: Buffer,
  view: DataView,
  start: number,
  end: number,
  output: Buffer,
  size: number,
): void {
  const quarter = (size + 3) >>> 2;
  if (end - start < 6 || size < 6) throw corrupt('literals cut off', start);
  const start1 = start + 6;
  const start2 = start1 + bytes.readUInt16LE(start);
  const start3 = start2 + bytes.readUInt16LE(start + 2);
  const start4 = start3 + bytes.readUInt16LE(start + 4);
  if (start4 > end) throw corrupt('literals cut off', start);
  let position1 = streamStart(bytes, start1, start2);
  let position2 = streamStart(bytes, start2, start3);
  let position3 = streamStart(bytes, start3, start4);
  let position4 = streamStart(bytes, start4, end);
  const shift = 32 - log;
  const two = 2 * log;
  const [first1, first2, first3, first4] = [start1 * 8, start2 * 8, start3 * 8, start4 * 8];
  let out = 0;
  const last = size - quarter * 3 - 2;
  while (
    out <= last &&
    position1 - two >= first1 &&
    position2 - two >= first2 &&
    position3 - two >= first3 &&
    position4 - two >= first4
  ) {
    const word1 = bitsBelow(view, position1);
    const word2 = bitsBelow(view, position2);
    const word3 = bitsBelow(view, position3);
    const word4 = bitsBelow(view, position4);
    const a1 = entries[word1 >>> shift] as number;
    const a2 = entries[word2 >>> shift] as number;
    const a3 = entries[word3 >>> shift] as number;
    const a4 = entries[word4 >>> shift] as number;
    const b1 = entries[(word1 << (a1 >>> 8)) >>> shift] as number;
    const b2 = entries[(word2 << (a2 >>> 8)) >>> shift] as number;
    const b3 = entries[(word3 << (a3 >>> 8)) >>> shift] as number;
    const b4 = entries[(word4 << (a4 >>> 8)) >>> shift] as number;
    output[out] = a1;
    output[out + quarter] = a2;
    output[out + quarter * 2] = a3;
    output[out + quarter * 3] = a4;
    output[out + 1] = b1;
    output[out + quarter + 1] = b2;
    output[out + quarter * 2 + 1] = b3;
    output[out + quarter * 3 + 1] = b4;
    position1 -= (a1 >>> 8) + (b1 >>> 8);
    position2 -= (a2 >>> 8) + (b2 >>> 8);
    position3 -= (a3 >>> 8) + (b3 >>> 8);
    position4 -= (a4 >>> 8) + (b4 >>> 8);
    out += 2;
  }
  decodeRest(entries, shift, view, position1, first1, output, out, quarter);
  decodeRest(entries, shift, view, position2, first2, output, out + quarter, quarter * 2);
  decodeRest(entries, shift, view, position3, first3, output, out + quarter * 2, quarter * 3);
  decodeRest(entries, shift, view, position4, first4, output, out + quarter * 3, size);
}

/** What is left of a stream, which must end exactly where it begins. */
function decodeRest(
  entries: Uint16Array,
  shift: number,
  view: DataView,
  position: number,
  firstBit: number,
  output: Buffer,
  out: number,
  to: number,
): void {
  // Bits below the first are somebody else's, but no code that is not cut off looks at them.
  for (; out < to && position > firstBit; out++) {
    const entry = entries[bitsBelow(view, position) >>> shift] as number;
    output[out] = entry;
    position -= entry >>> 8;
  }
  if (out !== to || position !== firstBit) throw corrupt('literals do not end with their stream', firstBit >>> 3);
}
