import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';

/**
 * What a test's batches may be compressed with. gzip and snappy are compressed for real; so is zstd where Node has it (22.15 or newer). lz4, and
 * zstd elsewhere, are valid frames of blocks that are stored as they are: what a decoder reads is right, what it saves is nothing.
 */
export type TestCompression = 'none' | 'gzip' | 'snappy' | 'snappy-xerial' | 'lz4' | 'zstd';

// Without types of its own; loaded when something is to be compressed with it.
const require = createRequire(import.meta.url);

const XERIAL_BLOCK_BYTES = 32 * 1024;
const LZ4_BLOCK_BYTES = 64 * 1024;
const ZSTD_BLOCK_BYTES = 128 * 1024;
/** The high bit of a block's length: stored as it is. */
const LZ4_STORED = 0x80000000;

/** The number in a batch's attributes. */
export function compressionId(compression: TestCompression): number {
  switch (compression) {
    case 'none':
      return 0;
    case 'gzip':
      return 1;
    case 'snappy':
    case 'snappy-xerial':
      return 2;
    case 'lz4':
      return 3;
    case 'zstd':
      return 4;
  }
}

export function compress(bytes: Buffer, compression: TestCompression): Buffer {
  switch (compression) {
    case 'none':
      return bytes;
    case 'gzip':
      return zlib.gzipSync(bytes);
    case 'snappy':
      return snappyBlock(bytes);
    case 'snappy-xerial':
      return xerial(bytes);
    case 'lz4':
      return lz4Frame(bytes);
    case 'zstd':
      return zstdFrame(bytes);
  }
}

function snappyBlock(bytes: Buffer): Buffer<ArrayBuffer> {
  return (require('snappyjs') as { compress(bytes: Buffer): Buffer<ArrayBuffer> }).compress(bytes);
}

function* blocksOf(bytes: Buffer, blockBytes: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += blockBytes) yield bytes.subarray(at, at + blockBytes);
}

/** What snappy-java writes: a magic, two versions, then blocks with their length before them. */
function xerial(bytes: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from('82534e415050590000000001' + '00000001', 'hex')];
  for (const plain of blocksOf(bytes, XERIAL_BLOCK_BYTES)) {
    const block = snappyBlock(plain);
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

/** magic | version 01, independent blocks | blocks of up to 64 KiB | its checksum, then blocks after their length, and a length of 0. */
function lz4Frame(bytes: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from('04224d18' + '60' + '40' + '82', 'hex')];
  for (const block of blocksOf(bytes, LZ4_BLOCK_BYTES)) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(block.length + LZ4_STORED);
    parts.push(length, block);
  }
  parts.push(Buffer.alloc(4));
  return Buffer.concat(parts);
}

/** magic | single segment, content size of 4 bytes | that size | raw blocks after 3 bytes: size, type 0, whether it is the last. */
function zstdFrame(bytes: Buffer): Buffer {
  const native = (zlib as { zstdCompressSync?: (bytes: Buffer) => Buffer }).zstdCompressSync;
  if (native !== undefined) return native(bytes);
  const head = Buffer.from('28b52ffd' + 'a0' + '00000000', 'hex');
  head.writeUInt32LE(bytes.length, 5);
  const parts: Buffer[] = [head];
  let left = bytes.length;
  for (const block of left === 0 ? [bytes] : blocksOf(bytes, ZSTD_BLOCK_BYTES)) {
    left -= block.length;
    const blockHead = Buffer.alloc(3);
    blockHead.writeUIntLE(block.length * 8 + (left === 0 ? 1 : 0), 0, 3);
    parts.push(blockHead, block);
  }
  return Buffer.concat(parts);
}
