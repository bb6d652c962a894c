import zlib, { type ZlibOptions } from 'node:zlib';
import { NO_BYTES, type Codec } from './codec.ts';
import { fromZlib } from './gzip.ts';
import { decompressFrames, readFrames, type ZstdFrame } from './zstd-frame.ts';

/** What `node:zlib` has from 22.15 on. */
interface NativeZstd {
  zstdDecompressSync(bytes: Buffer, options: ZlibOptions): Buffer;
  zstdDecompress(bytes: Buffer, options: ZlibOptions, done: (error: Error | null, result: Buffer) => void): void;
}

const native =
  process.env['SAMSA_PURE'] !== '1' && 'zstdDecompressSync' in zlib ? (zlib as unknown as NativeZstd) : null;
/** Below this Node takes buffers from its shared pool, where one kept record would keep those of others. */
const MIN_UNPOOLED_BYTES = Buffer.poolSize >>> 1;

/**
 * The pure decoder is our own because the pure package `fzstd` trusts its input: a forged block of a few bytes can announce a
 * hundred thousand matches of a hundred thousand bytes each, and it goes through all of them.
 */
export const zstd: Codec =
  native === null
    ? {
        name: 'zstd',
        implementation: 'pure',
        decompress: (bytes, maxBytes) => decompressFrames(bytes, readFrames(bytes, maxBytes), maxBytes),
      }
    : {
        name: 'zstd',
        implementation: 'node:zlib',
        decompress(bytes, maxBytes) {
          const frames = readFrames(bytes, maxBytes);
          try {
            return native.zstdDecompressSync(bytes, optionsFor(frames, maxBytes));
          } catch (cause) {
            throw fromZlib(cause, maxBytes);
          }
        },
        decompressAside(bytes, maxBytes, done) {
          native.zstdDecompress(bytes, optionsFor(readFrames(bytes, maxBytes), maxBytes), (error, result) => {
            if (error === null) done(null, result);
            else done(fromZlib(error, maxBytes), NO_BYTES);
          });
        },
      };

/** One piece of the right size where the frames tell it: pieces have to be joined. */
function optionsFor(frames: readonly ZstdFrame[], maxBytes: number): ZlibOptions {
  let size = 0;
  for (const { contentSize, maxSize } of frames) size += contentSize < 0 ? maxSize : contentSize;
  const chunkSize = Math.max(MIN_UNPOOLED_BYTES, Math.min(size, maxBytes) + 64);
  return { maxOutputLength: Math.max(1, maxBytes), chunkSize };
}
