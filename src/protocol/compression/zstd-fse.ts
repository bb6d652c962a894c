import { DecompressionError } from './codec.ts';

/*
 * Finite state entropy (tANS), decoding side: RFC 8878, section 4.1. And how all bit streams of Zstandard are read.
 *
 * Indices marked `as number` are below the size of what they index, by how the tables are built.
 */

/** By state: symbol in bits 0-7, how many bits the next state takes in 8-15, what they are added to from 16 on. */
export interface FseTable {
  readonly entries: Int32Array;
  /** The first state is read from so many bits. */
  readonly log: number;
}

export function corrupt(message: string, at: number): DecompressionError {
  return new DecompressionError('corrupt', `bad zstd frame at its byte ${at}: ${message}`);
}

/**
 * The bits below `position`, counted from the start of the input, highest first: at least 25 of them. Streams are read from their
 * end to their start, and at least 4 bytes of headers lie before any.
 */
export function bitsBelow(view: DataView, position: number): number {
  return view.getInt32(((position + 7) >>> 3) - 4, true) << (-position & 7);
}

/** Where a stream that is read from its end begins: below the highest bit that is set in its last byte. */
export function streamStart(bytes: Buffer, start: number, end: number): number {
  const last = end > start ? (bytes[end - 1] as number) : 0; // below the input's end
  if (last === 0) throw corrupt('bit stream without an end', end);
  return (end - 1) * 8 + highestBit(last);
}

/** Of a number above 0. */
export function highestBit(value: number): number {
  return 31 - Math.clz32(value);
}

/** Every state gives this symbol and takes no bits. */
export function constantTable(symbol: number): FseTable {
  return { entries: Int32Array.of(symbol), log: 0 };
}

/** The table that `bytes[start, end)` begins with; `next` is the byte after it. */
export function readFseTable(
  bytes: Buffer,
  start: number,
  end: number,
  maxLog: number,
  maxSymbol: number,
): { table: FseTable; next: number } {
  let position = start * 8;
  const take = (count: number): number => {
    const value = bitsFrom(bytes, position, end) & ((1 << count) - 1);
    position += count;
    return value;
  };
  const log = take(4) + 5;
  if (log > maxLog) throw corrupt(`table of 2^${log} states`, start);
  const probabilities = new Int16Array(maxSymbol + 1);
  let symbol = 0;
  let remaining = 1 << log;
  while (remaining > 0 && symbol <= maxSymbol) {
    const width = highestBit(remaining + 1) + 1;
    const spare = (1 << width) - 2 - remaining; // so many values take one bit less
    let value = take(width - 1);
    if (value >= spare) {
      value += take(1) << (width - 1);
      if (value >= 1 << (width - 1)) value -= spare;
    }
    const probability = value - 1; // −1: less than one state's share
    probabilities[symbol++] = probability;
    remaining -= Math.abs(probability);
    if (probability !== 0) continue;
    let zeros: number;
    do symbol += zeros = take(2);
    while (zeros === 3 && symbol <= maxSymbol);
  }
  const next = (position + 7) >>> 3;
  if (remaining !== 0 || symbol > maxSymbol + 1 || next > end) throw corrupt('probabilities do not add up', start);
  return { table: buildFseTable(probabilities, log), next };
}

/** 16 bits and more from `position` on, lowest first; zeros from `end` on. */
function bitsFrom(bytes: Buffer, position: number, end: number): number {
  const at = position >>> 3;
  const left = end - at;
  const word = left >= 3 ? bytes.readUIntLE(at, 3) : left > 0 ? bytes.readUIntLE(at, left) : 0;
  return word >>> (position & 7);
}

/** From probabilities that add up to 2^log. */
export function buildFseTable(probabilities: Int16Array, log: number): FseTable {
  const size = 1 << log;
  const entries = new Int32Array(size);
  const nextState = new Uint16Array(probabilities.length);
  let high = size;
  for (let symbol = 0; symbol < probabilities.length; symbol++) {
    const probability = probabilities[symbol] as number;
    nextState[symbol] = Math.abs(probability);
    if (probability === -1) entries[--high] = symbol;
  }
  const step = (size >>> 1) + (size >>> 3) + 3; // odd, so it comes to every state once
  let state = 0;
  for (let symbol = 0; symbol < probabilities.length; symbol++) {
    for (let i = probabilities[symbol] as number; i > 0; i--) {
      entries[state] = symbol;
      do state = (state + step) & (size - 1);
      while (state >= high);
    }
  }
  for (let i = 0; i < size; i++) {
    const symbol = entries[i] as number;
    const next = nextState[symbol] as number;
    nextState[symbol] = next + 1;
    const width = log - highestBit(next);
    entries[i] = symbol | (width << 8) | (((next << width) - size) << 16);
  }
  return { entries, log };
}
