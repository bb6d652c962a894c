import {
  bitsAt,
  buildFseTable,
  corrupt,
  decodeHuffman,
  lastBit,
  readFseTable,
  readHuffmanTable,
  repeatedSymbol,
  type FseTable,
  type HuffmanTable,
} from './zstd-entropy.ts';

/*
 * One compressed block of Zstandard (RFC 8878, section 3.1.1.3): literals, then sequences of "so many literals, then a match of
 * this length from that far back".
 */

/** No block regenerates more. */
export const MAX_BLOCK_BYTES = 128 * 1024;
const MAX_LL_CODE = 35;
const MAX_ML_CODE = 52;
const MAX_OF_CODE = 31;

// Extra bits of each code, and the value that they are added to.
const LL_BITS = [...Array<number>(16).fill(0), 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const ML_BITS = [...Array<number>(32).fill(0), 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const LL_BASES = basesOf(LL_BITS, 0);
const ML_BASES = basesOf(ML_BITS, 3);

function basesOf(bits: readonly number[], first: number): number[] {
  let base = first;
  return bits.map((width) => {
    const here = base;
    base += 2 ** width;
    return here;
  });
}

// Section 3.1.1.3.2.2: where a block brings no table of its own.
const DEFAULT_LL = buildFseTable(
  [4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1],
  6,
);
const DEFAULT_ML = buildFseTable(
  [1, 4, 3, 2, 2, 2, 2, 2, 2, ...Array<number>(37).fill(1), -1, -1, -1, -1, -1, -1, -1],
  6,
);
const DEFAULT_OF = buildFseTable(
  [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
  5,
);

/** What a frame's blocks hand on to each other. */
export interface FrameState {
  huffman: HuffmanTable | null;
  literalLengths: FseTable | null;
  offsets: FseTable | null;
  matchLengths: FseTable | null;
  /** The last three offsets, newest first. */
  readonly repeats: [number, number, number];
}

export function newFrameState(): FrameState {
  return { huffman: null, literalLengths: null, offsets: null, matchLengths: null, repeats: [1, 4, 8] };
}

interface Literals {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly next: number;
}

/**
 * Decompresses `bytes[start, end)` to `output`, from `out` on.
 *
 * @param first matches reach back to here: the frame's start
 * @param limit the output may not go beyond
 * @returns where the output ends; −1 where it would go beyond `limit`
 */
export function decompressBlock(
  bytes: Buffer,
  start: number,
  end: number,
  output: Buffer,
  out: number,
  first: number,
  limit: number,
  state: FrameState,
): number {
  const literals = readLiterals(bytes, start, end, state);
  const blockEnd = out + MAX_BLOCK_BYTES;
  let from = literals.start;
  let at = literals.next;
  if (at >= end) throw corrupt('no sequences section', at);
  const head = bytes[at++] as number; // below end
  let count = head;
  if (head >= 128) {
    const size = head === 255 ? 2 : 1;
    if (size > end - at) throw corrupt('sequences cut off', at);
    count = head === 255 ? bytes.readUInt16LE(at) + 0x7f00 : ((head - 128) << 8) | bytes.readUInt8(at);
    at += size;
  }
  if (count > 0) {
    at = readTables(bytes, at, end, state);
    const { literalLengths, offsets, matchLengths, repeats } = state;
    if (literalLengths === null || offsets === null || matchLengths === null) throw corrupt('no table to repeat', at);
    const firstBit = at * 8;
    let position = lastBit(bytes, at, end);
    let ll = bitsAt(bytes, (position -= literalLengths.log), literalLengths.log);
    let of = bitsAt(bytes, (position -= offsets.log), offsets.log);
    let ml = bitsAt(bytes, (position -= matchLengths.log), matchLengths.log);
    if (position < firstBit) throw corrupt('sequences cut off', at);
    for (;;) {
      const ofCode = offsets.symbols[of] as number; // states stay below their tables' sizes
      const mlCode = matchLengths.symbols[ml] as number;
      const llCode = literalLengths.symbols[ll] as number;
      const mlBits = ML_BITS[mlCode] as number; // codes were checked when the tables were read
      const llBits = LL_BITS[llCode] as number;
      position -= ofCode + mlBits + llBits;
      if (position < firstBit) throw corrupt('sequences cut off', at);
      const literalLength = (LL_BASES[llCode] as number) + bitsAt(bytes, position, llBits);
      const length = (ML_BASES[mlCode] as number) + bitsAt(bytes, position + llBits, mlBits);
      const code = 2 ** ofCode + offsetBits(bytes, position + llBits + mlBits, ofCode);
      const offset = offsetOf(code, literalLength, repeats);

      if (literalLength > literals.end - from) throw corrupt('more literals than there are', at);
      if (out + literalLength + length > blockEnd) throw corrupt('block of more than 128 KiB', at);
      if (out + literalLength + length > limit) return -1;
      copyLiterals(literals.bytes, from, output, out, literalLength);
      from += literalLength;
      out += literalLength;
      if (offset <= 0 || offset > out - first) throw corrupt(`match from ${offset} back, ${out - first} there`, at);
      if (length > 64 && offset >= length) output.copyWithin(out, out - offset, out - offset + length);
      // Forwards and byte by byte: an offset below the length repeats what this very copy writes.
      else for (let i = 0; i < length; i++) output[out + i] = output[out + i - offset] as number;
      out += length;

      if (--count === 0) break;
      ll =
        (literalLengths.bases[ll] as number) +
        bitsAt(bytes, (position -= widthOf(literalLengths, ll)), widthOf(literalLengths, ll));
      ml =
        (matchLengths.bases[ml] as number) +
        bitsAt(bytes, (position -= widthOf(matchLengths, ml)), widthOf(matchLengths, ml));
      of = (offsets.bases[of] as number) + bitsAt(bytes, (position -= widthOf(offsets, of)), widthOf(offsets, of));
      if (position < firstBit) throw corrupt('sequences cut off', at);
    }
    if (position !== firstBit) throw corrupt('sequences do not end where their stream does', at);
  } else if (at !== end) throw corrupt('bytes after the last literal', at);
  const rest = literals.end - from;
  if (out + rest > blockEnd) throw corrupt('block of more than 128 KiB', at);
  if (out + rest > limit) return -1;
  copyLiterals(literals.bytes, from, output, out, rest);
  return out + rest;
}

function widthOf(table: FseTable, state: number): number {
  return table.bits[state] as number;
}

function copyLiterals(bytes: Buffer, from: number, output: Buffer, out: number, length: number): void {
  // Most are short, and a native copy costs as much as some 30 bytes by hand.
  if (length > 32) bytes.copy(output, out, from, from + length);
  else for (let i = 0; i < length; i++) output[out + i] = bytes[from + i] as number;
}

/** Up to 31 bits, in two reads where one cannot hold them. */
function offsetBits(bytes: Buffer, position: number, count: number): number {
  if (count <= 24) return bitsAt(bytes, position, count);
  return bitsAt(bytes, position, 16) + bitsAt(bytes, position + 16, count - 16) * 65536;
}

/** Section 3.1.1.5: the three lowest codes repeat an offset. */
function offsetOf(code: number, literalLength: number, repeats: [number, number, number]): number {
  if (code > 3) {
    repeats[2] = repeats[1];
    repeats[1] = repeats[0];
    return (repeats[0] = code - 3);
  }
  const index = code - 1 + (literalLength === 0 ? 1 : 0);
  if (index === 0) return repeats[0];
  const offset = index === 1 ? repeats[1] : index === 2 ? repeats[2] : repeats[0] - 1;
  if (index > 1) repeats[2] = repeats[1];
  repeats[1] = repeats[0];
  return (repeats[0] = offset);
}

/** Section 3.1.1.3.1. */
function readLiterals(bytes: Buffer, start: number, end: number, state: FrameState): Literals {
  const head = bitsAt(bytes, start * 8, 24);
  const type = head & 3;
  const format = (head >>> 2) & 3;
  if (type < 2) {
    const headBytes = format === 3 ? 3 : format === 1 ? 2 : 1;
    const size = format === 3 ? head >>> 4 : format === 1 ? (head >>> 4) & 0xfff : (head >>> 3) & 0x1f;
    const from = start + headBytes;
    const next = from + (type === 0 ? size : 1);
    if (next > end || size > MAX_BLOCK_BYTES) throw corrupt(`${size} literals`, start);
    if (type === 0) return { bytes, start: from, end: next, next };
    return { bytes: Buffer.alloc(size, bytes[from]), start: 0, end: size, next };
  }
  const width = format < 2 ? 10 : format === 2 ? 14 : 18;
  const headBytes = format < 2 ? 3 : format + 2;
  const size = bitsAt(bytes, start * 8 + 4, width);
  const compressed = bitsAt(bytes, start * 8 + 4 + width, width);
  let at = start + headBytes;
  const next = at + compressed;
  if (next > end || size > MAX_BLOCK_BYTES) throw corrupt(`${size} literals in ${compressed} bytes`, start);
  if (type === 2) {
    const { table, next: after } = readHuffmanTable(bytes, at, next);
    state.huffman = table;
    at = after;
  }
  const table = state.huffman;
  if (table === null) throw corrupt('no Huffman table to repeat', start);
  const output = Buffer.allocUnsafeSlow(size);
  if (format === 0) decodeHuffman(table, bytes, at, next, output, 0, size);
  else {
    if (next - at < 6) throw corrupt('literals cut off', at);
    const streams = at + 6;
    const one = streams + bytes.readUInt16LE(at);
    const two = one + bytes.readUInt16LE(at + 2);
    const three = two + bytes.readUInt16LE(at + 4);
    const quarter = (size + 3) >>> 2;
    if (three > next || quarter * 3 > size) throw corrupt('literals cut off', at);
    decodeHuffman(table, bytes, streams, one, output, 0, quarter);
    decodeHuffman(table, bytes, one, two, output, quarter, quarter * 2);
    decodeHuffman(table, bytes, two, three, output, quarter * 2, quarter * 3);
    decodeHuffman(table, bytes, three, next, output, quarter * 3, size);
  }
  return { bytes: output, start: 0, end: size, next };
}

/** Section 3.1.1.3.2.1: the three tables' modes, then those tables that the block brings. @returns the byte after them */
function readTables(bytes: Buffer, start: number, end: number, state: FrameState): number {
  if (start >= end) throw corrupt('sequences cut off', start);
  const modes = bytes[start] as number; // below end
  if ((modes & 3) !== 0) throw corrupt('reserved bits', start);
  let at = start + 1;
  const read = (
    mode: number,
    previous: FseTable | null,
    usual: FseTable,
    maxLog: number,
    maxCode: number,
  ): FseTable | null => {
    if (mode === 0) return usual;
    if (mode === 3) return previous;
    if (mode === 2) {
      const { table, next } = readFseTable(bytes, at, end, maxLog, maxCode);
      at = next;
      return table;
    }
    const symbol = at < end ? (bytes[at++] as number) : Infinity;
    if (symbol > maxCode) throw corrupt(`code ${symbol}`, at);
    return repeatedSymbol(symbol);
  };
  state.literalLengths = read(modes >>> 6, state.literalLengths, DEFAULT_LL, 9, MAX_LL_CODE);
  state.offsets = read((modes >>> 4) & 3, state.offsets, DEFAULT_OF, 8, MAX_OF_CODE);
  state.matchLengths = read((modes >>> 2) & 3, state.matchLengths, DEFAULT_ML, 9, MAX_ML_CODE);
  return at;
}
