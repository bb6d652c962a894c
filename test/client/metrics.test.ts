import { afterEach, expect, it } from 'vitest';
import { Consumer, type ConsumerMetrics, type ConsumerOptions } from '../../src/index.ts';
import { FetchMeter } from '../../src/fetch/meter.ts';
import { MockCluster } from '../../src/testing/index.ts';
import { soon } from './consumer-rig.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const T0 = { topic: 't', partition: 0 };
const T1 = { topic: 't', partition: 1 };

async function start(options: Partial<ConsumerOptions> = {}): Promise<{ kafka: MockCluster; consumer: Consumer }> {
  const kafka = await MockCluster.start({ brokers: 2, topics: { t: 2 } });
  cleanups.push(() => kafka.close());
  const consumer = new Consumer({
    bootstrapServers: kafka.bootstrapServers,
    autoOffsetReset: 'earliest',
    fetchMaxWaitMs: 20,
    logger: null,
    ...options,
  });
  cleanups.push(() => consumer.close({ timeoutMs: 0 }));
  return { kafka, consumer };
}

/** Up to this offset, which is done as well. */
async function readTo(consumer: Consumer, last: number): Promise<void> {
  for await (const record of consumer) {
    if (record.offset < last) continue;
    consumer.markConsumed(record);
    return;
  }
}

const values = (count: number): string[] => Array.from({ length: count }, (_, i) => `value ${i}`);

it('lag() is what is left up to the end, partition by partition, and null while nothing is known', async () => {
  const { kafka, consumer } = await start();
  await kafka.append('t', 0, values(10));
  consumer.assign([T0, T1]);
  expect(consumer.lag([T0])).toEqual([{ ...T0, position: null, endOffset: null, lag: null, error: null }]);
  await readTo(consumer, 3);
  expect(consumer.lag([T0])).toEqual([{ ...T0, position: 4, endOffset: 10, lag: 6, error: null }]);
  await soon(() => consumer.lag([T1])[0]?.lag === 0, 'the empty partition');
  expect(consumer.lag()).toHaveLength(2);
  expect(consumer.lag([{ topic: 'other', partition: 0 }])[0]).toMatchObject({ lag: null });
});

it('lag by isolation level: an open transaction is the end for read_committed', async () => {
  for (const [isolationLevel, lag] of [
    ['read_committed', 4],
    ['read_uncommitted', 7],
  ] as const) {
    const { kafka, consumer } = await start({ isolationLevel });
    await kafka.append('t', 0, values(5));
    await kafka.append('t', 0, values(3), { transaction: 'open' });
    consumer.assign([{ ...T0, offset: 1 }]);
    await soon(() => consumer.lag()[0]?.lag === lag, `a lag of ${lag}`);
  }
});

it('metrics() counts what went over the wire, by partition and by broker', async () => {
  const { kafka, consumer } = await start();
  await kafka.append('t', 0, values(1000));
  consumer.assign([T0, T1]);
  await readTo(consumer, 499);
  const metrics = consumer.metrics();
  const [t0] = metrics.partitions;
  expect(t0).toMatchObject({ ...T0, position: 500, endOffset: 1000, lag: 500, isPaused: false });
  expect(t0).toMatchObject({ fetchedRecords: 1000, nodeId: kafka.leaderOf('t', 0) });
  expect(t0?.fetchedBytes).toBeGreaterThan(10_000);
  expect(t0?.bufferedBytes).toBe(t0?.fetchedBytes); // the one answer is given back when its last batch is open
  expect(t0?.recordsPerSecond).toBeGreaterThan(50);
  expect(t0?.fetchLatencyMs).toBeGreaterThan(0);
  const leader = metrics.brokers.find(({ nodeId }) => nodeId === kafka.leaderOf('t', 0));
  expect(leader?.bytesIn).toBeGreaterThan(t0?.fetchedBytes ?? Infinity);
  expect(leader?.bytesOut).toBeGreaterThan(50);
  expect(leader?.requests).toBeGreaterThan(1);
  expect(leader?.connections).toBeGreaterThan(0);
  expect(metrics).toMatchObject({ clientId: 'samsa', group: null });
});

it('what went over a connection that is gone still counts', async () => {
  const { kafka, consumer } = await start({ reconnectBackoffMs: 1, retryBackoffMs: 1 });
  consumer.assign([T0]);
  await kafka.append('t', 0, values(10));
  await readTo(consumer, 9);
  const node = kafka.leaderOf('t', 0);
  const of = (): number => consumer.metrics().brokers.find(({ nodeId }) => nodeId === node)?.requests ?? 0;
  const before = of();
  const fault = kafka.drop('Fetch');
  await fault.untilHit(1);
  await soon(() => of() > before + 3, 'more requests');
});

it('a broker whose node id is unknown has none, before anything is read', async () => {
  const { consumer } = await start();
  expect(consumer.metrics()).toMatchObject({ partitions: [], brokers: [], lag: 0, bufferedBytes: 0 });
});

it('stats comes every statisticsIntervalMs, with the same; never by default', async () => {
  const { kafka, consumer } = await start({ statisticsIntervalMs: 10, groupId: 'g' });
  const stats: ConsumerMetrics[] = [];
  consumer.on('stats', (each) => stats.push(each));
  await kafka.append('t', 0, values(10));
  consumer.assign([T0]);
  await readTo(consumer, 4);
  await soon(() => stats.length > 3 && stats.at(-1)?.lag === 5, 'stats');
  expect(stats.at(-1)).toMatchObject({ group: { groupId: 'g', memberId: '', generation: -1 } });
});

it('of a group: how many rebalances there were, and how long they took', async () => {
  const { consumer } = await start({ groupId: 'g', heartbeatIntervalMs: 20 });
  expect(consumer.metrics().group).toMatchObject({ rebalances: 0, rebalanceMs: 0, lastRebalanceMs: null });
  const told: number[] = [];
  consumer.on('rebalance', ({ durationMs }) => told.push(durationMs));
  consumer.subscribe('t');
  await soon(() => told.length === 1, 'the first');
  consumer.subscribe(['t', 'other']);
  await soon(() => told.length === 2, 'the second');
  const [first = NaN, second = NaN] = told;
  const expected = { rebalances: 2, rebalanceMs: first + second, lastRebalanceMs: second };
  expect(consumer.metrics().group).toMatchObject({ ...expected, generation: 2 });
});

it('rates fade: a third is left after ten seconds', () => {
  const meter = new FetchMeter();
  expect([meter.latencyMs, meter.bytesPerSecond(0)]).toEqual([-1, 0]);
  for (let now = 0; now <= 60_000; now += 100) meter.add(1000, 10, 5, now);
  expect(meter.bytesPerSecond(60_000)).toBeCloseTo(10_000, -3);
  expect(meter.recordsPerSecond(60_000)).toBeCloseTo(100, -1);
  expect(meter.bytesPerSecond(70_000) / meter.bytesPerSecond(60_000)).toBeCloseTo(1 / Math.E);
  expect(meter.latencyMs).toBe(5);
  expect(meter.records).toBe(6010);
});
