import type Long from 'long';
import { KafkaError } from '../errors.ts';
import { RecordHeaders } from './headers.ts';
import { viewOf } from './view.ts';
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
    if (offset > Number.MAX_SAFE_INTEGER) throw unsafeOffset(this.offsetLong);
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
    this.keyView = viewOf(this.source.memory, this.source.memoryStart + this.keyStart, this.keyLength);
    return this.keyView;
  }

  /** The value as received, whatever `valueDeserializer` says. */
  get valueBytes(): Buffer | null {
    if (this.valueView !== null || this.valueLength < 0) return this.valueView;
    this.valueView = viewOf(this.source.memory, this.source.memoryStart + this.valueStart, this.valueLength);
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
