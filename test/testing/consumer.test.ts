import { afterEach, describe, expect, it } from 'vitest';
import { Consumer, type ConsumerOptions } from '../../src/index.ts';
import { MockCluster } from '../../src/testing/index.ts';
import { startKafka } from './rig.ts';

// The real consumer on the mock cluster: they share nothing but the codecs, so that they agree is worth something.

const consumers: Consumer[] = [];
afterEach(async () => {
  await Promise.all(consumers.splice(0).map((consumer) => consumer.close({ timeoutMs: 0 })));
});

function consumerOf(kafka: MockCluster, options: Partial<ConsumerOptions> = {}): Consumer {
  const consumer = new Consumer({
    bootstrapServers: kafka.bootstrapServers,
    groupId: 'g',
    autoOffsetReset: 'earliest',
    heartbeatIntervalMs: 20,
    sessionTimeoutMs: 400,
    retryBackoffMs: 5,
    reconnectBackoffMs: 5,
    retryBackoffMaxMs: 50,
    reconnectBackoffMaxMs: 50,
    requestTimeoutMs: 2000,
    logger: null,
    ...options,
  });
  consumer.on('error', () => undefined); // what passes is told, and tried again
  consumers.push(consumer);
  return consumer;
}

/** What several consumers have read, by partition; checked for order while it comes. */
class Seen {
  readonly #next = new Map<string, number>();
  readonly #waiting: { count: number; resolve: () => void }[] = [];
  readonly values = new Map<string, string[]>();
  total = 0;
  repeated = 0;

  /** Reads until the consumer is closed. */
  async read(consumer: Consumer): Promise<void> {
    for await (const record of consumer)
      this.add(`${record.topic}-${record.partition}`, record.offset, record.text() ?? '');
  }

  add(partition: string, offset: number, value: string): void {
    const next = this.#next.get(partition) ?? 0;
    if (offset > next) throw new Error(`${partition}: ${offset} after ${next - 1}`);
    if (offset < next) {
      this.repeated++;
      return;
    }
    this.#next.set(partition, offset + 1);
    this.values.set(partition, [...(this.values.get(partition) ?? []), value]);
    this.total++;
    for (const { count, resolve } of this.#waiting) if (this.total >= count) resolve();
  }

  async until(count: number): Promise<void> {
    if (this.total < count) await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
  }
}

const range = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `${from + index}`);

async function fill(kafka: MockCluster, topic: string, from: number, to: number): Promise<void> {
  const partitions = kafka.endOffsets(topic).length;
  for (let partition = 0; partition < partitions; partition++)
    await kafka.append(topic, partition, range(from, to), { batchRecords: 7 });
}

describe('a test of an application', () => {
  // A busy machine may take longer now and then, but not each time.
  it('takes ten lines, and less than 200 ms', { retry: 5 }, async () => {
    const begin = performance.now();

    await using kafka = await MockCluster.start({ topics: { orders: 1 } });
    await kafka.append('orders', 0, ['one', 'two', 'three']);
    await using consumer = new Consumer({
      bootstrapServers: kafka.bootstrapServers,
      groupId: 'billing',
      autoOffsetReset: 'earliest',
    });
    consumer.subscribe(['orders']);
    const billed: string[] = [];
    for await (const record of consumer) {
      billed.push(record.text() ?? '');
      if (billed.length === 3) break;
    }
    await consumer.commit([{ topic: 'orders', partition: 0, offset: 3 }]);
    expect(billed).toEqual(['one', 'two', 'three']);
    expect(kafka.committed('billing')).toEqual({ orders: { 0: 3 } });

    expect(performance.now() - begin).toBeLessThan(200);
  });
});

describe('a group', () => {
  it('of two reads everything once, and commits it', async () => {
    const kafka = await startKafka({ brokers: 3, topics: { t: 6 } });
    await fill(kafka, 't', 0, 50);
    const seen = new Seen();
    const pair = [consumerOf(kafka), consumerOf(kafka)];
    for (const consumer of pair) consumer.subscribe(['t']);
    const loops = pair.map((consumer) => seen.read(consumer));
    await kafka.untilStable('g', 2);
    expect(kafka.members('g').map(({ assignment }) => assignment.length)).toEqual([3, 3]);
    await seen.until(300);
    await Promise.all(pair.map((consumer) => consumer.close()));
    await Promise.all(loops);
    await kafka.untilStable('g', 0);
    expect(kafka.committed('g')).toEqual({ t: { 0: 50, 1: 50, 2: 50, 3: 50, 4: 50, 5: 50 } });
    expect(seen.repeated).toBe(0);
  });

  it('goes on when one more comes, when one leaves, and when one dies', async () => {
    const kafka = await startKafka({ brokers: 3, topics: { t: 6 } });
    await fill(kafka, 't', 0, 20);
    const seen = new Seen();
    const [a, b, c] = [consumerOf(kafka), consumerOf(kafka), consumerOf(kafka, { clientId: 'mortal' })];
    a.subscribe(['t']);
    void seen.read(a);
    await kafka.untilStable('g', 1);
    await seen.until(120);
    for (const consumer of [b, c]) {
      consumer.subscribe(['t']);
      void seen.read(consumer);
    }
    await kafka.untilStable('g', 3);
    await fill(kafka, 't', 20, 40);
    await seen.until(240);
    await b.close();
    await kafka.untilStable('g', 2);
    // Killed: nothing of it arrives any more, so it does not leave.
    kafka.faults.add({ clientId: 'mortal', drop: true, on: 'arrival', times: Infinity });
    kafka.broker(1).disconnectAll();
    kafka.broker(2).disconnectAll();
    kafka.broker(3).disconnectAll();
    await kafka.untilStable('g', 1);
    await fill(kafka, 't', 40, 60);
    await seen.until(360);
    await a.commit();
    await kafka.untilCommitted('g', { t: { 0: 60, 5: 60 } });
  });

  it('finds its coordinator wherever it goes, also in the middle of a rebalance', async () => {
    const kafka = await startKafka({ brokers: 3, topics: { t: 4 } });
    const seen = new Seen();
    const pair = [consumerOf(kafka), consumerOf(kafka)];
    for (const consumer of pair) consumer.subscribe(['t']);
    for (const consumer of pair) void seen.read(consumer);
    await kafka.untilStable('g', 2);
    for (const node of [1, 2, 3, 1]) {
      kafka.moveCoordinator('g', node);
      await fill(kafka, 't', kafka.endOffsets('t')[0] ?? 0, (kafka.endOffsets('t')[0] ?? 0) + 10);
      await seen.until(4 * (kafka.endOffsets('t')[0] ?? 0));
      await Promise.all(pair.map((consumer) => consumer.commit()));
      expect(kafka.committed('g')).toEqual({
        t: Object.fromEntries([0, 1, 2, 3].map((each) => [each, kafka.endOffsets('t')[0]])),
      });
    }
    const third = consumerOf(kafka);
    third.subscribe(['t']);
    void seen.read(third);
    await kafka.untilGroup('g', ({ state }) => state === 'PreparingRebalance');
    kafka.moveCoordinator('g', 2);
    await kafka.untilStable('g', 3);
  });

  it('survives brokers that go down and come back', async () => {
    const kafka = await startKafka({ brokers: 3, topics: { t: 6 } });
    const seen = new Seen();
    const pair = [consumerOf(kafka), consumerOf(kafka)];
    for (const consumer of pair) consumer.subscribe(['t']);
    for (const consumer of pair) void seen.read(consumer);
    await kafka.untilStable('g', 2);
    for (const node of [1, 2, 3]) {
      await kafka.broker(node).stop();
      await fill(kafka, 't', (node - 1) * 10, node * 10);
      await seen.until(node * 60);
      await kafka.broker(node).start();
    }
    await kafka.untilStable('g', 2);
  });

  it('survives a broker that answers nothing for a while', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { t: 2 } });
    kafka.moveCoordinator('g', 2);
    const seen = new Seen();
    const consumer = consumerOf(kafka, { requestTimeoutMs: 300 });
    consumer.subscribe(['t']);
    void seen.read(consumer);
    await kafka.untilStable('g', 1);
    kafka.broker(1).freeze();
    await fill(kafka, 't', 0, 10);
    await seen.until(10);
    kafka.broker(1).thaw();
    await seen.until(20);
  });

  it.each(['JoinGroup', 'SyncGroup', 'Heartbeat', 'OffsetFetch', 'FindCoordinator', 'Metadata', 'ListOffsets'])(
    'survives errors, closed connections and cut answers of %s',
    async (api) => {
      const kafka = await startKafka({ brokers: 2, topics: { t: 2 } });
      const faults = [
        kafka.fail(api, {
          errorCode: api === 'Metadata' || api === 'ListOffsets' ? 'LEADER_NOT_AVAILABLE' : 'COORDINATOR_NOT_AVAILABLE',
        }),
        kafka.drop(api, { after: 1 }),
        kafka.cut(api, 9, { after: 2 }),
        kafka.drop(api, { after: 3, on: 'arrival' }),
      ];
      const seen = new Seen();
      const consumer = consumerOf(kafka);
      consumer.subscribe(['t']);
      void seen.read(consumer);
      if (api === 'FindCoordinator' || api === 'Heartbeat') {
        for (const [index, fault] of faults.entries()) {
          await kafka.untilStable('g', 1);
          if (api === 'FindCoordinator') kafka.moveCoordinator('g', 1 + (index % 2));
          await fault.untilHit();
        }
      }
      await kafka.untilStable('g', 1);
      await fill(kafka, 't', 0, 10);
      await seen.until(20);
      await consumer.commit();
      expect(kafka.committed('g')).toEqual({ t: { 0: 10, 1: 10 } });
      expect(faults[0]?.hits).toBe(1);
    },
  );

  it('commits through errors, and a lost answer costs nothing', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    await fill(kafka, 't', 0, 3);
    const consumer = consumerOf(kafka, { enableAutoCommit: false });
    consumer.subscribe(['t']);
    const seen = new Seen();
    void seen.read(consumer);
    await seen.until(3);
    kafka.fail('OffsetCommit', { errorCode: 'COORDINATOR_LOAD_IN_PROGRESS', times: 2 });
    kafka.drop('OffsetCommit', { after: 2 });
    kafka.fail('OffsetCommit', { errorCode: 'REQUEST_TIMED_OUT', after: 3, on: 'answer' });
    await consumer.commit([{ topic: 't', partition: 0, offset: 3 }]);
    expect(kafka.committed('g')).toEqual({ t: { 0: 3 } });
  });
});

describe('reading', () => {
  it.each(['2.1', '2.4', '2.8', '3.0', '3.5', '3.9', '4.0'])('from brokers of %s', async (versions) => {
    const kafka = await startKafka({ brokers: 2, topics: { t: 2 }, versions });
    await fill(kafka, 't', 0, 20);
    const seen = new Seen();
    const consumer = consumerOf(kafka);
    consumer.subscribe(['t']);
    const loop = seen.read(consumer);
    await seen.until(40);
    await consumer.close();
    await loop;
    expect(kafka.committed('g')).toEqual({ t: { 0: 20, 1: 20 } });
  });

  it('goes on through leaders that move and every error of Fetch that passes', async () => {
    const kafka = await startKafka({ brokers: 3, topics: { t: 3 } });
    const seen = new Seen();
    const consumer = consumerOf(kafka, { fetchMaxWaitMs: 20 });
    consumer.subscribe(['t']);
    void seen.read(consumer);
    await kafka.untilStable('g', 1);
    let end = 0;
    const more = async (): Promise<void> => {
      await fill(kafka, 't', end, end + 10);
      end += 10;
      await seen.until(3 * end);
    };
    await more();
    for (const node of [2, 3, 1]) {
      for (const partition of [0, 1, 2]) kafka.moveLeader('t', partition, node);
      await more();
    }
    for (const errorCode of [
      'NOT_LEADER_OR_FOLLOWER',
      'REPLICA_NOT_AVAILABLE',
      'KAFKA_STORAGE_ERROR',
      'FENCED_LEADER_EPOCH',
      'UNKNOWN_LEADER_EPOCH',
      'OFFSET_NOT_AVAILABLE',
      'UNKNOWN_TOPIC_OR_PARTITION',
      'UNKNOWN_TOPIC_ID',
      'INCONSISTENT_TOPIC_ID',
    ] as const) {
      const fault = kafka.fail('Fetch', { errorCode, topic: 't', partition: 1 });
      await fault.untilHit();
      await more();
    }
    for (const fault of [
      kafka.drop('Fetch'),
      kafka.cut('Fetch', 20, { after: 1 }),
      kafka.duplicate('Fetch', { after: 2 }),
      kafka.throttle('Fetch', 10, { times: 3, after: 3 }),
      kafka.delay('Fetch', 30, { times: 3, after: 3 }),
    ]) {
      await more();
      await fault.untilHit();
    }
    await more();
    expect(seen.values.get('t-1')).toEqual(range(0, end));
  });

  it('reads committed transactions only', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    await kafka.append('t', 0, ['aborted'], { transaction: 'abort' });
    await kafka.append('t', 0, ['committed'], { transaction: 'commit', compression: 'zstd' });
    await kafka.append('t', 0, ['open'], { transaction: 'open' });
    const consumer = consumerOf(kafka, { isolationLevel: 'read_committed' });
    consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
    const values: (string | null)[] = [];
    for await (const record of consumer) {
      values.push(record.text());
      if (values.length === 1) kafka.endTransaction('t', 0, 'commit');
      else break;
    }
    expect(values).toEqual(['committed', 'open']);
  });

  it('skips what compaction has removed, and begins anew where retention has', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    const keyed = range(0, 20).map((value, index) => ({ key: `${index % 3}`, value }));
    await kafka.append('t', 0, keyed, { batchRecords: 5 });
    kafka.compact('t', 0);
    kafka.deleteRecords('t', 0, 2);
    const consumer = consumerOf(kafka);
    consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
    const offsets: number[] = [];
    for await (const record of consumer) {
      offsets.push(record.offset);
      if (record.offset === 19) break;
    }
    expect(offsets).toEqual([15, 16, 17, 18, 19]);
  });
});
