import {
  bitsBelow,
  buildFseTable,
  constantTable,
  corrupt,
  readFseTable,
  streamStart,
  type FseTable,
} from './zstd-fse.ts';
import type { Literals } from './zstd-literals.ts';

/*
 * Sequences of Zstandard: "so many literals, then a match of this length from that far back". RFC 8878, section 3.1.1.3.2.
 *
 * Indices marked `as number` are states, which stay below their table's size, and codes, which were checked with the tables.
 */

const MAX_LITERAL_LENGTH_CODE = 35;
const MAX_MATCH_LENGTH_CODE = 52;
const MAX_OFFSET_CODE = 31;
/** Codes below stand for themselves (match lengths 3 more): no extra bits. */
const FIRST_LITERAL_LENGTH_CODE_WITH_BITS = 16;
const FIRST_MATCH_LENGTH_CODE_WITH_BITS = 32;
const MIN_MATCH = 3;
/** What one read of bits gives for sure, and a shift can take. */
const MAX_READ_BITS = 24;
/** Words are copied whole: up to so much is written beyond a match. */
const MARGIN = 16;
/** From here on a native copy is faster than one word after the other. */
const NATIVE_COPY_BYTES = 64;

// Tables 15 and 16: extra bits of each code, and the value that they are added to.
const LITERAL_LENGTH_BITS = Uint8Array.of(
  ...Array<number>(16).fill(0),
  ...[1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
);
const MATCH_LENGTH_BITS = Uint8Array.of(
  ...Array<number>(32).fill(0),
  ...[1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
);
const LITERAL_LENGTH_BASES = basesOf(LITERAL_LENGTH_BITS, 0);
const MATCH_LENGTH_BASES = basesOf(MATCH_LENGTH_BITS, MIN_MATCH);

function basesOf(bits: Uint8Array, first: number): Int32Array {
  let base = first;
  return Int32Array.from(bits, (width) => {
    const here = base;
    base += 2 ** width;
    return here;
  });
}

// Section 3.1.1.3.2.2: where a block brings no table of its own.
const DEFAULT_LITERAL_LENGTHS = buildFseTable(
  Int16Array.of(
    ...[4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1],
    ...[-1, -1, -1, -1],
  ),
  6,
);
const DEFAULT_MATCH_LENGTHS = buildFseTable(
  Int16Array.of(1, 4, 3, 2, 2, 2, 2, 2, 2, ...Array<number>(37).fill(1), -1, -1, -1, -1, -1, -1, -1),
  6,
);
const DEFAULT_OFFSETS = buildFseTable(
  Int16Array.of(1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1),
  5,
);

/** Both ends of a decompression, and what a frame's blocks hand on to each other. */
export class SequenceState {
  readonly input: Buffer;
  readonly inputView: DataView;
  readonly output: Buffer;
  readonly outputView: DataView;
  literalLengths: FseTable | null = null;
  offsets: FseTable | null = null;
  matchLengths: FseTable | null = null;
  /** The last three offsets, newest first. */
  repeat1 = 1;
  repeat2 = 4;
  repeat3 = 8;

  constructor(input: Buffer, inputView: DataView, output: Buffer) {
    this.input = input;
    this.inputView = inputView;
    this.output = output;
    this.outputView = new DataView(output.buffer, output.byteOffset, output.length);
  }

  startFrame(): void {
    this.literalLengths = this.offsets = this.matchLengths = null;
    this.repeat1 = 1;
    this.repeat2 = 4;
    this.repeat3 = 8;
  }
}

/**
 * Carries out the sequences section `input[start, end)` of a block: writes to `output[out, limit)`, from the block's literals and
 * from what is there already from `frameStart` on.
 *
 * @returns where the output ends; −1 where it would go beyond `limit`
 */
export function executeSequences(
  state: SequenceState,
  literals: Literals,
  start: number,
  end: number,
  frameStart: number,
  out: number,
  limit: number,
): number {
  const { input, inputView, output, outputView } = state;
  const { view: literalsView, bytes: literalBytes, end: literalsEnd } = literals;
  let literal = literals.start;
  const { count, next } = readCount(input, start, end);
  if (count === 0) {
    if (next !== end) throw corrupt('bytes after the last literal', next);
    return copyRest(literals, literal, output, out, limit);
  }
  const at = readTables(state, next, end);
  if (state.literalLengths === null || state.offsets === null || state.matchLengths === null) {
    throw corrupt('no table to use again', next);
  }
  const { entries: llTable, log: llLog } = state.literalLengths;
  const { entries: ofTable, log: ofLog } = state.offsets;
  const { entries: mlTable, log: mlLog } = state.matchLengths;
  const firstBit = at * 8;
  let position = streamStart(input, at, end);
  if (position - llLog - ofLog - mlLog < firstBit) throw corrupt('sequences cut off', at);
  let ll = topBits(bitsBelow(inputView, position), llLog);
  let of = topBits(bitsBelow(inputView, (position -= llLog)), ofLog);
  let ml = topBits(bitsBelow(inputView, (position -= ofLog)), mlLog);
  position -= mlLog;
  let { repeat1, repeat2, repeat3 } = state;
  const lastWideLiteral = literalBytes.length - MARGIN;
  const lastWideOut = Math.min(limit, output.length - MARGIN);

  for (let left = count; ;) {
    const llEntry = llTable[ll] as number;
    const ofEntry = ofTable[of] as number;
    const mlEntry = mlTable[ml] as number;
    const llCode = llEntry & 0xff;
    const ofBits = ofEntry & 0xff;
    const mlCode = mlEntry & 0xff;
    let literalLength = llCode;
    let length = mlCode + MIN_MATCH;

    // Extra bits: of the offset, of the match length, of the literal length.
    let offset: number;
    if (ofBits <= MAX_READ_BITS) {
      offset = (1 << ofBits) + topBits(bitsBelow(inputView, position), ofBits);
    } else {
      if (position - ofBits < firstBit) throw corrupt('sequences cut off', at);
      const high = topBits(bitsBelow(inputView, position), 16);
      const lowBits = ofBits - 16;
      offset = 2 ** ofBits + high * 2 ** lowBits + topBits(bitsBelow(inputView, position - 16), lowBits);
    }
    position -= ofBits;
    if (mlCode >= FIRST_MATCH_LENGTH_CODE_WITH_BITS) {
      const bits = MATCH_LENGTH_BITS[mlCode] as number;
      if (position < firstBit) throw corrupt('sequences cut off', at);
      length = (MATCH_LENGTH_BASES[mlCode] as number) + topBits(bitsBelow(inputView, position), bits);
      position -= bits;
    }
    if (llCode >= FIRST_LITERAL_LENGTH_CODE_WITH_BITS) {
      const bits = LITERAL_LENGTH_BITS[llCode] as number;
      if (position < firstBit) throw corrupt('sequences cut off', at);
      literalLength = (LITERAL_LENGTH_BASES[llCode] as number) + topBits(bitsBelow(inputView, position), bits);
      position -= bits;
    }
    if (position < firstBit) throw corrupt('sequences cut off', at);

    // Section 3.1.1.5: the three lowest values repeat an offset.
    if (offset > 3) {
      offset -= 3;
      repeat3 = repeat2;
      repeat2 = repeat1;
      repeat1 = offset;
    } else {
      const which = literalLength === 0 ? offset + 1 : offset;
      if (which === 1) offset = repeat1;
      else {
        offset = which === 2 ? repeat2 : which === 3 ? repeat3 : repeat1 - 1;
        if (which > 2) repeat3 = repeat2;
        repeat2 = repeat1;
        repeat1 = offset;
      }
    }

    if (literalLength > literalsEnd - literal) throw corrupt('more literals than there are', at);
    if (literalLength + length > limit - out) return -1;
    if (literalLength > NATIVE_COPY_BYTES) literalBytes.copy(output, out, literal, literal + literalLength);
    else if (literal + literalLength <= lastWideLiteral && out + literalLength <= lastWideOut) {
      for (let i = 0; i < literalLength; i += 4)
        outputView.setInt32(out + i, literalsView.getInt32(literal + i, true), true);
    } else for (let i = 0; i < literalLength; i++) output[out + i] = literalBytes[literal + i] as number;
    literal += literalLength;
    out += literalLength;
    if (offset <= 0 || offset > out - frameStart) throw corrupt(`match from ${offset} back`, at);
    const from = out - offset;
    const stop = out + length;
    if (length > NATIVE_COPY_BYTES && offset >= length) output.copyWithin(out, from, from + length);
    else if (offset >= 4 && stop <= lastWideOut) {
      for (let i = 0; i < length; i += 4) outputView.setInt32(out + i, outputView.getInt32(from + i, true), true);
    } else for (let i = 0; i < length; i++) output[out + i] = output[from + i] as number;
    out = stop;

    if (--left === 0) break;
    const llBits = (llEntry >>> 8) & 0xff;
    const mlBits = (mlEntry >>> 8) & 0xff;
    const ofStateBits = (ofEntry >>> 8) & 0xff;
    const word = bitsBelow(inputView, position);
    ll = (llEntry >>> 16) + topBits(word, llBits);
    ml = (mlEntry >>> 16) + topBits(word << llBits, mlBits);
    position -= llBits + mlBits;
    if (position - ofStateBits < firstBit) throw corrupt('sequences cut off', at);
    of = (ofEntry >>> 16) + topBits(bitsBelow(inputView, position), ofStateBits);
    position -= ofStateBits;
  }
  if (position !== firstBit) throw corrupt('sequences do not end with their stream', at);
  state.repeat1 = repeat1;
  state.repeat2 = repeat2;
  state.repeat3 = repeat3;
  return copyRest(literals, literal, output, out, limit);
}

/** The highest bits of a word. */
function topBits(word: number, count: number): number {
  return (word >>> 1) >>> (31 - count); // in two steps, for a shift by 32 would be none
}

function copyRest(literals: Literals, from: number, output: Buffer, out: number, limit: number): number {
  if (literals.end - from > limit - out) return -1;
  return out + literals.bytes.copy(output, out, from, literals.end);
}

function readCount(input: Buffer, start: number, end: number): { count: number; next: number } {
  if (start >= end) throw corrupt('no sequences section', start);
  const head = input.readUInt8(start);
  if (head < 128) return { count: head, next: start + 1 };
  const next = start + (head === 255 ? 3 : 2);
  if (next > end) throw corrupt('sequences cut off', start);
  const count = head === 255 ? input.readUInt16LE(start + 1) + 0x7f00 : (head - 128) * 256 + input.readUInt8(start + 1);
  return { count, next };
}

/** The three tables' modes, then those tables that the block brings. @returns the byte after them */
function readTables(state: SequenceState, start: number, end: number): number {
  const { input } = state;
  if (start >= end) throw corrupt('sequences cut off', start);
  const modes = input.readUInt8(start);
  if ((modes & 3) !== 0) throw corrupt('reserved bits', start);
  let at = start + 1;
  const read = (mode: number, last: FseTable | null, byDefault: FseTable, maxLog: number, maxCode: number) => {
    if (mode === 0) return byDefault;
    if (mode === 3) return last;
    if (mode === 2) {
      const { table, next } = readFseTable(input, at, end, maxLog, maxCode);
      at = next;
      return table;
    }
    if (at >= end) throw corrupt('sequences cut off', at);
    const code = input.readUInt8(at++);
    if (code > maxCode) throw corrupt(`code ${code}`, at);
    return constantTable(code);
  };
  state.literalLengths = read(modes >>> 6, state.literalLengths, DEFAULT_LITERAL_LENGTHS, 9, MAX_LITERAL_LENGTH_CODE);
  state.offsets = read((modes >>> 4) & 3, state.offsets, DEFAULT_OFFSETS, 8, MAX_OFFSET_CODE);
  state.matchLengths = read((modes >>> 2) & 3, state.matchLengths, DEFAULT_MATCH_LENGTHS, 9, MAX_MATCH_LENGTH_CODE);
  return at;
}
