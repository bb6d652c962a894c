import { afterEach, describe, expect, it, vi } from 'vitest';
import { Fetcher } from '../../src/fetch/fetcher.ts';
import { Consumer, type ConsumerOptions, type PositionReset } from '../../src/index.ts';
import { MockCluster, type MockClusterOptions } from '../../src/testing/index.ts';
import { soon } from './consumer-rig.ts';

// The whole consumer on the mock cluster: sessions, leaders that move, followers, truncation, topics made again.

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function cluster(options: MockClusterOptions): Promise<MockCluster> {
  const kafka = await MockCluster.start(options);
  cleanups.push(() => kafka.close());
  return kafka;
}

function consumerOf(kafka: MockCluster, options: Partial<ConsumerOptions> = {}): Consumer {
  const consumer = new Consumer({
    bootstrapServers: kafka.bootstrapServers,
    autoOffsetReset: 'earliest',
    fetchMaxWaitMs: 50,
    logger: null,
    ...options,
  });
  cleanups.push(() => consumer.close({ timeoutMs: 0 }));
  return consumer;
}

const values = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => `v${from + i}`);

async function take(consumer: Consumer, count: number): Promise<string[]> {
  const texts: string[] = [];
  for await (const record of consumer) {
    texts.push(`${record.partition}@${record.offset}=${record.text()}`);
    if (texts.length < count) continue;
    consumer.markConsumed(record); // or the next one would begin with it
    break;
  }
  return texts;
}

const expected = (partition: number, from: number, count: number, first = from): string[] =>
  Array.from({ length: count }, (_, i) => `${partition}@${from + i}=v${first + i}`);

describe.each(['newest', '2.1', '2.8', '3.0'])('brokers of version %s', (version) => {
  const versions = version === 'newest' ? {} : { versions: version };

  it('records come in order through leader moves', async () => {
    const kafka = await cluster({ brokers: 3, topics: { t: 2 }, ...versions });
    const consumer = consumerOf(kafka);
    consumer.assign([
      { topic: 't', partition: 0 },
      { topic: 't', partition: 1 },
    ]);
    const offsets: number[][] = [[], []];
    for (let round = 0; round < 6; round++) {
      for (const partition of [0, 1]) {
        await kafka.append('t', partition, values(round * 10, 10));
        kafka.moveLeader('t', partition, 1 + ((round + partition) % 3));
      }
      for (const text of await take(consumer, 20)) {
        const [partition, offset, value] = text.split(/[@=]/);
        offsets[Number(partition)]?.push(Number(offset));
        expect(value).toBe(`v${offset}`);
      }
    }
    const all = Array.from({ length: 60 }, (_, offset) => offset);
    expect(offsets).toEqual([all, all]);
  });

  it('a topic that was deleted and made again is read from its beginning', async () => {
    const kafka = await cluster({ brokers: 1, topics: { t: 1 }, ...versions });
    await kafka.append('t', 0, values(0, 20));
    const consumer = consumerOf(kafka, { retryBackoffMs: 10 });
    consumer.assign([{ topic: 't', partition: 0 }]);
    expect(await take(consumer, 20)).toEqual(expected(0, 0, 20));
    kafka.deleteTopic('t');
    kafka.createTopic('t', 1);
    await kafka.append('t', 0, values(100, 5));
    expect(await take(consumer, 5)).toEqual(expected(0, 0, 5, 100));
  });
});

it('a session: what has not changed is not said again', async () => {
  const kafka = await cluster({ brokers: 1, topics: { t: 100 } });
  const sizes: number[] = [];
  kafka.on('request', ({ api, body }) => {
    if (api !== 'Fetch') return;
    const { topics } = body as { topics: { partitions: unknown[] }[] };
    sizes.push(topics.reduce((sum, { partitions }) => sum + partitions.length, 0));
  });
  const consumer = consumerOf(kafka, { fetchMaxWaitMs: 5 });
  consumer.assign(Array.from({ length: 100 }, (_, partition) => ({ topic: 't', partition, offset: 0 })));
  const reading = take(consumer, 1);
  await soon(() => sizes.length > 5, 'fetches');
  await kafka.append('t', 7, ['v0']);
  expect(await reading).toEqual(['7@0=v0']);
  expect(sizes[0]).toBe(100);
  expect(Math.max(...sizes.slice(1))).toBeLessThanOrEqual(1);
});

it('the end is told again after a seek to it, though the broker has nothing new to say', async () => {
  const kafka = await cluster({ brokers: 1, topics: { t: 1 } });
  await kafka.append('t', 0, values(0, 3));
  const consumer = consumerOf(kafka, { fetchMaxWaitMs: 5 });
  const ends: number[] = [];
  consumer.on('partitionEnd', ({ offset }) => ends.push(offset));
  consumer.assign([{ topic: 't', partition: 0 }]);
  await take(consumer, 3);
  while (ends.length < 1) await consumer.poll({ timeoutMs: 5 });
  for (let i = 0; i < 10; i++) await consumer.poll({ timeoutMs: 5 });
  expect(ends).toEqual([3]);
  consumer.seek({ topic: 't', partition: 0 }, 3);
  while (ends.length < 2) await consumer.poll({ timeoutMs: 5 });
  expect(ends).toEqual([3, 3]);
});

it.each([70, 71, 106])('session error %i: a new session, nothing lost', async (code) => {
  const kafka = await cluster({ brokers: 1, topics: { t: 1 } });
  await kafka.append('t', 0, values(0, 10));
  const consumer = consumerOf(kafka);
  consumer.assign([{ topic: 't', partition: 0 }]);
  await take(consumer, 10);
  const fault = kafka.fail('Fetch', { errorCode: code });
  await kafka.append('t', 0, values(10, 10));
  expect(await take(consumer, 10)).toEqual(expected(0, 10, 10));
  await fault.untilHit(1);
});

it('the new leader that the answer names is asked without metadata', async () => {
  const kafka = await cluster({ brokers: 2, topics: { t: 1 } });
  await kafka.append('t', 0, values(0, 10));
  const consumer = consumerOf(kafka, { retryBackoffMs: 60_000, retryBackoffMaxMs: 60_000 });
  consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
  await take(consumer, 10);
  kafka.delay('Metadata', 60_000);
  const leader = kafka.leaderOf('t', 0);
  kafka.moveLeader('t', 0, 3 - leader);
  await kafka.append('t', 0, values(10, 10));
  expect(await take(consumer, 10)).toEqual(expected(0, 10, 10));
});

it('reads from the follower in its rack, and from the leader when that is gone', async () => {
  const kafka = await cluster({
    brokers: [{ rack: 'a' }, { rack: 'b' }],
    topics: { t: { partitions: 1, replicationFactor: 2 } },
    rackAwareFetch: true,
  });
  await kafka.append('t', 0, values(0, 10));
  const leader = kafka.leaderOf('t', 0);
  const served = new Map<number, number>();
  kafka.on('request', ({ api, broker }) => {
    if (api === 'Fetch') served.set(broker, (served.get(broker) ?? 0) + 1);
  });
  const consumer = consumerOf(kafka, { clientRack: leader === 1 ? 'b' : 'a', retryBackoffMs: 10 });
  consumer.assign([{ topic: 't', partition: 0 }]);
  expect(await take(consumer, 10)).toEqual(expected(0, 0, 10));
  await soon(() => (served.get(3 - leader) ?? 0) > 2, 'fetches from the follower');
  expect(served.get(leader)).toBe(1);
  await kafka.broker(3 - leader).stop();
  await kafka.append('t', 0, values(10, 10));
  expect(await take(consumer, 10)).toEqual(expected(0, 10, 10));
});

describe('an unclean election cuts the log off', () => {
  it('goes back there, and says so', async () => {
    const kafka = await cluster({ brokers: 2, topics: { t: 1 } });
    await kafka.append('t', 0, values(0, 20));
    const consumer = consumerOf(kafka, { retryBackoffMs: 10 });
    const resets: PositionReset[] = [];
    consumer.on('positionReset', (reset) => resets.push(reset));
    consumer.assign([{ topic: 't', partition: 0 }]);
    await take(consumer, 20);
    kafka.truncate('t', 0, 15);
    await kafka.append('t', 0, values(100, 10));
    expect(await take(consumer, 10)).toEqual(expected(0, 15, 10, 100));
    expect(resets).toEqual([{ topic: 't', partition: 0, from: 20, to: 15, reason: 'truncated' }]);
  });

  it('policy none: LogTruncationError at the read', async () => {
    const kafka = await cluster({ brokers: 2, topics: { t: 1 } });
    await kafka.append('t', 0, values(0, 20));
    const consumer = consumerOf(kafka, { retryBackoffMs: 10, autoOffsetReset: 'none' });
    consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
    await take(consumer, 20);
    kafka.truncate('t', 0, 15);
    await kafka.append('t', 0, values(100, 10));
    await expect(take(consumer, 1)).rejects.toMatchObject({
      name: 'LogTruncationError',
      offset: 20,
      divergentOffset: 15,
    });
    consumer.seek({ topic: 't', partition: 0 }, 15);
    expect(await take(consumer, 1)).toEqual(['0@15=v100']);
  });
});

it('by_duration begins with the first record that is young enough', async () => {
  const kafka = await cluster({ brokers: 1, topics: { t: 1 } });
  const now = Date.now();
  await kafka.append('t', 0, [
    { value: 'v0', timestamp: now - 7_200_000 },
    { value: 'v1', timestamp: now - 1_800_000 },
    { value: 'v2', timestamp: now },
  ]);
  const consumer = consumerOf(kafka, { autoOffsetReset: 'by_duration:PT1H' });
  consumer.assign([{ topic: 't', partition: 0 }]);
  expect(await take(consumer, 2)).toEqual(['0@1=v1', '0@2=v2']);
});

it('offsetsForTimes knows the newest timestamp by name', async () => {
  const kafka = await cluster({ brokers: 1, topics: { t: 1 } });
  await kafka.append('t', 0, [
    { value: 'v0', timestamp: 1000 },
    { value: 'v1', timestamp: 3000 },
    { value: 'v2', timestamp: 2000 },
  ]);
  const consumer = consumerOf(kafka);
  const asked = [{ topic: 't', partition: 0, timestamp: 'max' as const }];
  expect(await consumer.offsetsForTimes(asked)).toEqual([
    { topic: 't', partition: 0, offset: 1, timestamp: 3000, leaderEpoch: 0 },
  ]);
  const old = consumerOf(await cluster({ brokers: 1, topics: { t: 1 }, versions: '2.8' }));
  await expect(old.offsetsForTimes(asked)).rejects.toMatchObject({ name: 'UnsupportedVersionError' });
});

it('a topic made again is read from its beginning, whoever learns of it first, and its old positions are not committed', async () => {
  const kafka = await cluster({ brokers: 1, topics: { t: 1 } });
  await kafka.append('t', 0, values(0, 5));
  const consumer = consumerOf(kafka, { retryBackoffMs: 10, maxPollRecords: 3 });
  const resets: PositionReset[] = [];
  consumer.on('positionReset', (reset) => resets.push(reset));
  consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
  const [batch] = await consumer.poll({ timeoutMs: 10_000 });
  expect(batch?.lastOffset).toBe(2);
  consumer.pause([{ topic: 't', partition: 0 }]);
  kafka.deleteTopic('t');
  kafka.createTopic('t', 1);
  await kafka.append('t', 0, values(100, 10));
  expect(await consumer.endOffsets([{ topic: 't', partition: 0 }])).toMatchObject([{ offset: 10 }]);
  consumer.resume([{ topic: 't', partition: 0 }]);
  await soon(() => resets.length > 0, 'the reset');
  expect(await take(consumer, 10)).toEqual(expected(0, 0, 10, 100));
  expect(resets).toMatchObject([{ to: 0, reason: 'topicRecreated' }]);
});

it('a leader whose machine goes dark holds nothing back once another one leads', async () => {
  const kafka = await cluster({ brokers: 2, topics: { t: 1 } });
  await kafka.append('t', 0, values(0, 10));
  // A request that is never answered would hold the partition for a minute.
  const consumer = consumerOf(kafka, { retryBackoffMs: 10, metadataMaxAgeMs: 50, requestTimeoutMs: 60_000 });
  consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
  await take(consumer, 10);
  const leader = kafka.leaderOf('t', 0);
  const dark = kafka.faults.add({ api: 'Fetch', broker: leader, silent: true, times: Infinity });
  await dark.untilHit(1);
  kafka.moveLeader('t', 0, 3 - leader);
  await kafka.append('t', 0, values(10, 10));
  expect(await take(consumer, 10)).toEqual(expected(0, 10, 10));
});

it('a batch that no frame may hold: its partition fails and says which option, the others go on', async () => {
  const kafka = await cluster({ brokers: 1, topics: { t: 3 } });
  await kafka.append('t', 1, ['x'.repeat(300_000)]);
  const consumer = consumerOf(kafka, {
    retryBackoffMs: 10,
    receiveMessageMaxBytes: 200_000,
    fetchMaxBytes: 100_000,
    maxPartitionFetchBytes: 100_000,
  });
  consumer.assign([0, 1, 2].map((partition) => ({ topic: 't', partition, offset: 0 })));
  for (const partition of [0, 2]) await kafka.append('t', partition, values(0, 3));
  const read: string[] = [];
  const errors: unknown[] = [];
  while (read.length < 6 || errors.length < 1) {
    try {
      const record = await consumer.read({ timeoutMs: 50 });
      if (record !== null) read.push(`${record.partition}@${record.offset}`);
    } catch (error) {
      errors.push(error);
    }
  }
  expect(read.sort()).toEqual(['0@0', '0@1', '0@2', '2@0', '2@1', '2@2']);
  expect(errors[0]).toMatchObject({ name: 'RecordTooLargeError', partition: 1 });
  expect(String(errors[0])).toContain('receiveMessageMaxBytes');
});

it('handlers that are stuck with full buffers hold back no other partition', async () => {
  const kafka = await cluster({ brokers: 1, topics: { t: 3 } });
  for (const partition of [0, 1])
    await kafka.append('t', partition, Array(100).fill('x'.repeat(1000)) as string[], { batchRecords: 5 });
  const consumer = consumerOf(kafka, { fetchMaxBytes: 20_000, maxPartitionFetchBytes: 10_000 });
  consumer.assign([0, 1, 2].map((partition) => ({ topic: 't', partition, offset: 0 })));
  let free = 0;
  const stuck = new Set<number>();
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const ended = consumer.forEach(
    async ({ partition }) => {
      if (partition === 2) free++;
      else {
        stuck.add(partition);
        await held;
      }
    },
    { concurrency: 8 },
  );
  await soon(() => stuck.size === 2 && consumer.metrics().bufferedBytes > 10_000, 'full buffers');
  await kafka.append('t', 2, values(0, 3));
  await soon(() => free === 3, 'the free partition');
  release();
  await consumer.close();
  await ended;
});

it('a partition that does not exist is told', async () => {
  const kafka = await cluster({ brokers: 1, topics: { t: 1 } });
  const consumer = consumerOf(kafka);
  const errors: unknown[] = [];
  consumer.on('error', (error) => errors.push(error));
  consumer.assign([{ topic: 't', partition: 7, offset: 0 }]);
  await soon(() => errors.length > 0, 'the error');
  expect(errors).toMatchObject([{ code: 3 }]);
  expect(String(errors[0])).toMatch(/t-7 does not exist: topic 't' has 1 partitions/);
});

it('pause, resume and seek of each partition by itself cost one look at all of them, not one each', async () => {
  const kafka = await cluster({ brokers: 1, topics: { t: 300 } });
  const partitions = Array.from({ length: 300 }, (_, partition) => ({ topic: 't', partition }));
  for (const { partition } of partitions) await kafka.append('t', partition, ['v0', 'v1']);
  const consumer = consumerOf(kafka);
  consumer.assign(partitions.map((each) => ({ ...each, offset: 0 })));
  await soon(() => consumer.metrics().partitions.every(({ bufferedBytes }) => bufferedBytes > 0), 'all buffers');
  const plan = vi.spyOn(Fetcher.prototype, 'plan');
  try {
    for (const each of partitions) consumer.pause([each]);
    for (const each of partitions) consumer.resume([each]);
    for (const each of partitions) consumer.seek(each, 1);
    expect(plan).not.toHaveBeenCalled();
  } finally {
    plan.mockRestore();
  }
  const read = await take(consumer, 300);
  expect(new Set(read)).toEqual(new Set(partitions.map(({ partition }) => `${partition}@1=v1`)));
});
