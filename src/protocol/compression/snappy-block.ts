import { DecompressionError } from './codec.ts';

/*
 * One raw snappy block (https://github.com/google/snappy/blob/main/format_description.txt):
 *
 *   preamble   uncompressed length, unsigned varint of at most 5 bytes
 *   elements   tag byte, its low 2 bits the kind:
 *              00 literal   length-1 in the high 6 bits; 60..63: in the 1..4 little-endian bytes that follow
 *              01 copy      length-4 in bits 2-4, offset in bits 5-7 and 1 byte
 *              10, 11 copy  length-1 in the high 6 bits, offset in 2 or 4 little-endian bytes
 *
 * Our own because the pure package `snappyjs` trusts its input: a literal of a forged, negative length sends it back to the
 * same tag for ever (14 bytes are enough), and its offsets are not checked. It also writes each block of a frame into a
 * buffer of its own, where this one writes all of them into one.
 * `bytes[i] as number`: every index is checked against `end` before the read.
 */

/** The best that snappy can do: a copy of 64 bytes in 3. A preamble that promises more lies. */
const MAX_RATIO = 22;

/** The uncompressed length that the block at `start` announces, and where its elements begin. */
export function readPreamble(bytes: Buffer, start: number, end: number): { length: number; next: number } {
  let length = 0;
  let at = start;
  for (let scale = 1; at < end && at < start + 5; scale *= 128) {
    const byte = bytes[at++] as number;
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      if (length > MAX_RATIO * (end - start)) throw corrupt(`${end - start} bytes cannot hold ${length}`, start);
      return { length, next: at };
    }
  }
  throw corrupt('no uncompressed length', start);
}

/** Decompresses the elements in `bytes[at, end)` to exactly `output[from, to)`, touching nothing outside of it. */
export function decompressElements(
  bytes: Buffer,
  at: number,
  end: number,
  output: Buffer,
  from: number,
  to: number,
): void {
  let out = from;
  while (at < end) {
    const tag = bytes[at] as number;
    const kind = tag & 3;
    let length = (tag >>> 2) + 1;
    if (kind === 0) {
      at++;
      if (length > 60) {
        const size = length - 60;
        if (size > end - at) throw corrupt('literal length cut off', at);
        length = bytes.readUIntLE(at, size) + 1;
        at += size;
      }
      if (length > end - at || length > to - out) throw corrupt(`literal of ${length} bytes`, at);
      // Most literals are short, and a native copy costs as much as some 30 bytes by hand.
      if (length > 32) bytes.copy(output, out, at, at + length);
      else for (let i = 0; i < length; i++) output[out + i] = bytes[at + i] as number;
      at += length;
      out += length;
      continue;
    }
    const size = kind === 3 ? 5 : kind + 1;
    if (size > end - at) throw corrupt('copy cut off', at);
    let offset: number;
    if (kind === 1) {
      length = ((tag >>> 2) & 7) + 4;
      offset = ((tag >>> 5) << 8) | (bytes[at + 1] as number);
    } else {
      offset = kind === 2 ? bytes.readUInt16LE(at + 1) : bytes.readUInt32LE(at + 1);
    }
    if (offset === 0 || offset > out - from || length > to - out) {
      throw corrupt(`copy of ${length} bytes from ${offset} back`, at);
    }
    // Forwards and byte by byte: an offset below the length repeats what this very copy writes.
    for (const stop = out + length; out < stop; out++) output[out] = output[out - offset] as number;
    at += size;
  }
  if (out !== to) throw corrupt(`${out - from} bytes instead of ${to - from}`, at);
}

export function corrupt(message: string, at: number): DecompressionError {
  return new DecompressionError('corrupt', `bad snappy block at its byte ${at}: ${message}`);
}
