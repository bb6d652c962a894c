import type Long from 'long';
import { CorruptRecordError } from '../errors.ts';
import type { RecordHeaders } from './headers.ts';

/** `NoTimestampType`: magic 0 had none, and `timestamp` is −1. */
export type TimestampType = 'CreateTime' | 'LogAppendTime' | 'NoTimestampType';

/** What a deserializer may know about the record whose bytes it gets. */
export interface DeserializerContext {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly headers: RecordHeaders;
}

/** Turns the bytes of a key or a value into what the application works with; called at every access, `null` included. */
export type Deserializer<T> = (bytes: Buffer | null, context: DeserializerContext) => T;

export interface Deserializers {
  readonly key?: Deserializer<unknown> | undefined;
  readonly value?: Deserializer<unknown> | undefined;
}

const NO_DESERIALIZERS: Deserializers = {};

/** Everything that the records of one batch share. Made by `openBatch`; outlives the batch header's own flyweight. */
export interface RecordSourceFields {
  readonly topic: string;
  readonly partition: number;
  /** −1 where the broker did not say. */
  readonly leaderEpoch: number;
  readonly timestampType: TimestampType;
  /** Of every record, for LogAppendTime; else what the records' deltas are added to. Milliseconds. */
  readonly baseTimestamp: number;
  readonly baseOffset: Long;
  /** How many records the batch says it has. */
  readonly count: number;
  /** No offset is missing between the first record and the last: record `n` has offset delta `n`. */
  readonly isDense: boolean;
  /** The offset after the batch, where reading goes on; −1 where no number holds it. */
  readonly nextOffset: number;
  /** The frame itself, or what came out of the codec. */
  readonly buffer: Buffer;
  /** Where the records are in `buffer`. */
  readonly start: number;
  readonly end: number;
  /** Of the batch in its partition's record bytes, for errors. */
  readonly batchPosition: number;
  readonly isCompressed: boolean;
}

/** The bytes that one batch's records are read from, and what these records have in common. */
export class RecordSource implements RecordSourceFields {
  readonly topic: string;
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly timestampType: TimestampType;
  readonly baseTimestamp: number;
  readonly baseOffset: Long;
  /** `baseOffset` as a double: exact below 2^53, else rounded, so that a sum is out of the safe range as well. */
  readonly baseOffsetNumber: number;
  readonly count: number;
  readonly isDense: boolean;
  readonly nextOffset: number;
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  readonly batchPosition: number;
  readonly isCompressed: boolean;
  /** The memory behind `buffer`, and where `buffer` begins in it: asking the buffer each time would cost as much as a view. */
  readonly memory: ArrayBufferLike;
  readonly memoryStart: number;
  /** Set by the consumer before records are handed out; none by default. */
  deserializers: Deserializers = NO_DESERIALIZERS;
  /** Set by the consumer: in which assignment, from which position, the records were handed out; −1 outside of one. */
  epoch = -1;

  constructor(fields: RecordSourceFields) {
    this.topic = fields.topic;
    this.partition = fields.partition;
    this.leaderEpoch = fields.leaderEpoch;
    this.timestampType = fields.timestampType;
    this.baseTimestamp = fields.baseTimestamp;
    this.baseOffset = fields.baseOffset;
    this.baseOffsetNumber = fields.baseOffset.toNumber();
    this.count = fields.count;
    this.isDense = fields.isDense;
    this.nextOffset = fields.nextOffset;
    this.buffer = fields.buffer;
    this.start = fields.start;
    this.end = fields.end;
    this.batchPosition = fields.batchPosition;
    this.isCompressed = fields.isCompressed;
    this.memory = fields.buffer.buffer;
    this.memoryStart = fields.buffer.byteOffset;
  }

  /** The same records in a copy of `buffer`. */
  in(buffer: Buffer): RecordSource {
    return this.#copy({ ...this, buffer });
  }

  /** The first `count` records alone, which end at `end`. */
  upTo(count: number, end: number): RecordSource {
    return this.#copy({ ...this, count, end });
  }

  #copy(fields: RecordSourceFields): RecordSource {
    const copy = new RecordSource(fields);
    copy.deserializers = this.deserializers;
    copy.epoch = this.epoch;
    return copy;
  }

  /** The error for record number `index`, whose bytes make no sense at `at` of `buffer`. */
  corruptRecord(message: string, index: number, at: number): CorruptRecordError {
    const { topic, partition, baseOffset, baseOffsetNumber } = this;
    const place = this.isCompressed ? `byte ${at} of the decompressed records` : `byte ${at}`;
    return new CorruptRecordError(
      `${topic}-${partition}: batch at offset ${baseOffset.toString()}, record ${index} of ${this.count}, ${place}: ${message}`,
      {
        topic,
        partition,
        offset: Number.isSafeInteger(baseOffsetNumber) ? baseOffsetNumber : -1,
        nextOffset: this.nextOffset,
        position: this.isCompressed ? this.batchPosition : at,
      },
    );
  }
}
