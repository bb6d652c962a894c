import { afterEach, describe, expect, it } from 'vitest';
import { Consumer } from '../../src/index.ts';
import type { FindCoordinatorResponse } from '../../src/protocol/api/find-coordinator.ts';
import { MockCluster } from '../../src/testing/index.ts';
import { until } from '../harness/waiting.ts';
import { deadlineFor } from './consumption.ts';
import { MISDEEDS, type Misdeed } from './misdeeds.ts';
import { HostilePeer } from './peer.ts';

const RECORDS = 20;
const SOME = MISDEEDS.filter(({ name }) => /^silence|2 GiB|whole|reset in|HTTP|nobody asked/.test(name));

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Broker 1 has the records; broker 2, behind the peer, the group. */
async function start(
  misdeed: Misdeed,
): Promise<{ kafka: MockCluster; peer: HostilePeer; consumer: Consumer; told: string[] }> {
  const kafka = await MockCluster.start({ brokers: 2, topics: { t: 1 } });
  cleanups.push(() => kafka.close());
  kafka.moveLeader('t', 0, 1);
  kafka.moveCoordinator('g', 2);
  const peer = await HostilePeer.before(kafka.broker(2).address);
  cleanups.push(() => peer.close());
  kafka.faults.add({
    api: 'FindCoordinator',
    times: Infinity,
    answer: (response: FindCoordinatorResponse) => advertised(response, peer),
  });
  const consumer = new Consumer({
    bootstrapServers: kafka.broker(1).address,
    groupId: 'g',
    autoOffsetReset: 'earliest',
    requestTimeoutMs: deadlineFor(misdeed),
    heartbeatIntervalMs: 50,
    fetchMaxWaitMs: 50,
    retryBackoffMs: 20,
    logger: null,
  });
  cleanups.push(() => consumer.close({ timeoutMs: 1000 }));
  const told: string[] = [];
  consumer.on('error', ({ name }) => told.push(name));
  consumer.on('log', ({ message }) => told.push(message));
  return { kafka, peer, consumer, told };
}

function advertised(response: FindCoordinatorResponse, { host, port }: HostilePeer): FindCoordinatorResponse {
  const coordinators = response.coordinators.map((found) => (found.nodeId === 2 ? { ...found, host, port } : found));
  return { ...response, coordinators };
}

function readInto(consumer: Consumer, offsets: number[]): void {
  const reading = (async (): Promise<void> => {
    for await (const { offset } of consumer) offsets.push(offset);
  })();
  cleanups.push(() => reading); // ends by close(), which is registered after it and so called before
  cleanups.push(() => consumer.close({ timeoutMs: 1000 }));
}

const values = Array.from({ length: RECORDS }, (_, index) => `value ${index}`);
const soon = (what: string, condition: () => boolean): Promise<void> =>
  until(condition, { what, timeoutMs: 20_000, intervalMs: 5 });

describe.each(SOME.map((misdeed) => [misdeed.name, misdeed] as const))(
  'a coordinator that sends %s',
  { timeout: 60_000 },
  (_, misdeed) => {
    it('from the beginning: the member joins as soon as another broker coordinates', async () => {
      const { kafka, peer, consumer, told } = await start(misdeed);
      await kafka.append('t', 0, values);
      peer.misdeed = misdeed;
      peer.spared = ['ApiVersions'];
      consumer.subscribe(['t']);
      const offsets: number[] = [];
      readInto(consumer, offsets);
      await soon('misdeeds', () => peer.misdeeds >= 2);
      const tried = peer.connections;
      kafka.moveCoordinator('g', 1);
      await soon('records', () => offsets.length === RECORDS);
      await consumer.commit();
      expect(offsets).toEqual(values.map((_value, index) => index));
      expect(tried).toBeLessThan(10);
      expect(told.length).toBeGreaterThan(0);
    });

    it('while the group is stable: reading goes on, and nothing comes twice', async () => {
      const { kafka, peer, consumer } = await start(misdeed);
      await kafka.append('t', 0, values);
      consumer.subscribe(['t']);
      const offsets: number[] = [];
      readInto(consumer, offsets);
      await soon('records', () => offsets.length === RECORDS);
      peer.misdeed = misdeed;
      peer.spared = ['ApiVersions'];
      await soon('misdeeds', () => peer.misdeeds >= 2);
      await kafka.append('t', 0, values);
      await soon('records while the coordinator is of no use', () => offsets.length === 2 * RECORDS);
      kafka.moveCoordinator('g', 1);
      await consumer.commit();
      await kafka.untilCommitted('g', { t: { 0: 2 * RECORDS - 1 } });
      expect(offsets).toEqual([...values, ...values].map((_value, index) => index));
    });
  },
);
