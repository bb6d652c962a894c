import { afterEach, expect, it } from 'vitest';
import { Consumer } from '../../src/index.ts';
import { MockCluster } from '../../src/testing/index.ts';

// A broker that takes connections and requests and answers nothing, as a process that was stopped. No deadline of a request helps here.

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(): Promise<{ kafka: MockCluster; consumer: Consumer }> {
  const kafka = await MockCluster.start({ brokers: 3, topics: { t: { partitions: 1, replicationFactor: 3 } } });
  cleanups.push(() => kafka.close());
  kafka.moveLeader('t', 0, 1);
  kafka.moveCoordinator('g', 2);
  await kafka.append('t', 0, ['before']);
  const consumer = new Consumer({
    bootstrapServers: kafka.bootstrapServers,
    groupId: 'g',
    autoOffsetReset: 'earliest',
    enableAutoCommit: false,
    requestTimeoutMs: 600_000,
    socketConnectionSetupTimeoutMs: 600_000,
    sessionTimeoutMs: 600_000,
    heartbeatIntervalMs: 100,
    fetchMaxWaitMs: 50,
    logger: null,
  });
  cleanups.push(() => consumer.close({ timeoutMs: 0 }));
  consumer.subscribe(['t']);
  expect((await consumer.read({ timeoutMs: 20_000 }))?.text()).toBe('before');
  return { kafka, consumer };
}

it('as the coordinator is left when another broker has taken over', async () => {
  const { kafka, consumer } = await start();
  kafka.broker(2).freeze();
  kafka.moveCoordinator('g', 3);
  const lost: unknown[] = [];
  consumer.on('lost', (partitions) => lost.push(partitions));
  await consumer.commit();
  expect(kafka.committed('g')).toEqual({ t: { 0: 1 } });
  expect(lost).toEqual([]);
});

it('as the leader is left when another broker leads', async () => {
  const { kafka, consumer } = await start();
  kafka.broker(1).freeze();
  kafka.moveLeader('t', 0, 3);
  await kafka.append('t', 0, ['after']);
  expect((await consumer.read({ timeoutMs: 25_000 }))?.text()).toBe('after');
});
