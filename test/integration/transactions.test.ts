import { expect, inject, it } from 'vitest';
import { javaMajorVersion } from '../harness/kafka-jars.ts';
import { transactions } from '../harness/kafka-tools.ts';
import { useRig } from './rig.ts';

const PARTITIONS = 2;
const PRODUCERS = 3;
const TRANSACTIONS = 300;

const rig = useRig();

/**
 * Three of Java's transactional producers, interleaved, aborting a third of their work; segments of 1 MiB, so that aborted
 * transactions lie across their ends; fetches of a few batches, so that they lie across answers, too. Read while it is written and again after.
 */
it.skipIf(javaMajorVersion() < 17).each([
  ['while it is written, in small fetches', true, 5000],
  ['afterwards, in small fetches', false, 5000],
  ['afterwards, in large ones', false, 1048576],
])(
  'read_committed gives exactly the committed records: %s',
  { timeout: 120_000 },
  async (_, isLive, maxPartitionFetchBytes) => {
    const topic = rig.name('transactions');
    await rig.admin.createTopic(topic, PARTITIONS, {
      configs: { 'segment.bytes': '1048576', 'index.interval.bytes': '256' },
    });
    const writing = await transactions(inject('broker'), {
      topic,
      partitions: PARTITIONS,
      producers: PRODUCERS,
      transactions: TRANSACTIONS,
    });
    if (!isLive) await writing.untilEnd(90_000);
    const consumer = rig.consumer({
      autoOffsetReset: 'earliest',
      isolationLevel: 'read_committed',
      maxPartitionFetchBytes,
    });
    consumer.assign(Array.from({ length: PARTITIONS }, (_unused, partition) => ({ topic, partition, offset: 0 })));
    const numbers = new Map<string, number>();
    const counts = new Array<number>(PARTITIONS).fill(0);
    const offsets = new Array<number>(PARTITIONS).fill(-1);
    const isAtEnd = new Set<number>();
    consumer.on('partitionEnd', ({ partition }) => isAtEnd.add(partition));
    let expected: number[] | null = null;
    const finished = writing.untilEnd(90_000).then((lines) => (expected = lines.map(Number)));
    while (expected === null || counts.some((count, partition) => count < (expected?.[partition] ?? 0))) {
      for (const batch of await consumer.poll({ timeoutMs: 200 })) {
        for (const record of batch) {
          const [verdict, producer, number] = record.text()?.split('/') ?? [];
          expect(verdict).toBe('commit');
          expect(record.offset).toBeGreaterThan(offsets[record.partition] ?? Infinity);
          offsets[record.partition] = record.offset;
          const key = `${record.partition}/${producer}`;
          expect(Number(number)).toBeGreaterThan(numbers.get(key) ?? -1);
          numbers.set(key, Number(number));
          counts[record.partition] = (counts[record.partition] ?? 0) + 1;
        }
      }
    }
    await finished;
    isAtEnd.clear();
    for (let i = 0; i < 5; i++) expect(await consumer.poll({ timeoutMs: 100 })).toEqual([]);
    expect(counts).toEqual(expected);
    const ends = await consumer.endOffsets(consumer.assignment());
    // Past the markers at the end, and nothing is left behind.
    expect(consumer.lag().map(({ position, lag }) => [position, lag])).toEqual(ends.map(({ offset }) => [offset, 0]));
  },
);
