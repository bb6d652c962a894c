import { DecompressionError } from './codec.ts';

// Zstandard's two entropy coders, tANS ("FSE") and Huffman, decoding side. RFC 8878, chapter 4.

/** Looked up by state: the symbol, and the next state as `base` + so many bits. */
export interface FseTable {
  readonly log: number;
  readonly symbols: Uint8Array;
  readonly bits: Uint8Array;
  readonly bases: Uint16Array;
}

/** Looked up by the next `log` bits: the symbol, and how many of these bits it takes. */
export interface HuffmanTable {
  readonly log: number;
  readonly symbols: Uint8Array;
  readonly bits: Uint8Array;
}

const MAX_HUFFMAN_LOG = 11;
const MAX_WEIGHT_LOG = 6;
/** Weights of 255 symbols; the last one's follows from the others'. */
const MAX_WEIGHTS = 255;

export function corrupt(message: string, at: number): DecompressionError {
  return new DecompressionError('corrupt', `bad zstd at its byte ${at}: ${message}`);
}

/** At most 25 bits from bit `position` on, lowest first. Past the end of `bytes` there are zeros. */
export function bitsAt(bytes: Buffer, position: number, count: number): number {
  const at = position >>> 3;
  // A missing byte is `undefined`, and 0 for a bit operator.
  const word =
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24);
  return (word >>> (position & 7)) & ((1 << count) - 1);
}

/** Where a stream that is read from its end begins: below the highest bit that is set in its last byte. */
export function lastBit(bytes: Buffer, start: number, end: number): number {
  const last = end > start ? (bytes[end - 1] as number) : 0;
  if (last === 0) throw corrupt('bit stream without an end', end);
  return (end - 1) * 8 + highestBit(last);
}

/** Of a number above 0. */
export function highestBit(value: number): number {
  return 31 - Math.clz32(value);
}

/** Every state gives this symbol and takes no bits. */
export function repeatedSymbol(symbol: number): FseTable {
  return { log: 0, symbols: Uint8Array.of(symbol), bits: new Uint8Array(1), bases: new Uint16Array(1) };
}

/** Section 4.1.1: the probabilities in `bytes[start, end)`, as a table; `next` is the byte after them. */
export function readFseTable(
  bytes: Buffer,
  start: number,
  end: number,
  maxLog: number,
  maxSymbol: number,
): { table: FseTable; next: number } {
  let position = start * 8;
  const log = bitsAt(bytes, position, 4) + 5;
  position += 4;
  if (log > maxLog) throw corrupt(`table of 2^${log} states`, start);
  const probabilities: number[] = [];
  let remaining = 1 << log;
  while (remaining > 0) {
    if (probabilities.length > maxSymbol || position > end * 8) throw corrupt('probabilities do not add up', start);
    const width = highestBit(remaining + 1) + 1;
    const lowMask = (1 << (width - 1)) - 1;
    const threshold = (1 << width) - 1 - (remaining + 1);
    let value = bitsAt(bytes, position, width);
    position += width;
    if ((value & lowMask) < threshold) {
      value &= lowMask; // the values that leave room take a bit less
      position--;
    } else if (value > lowMask) value -= threshold;
    const probability = value - 1; // −1: less than one state's share
    probabilities.push(probability);
    remaining -= Math.abs(probability);
    if (probability !== 0) continue;
    for (let repeats = 3; repeats === 3;) {
      repeats = bitsAt(bytes, position, 2);
      position += 2;
      for (let i = 0; i < repeats; i++) probabilities.push(0);
      if (probabilities.length > maxSymbol + 1) throw corrupt('too many symbols', start);
    }
  }
  const next = (position + 7) >>> 3;
  if (remaining < 0 || probabilities.length > maxSymbol + 1 || next > end)
    throw corrupt('probabilities do not add up', start);
  return { table: buildFseTable(probabilities, log), next };
}

export function buildFseTable(probabilities: readonly number[], log: number): FseTable {
  const size = 1 << log;
  const symbols = new Uint8Array(size);
  const bits = new Uint8Array(size);
  const bases = new Uint16Array(size);
  const nextState = probabilities.map((probability) => Math.abs(probability));
  let high = size;
  probabilities.forEach((probability, symbol) => {
    if (probability === -1) symbols[--high] = symbol;
  });
  const step = (size >>> 1) + (size >>> 3) + 3;
  let state = 0;
  probabilities.forEach((probability, symbol) => {
    for (let i = 0; i < probability; i++) {
      symbols[state] = symbol;
      do state = (state + step) & (size - 1);
      while (state >= high);
    }
  });
  for (let i = 0; i < size; i++) {
    const symbol = symbols[i] as number; // below size
    const next = nextState[symbol] as number; // every symbol in the table has a probability
    nextState[symbol] = next + 1;
    const width = log - highestBit(next);
    bits[i] = width;
    bases[i] = (next << width) - size;
  }
  return { log, symbols, bits, bases };
}

/** Section 4.2.1: the tree described at `start`; `next` is the byte after it. */
export function readHuffmanTable(bytes: Buffer, start: number, end: number): { table: HuffmanTable; next: number } {
  if (start >= end) throw corrupt('no Huffman table', start);
  const header = bytes[start] as number;
  const isPacked = header >= 128;
  const next = start + 1 + (isPacked ? (header - 126) >>> 1 : header);
  if (next > end) throw corrupt('Huffman table cut off', start);
  const weights = isPacked
    ? Array.from({ length: header - 127 }, (_, i) => {
        const pair = bytes[start + 1 + (i >>> 1)] as number; // below next
        return (i & 1) === 0 ? pair >>> 4 : pair & 15;
      })
    : readWeights(bytes, start + 1, next);
  return { table: buildHuffmanTable(weights, start), next };
}

/** Two states take turns on one stream until its bits are used up. */
function readWeights(bytes: Buffer, start: number, end: number): number[] {
  const { table, next } = readFseTable(bytes, start, end, MAX_WEIGHT_LOG, MAX_HUFFMAN_LOG + 1);
  const first = next * 8;
  let position = lastBit(bytes, next, end);
  const take = (count: number): number => {
    position -= count;
    if (position >= first) return bitsAt(bytes, position, count);
    const there = position + count - first; // the bits that are missing count as 0
    return there <= 0 ? 0 : bitsAt(bytes, first, there) << (count - there);
  };
  const weights: number[] = [];
  const states: [number, number] = [take(table.log), take(table.log)];
  if (position < first) throw corrupt('Huffman weights cut off', start);
  for (let turn: 0 | 1 = 0; ; turn = turn === 0 ? 1 : 0) {
    const state = states[turn];
    weights.push(table.symbols[state] as number); // states stay below the table's size
    if (weights.length > MAX_WEIGHTS) throw corrupt('too many Huffman weights', start);
    states[turn] = (table.bases[state] as number) + take(table.bits[state] as number);
    if (position >= first) continue;
    weights.push(table.symbols[states[turn === 0 ? 1 : 0]] as number);
    return weights;
  }
}

function buildHuffmanTable(weights: readonly number[], at: number): HuffmanTable {
  const sum = weights.reduce((total, weight) => total + ((1 << weight) >>> 1), 0);
  if (sum === 0 || weights.length > MAX_WEIGHTS) throw corrupt('no Huffman weights', at);
  const log = highestBit(sum) + 1;
  const left = (1 << log) - sum;
  if (log > MAX_HUFFMAN_LOG || (left & (left - 1)) !== 0) throw corrupt('Huffman weights do not add up', at);
  const all = [...weights, highestBit(left) + 1];
  const symbols = new Uint8Array(1 << log);
  const bits = new Uint8Array(1 << log);
  let from = 0;
  for (let weight = 1; weight <= log; weight++) {
    all.forEach((each, symbol) => {
      if (each !== weight) return;
      const to = from + (1 << (weight - 1));
      symbols.fill(symbol, from, to);
      bits.fill(log + 1 - weight, from, to);
      from = to;
    });
  }
  return { log, symbols, bits };
}

/** Decodes `bytes[start, end)`, from its end, to exactly `output[from, to)`. */
export function decodeHuffman(
  table: HuffmanTable,
  bytes: Buffer,
  start: number,
  end: number,
  output: Buffer,
  from: number,
  to: number,
): void {
  const { log, symbols, bits } = table;
  const first = start * 8;
  let position = lastBit(bytes, start, end);
  for (let out = from; out < to; out++) {
    const low = position - log;
    const index = low >= first ? bitsAt(bytes, low, log) : bitsAt(bytes, first, position - first) << (first - low);
    output[out] = symbols[index] as number; // both tables have 2^log entries
    position -= bits[index] as number;
    if (position < first) throw corrupt('literals cut off', start);
  }
  if (position !== first) throw corrupt('literals do not end where their stream does', start);
}
