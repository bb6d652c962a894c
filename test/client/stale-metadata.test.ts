import { afterEach, describe, expect, it, vi } from 'vitest';
import { Consumer, type ConsumerOptions } from '../../src/index.ts';
import type { MetadataResponse } from '../../src/protocol/api/metadata.ts';
import { MockCluster } from '../../src/testing/index.ts';

// One of three brokers goes on saying what was so before the leader changed; the others know better.

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Rig {
  kafka: MockCluster;
  consumer: Consumer;
}

/** Broker 3 leads; broker 1, the only bootstrap server, is where metadata was asked for so far. */
async function start(versions: string | undefined, options: Partial<ConsumerOptions> = {}): Promise<Rig> {
  const kafka = await MockCluster.start({
    brokers: 3,
    topics: { t: { partitions: 1, replicationFactor: 3 } },
    ...(versions === undefined ? {} : { versions }),
  });
  cleanups.push(() => kafka.close());
  kafka.moveLeader('t', 0, 3);
  await kafka.append('t', 0, ['before']);
  const consumer = new Consumer({
    bootstrapServers: kafka.broker(1).address,
    fetchMaxWaitMs: 50,
    retryBackoffMs: 20,
    logger: null,
    ...options,
  });
  cleanups.push(() => consumer.close({ timeoutMs: 0 }));
  consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
  expect((await consumer.read({ timeoutMs: 20_000 }))?.text()).toBe('before');
  return { kafka, consumer };
}

/** Broker 1 will say for ever what it says now. */
async function freezeMetadata(kafka: MockCluster, consumer: Consumer): Promise<void> {
  let old: MetadataResponse['topics'] | undefined;
  const stale = kafka.faults.add({
    api: 'Metadata',
    broker: 1,
    times: Infinity,
    answer: (response: MetadataResponse) => ({ ...response, topics: (old ??= response.topics) }),
  });
  await consumer.partitionsFor('t');
  await stale.untilHit();
}

describe('a broker whose metadata is out of date', () => {
  it('is found out where the old leader sends the consumer away without a hint', async () => {
    const { kafka, consumer } = await start('3.5');
    await freezeMetadata(kafka, consumer);
    kafka.moveLeader('t', 0, 2);
    await kafka.append('t', 0, ['after']);
    expect((await consumer.read({ timeoutMs: 20_000 }))?.text()).toBe('after');
  });

  it('is found out where the old leader is gone', async () => {
    const { kafka, consumer } = await start(undefined);
    await freezeMetadata(kafka, consumer);
    await kafka.broker(3).stop();
    await kafka.append('t', 0, ['after']);
    expect((await consumer.read({ timeoutMs: 20_000 }))?.text()).toBe('after');
  });
});

it.each(['without a group', 'in a group'])(
  'the first bootstrap server accepts connections and is silent: reading begins with the others, %s',
  async (kind) => {
    const kafka = await MockCluster.start({ brokers: 3, topics: { t: 3 } });
    cleanups.push(() => kafka.close());
    for (const partition of [0, 1, 2]) kafka.moveLeader('t', partition, 2);
    kafka.moveCoordinator('g', 3);
    for (const partition of [0, 1, 2]) await kafka.append('t', partition, ['a']);
    kafka.broker(1).freeze();
    vi.spyOn(Math, 'random').mockReturnValue(0.999); // in the order of the list
    const isGroup = kind === 'in a group';
    const consumer = new Consumer({
      bootstrapServers: kafka.bootstrapServers,
      autoOffsetReset: 'earliest',
      requestTimeoutMs: 600_000,
      socketConnectionSetupTimeoutMs: 600_000,
      heartbeatIntervalMs: 100,
      logger: null,
      ...(isGroup ? { groupId: 'g' } : {}),
    });
    cleanups.push(() => consumer.close({ timeoutMs: 0 }));
    if (isGroup) consumer.subscribe(['t']);
    else consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
    expect((await consumer.read({ timeoutMs: 20_000 }))?.text()).toBe('a');
  },
);
