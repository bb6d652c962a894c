import Long from 'long';
import { CorruptRecordError, KafkaError } from '../errors.ts';
import { COMPRESSION_NAMES, DecompressionError, type CompressionName } from './compression/codec.ts';
import { codecs } from './compression/codecs.ts';
import { crc32c } from './crc32c.ts';
import { RecordSource, unsafeOffset, type TimestampType } from './record.ts';

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
const RECORDS = RECORD_COUNT + 4;

/** Base offset and length: what `batchLength` does not count. */
const PREFIX_BYTES = PARTITION_LEADER_EPOCH;
/** CRC, magic, attributes, key and value length of a magic 0 message: the shortest that any format can be. */
const MIN_LEGACY_LENGTH = 14;
/** A record's length byte and its 6 bytes at least. */
const MIN_RECORD_BYTES = 7;

const COMPRESSION_MASK = 0x07;
const LOG_APPEND_TIME_BIT = 0x08;
const TRANSACTIONAL_BIT = 0x10;
const CONTROL_BIT = 0x20;
const DELETE_HORIZON_BIT = 0x40;

/**
 * One magic 2 batch where it lies in its frame; getters read on demand, nothing is copied.
 *
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
    return this.baseOffsetLong.add(this.lastOffsetDelta);
  }

  /** Where to fetch on after this batch, even one that compaction has emptied. @throws KafkaError above 2^53 − 1 */
  get nextOffset(): number {
    return safeOffset(this.lastOffsetLong.add(1));
  }

  /** The whole batch with its 12-byte prefix. */
  get sizeInBytes(): number {
    return PREFIX_BYTES + this.buffer.readInt32BE(this.position + BATCH_LENGTH);
  }

  get partitionLeaderEpoch(): number {
    return this.buffer.readInt32BE(this.position + PARTITION_LEADER_EPOCH);
  }

  get magic(): number {
    return this.buffer.readInt8(this.position + MAGIC);
  }

  get crc(): number {
    return this.buffer.readUInt32BE(this.position + CRC);
  }

  get attributes(): number {
    return this.buffer.readInt16BE(this.position + ATTRIBUTES);
  }

  /** @throws KafkaError UNSUPPORTED_COMPRESSION_TYPE for a number that no Kafka release has given a name */
  get compression(): CompressionName {
    const id = this.attributes & COMPRESSION_MASK;
    const name = COMPRESSION_NAMES[id];
    if (name === undefined) throw unsupportedCompression(`compression type ${id} is unknown`);
    return name;
  }

  get timestampType(): TimestampType {
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
    return this.buffer.readInt32BE(this.position + LAST_OFFSET_DELTA);
  }

  /** Milliseconds; −1 for none. */
  get baseTimestamp(): number {
    return readInt64(this.buffer, this.position + BASE_TIMESTAMP);
  }

  /** Milliseconds; −1 for none. */
  get maxTimestamp(): number {
    return readInt64(this.buffer, this.position + MAX_TIMESTAMP);
  }

  get producerId(): Long {
    return readLong(this.buffer, this.position + PRODUCER_ID);
  }

  get producerEpoch(): number {
    return this.buffer.readInt16BE(this.position + PRODUCER_EPOCH);
  }

  get baseSequence(): number {
    return this.buffer.readInt32BE(this.position + BASE_SEQUENCE);
  }

  /** As the batch says; not trusted before its records were walked. */
  get recordCount(): number {
    return this.buffer.readInt32BE(this.position + RECORD_COUNT);
  }

  isCrcValid(): boolean {
    return this.computeCrc() === this.crc;
  }

  /** What the CRC has to be. */
  computeCrc(): number {
    return crc32c(this.buffer, this.position + ATTRIBUTES, this.position + this.sizeInBytes);
  }
}

/** Goes through the record bytes of one partition in a Fetch response, batch by batch. */
export class WireBatchReader {
  readonly #bytes: Buffer;
  readonly #context: RecordContext;
  #position = 0;

  constructor(bytes: Buffer, context: RecordContext) {
    this.#bytes = bytes;
    this.#context = context;
  }

  /** Where the next batch starts. An error leaves it where it was. */
  get position(): number {
    return this.#position;
  }

  /**
   * The next whole batch, `null` at the end or at a last batch that the broker cut off at its size limit (KIP-74).
   * @throws CorruptRecordError for a length, a magic or an offset that cannot be
   * @throws KafkaError UNSUPPORTED_FOR_MESSAGE_FORMAT for magic 0 and 1
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
    if (magic === 2 && length < RECORDS - PREFIX_BYTES)
      throw this.#corrupt(`batch length ${length}, less than its header`);
    if (length > left - PREFIX_BYTES) return null;
    if (magic !== 2) {
      const { topic, partition } = this.#context;
      throw new KafkaError(`${topic}-${partition}: message format magic ${magic} is not supported yet`, {
        code: 43,
        name: 'UNSUPPORTED_FOR_MESSAGE_FORMAT',
        api: 'Fetch',
      });
    }
    const batch = new WireBatch(bytes, position);
    // Positions are counted from these: a negative one would send the consumer back over and over.
    if (bytes.readInt32BE(position + BASE_OFFSET) < 0 || batch.lastOffsetDelta < 0) {
      throw this.#corrupt(`offsets from ${batch.baseOffsetLong.toString()} to ${batch.lastOffsetLong.toString()}`);
    }
    this.#position = position + PREFIX_BYTES + length;
    return batch;
  }

  #corrupt(message: string): CorruptRecordError {
    return corruptBatch(new WireBatch(this.#bytes, this.#position), this.#context, message);
  }
}

export interface OpenOptions {
  /** Compare each batch's CRC-32C. */
  readonly checkCrcs: boolean;
  /** What one batch may decompress to, in bytes. */
  readonly maxDecompressedBytes: number;
}

/**
 * Checks the CRC and decompresses: gives the bytes that the batch's records are read from. An uncompressed batch's stay where they are.
 *
 * @throws CorruptRecordError for a wrong CRC, an impossible record count, a broken stream, or (named RECORD_TOO_LARGE) one
 *   that decompresses to more than `maxDecompressedBytes`
 * @throws KafkaError UNSUPPORTED_COMPRESSION_TYPE for a codec that is not there
 */
export function openBatch(batch: WireBatch, context: RecordContext, options: OpenOptions): RecordSource {
  if (options.checkCrcs) {
    const crc = batch.computeCrc();
    if (crc !== batch.crc)
      throw corruptBatch(batch, context, `CRC-32C is ${hex(crc)}, the header says ${hex(batch.crc)}`);
  }
  const { buffer, position, recordCount, timestampType } = batch;
  let records = buffer;
  let start = position + RECORDS;
  let end = position + batch.sizeInBytes;
  const isCompressed = (batch.attributes & COMPRESSION_MASK) !== 0 && start !== end;
  if (isCompressed) {
    records = decompress(batch, buffer.subarray(start, end), context, options.maxDecompressedBytes);
    start = 0;
    end = records.length;
  }
  if (recordCount < 0 || recordCount > (end - start) / MIN_RECORD_BYTES) {
    throw corruptBatch(batch, context, `${recordCount} records in ${end - start} bytes`);
  }
  return new RecordSource({
    topic: context.topic,
    partition: context.partition,
    leaderEpoch: batch.partitionLeaderEpoch,
    timestampType,
    baseTimestamp: timestampType === 'LogAppendTime' ? batch.maxTimestamp : batch.baseTimestamp,
    baseOffset: batch.baseOffsetLong,
    count: recordCount,
    buffer: records,
    start,
    end,
    batchPosition: position,
    isCompressed,
  });
}

function decompress(batch: WireBatch, bytes: Buffer, context: RecordContext, maxBytes: number): Buffer {
  const codec = codecs[batch.attributes & COMPRESSION_MASK];
  if (codec === undefined) {
    throw unsupportedCompression(
      `${describe(batch, context)}: compression '${batch.compression}' is not supported yet`,
    );
  }
  try {
    return codec.decompress(bytes, maxBytes);
  } catch (cause) {
    if (!(cause instanceof DecompressionError)) throw cause;
    const named = cause.kind === 'too-large' ? { code: 10, name: 'RECORD_TOO_LARGE' } : {};
    throw corruptBatch(batch, context, `${codec.name}: ${cause.message}`, { ...named, cause });
  }
}

function corruptBatch(
  batch: WireBatch,
  context: RecordContext,
  message: string,
  options: { code?: number; name?: string; cause?: unknown } = {},
): CorruptRecordError {
  const offset = batch.baseOffsetLong.toNumber();
  return new CorruptRecordError(
    `${describe(batch, context)}: ${message}`,
    {
      topic: context.topic,
      partition: context.partition,
      offset: Number.isSafeInteger(offset) ? offset : -1,
      position: batch.position,
    },
    { api: 'Fetch', ...options },
  );
}

function describe(batch: WireBatch, context: RecordContext): string {
  return `${context.topic}-${context.partition}: batch at offset ${batch.baseOffsetLong.toString()}, byte ${batch.position}`;
}

function unsupportedCompression(message: string): KafkaError {
  return new KafkaError(message, { code: 76, name: 'UNSUPPORTED_COMPRESSION_TYPE', api: 'Fetch' });
}

function hex(crc: number): string {
  return `0x${crc.toString(16).padStart(8, '0')}`;
}

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
