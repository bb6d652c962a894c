import { describe, expect, it } from 'vitest';
import type { Consumer } from '../../src/index.ts';
import { soon, T0, take } from './consumer-rig.ts';
import { MockRig } from './mock-rig.ts';

// Commits that meet others: many at a time, and one that cannot succeed beside those that can.

describe('thousands of commitAsync()', () => {
  it('behind a slow answer share a request, and their callbacks come in the order of the calls', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.subscribed({ enableAutoCommit: false });
    await take(consumer, 1);
    let requests = 0;
    rig.kafka.on('request', ({ api }) => (requests += api === 'OffsetCommit' ? 1 : 0));
    rig.kafka.delay('OffsetCommit', 100, { times: 1 });
    const told: number[] = [];
    for (let offset = 1; offset <= 3000; offset++)
      consumer.commitAsync({ ...T0, offset }, (error) => told.push(error === null ? offset : -offset));
    await consumer.commit();
    expect(told).toEqual(Array.from({ length: 3000 }, (_, index) => index + 1));
    expect(rig.committed()).toBe(3000);
    expect(requests).toBeLessThanOrEqual(3);
  });

  it.each(['cooperative-sticky', 'range'] as const)('all end when the group rebalances (%s)', async (strategy) => {
    const rig = await MockRig.start(10, 10);
    const options = { enableAutoCommit: false, partitionAssignmentStrategy: strategy };
    const consumer = rig.subscribed(options);
    await take(consumer, 1);
    rig.kafka.delay('OffsetCommit', 200, { times: 1 });
    let ended = 0;
    for (let offset = 1; offset <= 6000; offset++) consumer.commitAsync({ ...T0, offset }, () => ended++);
    const others = take(rig.subscribed(options), 100).catch(() => undefined);
    const mine = take(consumer, 100).catch(() => undefined);
    await rig.kafka.untilStable('g', 2);
    await soon(() => ended === 6000, 'callbacks');
    await consumer.close();
    void [others, mine];
  });
});

describe('a commit of a topic that was deleted', () => {
  async function withDeleted(options = {}): Promise<{ rig: MockRig; consumer: Consumer; stuck: Promise<unknown> }> {
    const rig = await MockRig.start(10);
    rig.kafka.createTopic('gone', 1);
    const consumer = rig.consumer({ enableAutoCommit: true, ...options });
    consumer.subscribe(['t', 'gone']);
    await take(consumer, 4);
    rig.kafka.deleteTopic('gone');
    const stuck = consumer.commit({ topic: 'gone', partition: 0, offset: 1 }).catch((error: unknown) => error);
    return { rig, consumer, stuck };
  }

  it('holds up neither the automatic commit of other partitions nor close()', async () => {
    const { rig, consumer, stuck } = await withDeleted({ autoCommitIntervalMs: 50 });
    await rig.kafka.untilCommitted('g', { t: { 0: 3 } });
    await consumer.close();
    expect(rig.kafka.group('g').members).toEqual([]);
    expect(await stuck).toMatchObject({ name: 'UNKNOWN_TOPIC_OR_PARTITION' });
  });

  it('holds up no rebalance', async () => {
    const { rig, consumer, stuck } = await withDeleted({ defaultApiTimeoutMs: 600_000 });
    const reading = take(consumer, 100);
    const second = rig.subscribed();
    const others = take(second, 100);
    await rig.kafka.untilStable('g', 2);
    expect(await stuck).toMatchObject({ name: 'UNKNOWN_TOPIC_OR_PARTITION' });
    await Promise.all([consumer.close(), second.close()]);
    await Promise.all([reading, others]);
    expect(rig.committed()).toBe(10);
  });
});

describe('a commit() that is being retried when its partition moves', () => {
  it.each([
    ['consumer protocol', { groupProtocol: 'consumer' as const }],
    ['cooperative-sticky', { partitionAssignmentStrategy: 'cooperative-sticky' as const }],
    ['range', { partitionAssignmentStrategy: 'range' as const }],
  ])('is waited for, so that it never overwrites what the next owner commits (%s)', async (_, protocol) => {
    const rig = await MockRig.start(10, 10);
    const options = { enableAutoCommit: false, ...(protocol as object) };
    const first = rig.consumer({ ...options, clientId: 'first' });
    first.subscribe(['t']);
    let records = 0;
    while (records < 20) for (const batch of await first.poll({ timeoutMs: 500 })) records += batch.recordCount;
    const fault = rig.kafka.fail('OffsetCommit', {
      errorCode: 'COORDINATOR_LOAD_IN_PROGRESS',
      clientId: 'first',
      times: Infinity,
    });
    let isCommitted = false;
    const committing = first.commit().finally(() => (isCommitted = true));
    await fault.untilHit(1);
    const second = rig.consumer(options);
    second.subscribe(['t']);
    while (second.assignment().length !== 1) {
      await first.poll({ timeoutMs: 20 });
      await second.poll({ timeoutMs: 20 });
      if (fault.hits > 3) fault.remove();
    }
    expect(isCommitted).toBe(true);
    await committing;
    expect([rig.committed(0), rig.committed(1)]).toEqual([10, 10]);
  });
});
