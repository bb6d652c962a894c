import { expect, inject, it } from 'vitest';
import { producerPerformance } from '../harness/kafka-tools.ts';
import { useRig } from './rig.ts';

// Batches as Kafka's own producer compresses them, small ones and such as are decompressed off the main thread.
const RECORDS = 3000;
const RECORD_BYTES = 500;

const rig = useRig();

async function readAll(topic: string, options: { isolationLevel?: 'read_committed' } = {}): Promise<number[]> {
  const consumer = rig.consumer({ autoOffsetReset: 'earliest', ...options });
  consumer.assign([{ topic, partition: 0 }]);
  const offsets: number[] = [];
  const stop = AbortSignal.timeout(20_000);
  while (offsets.length < RECORDS && !stop.aborted) {
    for (const batch of await consumer.poll({ timeoutMs: 500 })) {
      for (const record of batch) {
        expect(record.value?.length).toBe(RECORD_BYTES);
        offsets.push(record.offset);
      }
    }
  }
  await consumer.close();
  return offsets;
}

it.each([
  ['gzip', 16_384],
  ['gzip', 1_000_000],
  ['snappy', 1_000_000],
  ['lz4', 16_384],
  ['lz4', 1_000_000],
  ['zstd', 16_384],
  ['zstd', 1_000_000],
])("%s by Java's producer, batches of up to %i bytes", { timeout: 60_000 }, async (codec, batchSize) => {
  const topic = await rig.filled(0, { partitions: 1 });
  await producerPerformance(inject('broker'), {
    topic,
    records: RECORDS,
    recordSize: RECORD_BYTES,
    properties: { 'compression.type': codec, 'batch.size': String(batchSize), 'linger.ms': '100' },
  });
  const offsets = await readAll(topic);
  expect(offsets).toEqual(Array.from({ length: RECORDS }, (_, offset) => offset));
});

it('read_committed leaves the markers of transactions out, and nothing else', { timeout: 60_000 }, async () => {
  const topic = await rig.filled(0, { partitions: 1 });
  await producerPerformance(inject('broker'), {
    topic,
    records: RECORDS,
    recordSize: RECORD_BYTES,
    properties: { 'transactional.id': rig.name('transactional'), 'compression.type': 'lz4' },
  });
  const offsets = await readAll(topic, { isolationLevel: 'read_committed' });
  expect(offsets).toHaveLength(RECORDS);
  expect(new Set(offsets).size).toBe(RECORDS);
});
