import zlib, { type ZlibOptions } from 'node:zlib';
import { DecompressionError, NO_BYTES, withoutWaste, type Codec } from './codec.ts';
import { fromZlib } from './gzip.ts';
import { decompressFrames, roomForFrames, singleFrame } from './zstd-frame.ts';

/** What `node:zlib` has from 22.15 on. */
interface NativeZstd {
  zstdDecompressSync(bytes: Buffer, options: ZlibOptions): Buffer;
  zstdDecompress(bytes: Buffer, options: ZlibOptions, done: (error: Error | null, result: Buffer) => void): void;
}

const native =
  process.env['SAMSA_PURE'] !== '1' && 'zstdDecompressSync' in zlib ? (zlib as unknown as NativeZstd) : null;

/** A frame's window that every decoder has to be able to hold (RFC 8878, section 3.1.1.1.2); the library allocates it. */
const SUPPORTED_WINDOW_BYTES = 8 << 20;
/** The largest that the library takes. */
const MAX_NATIVE_WINDOW_BYTES = 128 << 20;

/**
 * The pure decoder is our own because the pure package `fzstd` trusts its input. A forged Huffman tree of a few bytes keeps it
 * busy for ever, a block of 20 bytes can announce a hundred thousand matches of a hundred thousand bytes and has all of them carried out,
 * a header makes it allocate 2 GiB, and it compares no checksum.
 */
export const zstd: Codec =
  native === null ? { name: 'zstd', implementation: 'pure', decompress: decompressFrames } : withNative(native);

function withNative(library: NativeZstd): Codec {
  return {
    name: 'zstd',
    implementation: 'node:zlib',
    decompress(bytes, maxBytes) {
      const options = nativeOptions(bytes, maxBytes);
      if (options === null) return decompressFrames(bytes, maxBytes);
      let result: Buffer;
      try {
        result = library.zstdDecompressSync(bytes, options);
      } catch (cause) {
        throw fromZlib(cause, maxBytes);
      }
      if (result.length > maxBytes) throw DecompressionError.tooLarge(maxBytes); // 1 byte, the least limit that zlib takes
      return withoutWaste(result);
    },
    decompressAside(bytes, maxBytes, done) {
      const options = nativeOptions(bytes, maxBytes);
      if (options === null) {
        done(null, decompressFrames(bytes, maxBytes));
        return;
      }
      library.zstdDecompress(bytes, options, (error, result) => {
        if (error !== null) done(fromZlib(error, maxBytes), NO_BYTES);
        else if (result.length > maxBytes) done(DecompressionError.tooLarge(maxBytes), NO_BYTES);
        else done(null, withoutWaste(result));
      });
    },
  };
}

/**
 * `null` for what is better left to the pure decoder: Node's stops without an error at a skippable frame or a third one, and for a
 * large window it would allocate more than may come out.
 */
function nativeOptions(bytes: Buffer, maxBytes: number): ZlibOptions | null {
  const room = roomForFrames(bytes, maxBytes);
  const frame = singleFrame(bytes);
  if (frame === null) return null;
  const maxWindowBytes = Math.min(MAX_NATIVE_WINDOW_BYTES, Math.max(SUPPORTED_WINDOW_BYTES, maxBytes));
  if (frame.windowBytes > maxWindowBytes) return null;
  // In one piece, for pieces have to be joined; a few bytes more keep it from asking for another one.
  return { maxOutputLength: Math.max(1, maxBytes), chunkSize: room + 64 };
}
