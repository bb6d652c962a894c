import Long from 'long';
import { accelerator, required } from './compression/accelerator.ts';

/*
 * Messages of magic 0 and 1, from before Kafka 0.11 (KIP-98), as segments that have not been rewritten since still hold them:
 *
 *    0 offset int64 | 8 size int32 | 12 crc uint32 (CRC-32 of all from 16 on) | 16 magic int8 | 17 attributes int8
 *   18 timestamp int64, magic 1 only (KIP-32) | keyLength int32 | key | valueLength int32 | value
 *
 * A compressed one is a wrapper: its value holds the messages, its offset is the last one's. Magic 0 has absolute offsets inside,
 * magic 1 relative ones (KIP-31). They are rewritten as records of magic 2, which are never longer: so the hot path knows one
 * format only, and old data costs one copy.
 */
const PREFIX_BYTES = 12;
const CRC = 12;
const MAGIC = 16;
const ATTRIBUTES = 17;
const TIMESTAMP = 18;
/** Of what `size` counts, for a message with neither key nor value. */
const MIN_SIZE = [14, 22] as const;

const native = accelerator<{ crc32(bytes: Uint8Array): number }>('@node-rs/crc32');
const pure = required<{ buf(bytes: Uint8Array): number }>('crc-32');

/** CRC-32 (IEEE 802.3) of `bytes[start, end)`, unsigned. */
export function crc32(bytes: Buffer, start: number, end: number): number {
  const range = bytes.subarray(start, end);
  const library = native();
  return library === null ? pure().buf(range) >>> 0 : library.crc32(range);
}

/** The records of one legacy batch in the format of magic 2. */
export interface ConvertedRecords {
  /** Where they end in the buffer, which they begin. */
  readonly end: number;
  readonly count: number;
  readonly baseOffset: Long;
  readonly baseTimestamp: number;
}

export interface ConversionOptions {
  readonly magic: number;
  /** The wrapper's offset; `null` for a message that is in none. */
  readonly lastOffset: Long | null;
  /** Of the wrapper: its messages are read as having this one (KIP-32); `null` for CreateTime. */
  readonly logAppendTimestamp: number | null;
  readonly checkCrcs: boolean;
  /** Throws the error for byte `at`. */
  readonly fail: (message: string, at: number) => never;
}

interface Message {
  readonly at: number;
  readonly offset: Long;
  readonly timestamp: number;
}

/** Where a message's value lies, in its own bytes. @returns start −1 for null */
export function valueRange(
  bytes: Buffer,
  position: number,
  end: number,
  fail: (message: string, at: number) => never,
): { start: number; end: number } {
  const magic = bytes.readInt8(position + MAGIC);
  const keyAt = position + (magic === 0 ? TIMESTAMP : TIMESTAMP + 8);
  const valueAt = fieldEnd(bytes, keyAt, end, fail);
  const valueEnd = fieldEnd(bytes, valueAt, end, fail);
  if (valueEnd !== end) fail('its fields do not end where its size says', position);
  return { start: bytes.readInt32BE(valueAt) < 0 ? -1 : valueAt + 4, end: valueEnd };
}

/** Rewrites the messages in `buffer`, which belongs to nobody else, where they lie. */
export function convertMessages(buffer: Buffer, options: ConversionOptions): ConvertedRecords {
  const { magic, lastOffset, logAppendTimestamp, fail } = options;
  const messages = readMessages(buffer, options);
  const first = messages[0];
  const last = messages.at(-1);
  if (first === undefined || last === undefined) return fail('a wrapper without messages', 0);
  const shift = magic === 1 && lastOffset !== null ? lastOffset.sub(last.offset) : Long.ZERO;
  const baseOffset = first.offset.add(shift);
  const baseTimestamp = logAppendTimestamp ?? first.timestamp;
  let end = 0;
  let previous = -1;
  for (const { at, offset, timestamp } of messages) {
    const delta = offset.sub(first.offset);
    const offsetDelta = delta.toNumber();
    if (offsetDelta <= previous || offsetDelta > 0x7fffffff) fail(`offset ${offset.toString()} out of order`, at);
    previous = offsetDelta;
    end = convert(buffer, at, end, magic, timestamp - baseTimestamp, offsetDelta);
  }
  return { end, count: messages.length, baseOffset, baseTimestamp };
}

/** Checks everything there is to check, before anything is overwritten. */
function readMessages(buffer: Buffer, { magic, checkCrcs, logAppendTimestamp, fail }: ConversionOptions): Message[] {
  const messages: Message[] = [];
  for (let at = 0; at < buffer.length;) {
    if (buffer.length - at < PREFIX_BYTES) fail(`message cut off`, at);
    const size = buffer.readInt32BE(at + 8);
    const end = at + PREFIX_BYTES + size;
    if (size < (magic === 0 ? MIN_SIZE[0] : MIN_SIZE[1]) || end > buffer.length) fail(`message of ${size} bytes`, at);
    const found = buffer.readInt8(at + MAGIC);
    if (found !== magic) fail(`magic ${found} inside of magic ${magic}`, at);
    if ((buffer.readInt8(at + ATTRIBUTES) & 0x07) !== 0) fail('a compressed message inside of another', at);
    if (checkCrcs && crc32(buffer, at + MAGIC, end) !== buffer.readUInt32BE(at + CRC)) fail('CRC-32 is wrong', at);
    valueRange(buffer, at, end, fail);
    const offset = new Long(buffer.readInt32BE(at + 4), buffer.readInt32BE(at));
    messages.push({ at, offset, timestamp: logAppendTimestamp ?? timestampOf(buffer, at, magic) });
    at = end;
  }
  return messages;
}

/**
 * One message, read at `at`, as a record written at `out`, which is not behind it: of its 22 or 30 bytes before the key a record needs
 * 17 or 26, of the 4 between key and value 5, and 1 at the end, so that nothing is overwritten before it was read.
 *
 * @returns where the record ends
 */
function convert(
  buffer: Buffer,
  at: number,
  out: number,
  magic: number,
  timestampDelta: number,
  offsetDelta: number,
): number {
  const keyAt = at + (magic === 0 ? TIMESTAMP : TIMESTAMP + 8);
  const keyLength = buffer.readInt32BE(keyAt);
  const valueAt = keyAt + 4 + Math.max(keyLength, 0);
  const valueLength = buffer.readInt32BE(valueAt);
  const bodyBytes =
    2 + // attributes, header count
    zigzagBytes(timestampDelta) +
    zigzagBytes(offsetDelta) +
    zigzagBytes(keyLength) +
    Math.max(keyLength, 0) +
    zigzagBytes(valueLength) +
    Math.max(valueLength, 0);
  out = writeZigzag(buffer, out, bodyBytes);
  buffer[out++] = 0;
  out = writeZigzag(buffer, out, timestampDelta);
  out = writeZigzag(buffer, out, offsetDelta);
  out = writeZigzag(buffer, out, keyLength);
  if (keyLength > 0) {
    buffer.copyWithin(out, keyAt + 4, keyAt + 4 + keyLength);
    out += keyLength;
  }
  out = writeZigzag(buffer, out, valueLength);
  if (valueLength > 0) {
    buffer.copyWithin(out, valueAt + 4, valueAt + 4 + valueLength);
    out += valueLength;
  }
  buffer[out++] = 0;
  return out;
}

/** Exact below 2^53, as all timestamps are; −1 for magic 0. */
function timestampOf(buffer: Buffer, at: number, magic: number): number {
  if (magic === 0) return -1;
  return buffer.readInt32BE(at + TIMESTAMP) * 4294967296 + buffer.readUInt32BE(at + TIMESTAMP + 4);
}

/** The end of a field of `length int32 | bytes`, length −1 for null. */
function fieldEnd(bytes: Buffer, at: number, end: number, fail: (message: string, at: number) => never): number {
  if (end - at < 4) fail('field cut off', at);
  const length = bytes.readInt32BE(at);
  if (length < -1 || length > end - at - 4) fail(`field of ${length} bytes`, at);
  return at + 4 + Math.max(length, 0);
}

/** Doubles, for a timestamp's delta has up to 53 bits and a sign. */
function zigzag(value: number): number {
  return value < 0 ? -value * 2 - 1 : value * 2;
}

function zigzagBytes(value: number): number {
  let bytes = 1;
  for (let rest = zigzag(value); rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

function writeZigzag(buffer: Buffer, out: number, value: number): number {
  let rest = zigzag(value);
  for (; rest >= 128; rest = Math.floor(rest / 128)) buffer[out++] = (rest % 128) | 0x80;
  buffer[out++] = rest;
  return out;
}
