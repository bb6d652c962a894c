import { gunzip, gunzipSync, type ZlibOptions } from 'node:zlib';
import { DecompressionError, NO_BYTES, type Codec } from './codec.ts';

/** Header, an empty deflate block, CRC and size: no member is shorter. */
const MIN_MEMBER_BYTES = 20;
/** Deflate's best: 258 bytes from 2 bits. */
const MAX_RATIO = 1032;
/** Below this Node takes buffers from its shared pool, where one kept record would keep those of others. */
const MIN_UNPOOLED_BYTES = Buffer.poolSize >>> 1;

/** RFC 1952, one or several members: zlib goes on through members by itself and stops at the output limit. */
export const gzip: Codec = {
  name: 'gzip',
  implementation: 'node:zlib',
  decompress(bytes, maxBytes) {
    try {
      return gunzipSync(bytes, optionsFor(bytes, maxBytes));
    } catch (cause) {
      throw fromZlib(cause, maxBytes);
    }
  },
  decompressAside(bytes, maxBytes, done) {
    gunzip(bytes, optionsFor(bytes, maxBytes), (error, result) => {
      if (error === null) done(null, result);
      else done(fromZlib(error, maxBytes), NO_BYTES);
    });
  },
};

function optionsFor(bytes: Buffer, maxBytes: number): ZlibOptions {
  return { maxOutputLength: Math.max(1, maxBytes), chunkSize: chunkSize(bytes, maxBytes) };
}

/** What zlib has thrown, as the codecs' own error. */
export function fromZlib(cause: unknown, maxBytes: number): DecompressionError {
  if (cause instanceof RangeError && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE')
    return DecompressionError.tooLarge(maxBytes);
  return new DecompressionError('corrupt', cause instanceof Error ? cause.message : String(cause), cause);
}

/**
 * The trailer's uncompressed size, as far as it can be true. It is only a hint, for an output in one piece: 110 KB take 112 µs,
 * and 247 when zlib fills 16 KiB after 16 KiB to be joined. The few bytes more keep it from asking for another piece.
 */
function chunkSize(bytes: Buffer, maxBytes: number): number {
  const hint = bytes.length < MIN_MEMBER_BYTES ? 0 : bytes.readUInt32LE(bytes.length - 4);
  return Math.max(MIN_UNPOOLED_BYTES, Math.min(hint, maxBytes, MAX_RATIO * bytes.length) + 64);
}
