import { KafkaRecord, unsafeOffset } from './record.ts';
import type { RecordSource } from './record-source.ts';

/**
 * Where one record lies in its bytes, and no more: for code that wants no object per record. The same object stands for one record
 * after the other: take what you need before you go on.
 */
export interface RecordView {
  /** The frame, or the decompressed batch. */
  readonly bytes: Buffer;
  /** @throws KafkaError above 2^53 − 1 */
  readonly offset: number;
  /** Milliseconds since 1970, −1 for none. */
  readonly timestamp: number;
  readonly keyStart: number;
  /** −1 for null. */
  readonly keyLength: number;
  readonly valueStart: number;
  /** −1 for null. */
  readonly valueLength: number;
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
export class RecordCursor<K = Buffer | null, V = Buffer | null> implements RecordView {
  readonly #source: RecordSource;
  readonly #buffer: Buffer;
  #position: number;
  #at: number;
  #index: number;
  /** What `RecordView` has, of the record that `advance` came to. */
  offsetDelta = 0;
  timestampDelta = 0;
  keyStart = 0;
  keyLength = -1;
  valueStart = 0;
  valueLength = -1;

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
    if (!this.advance()) return undefined;
    return new KafkaRecord<K, V>(
      this.#source,
      this.offsetDelta,
      this.timestampDelta,
      this.keyStart,
      this.keyLength,
      this.valueStart,
      this.valueLength,
    );
  }

  /** As `next`, without an object for the record: the cursor itself says where it lies. `false` at the batch's end. */
  advance(): boolean {
    const source = this.#source;
    if (this.#index >= source.count) return this.#finish();
    const end = this.#recordEnd();
    const buffer = this.#buffer;
    // One byte is read here, more than one by `#varint`: with calls for all and the position in the object 8 ns a record more.
    let at = this.#position + 1; // attributes: no bit of them is in use
    let timestampDelta = buffer[at++] as number;
    if (timestampDelta < 0x80) timestampDelta = (timestampDelta >>> 1) ^ -(timestampDelta & 1);
    else {
      this.#position = at - 1;
      timestampDelta = this.#varlong();
      at = this.#position;
    }
    let offsetDelta = buffer[at++] as number;
    if (offsetDelta < 0x80) offsetDelta = (offsetDelta >>> 1) ^ -(offsetDelta & 1);
    else {
      this.#position = at - 1;
      offsetDelta = this.#varint();
      at = this.#position;
    }
    let keyLength = buffer[at++] as number;
    if (keyLength < 0x80) keyLength = (keyLength >>> 1) ^ -(keyLength & 1);
    else {
      this.#position = at - 1;
      keyLength = this.#varint();
      at = this.#position;
    }
    const keyStart = at;
    if (keyLength > 0) at = this.#past(keyLength, at, end, 'key');
    let valueLength = buffer[at++] as number;
    if (valueLength < 0x80) valueLength = (valueLength >>> 1) ^ -(valueLength & 1);
    else {
      this.#position = at - 1;
      valueLength = this.#varint();
      at = this.#position;
    }
    const valueStart = at;
    if (valueLength > 0) at = this.#past(valueLength, at, end, 'value');
    if (buffer[at] === 0) at++;
    else at = this.#pastHeaders(at, end);
    if (at !== end || keyLength < -1 || valueLength < -1) {
      this.#position = at;
      this.#fail(`its fields do not end where its length says`);
    }
    this.#at = end;
    this.#index++;
    this.offsetDelta = offsetDelta;
    this.timestampDelta = source.timestampType === 'LogAppendTime' ? 0 : timestampDelta;
    this.keyStart = keyStart;
    this.keyLength = keyLength;
    this.valueStart = valueStart;
    this.valueLength = valueLength;
    return true;
  }

  get bytes(): Buffer {
    return this.#buffer;
  }

  get offset(): number {
    const offset = this.#source.baseOffsetNumber + this.offsetDelta;
    if (offset > Number.MAX_SAFE_INTEGER) throw unsafeOffset(this.#source.baseOffset.add(this.offsetDelta));
    return offset;
  }

  get timestamp(): number {
    return this.#source.baseTimestamp + this.timestampDelta;
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

  #finish(): false {
    const left = this.#source.end - this.#at;
    if (left !== 0)
      throw this.#source.corruptRecord(`${left} bytes are left after the last record`, this.#index, this.#at);
    return false;
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

  #past(length: number, at: number, end: number, what: string): number {
    if (length <= end - at) return at + length;
    this.#position = at;
    return this.#fail(`${what} of ${length} bytes, ${end - at} left`);
  }

  #pastHeaders(at: number, end: number): number {
    this.#position = at;
    const count = this.#varint();
    if (count < 0) this.#fail(`${count} headers`);
    // Not trusted either: every header takes two bytes at least, so a forged count ends at the record's end.
    for (let i = 0; i < count; i++) {
      const nameLength = this.#varint();
      if (nameLength < 0) this.#fail(`header name of ${nameLength} bytes`);
      this.#position = this.#past(nameLength, this.#position, end, 'header name');
      const valueLength = this.#varint();
      if (valueLength < -1) this.#fail(`header value of ${valueLength} bytes`);
      this.#position = this.#past(Math.max(valueLength, 0), this.#position, end, 'header value');
    }
    return this.#position;
  }

  /*
   * One or two bytes, nearly all there are, are read without a look at the end: `advance` compares once where the fields ended
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
