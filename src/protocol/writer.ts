import type Long from 'long';
import { ConfigError, UnsupportedVersionError } from '../errors.ts';

// The counterpart of reader.ts: https://kafka.apache.org/protocol#protocol_types

/** Encodes one array element or tagged field; `v` is the version of the message. */
export type EncodeFn<T> = (w: Writer, v: number, m: T) => void;

const MAX_STRING_BYTES = 0x7fff;

/** Writes the primitive types into one growing buffer, which it owns until `finish()` hands it over. */
export class Writer {
  #buffer: Buffer;
  #at = 0;
  #api: string | null = null;
  #version = -1;
  /** Compact lengths and tagged fields (KIP-482). Set once per message. */
  flexible = false;

  /** @param size bytes to begin with; more are taken as needed */
  constructor(size = 512) {
    this.#buffer = Buffer.allocUnsafeSlow(size);
  }

  /** From here on the bytes are a message of `api` in version `version`; errors will say so. */
  begin(api: string, version: number, flexible: boolean): void {
    this.#api = api;
    this.#version = version;
    this.flexible = flexible;
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  /** The bytes written, in a buffer of their own; the writer is used up. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }

  /** Throws because this version has no place for a value of `field` other than its default, which may not be dropped. */
  refuse(field: string): never {
    const api = this.#api ?? 'message';
    throw new UnsupportedVersionError(`${api} v${this.#version} cannot carry ${field}`, { api });
  }

  /** Like `refuse()`, for a `null` that only later versions may carry. */
  notNull<T>(field: string, value: T | null): T {
    return value ?? this.refuse(`${field} null`);
  }

  #room(n: number): number {
    const at = this.#at;
    if (at + n > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, at + n));
      this.#buffer.copy(larger, 0, 0, at);
      this.#buffer = larger;
    }
    this.#at = at + n;
    return at;
  }

  bool(x: boolean): void {
    const at = this.#room(1);
    this.#buffer.writeUInt8(x ? 1 : 0, at);
  }

  // #room() may replace the buffer, so it must be called before `this.#buffer` is read.

  int8(x: number): void {
    const at = this.#room(1);
    this.#buffer.writeInt8(x, at);
  }

  int16(x: number): void {
    const at = this.#room(2);
    this.#buffer.writeInt16BE(x, at);
  }

  uint16(x: number): void {
    const at = this.#room(2);
    this.#buffer.writeUInt16BE(x, at);
  }

  int32(x: number): void {
    const at = this.#room(4);
    this.#buffer.writeInt32BE(x, at);
  }

  uint32(x: number): void {
    const at = this.#room(4);
    this.#buffer.writeUInt32BE(x, at);
  }

  int64(x: Long): void {
    const at = this.#room(8);
    this.#buffer.writeInt32BE(x.high, at);
    this.#buffer.writeInt32BE(x.low, at + 4);
  }

  float64(x: number): void {
    const at = this.#room(8);
    this.#buffer.writeDoubleBE(x, at);
  }

  /** @param x 22 characters of URL-safe base64, as Kafka prints it */
  uuid(x: string): void {
    const at = this.#room(16);
    if (x.length !== 22 || this.#buffer.write(x, at, 16, 'base64url') !== 16) {
      throw new ConfigError(`'${x}' is no Kafka UUID: it takes 22 characters of URL-safe base64`);
    }
  }

  uvarint(x: number): void {
    const at = this.#room(uvarintSize(x));
    this.#putUvarint(x, at);
  }

  #putUvarint(x: number, at: number): void {
    while (x > 0x7f) {
      this.#buffer[at++] = (x & 0x7f) | 0x80;
      x >>>= 7;
    }
    this.#buffer[at] = x;
  }

  /** Signed varint (zigzag) of at most 32 bits. */
  varint(x: number): void {
    this.uvarint(((x << 1) ^ (x >> 31)) >>> 0);
  }

  string(x: string): void {
    this.nullableString(x);
  }

  nullableString(x: string | null): void {
    const n = x === null ? -1 : Buffer.byteLength(x);
    if (n > MAX_STRING_BYTES) throw new ConfigError(`string of ${n} bytes: Kafka takes up to ${MAX_STRING_BYTES}`);
    if (this.flexible) this.uvarint(n + 1);
    else this.int16(n);
    if (x === null) return;
    const at = this.#room(n);
    this.#buffer.write(x, at, n, 'utf8');
  }

  bytes(x: Buffer): void {
    this.nullableBytes(x);
  }

  nullableBytes(x: Buffer | null): void {
    const n = x === null ? -1 : x.length;
    if (this.flexible) this.uvarint(n + 1);
    else this.int32(n);
    if (x === null) return;
    const at = this.#room(n);
    x.copy(this.#buffer, at);
  }

  array<T>(v: number, items: readonly T[], encode: EncodeFn<T>): void {
    if (this.flexible) this.uvarint(items.length + 1);
    else this.int32(items.length);
    for (const item of items) encode(this, v, item);
  }

  nullableArray<T>(v: number, items: readonly T[] | null, encode: EncodeFn<T>): void {
    if (items !== null) this.array(v, items, encode);
    else if (this.flexible) this.uvarint(0);
    else this.int32(-1);
  }

  /** A struct that may be null: one byte before it says whether it is there. */
  nullableStruct<T>(v: number, m: T | null, encode: EncodeFn<T>): void {
    this.int8(m === null ? -1 : 1);
    if (m !== null) encode(this, v, m);
  }

  /** Ends a struct that has no tagged fields. Nothing in versions that are not flexible. */
  tags(): void {
    if (this.flexible) this.uvarint(0);
  }

  /** Opens a struct's tagged fields. Gives the mark for `tag()`; −1 in versions that are not flexible. */
  openTags(): number {
    if (!this.flexible) return -1;
    this.uvarint(0);
    return this.#at - 1;
  }

  /** Writes one tagged field; tags come in ascending order. */
  tag<T>(mark: number, tag: number, v: number, m: T, encode: EncodeFn<T>): void {
    if (mark === -1) this.refuse(`tagged field ${tag}`);
    this.#buffer.writeUInt8(this.#buffer.readUInt8(mark) + 1, mark); // one byte: no schema has 128 tags
    this.uvarint(tag);
    const start = this.#room(1) + 1; // one byte for the size; the field moves up where that needs more
    encode(this, v, m);
    const size = this.#at - start;
    const extra = uvarintSize(size) - 1;
    if (extra > 0) {
      this.#room(extra);
      this.#buffer.copyWithin(start + extra, start, start + size);
    }
    this.#putUvarint(size, start - 1);
  }

  /** Writes `x` over the four bytes at `at`, which were written before: a length known only afterwards. */
  patchInt32(at: number, x: number): void {
    this.#buffer.writeInt32BE(x, at);
  }
}

function uvarintSize(x: number): number {
  return x < 0x80 ? 1 : x < 0x4000 ? 2 : x < 0x200000 ? 3 : x < 0x10000000 ? 4 : 5;
}
