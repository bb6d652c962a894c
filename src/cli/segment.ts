import { open, type FileHandle } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { crc32c } from '../protocol/index.ts';

/** Base offset, length, leader epoch and magic: every batch of every format begins with these. */
const PREFIX_BYTES = 17;
/** Base offset and length: the length does not count them. */
const OVERHEAD_BYTES = 12;
/** No batch of any format is shorter, without its overhead. */
const MIN_LENGTH = 14;
const MAX_MAGIC = 2;
/** The header of a batch of magic 2, up to its records. */
const HEADER_BYTES = 61;
/** The CRC-32C of a batch of magic 2 covers everything from here on. */
const CRC_STARTS_AT = 21;
/** The search for the next sound batch reads the file in windows of so many bytes. */
const WINDOW_BYTES = 1 << 20;

/** One batch's bytes, in a buffer of their own, and where they begin in the file. */
export interface SegmentPiece {
  readonly position: number;
  readonly bytes: Buffer;
  /** From there to the end of the file, in bytes. */
  readonly left: number;
  /** Bytes that the length announces and the file does not have: the batch was being written. */
  readonly missing: number;
  /** How many bytes lie here that are no batch; 0 where there is one. `bytes` has the first of them. */
  readonly stray: number;
}

/**
 * Reads a broker's segment file batch by batch: only one batch is in memory at a time. A header is believed as far as the
 * file goes and offsets rise. Where one is damaged, reading goes on at the next batch whose CRC is right.
 */
export async function* readSegment(path: string): AsyncGenerator<SegmentPiece, void> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    let nextOffset = 0n;
    for (let position = 0; position < size;) {
      const left = size - position;
      const prefix = await readAt(file, position, Math.min(PREFIX_BYTES, left));
      if (prefix.length < PREFIX_BYTES || prefix.every((byte) => byte === 0)) {
        yield { position, bytes: prefix, left, missing: PREFIX_BYTES - prefix.length, stray: 0 };
        return;
      }
      const announced = announcedBytes(prefix, nextOffset);
      const bytes = await readAt(file, position, Math.min(announced ?? PREFIX_BYTES, left));
      const isDamaged = announced === null || announced > left || isCrcWrong(bytes);
      // The batch announces more than its own bytes, or begins elsewhere: sound ones may lie within.
      const end = isDamaged ? Math.min(position + (announced ?? left), size) : position;
      const next = isDamaged ? await findBatch(file, position + 1, end, nextOffset) : null;
      if (announced === null || next !== null) {
        const stray = (next ?? size) - position;
        yield { position, bytes: bytes.subarray(0, stray), left, missing: 0, stray };
        position += stray;
        continue;
      }
      yield { position, bytes, left, missing: announced - bytes.length, stray: 0 };
      if (!isDamaged) nextOffset = lastOffset(bytes) + 1n;
      position += announced;
    }
  } finally {
    await file.close();
  }
}

/** Gives the size of the batch that begins here; null where none can. */
function announcedBytes(prefix: Buffer, nextOffset: bigint): number | null {
  const length = prefix.readInt32BE(8);
  const isBatch = length >= MIN_LENGTH && prefix.readUInt8(16) <= MAX_MAGIC && prefix.readBigInt64BE(0) >= nextOffset;
  return isBatch ? OVERHEAD_BYTES + length : null;
}

/** Whether a batch of magic 2 fails its CRC. The decoder looks at the older formats. */
function isCrcWrong(bytes: Buffer): boolean {
  if (bytes.readUInt8(16) < MAX_MAGIC) return false;
  return bytes.length < HEADER_BYTES || crc32c(bytes, CRC_STARTS_AT, bytes.length) !== bytes.readUInt32BE(17);
}

/** Gives the offset of the last record that the batch had. */
function lastOffset(bytes: Buffer): bigint {
  const baseOffset = bytes.readBigInt64BE(0);
  return bytes.readUInt8(16) < MAX_MAGIC ? baseOffset : baseOffset + BigInt(bytes.readInt32BE(23));
}

/** Gives the position of the first batch of magic 2 between the two that is whole and passes its CRC; null for none. */
async function findBatch(file: FileHandle, from: number, to: number, nextOffset: bigint): Promise<number | null> {
  for (let start = from; start + HEADER_BYTES <= to; start += WINDOW_BYTES) {
    const window = await readAt(file, start, Math.min(WINDOW_BYTES + PREFIX_BYTES - 1, to - start));
    for (let at = 0; at + PREFIX_BYTES <= window.length && at < WINDOW_BYTES; at++) {
      if (window[at + 16] !== MAX_MAGIC) continue;
      const announced = announcedBytes(window.subarray(at, at + PREFIX_BYTES), nextOffset);
      if (announced === null || announced < HEADER_BYTES || start + at + announced > to) continue;
      if (!isCrcWrong(await readAt(file, start + at, announced))) return start + at;
    }
  }
  return null;
}

/** `/data/orders-0/00000000000000000042.log` → orders, 0; −1 where the folder is not named so. */
export function partitionOf(path: string): { topic: string; partition: number } {
  const match = /^(.+)-(\d+)$/.exec(basename(dirname(resolve(path))));
  return { topic: match?.[1] ?? basename(path), partition: match === null ? -1 : Number(match[2]) };
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) return buffer.subarray(0, filled); // cut off meanwhile: retention, truncation
    filled += bytesRead;
  }
  return buffer;
}
