import { corrupt } from './zstd-fse.ts';
import { decodeFourStreams, decodeStream, readHuffmanTable, type HuffmanTable } from './zstd-huffman.ts';

/** No block holds more, compressed or not. */
export const MAX_BLOCK_BYTES = 128 * 1024;
/** Literals are copied a word at a time, so that up to 3 bytes after them are read: a margin. */
const MARGIN = 16;

/** The literals of one block: in the input itself, or decoded. */
export class Literals {
  readonly #input: Buffer;
  readonly #inputView: DataView;
  /** For all blocks, as large as the largest one needs. */
  #decoded = Buffer.alloc(0);
  #decodedView = new DataView(new ArrayBuffer(0));
  #huffman: HuffmanTable | null = null;

  bytes: Buffer;
  view: DataView;
  start = 0;
  end = 0;

  constructor(input: Buffer, inputView: DataView) {
    this.#input = input;
    this.#inputView = inputView;
    this.bytes = input;
    this.view = inputView;
  }

  /** A frame's first block has no tree to use again. */
  startFrame(): void {
    this.#huffman = null;
  }

  /** RFC 8878, section 3.1.1.3.1: the literals section that `input[start, end)` begins with. @returns the byte after it */
  read(start: number, end: number): number {
    const input = this.#input;
    const type = input.readUInt8(start) & 3;
    const format = (input.readUInt8(start) >>> 2) & 3;
    if (type >= 2) return this.#readCompressed(start, end, type, format);
    // raw, or one byte repeated: 5, 12 or 20 bits of size
    const headerBytes = format === 1 ? 2 : format === 3 ? 3 : 1;
    if (headerBytes >= end - start) throw corrupt('literals cut off', start);
    const size = input.readUIntLE(start, headerBytes) >>> (format === 0 || format === 2 ? 3 : 4);
    const from = start + headerBytes;
    const next = from + (type === 0 ? size : 1);
    if (next > end || size > MAX_BLOCK_BYTES) throw corrupt(`${size} literals`, start);
    if (type === 0) {
      this.bytes = input;
      this.view = this.#inputView;
      this.start = from;
      this.end = next;
    } else this.#reserve(size).fill(input.readUInt8(from), 0, size);
    return next;
  }

  #readCompressed(start: number, end: number, type: number, format: number): number {
    const input = this.#input;
    // size and compressed size in 10, 14 or 18 bits each
    const width = format < 2 ? 10 : format === 2 ? 14 : 18;
    const headerBytes = format < 2 ? 3 : format + 2;
    if (headerBytes > end - start) throw corrupt('literals cut off', start);
    const high = headerBytes > 3 ? input.readUIntLE(start + 3, headerBytes - 3) : 0;
    const sizes = (high * 2 ** 24 + input.readUIntLE(start, 3)) / 16; // up to 36 bits, and 4 of the head as a fraction
    const size = Math.floor(sizes) % 2 ** width;
    const compressedSize = Math.floor(sizes / 2 ** width);
    let at = start + headerBytes;
    const next = at + compressedSize;
    if (next > end || size > MAX_BLOCK_BYTES) throw corrupt(`${size} literals in ${compressedSize} bytes`, start);
    if (type === 2) {
      const tree = readHuffmanTable(input, this.#inputView, at, next);
      this.#huffman = tree.table;
      at = tree.next;
    }
    if (this.#huffman === null) throw corrupt('no Huffman tree to use again', start);
    const output = this.#reserve(size);
    if (format === 0) decodeStream(this.#huffman, input, this.#inputView, at, next, output, 0, size);
    else decodeFourStreams(this.#huffman, input, this.#inputView, at, next, output, size);
    return next;
  }

  #reserve(size: number): Buffer {
    if (this.#decoded.length < size + MARGIN) {
      const length = Math.min(MAX_BLOCK_BYTES, Math.max(size, 2 * this.#decoded.length)) + MARGIN;
      this.#decoded = Buffer.allocUnsafeSlow(length);
      this.#decodedView = new DataView(this.#decoded.buffer, this.#decoded.byteOffset, length);
    }
    this.bytes = this.#decoded;
    this.view = this.#decodedView;
    this.start = 0;
    this.end = size;
    return this.#decoded;
  }
}
