import Long from 'long';
import { ProtocolError } from '../errors.ts';

// The primitive types of the Kafka protocol: https://kafka.apache.org/protocol#protocol_types
//
// Every read goes through #take(n), the one place that checks bounds. Compact types (KIP-482) are not methods of their
// own: `flexible` is set once per message and decides how lengths are written, so message bodies never say "compact".

/** Decodes one array element or tagged field; `v` is the version of the message. */
export type DecodeFn<T> = (r: Reader, v: number) => T;

/** Kafka's own limit for strings, in compact form too. */
const MAX_STRING_BYTES = 0x7fff;

/**
 * Reads the primitive types from a buffer, which it neither copies nor changes.
 * Bytes that make no sense throw `ProtocolError` with api, version and the byte position in the message.
 */
export class Reader {
  readonly buffer: Buffer;
  /** Index in `buffer` of the next byte to read. */
  at: number;
  /** Index in `buffer` after the last byte that may be read. */
  end: number;
  /** Compact lengths and tagged fields (KIP-482). Set once per message. */
  flexible = false;
  #api: string | null = null;
  #version = -1;
  /** Where the message starts in `buffer`; positions in errors count from here. */
  #start: number;

  constructor(buffer: Buffer, at = 0, end = buffer.length) {
    this.buffer = buffer;
    this.at = at;
    this.end = end;
    this.#start = at;
  }

  /** From here on the bytes are a message of `api` in version `version`; errors will say so. */
  begin(api: string, version: number, flexible: boolean): void {
    this.#api = api;
    this.#version = version;
    this.#start = this.at;
    this.flexible = flexible;
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.end - this.at;
  }

  /** Throws unless every byte was read. */
  finish(): void {
    if (this.at !== this.end) this.fail(`${this.remaining} bytes left over after the message`);
  }

  /** Throws a `ProtocolError` for the bytes at `at`. */
  fail(problem: string, at = this.at): never {
    const position = at - this.#start;
    const where = this.#api === null ? '' : `${this.#api} v${this.#version}: `;
    throw new ProtocolError(`${where}${problem} (at byte ${position})`, {
      ...(this.#api === null ? {} : { api: this.#api }),
      version: this.#version,
      position,
    });
  }

  #take(n: number): number {
    const at = this.at;
    if (n < 0 || n > this.end - at) this.fail(`expected ${n} more bytes, found ${this.end - at}`);
    this.at = at + n;
    return at;
  }

  bool(): boolean {
    return this.buffer.readUInt8(this.#take(1)) !== 0;
  }

  int8(): number {
    return this.buffer.readInt8(this.#take(1));
  }

  int16(): number {
    return this.buffer.readInt16BE(this.#take(2));
  }

  uint16(): number {
    return this.buffer.readUInt16BE(this.#take(2));
  }

  int32(): number {
    return this.buffer.readInt32BE(this.#take(4));
  }

  uint32(): number {
    return this.buffer.readUInt32BE(this.#take(4));
  }

  int64(): Long {
    const at = this.#take(8);
    return Long.fromBits(this.buffer.readInt32BE(at + 4), this.buffer.readInt32BE(at));
  }

  float64(): number {
    return this.buffer.readDoubleBE(this.#take(8));
  }

  /** As Kafka prints it: 22 characters of URL-safe base64. */
  uuid(): string {
    const at = this.#take(16);
    return this.buffer.toString('base64url', at, at + 16);
  }

  /** Unsigned varint of at most 32 bits. */
  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.buffer.readUInt8(this.#take(1));
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    const last = this.buffer.readUInt8(this.#take(1));
    if (last > 0x0f) this.fail('varint above 32 bits', this.at - 1);
    return (value | (last << 28)) >>> 0;
  }

  /** Signed varint (zigzag) of at most 32 bits. */
  varint(): number {
    const n = this.uvarint();
    return (n >>> 1) ^ -(n & 1);
  }

  string(): string {
    const at = this.at;
    return this.nullableString() ?? this.fail('null where a string must be', at);
  }

  nullableString(): string | null {
    const start = this.at;
    const n = this.flexible ? this.uvarint() - 1 : this.int16();
    if (n === -1) return null;
    if (n > MAX_STRING_BYTES) this.fail(`string of ${n} bytes`, start);
    const at = this.#take(n);
    return this.buffer.toString('utf8', at, at + n);
  }

  /** A view, not a copy: it lives as long as the buffer that was given to the constructor. */
  bytes(): Buffer {
    const at = this.at;
    return this.nullableBytes() ?? this.fail('null where bytes must be', at);
  }

  /** A view, not a copy: it lives as long as the buffer that was given to the constructor. */
  nullableBytes(): Buffer | null {
    const n = this.flexible ? this.uvarint() - 1 : this.int32();
    if (n === -1) return null;
    const at = this.#take(n);
    return this.buffer.subarray(at, at + n);
  }

  array<T>(v: number, item: DecodeFn<T>): T[] {
    const at = this.at;
    return this.nullableArray(v, item) ?? this.fail('null where an array must be', at);
  }

  nullableArray<T>(v: number, item: DecodeFn<T>): T[] | null {
    const start = this.at;
    const n = this.flexible ? this.uvarint() - 1 : this.int32();
    if (n === -1) return null;
    // Every element is at least one byte, so a larger count is a lie that must not cost memory.
    if (n < 0 || n > this.end - this.at) this.fail(`array of ${n} elements in ${this.end - this.at} bytes`, start);
    const items: T[] = [];
    for (let i = 0; i < n; i++) items.push(item(this, v));
    return items;
  }

  /** A struct that may be null: one byte before it says whether it is there. */
  nullableStruct<T>(v: number, decode: DecodeFn<T>): T | null {
    const mark = this.int8();
    if (mark !== 1 && mark !== -1) this.fail(`${mark} before a nullable struct`, this.at - 1);
    return mark === 1 ? decode(this, v) : null;
  }

  /** Skips the tagged fields of one struct. Nothing in versions that are not flexible. */
  tags(): void {
    if (!this.flexible) return;
    for (let n = this.uvarint(); n > 0; n--) {
      this.uvarint();
      this.#take(this.uvarint());
    }
  }

  /** Like `tags()`, but offers each field to `field`; one of which it reads nothing is skipped. */
  tagged<T>(v: number, m: T, field: (r: Reader, v: number, m: T, tag: number) => void): void {
    if (!this.flexible) return;
    for (let n = this.uvarint(); n > 0; n--) {
      const tag = this.uvarint();
      const size = this.uvarint();
      const start = this.#take(size);
      const end = this.end;
      this.at = start;
      this.end = start + size; // a field, and all that is nested in it, never reads past its own size
      field(this, v, m, tag);
      if (this.at !== start && this.at !== this.end)
        this.fail(`${this.at - start} of ${size} bytes of tag ${tag} read`);
      this.at = this.end;
      this.end = end;
    }
  }
}
