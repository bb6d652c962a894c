import { describe, expect, it } from 'vitest';
import { Consumer, NoOffsetError, OffsetOutOfRangeError, type KafkaRecord, type RecordBatch } from '../../src/index.ts';
import type { TestRecord } from '../../src/testing/record-batch-writer.ts';
import { failureOf, offsetsByPartition, quick, take, upTo, useRig, waitFor } from './rig.ts';

const PARTITIONS = 6;
const COUNT = 6000;
const FIRST_TIMESTAMP = 1_700_000_000_000;

/** Every shape of key, value and headers, told apart by the index. */
function recordAt(index: number): TestRecord {
  return {
    key: index % 5 === 0 ? null : `key ${index % 100}`,
    value: index % 7 === 0 ? null : index % 7 === 1 ? '' : `value ${index} ž`,
    headers: index % 3 === 0 ? [] : [['index', `${index}`], ...(index % 3 === 1 ? [] : [['none', null] as const])],
    timestamp: FIRST_TIMESTAMP + index - (index % 11) * 1000,
  };
}

function plain(record: KafkaRecord): unknown {
  return {
    key: record.key?.toString() ?? null,
    value: record.value?.toString() ?? null,
    headers: [...record.headers].map(([name, value]) => [name, value?.toString() ?? null]),
    timestamp: record.timestamp,
  };
}

function expectAllOnce(records: readonly KafkaRecord[], count: number, partitions: number): void {
  const byPartition = offsetsByPartition(records);
  expect([...byPartition.keys()].sort()).toEqual(upTo(partitions));
  for (const offsets of byPartition.values()) expect(offsets).toEqual(upTo(count / partitions));
  for (const record of records) {
    const { key = null, headers = [], ...rest } = recordAt(record.offset * partitions + record.partition);
    expect(plain(record)).toEqual({ ...rest, key, headers });
  }
}

describe('reading a whole topic', () => {
  const rig = useRig();
  const topicOf = (compression: 'none' | 'gzip' | 'snappy' | 'snappy-xerial') =>
    rig.filled(COUNT, { partitions: PARTITIONS, recordAt, compression, batchRecords: 300 });
  const subscribed = (topic: string, options = {}): Consumer => {
    const consumer = rig.consumer({ groupId: rig.name('group'), ...options });
    consumer.subscribe([topic]);
    return consumer;
  };

  it.each(['none', 'gzip', 'snappy', 'snappy-xerial'] as const)(
    'record by record gives all of six partitions once, in order, as produced: compression %s',
    async (compression) => {
      const records = await take(subscribed(await topicOf(compression)), COUNT);
      expectAllOnce(records, COUNT, PARTITIONS);
    },
  );

  it('batch by batch gives the same, at most maxPollRecords at a time', async () => {
    const consumer = subscribed(await topicOf('none'), { maxPollRecords: 70 });
    const records: KafkaRecord[] = [];
    for await (const batch of consumer.batches()) {
      const ofBatch = [...batch];
      expect(ofBatch).toHaveLength(batch.recordCount);
      expect(batch.recordCount).toBeLessThanOrEqual(70);
      expect(batch.firstOffset).toBe(ofBatch[0]?.offset);
      expect(batch.lastOffset).toBe(ofBatch.at(-1)?.offset);
      expect(batch.highWatermark).toBe(COUNT / PARTITIONS);
      expect([...batch].map(({ offset }) => offset)).toEqual(ofBatch.map(({ offset }) => offset));
      records.push(...ofBatch);
      if (records.length === COUNT) break;
    }
    expectAllOnce(records, COUNT, PARTITIONS);
  });

  it('poll() gives the same, at most maxPollRecords in all, and an empty array when there is no more', async () => {
    const consumer = subscribed(await topicOf('gzip'), { maxPollRecords: 500 });
    const records: KafkaRecord[] = [];
    while (records.length < COUNT) {
      const polled: RecordBatch[] = await consumer.poll({ timeoutMs: 10_000 });
      const count = polled.reduce((sum, batch) => sum + batch.recordCount, 0);
      expect(count).toBeGreaterThan(0);
      expect(count).toBeLessThanOrEqual(500);
      expect(new Set(polled.map(({ partition }) => partition)).size).toBeLessThanOrEqual(polled.length);
      for (const batch of polled) records.push(...batch);
    }
    expectAllOnce(records, COUNT, PARTITIONS);
    const before = performance.now();
    expect(await consumer.poll({ timeoutMs: 300 })).toEqual([]);
    expect(performance.now() - before).toBeGreaterThan(250);
  });

  it('with buffers of a few kilobytes, and a record larger than all of them', async () => {
    const large = 'x'.repeat(300_000);
    const topic = await rig.filled(600, {
      partitions: 3,
      batchRecords: 20,
      recordAt: (index) => ({ value: index === 301 ? large : `small ${index}` }),
    });
    const consumer = subscribed(topic, { maxPartitionFetchBytes: 1000, fetchMaxBytes: 2000 });
    const records = await take(consumer, 600);
    for (const offsets of offsetsByPartition(records).values()) expect(offsets).toEqual(upTo(200));
    expect(records.find(({ value }) => value?.length === large.length)?.offset).toBe(100);
  });

  it('hands out what the deserializers make of the bytes', async () => {
    const topic = await rig.filled(3, { recordAt: (index) => ({ key: `k${index}`, value: `{"index":${index}}` }) });
    const consumer = rig.closeLater(
      new Consumer<string | null, { index: number }>({
        ...quick({ bootstrapServers: rig.bootstrapServers }),
        keyDeserializer: (bytes) => bytes?.toString() ?? null,
        valueDeserializer: (bytes) => JSON.parse(bytes?.toString() ?? '') as { index: number },
      }),
    );
    consumer.assign([{ topic, partition: 0 }]);
    const seen: [string | null, number][] = [];
    for await (const { key, value } of consumer) {
      seen.push([key, value.index]);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual([
      ['k0', 0],
      ['k1', 1],
      ['k2', 2],
    ]);
  });
});

describe('partitions assigned by hand', () => {
  const rig = useRig();

  it('without a group: from an offset, the beginning, the end, or where autoOffsetReset says', async () => {
    const topic = await rig.filled(40, { partitions: 4 });
    const consumer = rig.consumer();
    consumer.assign([
      { topic, partition: 0, offset: 7 },
      { topic, partition: 1, offset: 'earliest' },
      { topic, partition: 2, offset: 'latest' },
      { topic, partition: 3 },
    ]);
    expect(consumer.assignment()).toHaveLength(4);
    // Where the end is has to be known before there is more behind it.
    expect(await consumer.position({ topic, partition: 2 })).toBe(10);
    await rig.admin.produce(topic, 2, [{ value: 'new' }]);
    const byPartition = offsetsByPartition(await take(consumer, 3 + 10 + 1 + 10));
    expect(byPartition.get(0)).toEqual([7, 8, 9]);
    expect(byPartition.get(1)).toEqual(upTo(10));
    expect(byPartition.get(2)).toEqual([10]);
    expect(byPartition.get(3)).toEqual(upTo(10));
  });

  it('with a group: from what is committed, and a second assign() replaces the first', async () => {
    const topic = await rig.filled(30, { partitions: 3 });
    const groupId = rig.name('group');
    const first = rig.consumer({ groupId, enableAutoCommit: false });
    first.assign([{ topic, partition: 0 }]);
    await first.commit([{ topic, partition: 0, offset: 4 }]);
    await first.close();

    const second = rig.consumer({ groupId });
    second.assign([{ topic, partition: 0 }]);
    expect((await take(second, 6)).map(({ offset }) => offset)).toEqual(upTo(6, 4));
    second.assign([
      { topic, partition: 1 },
      { topic, partition: 2, offset: 9 },
    ]);
    const byPartition = offsetsByPartition(await take(second, 11));
    expect([...byPartition.keys()].sort()).toEqual([1, 2]);
    expect(byPartition.get(1)).toEqual(upTo(10));
    expect(byPartition.get(2)).toEqual([9]);
  });

  it('unsubscribe() stops it and commits what is finished; subscribe() may follow and begins there', async () => {
    const topic = await rig.filled(10);
    const consumer = rig.consumer({ groupId: rig.name('group') });
    consumer.assign([{ topic, partition: 0, offset: 5 }]);
    await take(consumer, 2);
    consumer.unsubscribe();
    expect(consumer.assignment()).toEqual([]);
    expect(await consumer.poll({ timeoutMs: 200 })).toEqual([]);
    consumer.subscribe([topic]);
    expect((await take(consumer, 4)).map(({ offset }) => offset)).toEqual([6, 7, 8, 9]);
  });
});

describe('offsets that are not there', () => {
  const rig = useRig();

  it('nothing committed and autoOffsetReset none: NoOffsetError, and a seek mends it', async () => {
    const topic = await rig.filled(10);
    const consumer = rig.consumer({ groupId: rig.name('group'), autoOffsetReset: 'none' });
    consumer.subscribe([topic]);
    const error = await failureOf(take(consumer, 1));
    expect(error).toBeInstanceOf(NoOffsetError);
    expect(error).toMatchObject({ topic, partition: 0 });
    consumer.seek({ topic, partition: 0 }, 8);
    expect((await take(consumer, 2)).map(({ offset }) => offset)).toEqual([8, 9]);
  });

  it('an offset beyond the end and autoOffsetReset none: OffsetOutOfRangeError', async () => {
    const topic = await rig.filled(10);
    const consumer = rig.consumer({ autoOffsetReset: 'none' });
    consumer.assign([{ topic, partition: 0, offset: 1000 }]);
    const error = await failureOf(take(consumer, 1));
    expect(error).toBeInstanceOf(OffsetOutOfRangeError);
    expect(error).toMatchObject({ topic, partition: 0, offset: 1000 });
  });

  it('one partition that fails does not stop the other', async () => {
    const topic = await rig.filled(20, { partitions: 2 });
    const consumer = rig.consumer({ autoOffsetReset: 'none' });
    consumer.assign([
      { topic, partition: 0, offset: 1000 },
      { topic, partition: 1, offset: 0 },
    ]);
    const seen: number[] = [];
    const failures: unknown[] = [];
    while (seen.length < 10 || failures.length === 0) {
      try {
        for (const record of await take(consumer, 1)) {
          seen.push(record.offset);
          consumer.markConsumed(record); // or it would come again
        }
      } catch (error) {
        failures.push(error);
      }
    }
    expect(seen).toEqual(upTo(10));
    expect(failures[0]).toBeInstanceOf(OffsetOutOfRangeError);
  });

  it.each([
    ['earliest', 0],
    ['latest', 10],
  ] as const)('an offset beyond the end and autoOffsetReset %s: goes on at %i', async (autoOffsetReset, expected) => {
    const topic = await rig.filled(10);
    const consumer = rig.consumer({ autoOffsetReset });
    consumer.assign([{ topic, partition: 0, offset: 1000 }]);
    const reading = take(consumer, 1);
    // The position is the one asked for until the broker refuses it.
    await waitFor('reset', async () => (await consumer.position({ topic, partition: 0 })) !== 1000);
    await rig.admin.produce(topic, 0, [{ value: 'new' }]);
    expect((await reading)[0]?.offset).toBe(expected);
  });
});

describe('the end of a partition', () => {
  const rig = useRig();

  it('an empty topic: partitionEnd for each partition at once, and again after each new record', async () => {
    const topic = rig.name('topic');
    await rig.admin.createTopic(topic, 2);
    const consumer = rig.consumer({ groupId: rig.name('group') });
    const ends: string[] = [];
    consumer.on('partitionEnd', ({ partition, offset }) => ends.push(`${partition}@${offset}`));
    consumer.subscribe([topic]);
    const reading = take(consumer, 3);
    await waitFor('both ends', () => ends.length >= 2);
    expect(ends.toSorted()).toEqual(['0@0', '1@0']);
    await rig.admin.produce(topic, 1, [{ value: 'a' }, { value: 'b' }]);
    await waitFor('the next end', () => ends.length >= 3);
    await rig.admin.produce(topic, 1, [{ value: 'c' }]);
    consumer.markConsumed(await reading);
    expect(ends.slice(2)).toEqual(['1@2']);
    expect(await consumer.poll({ timeoutMs: 500 })).toEqual([]);
    expect(ends.slice(2)).toEqual(['1@2', '1@3']);
  });

  it('says it behind the last record, not before it was handed out', async () => {
    const topic = await rig.filled(100);
    const consumer = rig.consumer();
    const seen: (number | string)[] = [];
    consumer.on('partitionEnd', ({ offset }) => {
      seen.push(`end ${offset}`);
      void consumer.close();
    });
    consumer.assign([{ topic, partition: 0 }]);
    for await (const { offset } of consumer) seen.push(offset);
    expect(seen).toEqual([...upTo(100), 'end 100']);
  });
});
