import {
  COMPRESSION_NAMES,
  DecompressionError,
  NO_BYTES,
  type Codec,
  type CompressionName,
  type Decompressed,
} from './codec.ts';
import { gzip } from './gzip.ts';
import { lz4 } from './lz4.ts';
import { snappy } from './snappy.ts';
import { zstd } from './zstd.ts';

/** A compressed batch from this size on is decompressed off the main thread where its codec can. */
export const MIN_ASYNC_BYTES = 64 * 1024;

/** Codecs by the number in a batch's attributes. */
export type CodecTable = Readonly<Record<number, Codec>>;

/** Every codec there is. A new one is one line here. */
export const codecs: CodecTable = {
  1: gzip,
  2: snappy,
  3: lz4,
  4: zstd,
};

/** `codec.decompressAside`, or at once where it has none. What is thrown before it has begun comes through `done` as well. */
export function decompressAside(codec: Codec, bytes: Buffer, maxBytes: number, done: Decompressed): void {
  let result: Buffer;
  try {
    if (codec.decompressAside !== undefined) {
      codec.decompressAside(bytes, maxBytes, done);
      return;
    }
    result = codec.decompress(bytes, maxBytes);
  } catch (error) {
    if (!(error instanceof DecompressionError)) throw error;
    done(error, NO_BYTES);
    return;
  }
  done(null, result);
}

/** A decompressor of the application's own, in place of the built-in one. */
export interface CustomCodec {
  /**
   * The decompressed bytes, at most `maxBytes` of them, in a buffer that nobody else uses. Whatever it throws is told as a
   * `CorruptRecordError` of the batch.
   */
  decompress(bytes: Buffer, maxBytes: number): Uint8Array;
  /** The same without holding up the event loop; used for large batches where it is there. */
  decompressAsync?(bytes: Buffer, maxBytes: number): PromiseLike<Uint8Array>;
}

export type CustomCodecs = Partial<Record<Exclude<CompressionName, 'none'>, CustomCodec>>;

/** The built-in codecs, with these in their places. */
export function codecTable(custom: CustomCodecs): CodecTable {
  const table: Record<number, Codec> = { ...codecs };
  for (const [name, codec] of Object.entries(custom)) {
    const id = COMPRESSION_NAMES.indexOf(name as CompressionName); // an option's name, validated as one of these
    if (id > 0) table[id] = guarded(name as CompressionName, codec);
  }
  return table;
}

/** Holds a foreign codec to what the others keep to by themselves. */
function guarded(name: CompressionName, custom: CustomCodec): Codec {
  const codec: Codec = {
    name,
    implementation: 'custom',
    decompress(bytes, maxBytes) {
      let result: unknown;
      try {
        result = custom.decompress(bytes, maxBytes);
      } catch (cause) {
        throw foreign(cause);
      }
      return checked(result, maxBytes);
    },
  };
  if (custom.decompressAsync === undefined) return codec;
  return {
    ...codec,
    decompressAside(bytes, maxBytes, done) {
      let outcome: PromiseLike<unknown> | undefined;
      try {
        outcome = custom.decompressAsync?.(bytes, maxBytes);
        if (typeof outcome?.then !== 'function') throw new Error('decompressAsync() gave no promise');
      } catch (cause) {
        done(foreign(cause), NO_BYTES);
        return;
      }
      outcome.then(
        (result) => {
          let bytesOut: Buffer = NO_BYTES;
          let error: DecompressionError | null = null;
          try {
            bytesOut = checked(result, maxBytes);
          } catch (cause) {
            error = cause as DecompressionError; // `checked` throws nothing else
          }
          done(error, bytesOut);
        },
        (cause: unknown) => done(foreign(cause), NO_BYTES),
      );
    },
  };
}

function foreign(cause: unknown): DecompressionError {
  return new DecompressionError('corrupt', cause instanceof Error ? cause.message : String(cause), cause);
}

function checked(result: unknown, maxBytes: number): Buffer {
  if (!(result instanceof Uint8Array)) throw new DecompressionError('corrupt', 'the codec gave no Uint8Array');
  if (result.length > maxBytes) throw DecompressionError.tooLarge(maxBytes);
  return Buffer.isBuffer(result) ? result : Buffer.from(result.buffer, result.byteOffset, result.length);
}

/** Which code decompresses what in this process, for diagnostics. */
export function codecImplementations(table: CodecTable = codecs): Record<string, string> {
  return Object.fromEntries(Object.values(table).map(({ name, implementation }) => [name, implementation]));
}
