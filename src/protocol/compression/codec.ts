/** What `attributes` bits 0-2 of a batch say, by their number. */
export const COMPRESSION_NAMES = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export type CompressionName = (typeof COMPRESSION_NAMES)[number];

/** One compression format. A codec knows bytes only: whose they are is added by whoever called it. */
export interface Codec {
  readonly name: CompressionName;
  /**
   * The decompressed bytes, at most `maxBytes` of them: a codec refuses more before it allocates where the format tells
   * the size, and while it decompresses where not. The result is unshared; the input is never kept.
   * @throws DecompressionError
   */
  decompress(bytes: Buffer, maxBytes: number): Buffer;
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
