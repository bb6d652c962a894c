import Long from 'long';
import { CorruptRecordError, KafkaError, type KafkaErrorOptions } from '../errors.ts';
import { COMPRESSION_NAMES, type CompressionName } from './compression/codec.ts';
import { crc32c } from './crc32c.ts';
import { crc32 } from './legacy-records.ts';
import { unsafeOffset, type TimestampType } from './record.ts';

/** Who the bytes belong to, for records and errors. */
export interface RecordContext {
  readonly topic: string;
  readonly partition: number;
}

// Bytes 0-16 are the same in every magic.
const BASE_OFFSET = 0;
const BATCH_LENGTH = BASE_OFFSET + 8;
const PARTITION_LEADER_EPOCH = BATCH_LENGTH + 4;
const MAGIC = PARTITION_LEADER_EPOCH + 4;
const CRC = MAGIC + 1;
const ATTRIBUTES = CRC + 4;
const LAST_OFFSET_DELTA = ATTRIBUTES + 2;
const BASE_TIMESTAMP = LAST_OFFSET_DELTA + 4;
const MAX_TIMESTAMP = BASE_TIMESTAMP + 8;
const PRODUCER_ID = MAX_TIMESTAMP + 8;
const PRODUCER_EPOCH = PRODUCER_ID + 8;
const BASE_SEQUENCE = PRODUCER_EPOCH + 2;
const RECORD_COUNT = BASE_SEQUENCE + 4;
export const RECORDS = RECORD_COUNT + 4;

/** Base offset and length: what `batchLength` does not count. */
const PREFIX_BYTES = PARTITION_LEADER_EPOCH;
/** CRC, magic, attributes, key and value length of a magic 0 message: the shortest that any format can be. */
const MIN_LEGACY_LENGTH = 14;
/** Where the fields of magic 0 and 1 lie: see `legacy-records.ts`. */
const LEGACY = { CRC: 12, ATTRIBUTES: 17, TIMESTAMP: 18, MASK: 0x0f } as const;

export const COMPRESSION_MASK = 0x07;
const LOG_APPEND_TIME_BIT = 0x08;
const TRANSACTIONAL_BIT = 0x10;
const CONTROL_BIT = 0x20;
const DELETE_HORIZON_BIT = 0x40;

/**
 * One batch where it lies in its frame; getters read on demand, nothing is copied. A message of magic 0 or 1, a wrapper with all
 * that it holds, is a batch as well: without producer, transaction or leader epoch, with the offset of its last record as base.
 *
 *   magic 2:
 *    0 baseOffset int64           17 crc uint32 (CRC-32C of all from 21 on)   43 producerId int64
 *    8 batchLength int32          21 attributes int16                         51 producerEpoch int16
 *   12 partitionLeaderEpoch int32 23 lastOffsetDelta int32                    53 baseSequence int32
 *   16 magic int8                 27 baseTimestamp int64                      57 recordCount int32
 *                                 35 maxTimestamp int64                       61 records, compressed or not
 *
 *   attributes: 0-2 compression, 3 timestamp type, 4 transactional (KIP-98), 5 control, 6 delete horizon (KIP-534: base
 *   timestamp is then the time of deletion)
 *
 * The CRC leaves base offset and leader epoch out, so that the broker can set them without computing it again.
 * https://kafka.apache.org/documentation/#recordbatch
 */
export class WireBatch {
  readonly buffer: Buffer;
  /** Start of the batch in `buffer`. */
  readonly position: number;

  /** Over bytes that `WireBatchReader` found to be a whole batch. */
  constructor(buffer: Buffer, position: number) {
    this.buffer = buffer;
    this.position = position;
  }

  /** @throws KafkaError above 2^53 − 1; `baseOffsetLong` never does */
  get baseOffset(): number {
    return safeOffset(this.baseOffsetLong);
  }

  get baseOffsetLong(): Long {
    return readLong(this.buffer, this.position + BASE_OFFSET);
  }

  /** Of the batch as it was produced: compaction may have removed the record. @throws KafkaError above 2^53 − 1 */
  get lastOffset(): number {
    return safeOffset(this.lastOffsetLong);
  }

  get lastOffsetLong(): Long {
    return this.isLegacy ? this.baseOffsetLong : this.baseOffsetLong.add(this.lastOffsetDelta);
  }

  /** Where to fetch on after this batch, even one that compaction has emptied. @throws KafkaError above 2^53 − 1 */
  get nextOffset(): number {
    return safeOffset(this.lastOffsetLong.add(1));
  }

  /** The whole batch with its 12-byte prefix. */
  get sizeInBytes(): number {
    return PREFIX_BYTES + this.buffer.readInt32BE(this.position + BATCH_LENGTH);
  }

  /** Magic 0 or 1. */
  get isLegacy(): boolean {
    return this.magic < 2;
  }

  get partitionLeaderEpoch(): number {
    if (this.isLegacy) return -1;
    return this.buffer.readInt32BE(this.position + PARTITION_LEADER_EPOCH);
  }

  get magic(): number {
    return this.buffer.readInt8(this.position + MAGIC);
  }

  get crc(): number {
    return this.buffer.readUInt32BE(this.position + (this.isLegacy ? LEGACY.CRC : CRC));
  }

  get attributes(): number {
    if (this.isLegacy) return this.buffer.readUInt8(this.position + LEGACY.ATTRIBUTES) & LEGACY.MASK;
    return this.buffer.readInt16BE(this.position + ATTRIBUTES);
  }

  /** @throws KafkaError UNSUPPORTED_COMPRESSION_TYPE for a number that no Kafka release has given a name */
  get compression(): CompressionName {
    const id = this.attributes & COMPRESSION_MASK;
    const name = COMPRESSION_NAMES[id];
    if (name === undefined) throw new KafkaError(`compression type ${id} is unknown`, UNSUPPORTED_COMPRESSION);
    return name;
  }

  get timestampType(): TimestampType {
    if (this.magic === 0) return 'NoTimestampType';
    return (this.attributes & LOG_APPEND_TIME_BIT) === 0 ? 'CreateTime' : 'LogAppendTime';
  }

  get isTransactional(): boolean {
    return (this.attributes & TRANSACTIONAL_BIT) !== 0;
  }

  /** Transaction markers and the like, never for the application. */
  get isControl(): boolean {
    return (this.attributes & CONTROL_BIT) !== 0;
  }

  get hasDeleteHorizon(): boolean {
    return (this.attributes & DELETE_HORIZON_BIT) !== 0;
  }

  get lastOffsetDelta(): number {
    if (this.isLegacy) return 0;
    return this.buffer.readInt32BE(this.position + LAST_OFFSET_DELTA);
  }

  /** Milliseconds; −1 for none. */
  get baseTimestamp(): number {
    if (this.isLegacy) return this.maxTimestamp;
    return readInt64(this.buffer, this.position + BASE_TIMESTAMP);
  }

  /** Milliseconds; −1 for none. */
  get maxTimestamp(): number {
    if (this.isLegacy) return this.magic === 0 ? -1 : readInt64(this.buffer, this.position + LEGACY.TIMESTAMP);
    return readInt64(this.buffer, this.position + MAX_TIMESTAMP);
  }

  get producerId(): Long {
    if (this.isLegacy) return Long.NEG_ONE;
    return readLong(this.buffer, this.position + PRODUCER_ID);
  }

  get producerEpoch(): number {
    if (this.isLegacy) return -1;
    return this.buffer.readInt16BE(this.position + PRODUCER_EPOCH);
  }

  get baseSequence(): number {
    if (this.isLegacy) return -1;
    return this.buffer.readInt32BE(this.position + BASE_SEQUENCE);
  }

  /** As the batch says; not trusted before its records were walked. −1 for magic 0 and 1, which do not say. */
  get recordCount(): number {
    if (this.isLegacy) return -1;
    return this.buffer.readInt32BE(this.position + RECORD_COUNT);
  }

  isCrcValid(): boolean {
    return this.computeCrc() === this.crc;
  }

  /** What the CRC has to be. */
  computeCrc(): number {
    if (this.isLegacy) return crc32(this.buffer, this.position + MAGIC, this.position + this.sizeInBytes);
    return crc32c(this.buffer, this.position + ATTRIBUTES, this.position + this.sizeInBytes);
  }
}

/** Goes through the record bytes of one partition in a Fetch response, batch by batch. */
export class WireBatchReader {
  readonly #bytes: Buffer;
  readonly #context: RecordContext;
  #position: number;

  /** @param position where another reader of the same bytes stood */
  constructor(bytes: Buffer, context: RecordContext, position = 0) {
    this.#bytes = bytes;
    this.#context = context;
    this.#position = position;
  }

  /** Where the next batch starts. An error leaves it where it was. */
  get position(): number {
    return this.#position;
  }

  /**
   * The next whole batch, `null` at the end or at a last batch that the broker cut off at its size limit (KIP-74).
   * @throws CorruptRecordError for a length, a magic or an offset that cannot be
   */
  next(): WireBatch | null {
    const bytes = this.#bytes;
    const position = this.#position;
    const left = bytes.length - position;
    if (left < PREFIX_BYTES) return null;
    const length = bytes.readInt32BE(position + BATCH_LENGTH);
    if (length < MIN_LEGACY_LENGTH) throw this.#corrupt(`batch length ${length}, less than any format needs`);
    if (left <= MAGIC) return null;
    const magic = bytes.readInt8(position + MAGIC);
    if (magic < 0 || magic > 2) throw this.#corrupt(`unknown magic ${magic}`);
    if (length < (magic === 2 ? RECORDS - PREFIX_BYTES : MIN_LEGACY_LENGTH + 8 * magic))
      throw this.#corrupt(`batch length ${length}, less than its header`);
    if (length > left - PREFIX_BYTES) return null;
    const batch = new WireBatch(bytes, position);
    // Positions are counted from these: a negative one would send the consumer back over and over.
    if (bytes.readInt32BE(position + BASE_OFFSET) < 0 || batch.lastOffsetDelta < 0) {
      throw this.#corrupt(`offsets from ${batch.baseOffsetLong.toString()} to ${batch.lastOffsetLong.toString()}`);
    }
    this.#position = position + PREFIX_BYTES + length;
    return batch;
  }

  /** Nothing in the header can be trusted, so nobody knows where the batch ends. */
  #corrupt(message: string): CorruptRecordError {
    return corruptBatch(new WireBatch(this.#bytes, this.#position), this.#context, message, {
      retriable: true,
      end: -1,
    });
  }
}

export function corruptBatch(
  batch: WireBatch,
  context: RecordContext,
  message: string,
  { end = nextOffsetOf(batch), ...options }: KafkaErrorOptions & { end?: number } = {},
): CorruptRecordError {
  const offset = batch.baseOffsetLong.toNumber();
  return new CorruptRecordError(
    `${describeBatch(batch, context)}: ${message}`,
    {
      topic: context.topic,
      partition: context.partition,
      offset: Number.isSafeInteger(offset) ? offset : -1,
      nextOffset: end,
      position: batch.position,
    },
    { api: 'Fetch', ...options },
  );
}

export function describeBatch(batch: WireBatch, context: RecordContext): string {
  return `${context.topic}-${context.partition}: batch at offset ${batch.baseOffsetLong.toString()}, byte ${batch.position}`;
}

/** The offset after the batch; −1 where no number holds it. */
export function nextOffsetOf(batch: WireBatch): number {
  const offset = batch.lastOffsetLong.add(1).toNumber();
  return Number.isSafeInteger(offset) ? offset : -1;
}

export const UNSUPPORTED_COMPRESSION = { code: 76, name: 'UNSUPPORTED_COMPRESSION_TYPE', api: 'Fetch' } as const;

function safeOffset(offset: Long): number {
  const value = offset.toNumber();
  if (!Number.isSafeInteger(value)) throw unsafeOffset(offset);
  return value;
}

function readLong(buffer: Buffer, at: number): Long {
  return new Long(buffer.readInt32BE(at + 4), buffer.readInt32BE(at));
}

/** Exact below 2^53, which is any timestamp before the year 287396. */
function readInt64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 4294967296 + buffer.readUInt32BE(at + 4);
}
