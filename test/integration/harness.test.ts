import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { TestAdmin } from '../harness/admin.ts';
import { javaConsoleConsumer } from '../harness/kafka-tools.ts';

// The tests' own tools, checked by Kafka's: what `TestAdmin` writes, the Java consumer must read.
describe('the harness', () => {
  const broker = inject('broker');
  let admin: TestAdmin;

  beforeAll(async () => {
    admin = await TestAdmin.connect(broker.bootstrapServers);
  });
  afterAll(() => admin.close());

  it.each(['none', 'gzip', 'snappy', 'snappy-xerial'] as const)(
    'writes records that the Java consumer reads: compression %s',
    async (compression) => {
      const topic = `harness-${compression}-${randomUUID()}`;
      await admin.createTopic(topic, 2);
      const records = [
        { key: 'k1', value: 'first', headers: [['trace', 'a']] as const, timestamp: 1_700_000_000_000 },
        { key: null, value: 'Žluťoučký kůň', timestamp: 1_699_999_999_999 },
        { key: Buffer.from('k3'), value: 'x'.repeat(300), timestamp: 1_700_000_000_777 },
      ];
      expect(await admin.produce(topic, 1, records, { compression })).toBe(0);
      expect(await admin.produce(topic, 1, [{ value: null, timestamp: 1 }], { compression })).toBe(3);
      expect(await admin.endOffsets(topic)).toEqual([0, 4]);

      const print = { 'print.key': 'true', 'print.timestamp': 'true', 'print.headers': 'true', 'print.offset': 'true' };
      const consumer = await javaConsoleConsumer(broker, { topic, fromBeginning: true, maxMessages: 4, print });
      expect(await consumer.untilEnd()).toEqual([
        'CreateTime:1700000000000\tOffset:0\ttrace:a\tk1\tfirst',
        'CreateTime:1699999999999\tOffset:1\tNO_HEADERS\tnull\tŽluťoučký kůň',
        `CreateTime:1700000000777\tOffset:2\tNO_HEADERS\tk3\t${'x'.repeat(300)}`,
        'CreateTime:1\tOffset:3\tNO_HEADERS\tnull\tnull',
      ]);
    },
  );

  it('fills all partitions evenly and in order', async () => {
    const topic = `harness-fill-${randomUUID()}`;
    await admin.createTopic(topic, 3);
    await admin.fill(topic, 10, (index) => ({ value: `record ${index}` }), { batchRecords: 2 });
    expect(await admin.endOffsets(topic)).toEqual([4, 3, 3]);
    const print = { 'print.partition': 'true' };
    const consumer = await javaConsoleConsumer(broker, { topic, fromBeginning: true, maxMessages: 10, print });
    const lines = await consumer.untilEnd();
    const ofPartition = (partition: number) => lines.filter((line) => line.startsWith(`Partition:${partition}\t`));
    const expected = (partition: number) =>
      Array.from({ length: 10 }, (_, index) => index)
        .filter((index) => index % 3 === partition)
        .map((index) => `Partition:${partition}\trecord ${index}`);
    for (const partition of [0, 1, 2]) expect(ofPartition(partition)).toEqual(expected(partition));
  });

  it('refuses a topic that exists', async () => {
    const topic = `harness-twice-${randomUUID()}`;
    await admin.createTopic(topic);
    await expect(admin.createTopic(topic)).rejects.toThrow(/TOPIC_ALREADY_EXISTS/);
  });
});
