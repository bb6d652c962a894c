import { COMPRESSION_NAMES, DecompressionError, NO_BYTES, type Codec, type Decompressed } from './compression/codec.ts';
import { codecs, decompressAside, MIN_ASYNC_BYTES, type CodecTable } from './compression/codecs.ts';
import { convertMessages, valueRange } from './legacy-records.ts';
import {
  COMPRESSION_MASK,
  corruptBatch,
  nextOffsetOf,
  RECORDS,
  UNSUPPORTED_COMPRESSION,
  type RecordContext,
  type WireBatch,
} from './record-batch.ts';
import { RecordSource } from './record-source.ts';

/** A record's length byte and its 6 bytes at least. */
const MIN_RECORD_BYTES = 7;

export interface OpenOptions {
  /** Compare each batch's CRC-32C. */
  readonly checkCrcs: boolean;
  /** What one batch may decompress to, in bytes. */
  readonly maxDecompressedBytes: number;
  /** In place of the built-in codecs: see `codecTable`. */
  readonly codecs?: CodecTable | undefined;
}

/**
 * Checks the CRC and decompresses: gives the bytes that the batch's records are read from. An uncompressed batch's stay where they are.
 *
 * @throws CorruptRecordError for a wrong CRC (retriable: another fetch may bring what is right), an impossible record
 *   count, a broken stream, (named RECORD_TOO_LARGE) one that decompresses to more than `maxDecompressedBytes`, or
 *   (named UNSUPPORTED_COMPRESSION_TYPE) a codec that is not there
 */
export function openBatch(batch: WireBatch, context: RecordContext, options: OpenOptions): RecordSource {
  checkCrc(batch, context, options);
  const compressed = compressedBytes(batch, context);
  if (compressed === null) return sourceOf(batch, context, options, null);
  const codec = codecOf(batch, context, options);
  let records: Buffer;
  try {
    records = codec.decompress(compressed, options.maxDecompressedBytes);
  } catch (cause) {
    throw decompressionFailed(batch, context, codec, cause);
  }
  return sourceOf(batch, context, options, records);
}

/**
 * The same for a batch that `isWorthOpeningAside`: it is decompressed off the main thread, and `done` gets the source, or what
 * `openBatch` would throw.
 */
export function openBatchAside(
  batch: WireBatch,
  context: RecordContext,
  options: OpenOptions,
  done: (error: unknown, source: RecordSource | null) => void,
): void {
  let codec: Codec;
  let compressed: Buffer | null;
  try {
    checkCrc(batch, context, options);
    codec = codecOf(batch, context, options);
    compressed = compressedBytes(batch, context);
  } catch (error) {
    done(error, null);
    return;
  }
  const finish: Decompressed = (failure, decompressed) => {
    let source: RecordSource | null = null;
    let error: unknown = null;
    try {
      if (failure !== null) throw decompressionFailed(batch, context, codec, failure);
      source = sourceOf(batch, context, options, decompressed);
    } catch (cause) {
      error = cause;
    }
    done(error, source);
  };
  decompressAside(codec, compressed ?? NO_BYTES, options.maxDecompressedBytes, finish);
}

/** Opening the batch would hold up the event loop noticeably, and need not. */
export function isWorthOpeningAside(batch: WireBatch, options: Pick<OpenOptions, 'codecs'>): boolean {
  if (batch.sizeInBytes < MIN_ASYNC_BYTES) return false;
  return (options.codecs ?? codecs)[batch.attributes & COMPRESSION_MASK]?.decompressAside !== undefined;
}

function checkCrc(batch: WireBatch, context: RecordContext, { checkCrcs }: OpenOptions): void {
  if (!checkCrcs) return;
  const crc = batch.computeCrc();
  const name = batch.isLegacy ? 'CRC-32' : 'CRC-32C';
  if (crc !== batch.crc)
    throw corruptBatch(batch, context, `${name} is ${hex(crc)}, the header says ${hex(batch.crc)}`, {
      retriable: true,
    });
}

/** `null` for a batch that is not compressed, or empty. */
function compressedBytes(batch: WireBatch, context: RecordContext): Buffer | null {
  if ((batch.attributes & COMPRESSION_MASK) === 0) return null;
  const { buffer, position } = batch;
  const end = position + batch.sizeInBytes;
  if (!batch.isLegacy) return position + RECORDS === end ? null : buffer.subarray(position + RECORDS, end);
  const value = valueRange(buffer, position, end, (message) => {
    throw corruptBatch(batch, context, message);
  });
  if (value.start < 0) throw corruptBatch(batch, context, 'a compressed message without a value');
  return buffer.subarray(value.start, value.end);
}

/** @param decompressed `null` for records that lie in the frame itself */
function sourceOf(
  batch: WireBatch,
  context: RecordContext,
  options: OpenOptions,
  decompressed: Buffer | null,
): RecordSource {
  if (batch.isLegacy) return legacySource(batch, context, options, decompressed);
  const { position, recordCount, timestampType } = batch;
  const records = decompressed ?? batch.buffer;
  const start = decompressed === null ? position + RECORDS : 0;
  const end = decompressed === null ? position + batch.sizeInBytes : decompressed.length;
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
    // As many offsets as records, and they only go up.
    isDense: batch.lastOffsetDelta === recordCount - 1,
    nextOffset: nextOffsetOf(batch),
    buffer: records,
    start,
    end,
    batchPosition: position,
    isCompressed: decompressed !== null,
  });
}

function legacySource(
  batch: WireBatch,
  context: RecordContext,
  { checkCrcs }: OpenOptions,
  decompressed: Buffer | null,
): RecordSource {
  const { buffer, position, magic, timestampType } = batch;
  // A plain message is copied: it is rewritten, and the frame is everybody's.
  const messages = decompressed ?? Buffer.from(buffer.subarray(position, position + batch.sizeInBytes));
  const converted = convertMessages(messages, {
    magic,
    lastOffset: decompressed === null ? null : batch.lastOffsetLong,
    logAppendTimestamp: decompressed !== null && timestampType === 'LogAppendTime' ? batch.maxTimestamp : null,
    checkCrcs: checkCrcs && decompressed !== null,
    fail: (message, at) => {
      throw corruptBatch(batch, context, decompressed === null ? message : `byte ${at} of its messages: ${message}`);
    },
  });
  return new RecordSource({
    topic: context.topic,
    partition: context.partition,
    leaderEpoch: -1,
    timestampType,
    baseTimestamp: converted.baseTimestamp,
    baseOffset: converted.baseOffset,
    count: converted.count,
    isDense: false,
    nextOffset: nextOffsetOf(batch),
    buffer: messages,
    start: 0,
    end: converted.end,
    batchPosition: position,
    isCompressed: true,
  });
}

function codecOf(batch: WireBatch, context: RecordContext, options: OpenOptions): Codec {
  const codec = (options.codecs ?? codecs)[batch.attributes & COMPRESSION_MASK];
  if (codec !== undefined) return codec;
  const id = batch.attributes & COMPRESSION_MASK;
  const text = `compression '${COMPRESSION_NAMES[id] ?? `type ${id}`}' is not supported`;
  throw corruptBatch(batch, context, text, UNSUPPORTED_COMPRESSION);
}

function decompressionFailed(batch: WireBatch, context: RecordContext, codec: Codec, cause: unknown): unknown {
  if (!(cause instanceof DecompressionError)) return cause;
  const named = cause.kind === 'too-large' ? { code: 10, name: 'RECORD_TOO_LARGE' } : {};
  return corruptBatch(batch, context, `${codec.name}: ${cause.message}`, { ...named, cause });
}

function hex(crc: number): string {
  return `0x${crc.toString(16).padStart(8, '0')}`;
}
