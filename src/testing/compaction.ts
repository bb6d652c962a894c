import { RecordCursor } from '../protocol/record-cursor.ts';
import { WireBatch } from '../protocol/record-batch.ts';
import { openBatch } from '../protocol/open-batch.ts';
import type { StoredBatch } from './partition-log.ts';
import { encodeRecordBatch, type TestRecord } from './record-batch-writer.ts';

const CONTEXT = { topic: '', partition: -1 };
const OPEN = { checkCrcs: false, maxDecompressedBytes: 1 << 30 };

/**
 * Compacts as Kafka's log cleaner does: the last record of each key stays, records without a key go. Batches keep their
 * first and last offset and their producer. A batch that is left empty disappears, unless it is the last one of its
 * producer: the broker keeps that for its sequence. Control batches stay. What is written anew is uncompressed.
 *
 * @param newest of the log: not compacted itself, but its keys count
 */
export function compactBatches(batches: readonly StoredBatch[], newest: StoredBatch): StoredBatch[] {
  const lastOffsets = new Map<string, number>();
  for (const batch of [...batches, newest]) {
    if (new WireBatch(batch.bytes, 0).isControl) continue;
    forEachKeyed(batch, (key, offset) => lastOffsets.set(key, offset));
  }
  const lastOfProducers = new Map<string, StoredBatch>();
  for (const batch of [...batches, newest]) {
    const { producerId } = new WireBatch(batch.bytes, 0);
    if (!producerId.isNegative()) lastOfProducers.set(producerId.toString(), batch);
  }
  return batches.flatMap((batch) => {
    const wire = new WireBatch(batch.bytes, 0);
    if (wire.isControl) return [batch];
    const records: TestRecord[] = [];
    const offsetDeltas: number[] = [];
    forEachKeyed(batch, (key, offset, record) => {
      if (lastOffsets.get(key) !== offset) return;
      records.push(record);
      offsetDeltas.push(offset - batch.baseOffset);
    });
    if (records.length === wire.recordCount) return [batch];
    const isLastOfProducer = lastOfProducers.get(wire.producerId.toString()) === batch;
    if (records.length === 0 && !isLastOfProducer) return [];
    const bytes = encodeRecordBatch(records, {
      baseOffset: batch.baseOffset,
      offsetDeltas,
      lastOffsetDelta: wire.lastOffsetDelta,
      partitionLeaderEpoch: wire.partitionLeaderEpoch,
      baseTimestamp: wire.baseTimestamp,
      maxTimestamp: wire.maxTimestamp,
      timestampType: wire.timestampType === 'LogAppendTime' ? 'LogAppendTime' : 'CreateTime',
      producerId: wire.producerId.toNumber(),
      producerEpoch: wire.producerEpoch,
      baseSequence: wire.baseSequence,
      transactional: wire.isTransactional,
    });
    return [{ ...batch, bytes }];
  });
}

function forEachKeyed(batch: StoredBatch, each: (key: string, offset: number, record: TestRecord) => void): void {
  const cursor = new RecordCursor(openBatch(new WireBatch(batch.bytes, 0), CONTEXT, OPEN));
  for (let record = cursor.next(); record !== undefined; record = cursor.next()) {
    const { keyBytes: key, valueBytes: value, timestamp, offset } = record;
    if (key !== null) each(key.toString('latin1'), offset, { key, value, timestamp, headers: [...record.headers] });
  }
}
