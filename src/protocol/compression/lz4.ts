import { DecompressionError, withoutWaste, type Codec } from './codec.ts';
import { corrupt, decompressBlock, MAX_RATIO, measureBlock, type BlockBuffers } from './lz4-block.ts';
import { xxhash32 } from './xxhash32.ts';

/*
 * lz4 frames (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md), one or several:
 *
 *   04 22 4D 18 | FLG | BD | content size u64? | dictionary id u32? | header checksum u8
 *   { block size u32, high bit: stored as it is | block | checksum u32? }* | 0 u32 | content checksum u32?
 *   5x 2A 4D 18 | size u32 | as many bytes to be skipped
 *
 *   FLG  version 01 | independent blocks | block checksums | content size | content checksum | 0 | dictionary id
 *   BD   0 | largest block: 4…7 for 64 KiB, 256 KiB, 1 MiB, 4 MiB | 0000
 *
 * All little-endian; checksums are XXH32, the header's is its second lowest byte. Kafka's producers computed that one over the
 * magic as well wherever the message format is magic 0 (KIP-57): both are taken, for the batch's own CRC covers it anyway.
 *
 * No native accelerator: `lz4-napi` 2.10 has no limit for its output, decodes frames of linked blocks at 0.36 GB/s where this
 * does 1.1 (JSON records, 64 KiB to 1 MiB, Node 20 and 24), and its faster single blocks (2.1 GB/s) would first have to be copied behind
 * a size of their own.
 */
const MAGIC = 0x184d2204;
const SKIPPABLE_MAGIC = 0x184d2a5;
const STORED_BIT = 0x80000000;
/** Few records compress better. */
const LIKELY_RATIO = 8;

const RESERVED_BIT = 0x02;
const DICTIONARY_BIT = 0x01;
const CONTENT_CHECKSUM_BIT = 0x04;
const CONTENT_SIZE_BIT = 0x08;
const BLOCK_CHECKSUM_BIT = 0x10;
const INDEPENDENT_BIT = 0x20;

export const lz4: Codec = {
  name: 'lz4',
  implementation: 'pure',
  decompress(bytes, maxBytes) {
    const output = Buffer.allocUnsafeSlow(Math.min(maxBytes, roomForFrames(bytes, maxBytes)));
    const buffers = { input: bytes, inputView: viewOf(bytes), output, outputView: viewOf(output) };
    return withoutWaste(output.subarray(0, decompressFrames(buffers, maxBytes)));
  },
};

interface FrameHeader {
  readonly isLinked: boolean;
  /** After each block: 4, or 0 for no checksum. */
  readonly blockChecksumBytes: number;
  /** After the last block: 4, or 0 for no checksum. */
  readonly contentChecksumBytes: number;
  readonly maxBlockBytes: number;
  /** −1 where the frame does not say. */
  readonly contentSize: number;
  /** The first block. */
  readonly next: number;
}

/** Checks headers and lengths, and finds how much the frames can come to, without allocating anything. */
function roomForFrames(bytes: Buffer, maxBytes: number): number {
  let room = 0;
  let at = 0;
  do {
    const skipped = skipFrame(bytes, at);
    if (skipped > 0) {
      at = skipped;
      continue;
    }
    const header = readHeader(bytes, at);
    const { contentSize } = header;
    if (contentSize > maxBytes - room) throw DecompressionError.tooLarge(maxBytes);
    let blocks = 0;
    at = header.next;
    for (let word = blockWord(bytes, at); word !== 0; word = blockWord(bytes, at)) {
      const length = blockLength(word);
      at += 4;
      need(bytes, at, length + header.blockChecksumBytes);
      if (word >= STORED_BIT) blocks += length;
      else if (contentSize >= 0) blocks += MAX_RATIO * length;
      else blocks += roomForBlock(bytes, at, at + length, header.maxBlockBytes);
      at += length + header.blockChecksumBytes;
    }
    at += 4;
    need(bytes, at, header.contentChecksumBytes);
    at += header.contentChecksumBytes;
    if (contentSize > blocks) throw corrupt(`${contentSize} bytes announced, at most ${blocks} there`, at);
    room += contentSize < 0 ? blocks : contentSize;
  } while (at < bytes.length);
  return room;
}

/**
 * What a full block holds, for all but a frame's last one are full. But where that is far from what is likely (4 MiB blocks are
 * common, and so are batches of 16 KiB), the exact size: to look for it everywhere would make decompression a third slower.
 */
function roomForBlock(bytes: Buffer, at: number, end: number, maxBlockBytes: number): number {
  if (maxBlockBytes <= LIKELY_RATIO * (end - at)) return maxBlockBytes;
  return Math.min(maxBlockBytes, measureBlock(bytes, at, end));
}

/** Into an output of that size, or of `maxBytes`. @returns how much of it was written */
function decompressFrames(buffers: BlockBuffers, maxBytes: number): number {
  const { input, output } = buffers;
  let out = 0;
  for (let at = 0; at < input.length;) {
    const skipped = skipFrame(input, at);
    if (skipped > 0) {
      at = skipped;
      continue;
    }
    const header = readHeader(input, at);
    const frameStart = out;
    const frameEnd = header.contentSize < 0 ? output.length : out + header.contentSize;
    at = header.next;
    for (let word = blockWord(input, at); word !== 0; word = blockWord(input, at)) {
      const start = at + 4;
      const end = start + blockLength(word);
      const limit = Math.min(out + header.maxBlockBytes, frameEnd);
      if (header.blockChecksumBytes > 0 && xxhash32(input, start, end) !== input.readUInt32LE(end)) {
        throw corrupt('block checksum', at);
      }
      if (word < STORED_BIT) out = decompressBlock(buffers, start, end, header.isLinked ? frameStart : out, out, limit);
      else out = end - start > limit - out ? -1 : out + input.copy(output, out, start, end);
      if (out < 0) {
        if (limit === maxBytes) throw DecompressionError.tooLarge(maxBytes);
        throw corrupt('more than its header announces', at);
      }
      at = end + header.blockChecksumBytes;
    }
    at += 4;
    if (header.contentSize >= 0 && out !== frameEnd) {
      throw corrupt(`${out - frameStart} bytes instead of ${header.contentSize}`, at);
    }
    if (header.contentChecksumBytes > 0 && xxhash32(output, frameStart, out) !== input.readUInt32LE(at)) {
      throw corrupt('content checksum', at);
    }
    at += header.contentChecksumBytes;
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

function readHeader(bytes: Buffer, start: number): FrameHeader {
  need(bytes, start, 7);
  const magic = bytes.readUInt32LE(start);
  if (magic !== MAGIC) throw corrupt(`no frame: 0x${magic.toString(16)}`, start);
  const flags = bytes.readUInt8(start + 4);
  const sizes = bytes.readUInt8(start + 5);
  if (flags >>> 6 !== 1 || (flags & RESERVED_BIT) !== 0) throw corrupt(`flags 0x${flags.toString(16)}`, start + 4);
  if ((flags & DICTIONARY_BIT) !== 0) throw corrupt('it needs a dictionary', start + 4);
  if (sizes < 0x40 || (sizes & 0x8f) !== 0) throw corrupt(`block sizes 0x${sizes.toString(16)}`, start + 5);
  let contentSize = -1;
  let at = start + 6;
  if ((flags & CONTENT_SIZE_BIT) !== 0) {
    need(bytes, at, 9);
    contentSize = bytes.readUInt32LE(at + 4) * 4294967296 + bytes.readUInt32LE(at);
    at += 8;
  }
  const checksum = bytes.readUInt8(at);
  if (checksumByte(bytes, start + 4, at) !== checksum && checksumByte(bytes, start, at) !== checksum) {
    throw corrupt('header checksum', at);
  }
  return {
    isLinked: (flags & INDEPENDENT_BIT) === 0,
    blockChecksumBytes: (flags & BLOCK_CHECKSUM_BIT) === 0 ? 0 : 4,
    contentChecksumBytes: (flags & CONTENT_CHECKSUM_BIT) === 0 ? 0 : 4,
    maxBlockBytes: 1 << (8 + 2 * (sizes >>> 4)),
    contentSize,
    next: at + 1,
  };
}

/** A block's size and whether it is stored; 0 ends the frame. */
function blockWord(bytes: Buffer, at: number): number {
  need(bytes, at, 4);
  return bytes.readUInt32LE(at);
}

function blockLength(word: number): number {
  return word >= STORED_BIT ? word - STORED_BIT : word;
}

function checksumByte(bytes: Buffer, start: number, end: number): number {
  return (xxhash32(bytes, start, end) >>> 8) & 0xff;
}

function need(bytes: Buffer, at: number, length: number): void {
  if (length > bytes.length - at) throw corrupt(`${length} bytes needed, ${bytes.length - at} left`, at);
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
