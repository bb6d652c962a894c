import { openBatch } from '../../src/protocol/open-batch.ts';
import { WireBatchReader } from '../../src/protocol/record-batch.ts';
import { RecordCursor } from '../../src/protocol/record-cursor.ts';
import type { KafkaRecord } from '../../src/protocol/record.ts';
import { touch, type Work } from './work.ts';

const CONTEXT = { topic: 'bench', partition: 0 };
const MAX_BYTES = 1 << 24;

/** As the consumer does it, CRC checked unless the name says else. A loop a case: as in an application, one kind of work at one place. */
export const samsa: Readonly<Record<string, Work>> = {
  'lengths, no CRC': (response) => {
    let sum = 0;
    for (const cursor of cursors(response, false)) {
      cursor.skip(1e9);
      sum += cursor.at;
    }
    return sum;
  },
  offset: (response) => {
    let sum = 0;
    for (const cursor of cursors(response))
      for (let record = cursor.next(); record !== undefined; record = cursor.next()) sum += record.offset;
    return sum;
  },
  value: (response) => {
    let sum = 0;
    for (const cursor of cursors(response))
      for (let record = cursor.next(); record !== undefined; record = cursor.next()) sum += valueOf(record);
    return sum;
  },
  ranges: (response) => {
    let sum = 0;
    for (const cursor of cursors(response)) {
      const { bytes } = cursor;
      while (cursor.advance())
        if (cursor.valueLength > 0)
          sum += cursor.valueLength + (bytes[cursor.valueStart + cursor.valueLength - 1] ?? 0);
    }
    return sum;
  },
  'ranges, no CRC': (response) => {
    let sum = 0;
    for (const cursor of cursors(response, false)) {
      const { bytes } = cursor;
      while (cursor.advance())
        if (cursor.valueLength > 0)
          sum += cursor.valueLength + (bytes[cursor.valueStart + cursor.valueLength - 1] ?? 0);
    }
    return sum;
  },
  'value, no CRC': (response) => {
    let sum = 0;
    for (const cursor of cursors(response, false))
      for (let record = cursor.next(); record !== undefined; record = cursor.next()) sum += valueOf(record);
    return sum;
  },
  text: (response) => {
    let sum = 0;
    for (const cursor of cursors(response))
      for (let record = cursor.next(); record !== undefined; record = cursor.next()) sum += record.text()?.length ?? 0;
    return sum;
  },
  headers: (response) => {
    let sum = 0;
    for (const cursor of cursors(response))
      for (let record = cursor.next(); record !== undefined; record = cursor.next())
        for (const [name, value] of record.headers) sum += name.length + (value === null ? 0 : touch(value));
    return sum;
  },
};

function valueOf({ value }: KafkaRecord): number {
  return value === null ? 0 : touch(value);
}

function* cursors(response: Buffer, checkCrcs = true): Generator<RecordCursor> {
  const reader = new WireBatchReader(response, CONTEXT);
  for (let batch = reader.next(); batch !== null; batch = reader.next())
    yield new RecordCursor(openBatch(batch, CONTEXT, { checkCrcs, maxDecompressedBytes: MAX_BYTES }));
}
