import type Long from 'long';
import { KafkaError } from '../errors.ts';
import { RecordHeaders } from './headers.ts';
import { RecordSource, type DeserializerContext, type TimestampType } from './record-source.ts';

export { RecordSource };
export type { Deserializer, DeserializerContext, Deserializers, TimestampType } from './record-source.ts';

/**
 * One record: a view of a few numbers over the bytes that came from the broker.
 *
 * `key`, `value` and `headers` are made when first asked for, and share the memory of the frame (or of the decompressed
 * batch): keeping one, or the record, keeps that memory. Copy what is to stay for long (`Buffer.from(record.value)`).
 * With a deserializer `key` and `value` are deserialized at every access.
 */
export class KafkaRecord<K = Buffer | null, V = Buffer | null> implements DeserializerContext {
  // One fixed shape and small integers only: this object is the whole cost of a record that nobody looks into.
  private readonly source: RecordSource;
  private readonly offsetDelta: number;
  private readonly timestampDelta: number;
  private readonly keyStart: number;
  private readonly keyLength: number;
  private readonly valueStart: number;
  private readonly valueLength: number;
  // Views, once made: a second `record.value` is free and the same object. Three more words cost some 2 ns a record, a second view 45.
  private keyView: Buffer | null = null;
  private valueView: Buffer | null = null;
  private headersView: RecordHeaders | null = null;

  constructor(
    source: RecordSource,
    offsetDelta: number,
    timestampDelta: number,
    keyStart: number,
    keyLength: number,
    valueStart: number,
    valueLength: number,
  ) {
    this.source = source;
    this.offsetDelta = offsetDelta;
    this.timestampDelta = timestampDelta;
    this.keyStart = keyStart;
    this.keyLength = keyLength;
    this.valueStart = valueStart;
    this.valueLength = valueLength;
  }

  get topic(): string {
    return this.source.topic;
  }

  get partition(): number {
    return this.source.partition;
  }

  /** @throws KafkaError above 2^53 − 1, where a number would be another offset: use `offsetLong`. */
  get offset(): number {
    const offset = this.source.baseOffsetNumber + this.offsetDelta;
    if (!Number.isSafeInteger(offset)) throw unsafeOffset(this.offsetLong);
    return offset;
  }

  get offsetLong(): Long {
    return this.source.baseOffset.add(this.offsetDelta);
  }

  /** Milliseconds since 1970, −1 for none. With LogAppendTime the broker's clock, one value for the whole batch. */
  get timestamp(): number {
    return this.source.baseTimestamp + this.timestampDelta;
  }

  get timestampType(): TimestampType {
    return this.source.timestampType;
  }

  /** The partition leader's epoch when the batch was written; −1 where the broker did not say. */
  get leaderEpoch(): number {
    return this.source.leaderEpoch;
  }

  get key(): K {
    const deserialize = this.source.deserializers.key;
    const bytes = this.keyBytes;
    return (deserialize === undefined ? bytes : deserialize(bytes, this)) as K; // K is what the deserializer gives
  }

  get value(): V {
    const deserialize = this.source.deserializers.value;
    const bytes = this.valueBytes;
    return (deserialize === undefined ? bytes : deserialize(bytes, this)) as V; // V is what the deserializer gives
  }

  /** The key as received, whatever `keyDeserializer` says. */
  get keyBytes(): Buffer | null {
    if (this.keyView !== null || this.keyLength < 0) return this.keyView;
    this.keyView = this.source.buffer.subarray(this.keyStart, this.keyStart + this.keyLength);
    return this.keyView;
  }

  /** The value as received, whatever `valueDeserializer` says. */
  get valueBytes(): Buffer | null {
    if (this.valueView !== null || this.valueLength < 0) return this.valueView;
    this.valueView = this.source.buffer.subarray(this.valueStart, this.valueStart + this.valueLength);
    return this.valueView;
  }

  get headers(): RecordHeaders {
    if (this.headersView !== null) return this.headersView;
    const { buffer } = this.source;
    const at = this.valueLength < 0 ? this.valueStart : this.valueStart + this.valueLength;
    this.headersView = buffer[at] === 0 ? RecordHeaders.EMPTY : new RecordHeaders(buffer, at);
    return this.headersView;
  }

  /** The value as UTF-8 text, `null` for a null value. Makes no view on the way. */
  text(): string | null {
    if (this.valueLength < 0) return null;
    return this.source.buffer.toString('utf8', this.valueStart, this.valueStart + this.valueLength);
  }

  /**
   * The value parsed as JSON, `null` for a null value.
   * @throws SyntaxError that names topic, partition and offset
   */
  json<T = unknown>(): T | null {
    const text = this.text();
    if (text === null) return null;
    try {
      return JSON.parse(text) as T; // the caller says what it expects
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const offset = this.offsetLong.toString();
      throw new SyntaxError(`${this.topic}-${this.partition} at offset ${offset}: the value is not JSON: ${reason}`, {
        cause,
      });
    }
  }

  /** For `JSON.stringify` and `console.log`: key and value as text unless deserialized, an offset above 2^53 − 1 as a string. */
  toJSON(): Record<string, unknown> {
    const { source } = this;
    const offset = this.offsetLong;
    const isSafe = Number.isSafeInteger(source.baseOffsetNumber + this.offsetDelta);
    return {
      topic: this.topic,
      partition: this.partition,
      offset: isSafe ? offset.toNumber() : offset.toString(),
      timestamp: this.timestamp,
      key: source.deserializers.key === undefined ? (this.keyBytes?.toString() ?? null) : this.key,
      value: source.deserializers.value === undefined ? this.text() : this.value,
      headers: this.headers.toJSON(),
    };
  }

  [Symbol.for('nodejs.util.inspect.custom')](
    _depth: number,
    options: object,
    inspect: (value: unknown, options: object) => string,
  ): string {
    return `KafkaRecord ${inspect(this.toJSON(), options)}`;
  }
}

export function unsafeOffset(offset: Long): KafkaError {
  return new KafkaError(
    `offset ${offset.toString()} is above 2^53 - 1 and no number holds it exactly: use the Long beside (offsetLong, baseOffsetLong, …)`,
  );
}

/** Attributes, timestamp delta, offset delta, key length, value length and header count take a byte each at least. */
const MIN_RECORD_BODY_BYTES = 6;

/**
 * Walks the records of one batch, one at a time, from anywhere:
 *
 *   length varint | attributes int8 | timestampDelta varlong | offsetDelta varint
 *   | keyLength varint, −1 for null | key | valueLength varint, −1 for null | value | headers (see `RecordHeaders`)
 *
 * All varints are zigzag. Each record is checked against its own end and the batch's before it is handed out, headers
 * included; one that makes no sense throws `CorruptRecordError`, again at every further call, and the cursor stays before it.
 */
export class RecordCursor<K = Buffer | null, V = Buffer | null> {
  readonly #source: RecordSource;
  readonly #buffer: Buffer;
  #position: number;
  #at: number;
  #index: number;

  /** @param at @param index where another cursor of the same source stood: its `at` and `index` */
  constructor(source: RecordSource, at: number = source.start, index = 0) {
    this.#source = source;
    this.#buffer = source.buffer;
    this.#position = at;
    this.#at = at;
    this.#index = index;
  }

  /** Where the next record starts. */
  get at(): number {
    return this.#at;
  }

  /** How many records lie before it. */
  get index(): number {
    return this.#index;
  }

  /** The next record, `undefined` at the batch's end. */
  next(): KafkaRecord<K, V> | undefined {
    const source = this.#source;
    if (this.#index >= source.count) return this.#finish();
    const end = this.#recordEnd();
    this.#position++; // attributes: no bit of them is in use
    const timestampDelta = this.#varlong();
    const offsetDelta = this.#varint();
    const keyLength = this.#varint();
    const keyStart = this.#position;
    if (keyLength > 0) this.#advance(keyLength, end, 'key');
    const valueLength = this.#varint();
    const valueStart = this.#position;
    if (valueLength > 0) this.#advance(valueLength, end, 'value');
    if (this.#buffer[this.#position] === 0) this.#position++;
    else this.#skipHeaders(end);
    if (this.#position !== end || keyLength < -1 || valueLength < -1)
      this.#fail(`its fields do not end where its length says`);
    this.#at = end;
    this.#index++;
    return new KafkaRecord<K, V>(
      source,
      offsetDelta,
      source.timestampType === 'LogAppendTime' ? 0 : timestampDelta,
      keyStart,
      keyLength,
      valueStart,
      valueLength,
    );
  }

  /** Goes past `count` records, or to the end, by their lengths alone. */
  skip(count: number): void {
    const stop = Math.min(this.#index + count, this.#source.count);
    while (this.#index < stop) {
      this.#at = this.#recordEnd();
      this.#index++;
    }
  }

  /** Goes past all records below `offset` without making objects, and says how many. */
  skipTo(offset: number): number {
    const { baseOffsetNumber, count } = this.#source;
    const from = this.#index;
    while (this.#index < count) {
      const end = this.#recordEnd();
      this.#position++;
      this.#varlong();
      const offsetDelta = this.#varint();
      if (this.#position > end) this.#fail('its fields do not end where its length says');
      if (baseOffsetNumber + offsetDelta >= offset) break;
      this.#at = end;
      this.#index++;
    }
    return this.#index - from;
  }

  #finish(): undefined {
    const left = this.#source.end - this.#at;
    if (left !== 0)
      throw this.#source.corruptRecord(`${left} bytes are left after the last record`, this.#index, this.#at);
    return undefined;
  }

  /** Reads the length of the record at `at` and gives its end. */
  #recordEnd(): number {
    this.#position = this.#at;
    if (this.#at >= this.#source.end) this.#fail('the batch ends before it');
    const length = this.#varint();
    if (length < MIN_RECORD_BODY_BYTES || length > this.#source.end - this.#position) {
      this.#fail(`length of ${length} bytes, ${this.#source.end - this.#position} left`);
    }
    return this.#position + length;
  }

  #advance(length: number, end: number, what: string): void {
    if (length > end - this.#position) this.#fail(`${what} of ${length} bytes, ${end - this.#position} left`);
    this.#position += length;
  }

  #skipHeaders(end: number): void {
    const count = this.#varint();
    if (count < 0) this.#fail(`${count} headers`);
    // Not trusted either: every header takes two bytes at least, so a forged count ends at the record's end.
    for (let i = 0; i < count; i++) {
      const nameLength = this.#varint();
      if (nameLength < 0) this.#fail(`header name of ${nameLength} bytes`);
      this.#advance(nameLength, end, 'header name');
      const valueLength = this.#varint();
      if (valueLength < -1) this.#fail(`header value of ${valueLength} bytes`);
      this.#advance(Math.max(valueLength, 0), end, 'header value');
    }
  }

  /*
   * One or two bytes, nearly all there are, are read without a look at the end: `next` compares once where the fields ended
   * with where they had to. Past the buffer's end an index gives `undefined`, which is below no number, so that the long way,
   * which does look, refuses it. Two functions of the same beginning: one with a limit to pass costs 4 ns a record more.
   */
  #varint(): number {
    const buffer = this.#buffer;
    let position = this.#position;
    const first = buffer[position++] as number;
    if (first < 0x80) {
      this.#position = position;
      return (first >>> 1) ^ -(first & 1);
    }
    const second = buffer[position++] as number;
    if (second < 0x80) {
      this.#position = position;
      const value = (first & 0x7f) | (second << 7);
      return (value >>> 1) ^ -(value & 1);
    }
    const value = this.#longVarint(5);
    if (value !== (value | 0)) this.#fail('varint above 32 bits');
    return value | 0;
  }

  #varlong(): number {
    const buffer = this.#buffer;
    let position = this.#position;
    const first = buffer[position++] as number;
    if (first < 0x80) {
      this.#position = position;
      return (first >>> 1) ^ -(first & 1);
    }
    const second = buffer[position++] as number;
    if (second < 0x80) {
      this.#position = position;
      const value = (first & 0x7f) | (second << 7);
      return (value >>> 1) ^ -(value & 1);
    }
    return this.#longVarint(10);
  }

  /** Zigzag takes the sign from the lowest bit; the rest is summed up as a double, exact up to 2^53. */
  #longVarint(maxBytes: number): number {
    const { end } = this.#source;
    let half = 0;
    let scale = 0.5;
    let isNegative = false;
    for (let i = 0; i < maxBytes && this.#position < end; i++, scale *= 128) {
      const byte = this.#buffer[this.#position++] as number;
      if (i === 0) isNegative = (byte & 1) === 1;
      half += (i === 0 ? byte & 0x7e : byte & 0x7f) * scale;
      if (byte < 0x80) return isNegative ? -half - 1 : half;
    }
    return this.#fail('varint without an end');
  }

  #fail(message: string): never {
    throw this.#source.corruptRecord(message, this.#index, this.#position);
  }
}
