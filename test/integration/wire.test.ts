import { expect, it } from 'vitest';
import { useRig } from './rig.ts';

const rig = useRig();

it.each([
  ['one large topic', 1, 1000],
  ['many partitions, small batches', 50, 50],
])(
  'no more than 1.05 times the bytes produced come over the wire: %s',
  { timeout: 60_000 },
  async (_, partitions, batchRecords) => {
    const count = 200_000;
    const topic = await rig.filled(count, {
      partitions,
      batchRecords,
      recordAt: () => ({ value: Buffer.alloc(100, 'x') }),
    });
    const consumer = rig.consumer({ autoOffsetReset: 'earliest' });
    consumer.assign(Array.from({ length: partitions }, (_unused, partition) => ({ topic, partition, offset: 0 })));
    let records = 0;
    for await (const batch of consumer.batches()) {
      records += batch.recordCount;
      if (records === count) break;
    }
    const { brokers, partitions: measured } = consumer.metrics();
    const produced = measured.reduce((sum, { fetchedBytes }) => sum + fetchedBytes, 0);
    const bytesIn = brokers.reduce((sum, each) => sum + each.bytesIn, 0);
    expect(measured.reduce((sum, { fetchedRecords }) => sum + fetchedRecords, 0)).toBe(count);
    expect(bytesIn / produced).toBeLessThan(1.05);
  },
);
