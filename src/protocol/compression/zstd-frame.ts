import { DecompressionError } from './codec.ts';
import { decompressBlock, MAX_BLOCK_BYTES, newFrameState } from './zstd-block.ts';
import { corrupt } from './zstd-entropy.ts';

/*
 * Zstandard frames (RFC 8878, section 3.1), one or several:
 *
 *   28 B5 2F FD | descriptor | window u8? | dictionary id? | content size? | { block header u24 | block }* | checksum u32?
 *
 *   descriptor    content size's length (2 bits) | single segment | 0 | 0 | checksum | dictionary id's length (2 bits)
 *   block header  last (1 bit) | 0 as it is, 1 one byte repeated, 2 compressed | size (21 bits)
 *
 * All little-endian. The checksum (XXH64) is not compared: the batch's CRC has covered every byte of the frame.
 */
const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a5;

export interface ZstdFrame {
  /** Start and end of the blocks, headers included. */
  readonly blocks: number;
  /** −1 where the frame does not say. */
  readonly contentSize: number;
  /** What the blocks can come to at the most. */
  readonly maxSize: number;
}

/** Goes over all frames by their headers, and refuses what cannot be before anything is allocated. */
export function readFrames(bytes: Buffer, maxBytes: number): ZstdFrame[] {
  const frames: ZstdFrame[] = [];
  let announced = 0;
  for (let at = 0; at < bytes.length;) {
    need(bytes, at, 5);
    const magic = bytes.readUInt32LE(at);
    if (magic >>> 4 === SKIPPABLE_MAGIC) {
      need(bytes, at, 8);
      const length = bytes.readUInt32LE(at + 4);
      need(bytes, at + 8, length);
      at += 8 + length;
      continue;
    }
    if (magic !== MAGIC) throw corrupt(`no frame: 0x${magic.toString(16)}`, at);
    const { frame, next } = readFrame(bytes, at);
    announced += Math.max(0, frame.contentSize);
    if (announced > maxBytes) throw DecompressionError.tooLarge(maxBytes);
    frames.push(frame);
    at = next;
  }
  return frames;
}

function readFrame(bytes: Buffer, start: number): { frame: ZstdFrame; next: number } {
  const descriptor = bytes.readUInt8(start + 4);
  if ((descriptor & 0x08) !== 0) throw corrupt('reserved bit', start + 4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeCode = descriptor >>> 6;
  const sizeBytes = sizeCode === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeCode;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  let at = start + 5 + (isSingleSegment ? 0 : 1);
  need(bytes, at, dictionaryBytes + sizeBytes);
  if (dictionaryBytes > 0 && bytes.readUIntLE(at, dictionaryBytes) !== 0) throw corrupt('it needs a dictionary', at);
  at += dictionaryBytes;
  const contentSize = readContentSize(bytes, at, sizeBytes);
  at += sizeBytes;
  const blocks = at;
  let maxSize = 0;
  for (let isLast = false; !isLast;) {
    need(bytes, at, 3);
    const header = bytes.readUIntLE(at, 3);
    const size = header >>> 3;
    const type = (header >>> 1) & 3;
    if (type === 3 || size > MAX_BLOCK_BYTES) throw corrupt(`block of ${size} bytes, type ${type}`, at);
    isLast = (header & 1) === 1;
    need(bytes, at + 3, type === 1 ? 1 : size);
    maxSize += type === 2 ? MAX_BLOCK_BYTES : size;
    at += 3 + (type === 1 ? 1 : size);
  }
  if (contentSize > maxSize) throw corrupt(`${contentSize} bytes announced, at most ${maxSize} there`, start);
  const checksumBytes = (descriptor & 0x04) === 0 ? 0 : 4;
  need(bytes, at, checksumBytes);
  return { frame: { blocks, contentSize, maxSize }, next: at + checksumBytes };
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

/** In JavaScript alone. The frames come from `readFrames`. */
export function decompressFrames(bytes: Buffer, frames: readonly ZstdFrame[], maxBytes: number): Buffer {
  let known = 0;
  for (const { contentSize } of frames) known += contentSize < 0 ? Infinity : contentSize;
  // Where a frame does not say how much there is, a guess that grows.
  let output = Buffer.allocUnsafeSlow(Number.isFinite(known) ? known : Math.min(maxBytes, bytes.length * 4 + 1024));
  let out = 0;
  const grow = (needed: number): void => {
    if (needed > maxBytes) throw DecompressionError.tooLarge(maxBytes);
    const larger = Buffer.allocUnsafeSlow(Math.min(maxBytes, Math.max(needed, output.length * 2)));
    output.copy(larger, 0, 0, out);
    output = larger;
  };
  for (const { blocks, contentSize } of frames) {
    const first = out;
    const state = newFrameState();
    let at = blocks;
    for (let isLast = false; !isLast;) {
      const header = bytes.readUIntLE(at, 3);
      const size = header >>> 3;
      const type = (header >>> 1) & 3;
      isLast = (header & 1) === 1;
      at += 3;
      if (type !== 2) {
        if (out + size > output.length) grow(out + size);
        if (type === 0) bytes.copy(output, out, at, at + size);
        else output.fill(bytes[at] as number, out, out + size); // `readFrames` has seen that it is there
        out += size;
        at += type === 0 ? size : 1;
        continue;
      }
      const room = Math.min(maxBytes, out + MAX_BLOCK_BYTES);
      if (contentSize < 0 && output.length < room) grow(room);
      out = decompressBlock(bytes, at, at + size, output, out, first, output.length, state);
      if (out < 0) throw contentSize < 0 ? DecompressionError.tooLarge(maxBytes) : corrupt('more than announced', at);
      at += size;
    }
    if (contentSize >= 0 && out - first !== contentSize)
      throw corrupt(`${out - first} bytes instead of ${contentSize}`, at);
  }
  if (out === output.length) return output;
  const exact = Buffer.allocUnsafeSlow(out);
  output.copy(exact, 0, 0, out);
  return exact;
}

function need(bytes: Buffer, at: number, length: number): void {
  if (length > bytes.length - at) throw corrupt(`${length} bytes needed, ${bytes.length - at} left`, at);
}
