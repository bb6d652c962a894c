import Long from 'long';
import { KafkaError } from '../../src/errors.ts';
import { WireBatchReader, type WireBatch } from '../../src/protocol/record-batch.ts';
import { TransactionFilter } from '../../src/fetch/transactions.ts';
import { openBatch } from '../../src/protocol/open-batch.ts';
import { RecordCursor } from '../../src/protocol/record-cursor.ts';
import type { KafkaRecord } from '../../src/protocol/record.ts';

/*
 * records/NAME.bin + NAME.json: a Fetch response's `records` field, and what Kafka's own classes read from it. The error in
 * `json.error` follows the batches in `json.batches`; a batch cut off at the end is no error.
 */

export interface ExpectedRecord {
  offset: string;
  timestamp: string;
  key: string | null;
  value: string | null;
  headers: [string, string | null][];
}

export interface ExpectedBatch {
  magic: number;
  baseOffset: string;
  lastOffset: string;
  compression: string;
  timestampType: string;
  records: ExpectedRecord[];
  /** The other header fields, by their name in `WireBatch`; int64 are strings. */
  [field: string]: unknown;
}

export interface ExpectedCase {
  batches: ExpectedBatch[];
  error?: string;
  /** As a Fetch response lists them; int64 are strings. */
  abortedTransactions?: { producerId: string; firstOffset: string }[];
  /** What `read_committed` delivers of the whole. */
  readCommittedOffsets?: string[];
}

const CONTEXT = { topic: 'conformance', partition: 7 };
const OPTIONS = { checkCrcs: true, maxDecompressedBytes: 64 * 1024 * 1024 };
/** Fields of the JSON that are compared in a way of their own. */
const COMPARED_APART = new Set(['records', 'baseOffset', 'lastOffset']);

/** Decodes `bin` and compares with what `json` says: one line per failure, none when the case passes. */
export function runRecordCase(name: string, bin: Buffer, json: unknown): string[] {
  const expected = json as ExpectedCase; // the vectors' own format
  const failures: string[] = [];
  const fail = (message: string): void => void failures.push(`records/${name}: ${message}`);

  let error: unknown = null;
  let count = 0;
  try {
    const reader = new WireBatchReader(bin, CONTEXT);
    for (let batch = reader.next(); batch !== null; batch = reader.next()) {
      const want = expected.batches[count];
      const found = want === undefined ? readAll(batch) : compareBatch(batch, want, `batch ${count}`, fail);
      if (want === undefined) fail(`batch ${count} with ${found} records is one too many`);
      count++;
    }
  } catch (caught) {
    error = caught;
  }

  if (error === null && count < expected.batches.length) fail(`${count} batches instead of ${expected.batches.length}`);
  if (error === null && expected.error !== undefined) fail(`no error instead of ${expected.error}`);
  if (error !== null && !isExpected(error, expected, count))
    fail(`after ${count} batches: ${error instanceof Error ? error.toString() : 'thrown: no Error'}`);
  if (expected.readCommittedOffsets !== undefined) compareReadCommitted(bin, expected, fail);
  return failures;
}

function compareReadCommitted(bin: Buffer, expected: ExpectedCase, fail: (message: string) => void): void {
  const aborted = expected.abortedTransactions ?? [];
  const filter = new TransactionFilter(
    aborted.map(({ producerId, firstOffset }) => {
      return { producerId: Long.fromString(producerId), firstOffset: Long.fromString(firstOffset) };
    }),
  );
  const found: string[] = [];
  const reader = new WireBatchReader(bin, CONTEXT);
  for (let batch = reader.next(); batch !== null; batch = reader.next()) {
    const open = (
      (wire) => () =>
        openBatch(wire, CONTEXT, OPTIONS)
    )(batch);
    if (!filter.isWanted(batch, open)) continue;
    const cursor = new RecordCursor(open());
    for (let record = cursor.next(); record !== undefined; record = cursor.next())
      found.push(record.offsetLong.toString());
  }
  const wanted = expected.readCommittedOffsets ?? [];
  if (found.join() !== wanted.join()) fail(`read_committed gives ${found.join()}, expected ${wanted.join()}`);
}

function isExpected(error: unknown, expected: ExpectedCase, count: number): boolean {
  return error instanceof KafkaError && error.constructor.name === expected.error && count === expected.batches.length;
}

function readAll(batch: WireBatch): number {
  const cursor = new RecordCursor(openBatch(batch, CONTEXT, OPTIONS));
  while (cursor.next() !== undefined);
  return cursor.index;
}

function compareBatch(batch: WireBatch, want: ExpectedBatch, where: string, fail: (message: string) => void): number {
  const source = openBatch(batch, CONTEXT, OPTIONS);
  const cursor = new RecordCursor(source);
  // First to the end: a corrupt batch is to be told by its error, not by what differs before it.
  const records: KafkaRecord[] = [];
  for (let record = cursor.next(); record !== undefined; record = cursor.next()) records.push(record);

  const same = (field: string, found: unknown, wanted: unknown): void => {
    if (JSON.stringify(found) === JSON.stringify(wanted)) return;
    fail(`${where}: ${field} is ${JSON.stringify(found)}, expected ${JSON.stringify(wanted)}`);
  };
  // The JSON's field names are the getters' names.
  const fields = batch as unknown as Record<string, { toString(): string } | undefined>;
  for (const [field, wanted] of Object.entries(want)) {
    if (COMPARED_APART.has(field)) continue;
    const found = fields[field];
    same(field, typeof wanted === 'string' ? found?.toString() : found, wanted);
  }
  // Of magic 0 and 1 the header names the last offset; the first one is known when the batch is open.
  const first = batch.isLegacy ? source.baseOffset : batch.baseOffsetLong;
  const firstNumber = (): number => (batch.isLegacy ? source.baseOffsetNumber : batch.baseOffset);
  compareOffset(where, 'baseOffset', firstNumber, first.toString(), want.baseOffset, fail);
  compareOffset(where, 'lastOffset', () => batch.lastOffset, batch.lastOffsetLong.toString(), want.lastOffset, fail);
  same('records.length', records.length, want.records.length);
  want.records.forEach((wanted, index) => {
    const record = records[index];
    if (record !== undefined) compareRecord(record, wanted, batch, `${where} record ${index}`, fail);
  });
  return records.length;
}

function compareRecord(
  record: KafkaRecord,
  want: ExpectedRecord,
  batch: WireBatch,
  where: string,
  fail: (message: string) => void,
): void {
  const found = {
    offset: record.offsetLong.toString(),
    timestamp: String(record.timestamp),
    key: base64(record.key),
    value: base64(record.value),
    headers: [...record.headers].map(([name, value]) => [name, base64(value)]),
  };
  const wanted = {
    offset: want.offset,
    timestamp: want.timestamp,
    key: want.key,
    value: want.value,
    headers: want.headers,
  };
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    fail(`${where} is ${JSON.stringify(found)}, expected ${JSON.stringify(wanted)}`);
  }
  compareOffset(where, 'offset', () => record.offset, found.offset, want.offset, fail);
  if (record.topic !== CONTEXT.topic || record.partition !== CONTEXT.partition)
    fail(`${where}: wrong topic or partition`);
  if (record.timestampType !== batch.timestampType) fail(`${where}: timestampType is ${record.timestampType}`);
  if (record.leaderEpoch !== batch.partitionLeaderEpoch) fail(`${where}: leaderEpoch is ${record.leaderEpoch}`);
  const text = want.value === null ? null : Buffer.from(want.value, 'base64').toString();
  if (record.text() !== text) fail(`${where}: text() is ${JSON.stringify(record.text())}`);
}

/** The Long is always right; the number is right or throws. */
function compareOffset(
  where: string,
  field: string,
  number: () => number,
  long: string,
  want: string,
  fail: (message: string) => void,
): void {
  if (long !== want) fail(`${where}: ${field}Long is ${long}, expected ${want}`);
  const isSafe = BigInt(want) <= BigInt(Number.MAX_SAFE_INTEGER);
  let found: string;
  try {
    found = String(number());
  } catch (error) {
    found = error instanceof KafkaError ? 'KafkaError' : String(error);
  }
  const wanted = isSafe ? want : 'KafkaError';
  if (found !== wanted) fail(`${where}: ${field} is ${found}, expected ${wanted}`);
}

function base64(bytes: Buffer | null): string | null {
  return bytes === null ? null : bytes.toString('base64');
}
