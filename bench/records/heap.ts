/** Heap per record, in a process with `--expose-gc` and a young generation large enough that nothing is collected meanwhile. */
import { openBatch } from '../../src/protocol/open-batch.ts';
import { WireBatchReader } from '../../src/protocol/record-batch.ts';
import { RecordCursor } from '../../src/protocol/record-cursor.ts';
import type { KafkaRecord } from '../../src/protocol/record.ts';

const CONTEXT = { topic: 'bench', partition: 0 };

function* records(response: Buffer): Generator<KafkaRecord> {
  const reader = new WireBatchReader(response, CONTEXT);
  for (let batch = reader.next(); batch !== null; batch = reader.next()) {
    const cursor = new RecordCursor(openBatch(batch, CONTEXT, { checkCrcs: false, maxDecompressedBytes: 1 << 24 }));
    for (let record = cursor.next(); record !== undefined; record = cursor.next()) yield record;
  }
}

/** Of records that are kept and not looked into. Without the frame, and without the array that holds them. */
export function keptBytesPerRecord(responses: readonly Buffer[]): number {
  let count = 0;
  for (const response of responses) for (const _ of records(response)) count++;
  const kept = new Array<KafkaRecord | null>(count).fill(null);
  collect();
  const before = process.memoryUsage().heapUsed;
  let at = 0;
  for (const response of responses) for (const record of records(response)) kept[at++] = record;
  collect();
  const bytes = (process.memoryUsage().heapUsed - before) / count;
  if (kept.at(-1) === null) throw new Error('the records were not kept');
  return bytes;
}

/** Of records that are made, asked for their offset and dropped: everything that the walk allocates, batches and iterators included. */
export function allocatedBytesPerRecord(responses: readonly Buffer[]): number {
  let count = 0;
  const walk = (): number => {
    let sum = 0;
    count = 0;
    for (const response of responses) {
      const reader = new WireBatchReader(response, CONTEXT);
      for (let batch = reader.next(); batch !== null; batch = reader.next()) {
        const source = openBatch(batch, CONTEXT, { checkCrcs: false, maxDecompressedBytes: 1 << 24 });
        const cursor = new RecordCursor(source);
        for (let record = cursor.next(); record !== undefined; record = cursor.next()) {
          sum += record.offset;
          last = record; // escapes: as a handler would see it
          count++;
        }
      }
    }
    return sum;
  };
  for (let warmUp = 0; warmUp < 200; warmUp++) walk();
  collect();
  const before = process.memoryUsage().heapUsed;
  walk();
  return (process.memoryUsage().heapUsed - before) / count;
}

let last: KafkaRecord | null = null;
export const lastRecord = (): KafkaRecord | null => last;

function collect(): void {
  if (globalThis.gc === undefined) throw new Error('needs --expose-gc');
  globalThis.gc();
  globalThis.gc();
}
