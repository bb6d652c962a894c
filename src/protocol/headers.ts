import { viewOf } from './view.ts';

/**
 * A record's headers, decoded when first asked for. Names may repeat; order is the producer's.
 *
 *   headerCount varint | { nameLength varint | name UTF-8 | valueLength varint, −1 for null | value }*
 *
 * Iterates over `[name, value]`; values are views into the received bytes. Only `RecordCursor` makes these, after it has
 * checked every length against the record's end: nothing here can run out of bytes.
 */
export class RecordHeaders implements Iterable<[string, Buffer | null]> {
  /** Of every record without headers. */
  static readonly EMPTY = new RecordHeaders(Buffer.of(0), 0);

  readonly #buffer: Buffer;
  #at: number;
  #entries: [string, Buffer | null][] | null = null;

  /** @param at where the header count is */
  constructor(buffer: Buffer, at: number) {
    this.#buffer = buffer;
    this.#at = at;
  }

  get length(): number {
    return this.#decoded().length;
  }

  /** The same as `length`, for those who think of a `Map`. */
  get size(): number {
    return this.length;
  }

  /** The value of the last header of this name (Java's `lastHeader`), `undefined` when there is none. */
  get(name: string): Buffer | null | undefined {
    return this.#decoded().findLast((entry) => entry[0] === name)?.[1];
  }

  /** The values of all headers of this name, oldest first. */
  getAll(name: string): (Buffer | null)[] {
    return this.#decoded()
      .filter((entry) => entry[0] === name)
      .map((entry) => entry[1]);
  }

  has(name: string): boolean {
    return this.#decoded().some((entry) => entry[0] === name);
  }

  [Symbol.iterator](): IterableIterator<[string, Buffer | null]> {
    return this.#decoded().values();
  }

  /** Values as UTF-8 text. */
  toJSON(): [string, string | null][] {
    return this.#decoded().map(([name, value]) => [name, value === null ? null : value.toString()]);
  }

  [Symbol.for('nodejs.util.inspect.custom')](): [string, string | null][] {
    return this.toJSON();
  }

  #decoded(): [string, Buffer | null][] {
    if (this.#entries !== null) return this.#entries;
    const { buffer: memory, byteOffset } = this.#buffer;
    const entries: [string, Buffer | null][] = [];
    for (let count = this.#varint(); count > 0; count--) {
      const nameEnd = this.#varint() + this.#at;
      const name = this.#buffer.toString('utf8', this.#at, nameEnd);
      this.#at = nameEnd;
      const length = this.#varint();
      entries.push([name, length < 0 ? null : viewOf(memory, byteOffset + this.#at, length)]);
      if (length > 0) this.#at += length;
    }
    this.#entries = entries;
    return entries;
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#buffer[this.#at++] as number; // checked by the cursor before
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
  }
}
