import { DecompressionError } from './codec.ts';

/*
 * One lz4 block (https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md), sequences one after the other:
 *
 *   token     literal length in the high 4 bits, match length - 4 in the low 4; 15: bytes to be added follow, up to one below 255
 *   literals  as they are; the last sequence ends here
 *   offset    2 little-endian bytes, how far back the match begins; it may lie in what the match itself writes
 *
 * `bytes[i] as number`: every index was checked against `end` before; one past it reads `undefined`, which ends in an error.
 */

/** The best that lz4 can do: a byte that adds 255 to a length. */
export const MAX_RATIO = 255;
const MIN_MATCH = 4;
/** Of a token's half: the length goes on in the bytes that follow. */
const LONG = 15;
/** A sequence without long lengths, copied in whole words: reads 16 bytes of literals and the offset, writes 14 and 20. */
const SHORT_READ = 16 + 2;
const SHORT_WRITTEN = LONG - 1 + 20;
/** From here on a native copy is faster than one word after the other. */
const NATIVE_COPY_BYTES = 64;

/** What the block in `bytes[at, end)` decompresses to, by its tokens alone: a quarter of the time that it takes to decompress. */
export function measureBlock(bytes: Buffer, at: number, end: number): number {
  let size = 0;
  while (at < end) {
    const token = bytes[at++] as number;
    let length = token >>> 4;
    if (length === LONG) {
      let more: number;
      do length += more = bytes[at++] as number;
      while (more === 255 && at < end);
    }
    at += length;
    size += length;
    if (at >= end) break;
    at += 2;
    length = token & 15;
    if (length === LONG) {
      let more: number;
      do length += more = bytes[at++] as number;
      while (more === 255 && at < end);
    }
    size += length + MIN_MATCH;
  }
  if (at !== end) throw corrupt('sequence cut off', end);
  return size;
}

/** Both ends of a decompression. */
export interface BlockBuffers {
  readonly input: Buffer;
  readonly inputView: DataView;
  readonly output: Buffer;
  readonly outputView: DataView;
}

/**
 * Decompresses `input[at, end)` to `output[out, limit)`. Matches reach back to `start` at most: where the block begins, or in a
 * frame of linked blocks where the frame does.
 *
 * @returns where the output ends; −1 where it would go beyond `limit`
 */
export function decompressBlock(
  buffers: BlockBuffers,
  at: number,
  end: number,
  start: number,
  out: number,
  limit: number,
): number {
  const { input, inputView, output, outputView } = buffers;
  const lastShortRead = end - SHORT_READ;
  const lastShortWrite = limit - SHORT_WRITTEN;
  while (at < end) {
    const token = input[at++] as number;
    let length = token >>> 4;
    let matchLength = token & 15;
    if (length !== LONG && at <= lastShortRead && out <= lastShortWrite) {
      // No loops: more is copied than needed, and overwritten by what follows. 1.2 GB/s instead of 0.8, and 0.55 byte by byte.
      outputView.setInt32(out, inputView.getInt32(at, true), true);
      outputView.setInt32(out + 4, inputView.getInt32(at + 4, true), true);
      if (length > 8) {
        outputView.setInt32(out + 8, inputView.getInt32(at + 8, true), true);
        outputView.setInt32(out + 12, inputView.getInt32(at + 12, true), true);
      }
      at += length;
      out += length;
      const offset = (input[at] as number) | ((input[at + 1] as number) << 8);
      if (matchLength !== LONG && offset >= 4) {
        const from = out - offset;
        if (from < start) throw badOffset(offset, at);
        outputView.setInt32(out, outputView.getInt32(from, true), true);
        outputView.setInt32(out + 4, outputView.getInt32(from + 4, true), true);
        outputView.setInt32(out + 8, outputView.getInt32(from + 8, true), true);
        outputView.setInt32(out + 12, outputView.getInt32(from + 12, true), true);
        outputView.setInt32(out + 16, outputView.getInt32(from + 16, true), true);
        out += matchLength + MIN_MATCH;
        at += 2;
        continue;
      }
    } else {
      if (length === LONG) {
        let more: number;
        do length += more = input[at++] as number;
        while (more === 255);
      }
      if (!(length <= end - at)) throw corrupt(`${length} literals`, at);
      if (length > limit - out) return -1;
      if (length >= NATIVE_COPY_BYTES) input.copy(output, out, at, at + length);
      else {
        let i = 0;
        for (; i <= length - 4; i += 4) outputView.setInt32(out + i, inputView.getInt32(at + i, true), true);
        for (; i < length; i++) output[out + i] = input[at + i] as number;
      }
      at += length;
      out += length;
      if (at === end) return out;
    }
    const offset = (input[at] as number) | ((input[at + 1] as number) << 8);
    at += 2;
    if (matchLength === LONG) {
      let more: number;
      do matchLength += more = input[at++] as number;
      while (more === 255);
    }
    if (!(at < end)) break;
    matchLength += MIN_MATCH;
    if (offset === 0 || offset > out - start) throw badOffset(offset, at);
    if (matchLength > limit - out) return -1;
    copyMatch(output, outputView, out, offset, matchLength);
    out += matchLength;
  }
  throw corrupt('sequence cut off', end);
}

/** `output[out - offset, …)` to `output[out, out + length)`; where the two overlap, what was just written is copied again. */
function copyMatch(output: Buffer, view: DataView, out: number, offset: number, length: number): void {
  let from = out - offset;
  const stop = out + length;
  if (length >= NATIVE_COPY_BYTES) {
    if (offset >= length) {
      output.copyWithin(out, from, from + length);
      return;
    }
    if (offset === 1) {
      output.fill(output[from] as number, out, stop);
      return;
    }
  }
  if (offset >= 4) for (; out <= stop - 4; out += 4, from += 4) view.setInt32(out, view.getInt32(from, true), true);
  while (out < stop) output[out++] = output[from++] as number;
}

function badOffset(offset: number, at: number): DecompressionError {
  return corrupt(`match from ${offset} back`, at);
}

export function corrupt(message: string, at: number): DecompressionError {
  return new DecompressionError('corrupt', `bad lz4 frame at its byte ${at}: ${message}`);
}
