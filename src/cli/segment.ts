import { open, type FileHandle } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';

/** Base offset and length: what every batch begins with, in every format. */
const PREFIX_BYTES = 12;
/** No batch of any format is shorter, without its prefix. */
const MIN_LENGTH = 14;

/** One batch's bytes, in a buffer of their own, and where they begin in the file. */
export interface SegmentPiece {
  readonly position: number;
  readonly bytes: Buffer;
  /** From there to the end of the file, in bytes. */
  readonly left: number;
  /** Bytes that the length announces and the file does not have: the batch was being written, or is damaged. */
  readonly missing: number;
}

/**
 * A broker's segment file, batch by batch: only one batch is in memory at a time, and a length is believed as far as the file
 * goes. A length that cannot be ends it.
 */
export async function* readSegment(path: string): AsyncGenerator<SegmentPiece, void> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    let position = 0;
    while (position < size) {
      const left = size - position;
      const prefix = await readAt(file, position, Math.min(PREFIX_BYTES, left));
      const length = prefix.length < PREFIX_BYTES ? 0 : prefix.readInt32BE(8);
      // Nothing tells where another batch would begin.
      if (length < MIN_LENGTH) {
        yield { position, bytes: prefix, left, missing: PREFIX_BYTES - prefix.length };
        return;
      }
      const announced = PREFIX_BYTES + length;
      const bytes = await readAt(file, position, Math.min(announced, left));
      yield { position, bytes, left, missing: announced - bytes.length };
      position += announced;
    }
  } finally {
    await file.close();
  }
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
