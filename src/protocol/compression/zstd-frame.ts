import { DecompressionError, withoutWaste } from './codec.ts';
import { xxhash64Low } from './xxhash64.ts';
import { corrupt } from './zstd-fse.ts';
import { Literals, MAX_BLOCK_BYTES } from './zstd-literals.ts';
import { executeSequences, SequenceState } from './zstd-sequences.ts';

/*
 * Zstandard frames (RFC 8878, section 3.1), one or several:
 *
 *   28 B5 2F FD | descriptor | window u8? | dictionary id? | content size? | { block header u24 | block }* | checksum u32?
 *   5x 2A 4D 18 | size u32 | as many bytes to be skipped
 *
 *   descriptor    content size's length (2 bits) | single segment | 0 | 0 | checksum | dictionary id's length (2 bits)
 *   block header  last (1 bit) | 0 as it is, 1 one byte repeated, 2 compressed | size (21 bits)
 *
 * All little-endian; the checksum is the lower half of XXH64.
 */
const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a5;

const SINGLE_SEGMENT_BIT = 0x20;
const RESERVED_BIT = 0x08;
const CHECKSUM_BIT = 0x04;

const RAW = 0;
const REPEATED = 1;
const COMPRESSED = 2;
/** Empty literals, no sequences. */
const MIN_COMPRESSED_BYTES = 2;

interface ZstdFrame {
  readonly windowBytes: number;
  /** −1 where the frame does not say. */
  readonly contentSize: number;
  /** What its blocks, by their headers, can come to. */
  readonly maxSize: number;
  /** The first block. */
  readonly blocks: number;
  /** After the last block: 4, or 0 for no checksum. */
  readonly checksumBytes: number;
  readonly next: number;
}

interface Block {
  readonly isLast: boolean;
  readonly type: number;
  /** Of the output; where it is compressed, of the input. */
  readonly size: number;
  readonly start: number;
  readonly end: number;
}

/** Checks the headers of all frames and blocks, and finds how much they can come to, without allocating anything. */
export function roomForFrames(bytes: Buffer, maxBytes: number): number {
  let room = 0;
  let at = 0;
  do {
    const skipped = skipFrame(bytes, at);
    if (skipped > 0) {
      at = skipped;
      continue;
    }
    const { contentSize, maxSize, next } = readFrame(bytes, at);
    if (contentSize > maxSize) throw corrupt(`${contentSize} bytes announced, at most ${maxSize} there`, at);
    if (contentSize > maxBytes - room) throw DecompressionError.tooLarge(maxBytes);
    room += contentSize < 0 ? maxSize : contentSize;
    at = next;
  } while (at < bytes.length);
  return Math.min(room, maxBytes);
}

/** The frame, where there is nothing before it and after it. */
export function singleFrame(bytes: Buffer): { readonly windowBytes: number } | null {
  if (skipFrame(bytes, 0) > 0) return null;
  const frame = readFrame(bytes, 0);
  return frame.next === bytes.length ? frame : null;
}

/** In JavaScript alone. */
export function decompressFrames(bytes: Buffer, maxBytes: number): Buffer {
  const output = Buffer.allocUnsafeSlow(roomForFrames(bytes, maxBytes));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const literals = new Literals(bytes, view);
  const state = new SequenceState(bytes, view, output);
  let out = 0;
  for (let at = 0; at < bytes.length;) {
    const skipped = skipFrame(bytes, at);
    if (skipped > 0) {
      at = skipped;
      continue;
    }
    const frame = readFrame(bytes, at);
    out = decompressFrame(frame, state, literals, out, maxBytes);
    at = frame.next;
  }
  return withoutWaste(output.subarray(0, out));
}

function decompressFrame(
  frame: ZstdFrame,
  state: SequenceState,
  literals: Literals,
  frameStart: number,
  maxBytes: number,
): number {
  const { input, output } = state;
  const frameEnd = frame.contentSize < 0 ? output.length : frameStart + frame.contentSize;
  const maxBlockBytes = Math.min(MAX_BLOCK_BYTES, frame.windowBytes);
  literals.startFrame();
  state.startFrame();
  let out = frameStart;
  for (let at = frame.blocks, isLast = false; !isLast;) {
    const { type, size, start, end, isLast: isLastBlock } = readBlock(input, at, maxBlockBytes);
    const limit = Math.min(out + maxBlockBytes, frameEnd);
    if (type === COMPRESSED) {
      const sequences = literals.read(start, end);
      out = executeSequences(state, literals, sequences, end, frameStart, out, limit);
    } else if (size > limit - out) out = -1;
    else if (type === RAW) out += input.copy(output, out, start, end);
    else output.fill(input.readUInt8(start), out, (out += size));
    if (out < 0) {
      if (limit === maxBytes) throw DecompressionError.tooLarge(maxBytes);
      throw corrupt('more than its header announces', at);
    }
    at = end;
    isLast = isLastBlock;
  }
  if (frame.contentSize >= 0 && out !== frameEnd) {
    throw corrupt(`${out - frameStart} bytes instead of ${frame.contentSize}`, frame.next);
  }
  if (frame.checksumBytes > 0 && xxhash64Low(output, frameStart, out) !== input.readUInt32LE(frame.next - 4)) {
    throw corrupt('content checksum', frame.next - 4);
  }
  return out;
}

/** Where the skippable frame at `at` ends; 0 where there is none. */
function skipFrame(bytes: Buffer, at: number): number {
  need(bytes, at, 4);
  if (bytes.readUInt32LE(at) >>> 4 !== SKIPPABLE_MAGIC) return 0;
  need(bytes, at, 8);
  const length = bytes.readUInt32LE(at + 4);
  need(bytes, at + 8, length);
  return at + 8 + length;
}

/** Goes over a frame by its headers. */
function readFrame(bytes: Buffer, start: number): ZstdFrame {
  need(bytes, start, 6);
  const magic = bytes.readUInt32LE(start);
  if (magic !== MAGIC) throw corrupt(`no frame: 0x${magic.toString(16)}`, start);
  const descriptor = bytes.readUInt8(start + 4);
  if ((descriptor & RESERVED_BIT) !== 0) throw corrupt('reserved bit', start + 4);
  const isSingleSegment = (descriptor & SINGLE_SEGMENT_BIT) !== 0;
  const sizeCode = descriptor >>> 6;
  const sizeBytes = sizeCode === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeCode;
  const idBytes = (descriptor & 3) === 3 ? 4 : descriptor & 3;
  let at = start + 5 + (isSingleSegment ? 0 : 1);
  need(bytes, at, idBytes + sizeBytes);
  if (idBytes > 0 && bytes.readUIntLE(at, idBytes) !== 0) throw corrupt('it needs a dictionary', at);
  at += idBytes;
  const contentSize = readContentSize(bytes, at, sizeBytes);
  at += sizeBytes;
  const windowBytes = isSingleSegment ? contentSize : windowSize(bytes.readUInt8(start + 5));
  const blocks = at;
  const maxBlockBytes = Math.min(MAX_BLOCK_BYTES, windowBytes);
  let maxSize = 0;
  for (let isLast = false; !isLast;) {
    const block = readBlock(bytes, at, maxBlockBytes);
    maxSize += block.type === COMPRESSED ? maxBlockBytes : block.size;
    at = block.end;
    isLast = block.isLast;
  }
  const checksumBytes = (descriptor & CHECKSUM_BIT) === 0 ? 0 : 4;
  need(bytes, at, checksumBytes);
  return { windowBytes, contentSize, maxSize, blocks, checksumBytes, next: at + checksumBytes };
}

function readBlock(bytes: Buffer, at: number, maxBlockBytes: number): Block {
  need(bytes, at, 3);
  const header = bytes.readUIntLE(at, 3);
  const type = (header >>> 1) & 3;
  const size = header >>> 3;
  if (type > COMPRESSED || size > maxBlockBytes || (type === COMPRESSED && size < MIN_COMPRESSED_BYTES))
    throw corrupt(`block of ${size} bytes, type ${type}`, at);
  const start = at + 3;
  const length = type === REPEATED ? 1 : size;
  need(bytes, start, length);
  return { isLast: (header & 1) !== 0, type, size, start, end: start + length };
}

/** Section 3.1.1.1.2: an exponent in 5 bits, and eighths in 3. */
function windowSize(descriptor: number): number {
  return 2 ** (7 + (descriptor >>> 3)) * (8 + (descriptor & 7));
}

function readContentSize(bytes: Buffer, at: number, length: number): number {
  switch (length) {
    case 1:
      return bytes.readUInt8(at);
    case 2:
      return bytes.readUInt16LE(at) + 256;
    case 4:
      return bytes.readUInt32LE(at);
    case 8:
      return bytes.readUInt32LE(at + 4) * 4294967296 + bytes.readUInt32LE(at);
    default:
      return -1;
  }
}

function need(bytes: Buffer, at: number, length: number): void {
  if (length > bytes.length - at) throw corrupt(`${length} bytes needed, ${bytes.length - at} left`, at);
}
