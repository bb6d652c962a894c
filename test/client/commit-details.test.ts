import { describe, expect, it } from 'vitest';
import { soon, T0, take } from './consumer-rig.ts';
import { MockRig } from './mock-rig.ts';

describe('metadata', () => {
  it('belongs to the offset that it was given for: a later one is committed without it', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.subscribed({ autoCommitIntervalMs: 50 });
    await consumer.read();
    await consumer.read();
    await consumer.commit({ ...T0, offset: 2, metadata: 'state of 2' });
    expect(rig.kafka.commits('g')).toMatchObject([{ offset: 2, metadata: 'state of 2' }]);
    await take(consumer, 5);
    await rig.kafka.untilCommitted('g', { t: { 0: 6 } });
    expect(rig.kafka.commits('g')).toMatchObject([{ offset: 6, metadata: '' }]);
  });

  it('of an offset that is marked is committed with it', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.subscribed();
    await consumer.poll({ timeoutMs: 5000 });
    consumer.markConsumed({ ...T0, offset: 4, metadata: 'mine' });
    expect(rig.kafka.commits('g')).toEqual([]);
    await consumer.close();
    expect(rig.kafka.commits('g')).toMatchObject([{ offset: 4, metadata: 'mine' }]);
  });

  it('null is none: what committed() gives may be committed again', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.subscribed({ enableAutoCommit: false });
    await consumer.read();
    await consumer.commit({ ...T0, offset: 1, metadata: null });
    expect(rig.kafka.commits('g')).toMatchObject([{ offset: 1, metadata: '' }]);
    await expect(consumer.commit({ ...T0, offset: 1, metadata: 7 as never })).rejects.toThrow(/metadata/);
  });
});

it('the automatic commit of a topic that was deleted waits for its interval, without a word', async () => {
  const rig = await MockRig.start(10);
  rig.kafka.createTopic('u', 1);
  const consumer = rig.subscribed({
    partitionAssignmentStrategy: 'cooperative-sticky',
    retryBackoffMs: 1,
    retryBackoffMaxMs: 1,
  });
  const lines: string[] = [];
  consumer.on('log', ({ level, message }) => {
    if (level !== 'debug' && message.includes('automatic commit')) lines.push(message);
  });
  await take(consumer, 6);
  // As the coordinator says it until its members hear of the deletion.
  const fault = rig.kafka.fail('OffsetCommit', { errorCode: 'UNKNOWN_TOPIC_OR_PARTITION', times: Infinity });
  consumer.subscribe(['t', 'u']); // a rebalance, and so a commit; the next one is due in a minute
  const reading = take(consumer, 100);
  await fault.untilHit(1);
  for (let i = 0; i < 30; i++) await consumer.committed([T0]); // thirty back-offs at least
  expect(fault.hits).toBe(1);
  expect(lines).toEqual([]);
  fault.remove();
  await consumer.close();
  await reading;
});

it.each(['classic', 'consumer'] as const)(
  'a subscription that only adds partitions is an occasion to commit (%s)',
  async (groupProtocol) => {
    const rig = await MockRig.start(10);
    rig.kafka.createTopic('u', 1);
    const consumer = rig.subscribed({
      groupProtocol,
      ...(groupProtocol === 'classic' ? { partitionAssignmentStrategy: 'cooperative-sticky' as const } : {}),
    });
    await take(consumer, 6);
    consumer.subscribe(['t', 'u']);
    const reading = take(consumer, 100);
    await soon(() => consumer.assignment().length === 2, 'the second topic');
    await soon(() => (rig.committed() ?? 0) >= 5, 'commit'); // not after autoCommitIntervalMs, a minute
    await consumer.close();
    await reading;
  },
);

it.each(['classic', 'consumer'] as const)(
  'after unsubscribe() commits are in nobody’s name (%s)',
  async (groupProtocol) => {
    const rig = await MockRig.start(10);
    const consumer = rig.subscribed({
      enableAutoCommit: false,
      groupProtocol,
    });
    await take(consumer, 2);
    const sent: unknown[] = [];
    rig.kafka.on('request', ({ api, body }) => {
      const { generationIdOrMemberEpoch, memberId } = body as Record<string, unknown>;
      if (api === 'OffsetCommit') sent.push([generationIdOrMemberEpoch, memberId]);
    });
    consumer.unsubscribe();
    await soon(() => rig.kafka.group('g').members.length === 0, 'leave');
    await soon(() => consumer.groupMetadata().generationId === -1, 'no generation');
    await consumer.commit({ ...T0, offset: 1 });
    expect(sent).toEqual([[-1, '']]);
    expect(rig.committed()).toBe(1);
  },
);

describe('committed()', () => {
  it.each(['UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_SERVER_ERROR', 'COORDINATOR_LOAD_IN_PROGRESS'] as const)(
    '%s is no answer: asked again',
    async (errorCode) => {
      const rig = await MockRig.start(10);
      const consumer = rig.subscribed({ enableAutoCommit: false });
      await take(consumer, 1);
      await consumer.commit({ ...T0, offset: 3 });
      rig.kafka.fail('OffsetFetch', { errorCode, times: 2 });
      expect(await consumer.committed([T0])).toMatchObject([{ offset: 3 }]);
    },
  );

  it('rejects where it is refused, and names the partition', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.subscribed({ enableAutoCommit: false });
    await take(consumer, 1);
    rig.kafka.fail('OffsetFetch', { errorCode: 'TOPIC_AUTHORIZATION_FAILED', topic: 't' });
    await expect(consumer.committed([T0])).rejects.toMatchObject({ name: 'TOPIC_AUTHORIZATION_FAILED' });
  });
});
