/** What `attributes` bits 0-2 of a batch say, by their number. */
export const COMPRESSION_NAMES = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export type CompressionName = (typeof COMPRESSION_NAMES)[number];

export type Decompressed = (error: DecompressionError | null, bytes: Buffer) => void;

/** Of a failure, which has none. */
export const NO_BYTES = Buffer.alloc(0);

/** One compression format. A codec knows bytes only: whose they are is added by whoever called it. */
export interface Codec {
  readonly name: CompressionName;
  /** Which code does the work, for diagnostics: `'node:zlib'`, `'pure'`, … */
  readonly implementation: string;
  /**
   * The decompressed bytes, at most `maxBytes` of them: a codec refuses more before it allocates where the format tells
   * the size, and while it decompresses where not. The result is unshared; the input is never kept.
   * @throws DecompressionError
   */
  decompress(bytes: Buffer, maxBytes: number): Buffer;
  /** The same off the main thread, with a `DecompressionError` or the bytes for `done`; left out where that cannot be. */
  decompressAside?(bytes: Buffer, maxBytes: number, done: Decompressed): void;
}

/** The bytes are no such stream (`'corrupt'`), or hold more than allowed (`'too-large'`). Never leaves the package: see `openBatch`. */
export class DecompressionError extends Error {
  readonly kind: 'corrupt' | 'too-large';

  constructor(kind: 'corrupt' | 'too-large', message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'DecompressionError';
    this.kind = kind;
  }

  static tooLarge(maxBytes: number): DecompressionError {
    return new DecompressionError('too-large', `decompresses to more than ${maxBytes} bytes (maxDecompressedBytes)`);
  }
}

/** As it is, or a copy where it is a small part of the memory behind it, which whoever keeps a record would keep as well. */
export function withoutWaste(output: Buffer): Buffer {
  if (output.buffer.byteLength - output.length <= output.length >>> 1) return output;
  const exact = Buffer.allocUnsafeSlow(output.length);
  output.copy(exact);
  return exact;
}
