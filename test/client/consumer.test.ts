import { describe, expect, it } from 'vitest';
import type { KafkaError } from '../../src/index.ts';
import { fetch } from '../../src/protocol/api/fetch.ts';
import { findCoordinator } from '../../src/protocol/api/find-coordinator.ts';
import { heartbeat } from '../../src/protocol/api/heartbeat.ts';
import { joinGroup } from '../../src/protocol/api/join-group.ts';
import { leaveGroup } from '../../src/protocol/api/leave-group.ts';
import { metadata } from '../../src/protocol/api/metadata.ts';
import { offsetFetch } from '../../src/protocol/api/offset-fetch.ts';
import { silence } from '../network/scripted-broker.ts';
import { consumerOf, soon, start, T0, take, timed } from './consumer-rig.ts';
import { MockRig } from './mock-rig.ts';
import { offsetsOf } from './partition-rig.ts';
import { matching } from '../harness/matching.ts';

/** A JoinGroup response with nothing in it. */
const JOIN_REFUSED = {
  throttleTimeMs: 0,
  generationId: -1,
  protocolType: null,
  protocolName: null,
  leader: '',
  skipAssignment: false,
  memberId: '',
  members: [],
};

describe('a group', () => {
  it('an automatic commit covers no batch that is still being handled', async () => {
    const kafka = await start(5);
    const consumer = consumerOf(kafka, { autoCommitIntervalMs: 20 });
    consumer.subscribe(['t']);
    const iterator = consumer.batches();
    const { value } = await iterator.next();
    expect(value?.recordCount).toBe(5);
    // The position that reading began at may be committed; the batch may not.
    const beats = kafka.broker.count(heartbeat);
    await soon(() => kafka.broker.count(heartbeat) > beats + 3, 'some heartbeats');
    expect(kafka.committed.get(0) ?? 0).toBe(0);
    const next = iterator.next();
    await soon(() => kafka.committed.get(0) === 5, 'commit of the batch');
    await consumer.close();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it('poll() and commit() while a rebalance waits for what poll() gave', async () => {
    const kafka = await start(5);
    const consumer = consumerOf(kafka, { enableAutoCommit: false });
    consumer.subscribe(['t']);
    const [first] = await consumer.poll({ timeoutMs: 5000 });
    expect(first?.recordCount).toBe(5);
    kafka.rebalance();
    await soon(() => consumer.assignment().length === 0, 'revocation');
    const joins = kafka.broker.count(joinGroup);
    await consumer.commit();
    await soon(() => kafka.broker.count(joinGroup) > joins, 'rejoin');
    expect(kafka.committed.get(0)).toBe(5);
  });

  it('what is finished is committed before the rejoin, and reading goes on there', async () => {
    const kafka = await start(5);
    const consumer = consumerOf(kafka, { autoCommitIntervalMs: 60_000 });
    const events: string[] = [];
    consumer.on('assigned', () => events.push('assigned'));
    consumer.on('revoked', () => events.push('revoked'));
    consumer.subscribe(['t'], { onRevoked: () => consumer.commit(), onAssigned: () => consumer.commit() });
    const offsets: number[] = [];
    for await (const { offset } of consumer) {
      offsets.push(offset);
      if (offset === 2 && events.length === 1) {
        kafka.rebalance();
        await soon(() => consumer.assignment().length === 0, 'revocation');
      }
      if (offset === 4) break;
    }
    expect(offsets).toEqual([0, 1, 2, 3, 4]);
    expect(events).toEqual(['assigned', 'revoked', 'assigned']);
  });

  it('thrown out: onLost, in which a commit fails at once; then everything goes on', async () => {
    const kafka = await start(5);
    const { broker } = kafka;
    const consumer = consumerOf(kafka, { enableAutoCommit: false });
    const failures: KafkaError[] = [];
    consumer.subscribe(['t'], {
      onLost: async () => {
        await consumer.commit([{ ...T0, offset: 1 }]).catch((error: KafkaError) => failures.push(error));
      },
    });
    await take(consumer, 2);
    broker.on(heartbeat, () => ({ throttleTimeMs: 0, errorCode: 25 }));
    const reading = consumer.poll({ timeoutMs: 5000 });
    await soon(() => failures.length === 1, 'onLost');
    broker.on(heartbeat, () => ({ throttleTimeMs: 0, errorCode: 0 }));
    expect(failures[0]).toMatchObject({ name: 'UNKNOWN_MEMBER_ID' });
    expect((await reading).length + (await consumer.poll({ timeoutMs: 5000 })).length).toBeGreaterThan(0);
  });

  it('position() ends when the assignment goes away', async () => {
    const kafka = await start(5);
    kafka.broker.on(offsetFetch, ({ groups }) => {
      const loading = groups.map(({ groupId }) => ({ groupId, errorCode: 14, topics: [] }));
      return { throttleTimeMs: 0, errorCode: 0, topics: [], groups: loading };
    });
    const consumer = consumerOf(kafka);
    consumer.subscribe(['t']);
    const reading = consumer.poll({ timeoutMs: 60_000 });
    await soon(() => kafka.broker.count(offsetFetch) > 0, 'look-up of the position');
    const position = expect(consumer.position(T0)).rejects.toMatchObject({ name: 'NotAssignedError' });
    kafka.rebalance();
    await position;
    await consumer.close();
    await reading;
  });

  it('unsubscribe() and assign() in one breath', async () => {
    const kafka = await start(5);
    const consumer = consumerOf(kafka, { autoCommitIntervalMs: 60_000 });
    consumer.subscribe(['t']);
    expect(await take(consumer, 3)).toEqual([0, 1, 2]);
    consumer.unsubscribe();
    consumer.assign([{ ...T0, offset: 4 }]);
    expect(await take(consumer, 1)).toEqual([4]);
    expect(kafka.committed.get(0)).toBe(2);
    expect(kafka.broker.count(leaveGroup)).toBe(1);
  });
});

describe('without a group', () => {
  it('reads what is assigned, seeks, pauses, and tells the end', async () => {
    const kafka = await start(30, 2);
    const consumer = consumerOf(kafka, { isAlone: true });
    const ends: number[] = [];
    consumer.on('partitionEnd', ({ offset }) => ends.push(offset));
    consumer.assign([{ ...T0, offset: 25 }]);
    expect(await take(consumer, 5)).toEqual([25, 26, 27, 28, 29]);
    consumer.seek(T0, 3);
    expect(await consumer.position(T0)).toBe(3);
    expect((await consumer.poll()).flatMap(offsetsOf)[0]).toBe(3);
    consumer.seekToEnd();
    expect(await consumer.position(T0)).toBe(30);
    expect(await consumer.poll({ timeoutMs: 100 })).toEqual([]);
    expect(ends.at(-1)).toBe(30);
    consumer.seekToBeginning();
    consumer.pause();
    expect(await consumer.poll({ timeoutMs: 100 })).toEqual([]);
    consumer.resume();
    expect((await consumer.poll({ timeoutMs: 5000 })).flatMap(offsetsOf)[0]).toBe(0);
    await expect(consumer.commit([{ ...T0, offset: 1 }])).rejects.toMatchObject({ name: 'ConfigError' });
  });

  it('with a groupId: commits in nobody’s name, also before anything is assigned, and when the assignment is replaced', async () => {
    const kafka = await start(5, 5);
    const consumer = consumerOf(kafka, { autoCommitIntervalMs: 60_000 });
    await consumer.commit([{ topic: 't', partition: 1, offset: 4 }]);
    const commits = kafka.broker.received.filter(({ api }) => api === 'OffsetCommit');
    expect(commits[0]?.body).toMatchObject({ memberId: '', generationIdOrMemberEpoch: -1 });
    consumer.assign([T0]);
    expect(await take(consumer, 3)).toEqual([0, 1, 2]);
    consumer.assign([{ topic: 't', partition: 1 }]);
    expect(await take(consumer, 1)).toEqual([4]);
    await soon(() => kafka.committed.get(0) === 2, 'commit of what was finished');
    await consumer.close();
  });

  it('goes on by itself after the broker was gone', async () => {
    const kafka = await start(5);
    const consumer = consumerOf(kafka, { isAlone: true, reconnectBackoffMs: 10, retryBackoffMs: 10 });
    consumer.assign([T0]);
    expect(await take(consumer, 5)).toEqual([0, 1, 2, 3, 4]);
    const errors: KafkaError[] = [];
    consumer.on('error', (error) => errors.push(error));
    await kafka.broker.stop();
    const reading = take(consumer, 3);
    await soon(() => errors.length > 0, 'error');
    kafka.counts[0] = 7;
    await kafka.broker.listen();
    expect(await reading).toEqual([4, 5, 6]); // 4 was in hand
  });
});

describe('calls have an end', () => {
  it('committed(), position() and commit() when nobody answers', async () => {
    const kafka = await start(5);
    const { broker } = kafka;
    broker.on(findCoordinator, silence);
    const consumer = consumerOf(kafka, { defaultApiTimeoutMs: 150 });
    consumer.assign([T0]);
    const timeout = { name: 'RequestTimeoutError' };
    const calls = [consumer.committed([T0]), consumer.position(T0), consumer.commit([{ ...T0, offset: 1 }])];
    const duration = await timed(Promise.all(calls.map((call) => expect(call).rejects.toMatchObject(timeout))));
    expect(duration).toBeLessThan(1500);
  });

  it('a fatal error reaches the read, and every call after it', async () => {
    const kafka = await start(5);
    kafka.broker.on(joinGroup, () => ({ ...JOIN_REFUSED, errorCode: 30 }));
    const consumer = consumerOf(kafka);
    consumer.subscribe(['t']);
    const denied = { name: 'GROUP_AUTHORIZATION_FAILED' };
    await expect(take(consumer, 1)).rejects.toMatchObject(denied);
    await expect(consumer.poll()).rejects.toMatchObject(denied);
    await expect(consumer.commit([{ ...T0, offset: 1 }])).rejects.toMatchObject(denied);
    await consumer.close();
  });

  it('an error of a topic reaches every read while it stands, and no commit', async () => {
    const kafka = await start(5);
    kafka.broker.on(metadata, (request) => {
      const answer = kafka.broker.describe(request);
      return { ...answer, topics: answer.topics.map((topic) => ({ ...topic, errorCode: 29, partitions: [] })) };
    });
    const consumer = consumerOf(kafka);
    consumer.subscribe(['t']);
    const denied = { name: 'TOPIC_AUTHORIZATION_FAILED', message: matching(/'t'/) };
    await expect(take(consumer, 1)).rejects.toMatchObject(denied);
    await expect(consumer.poll()).rejects.toMatchObject(denied);
    await consumer.commit([{ ...T0, offset: 1 }]);
    expect(kafka.committed.get(0)).toBe(1);
    await consumer.close();
  });

  it('a logger and listeners that throw end nothing', async () => {
    const kafka = await start(5);
    const bad = (): never => {
      throw new Error('bad day');
    };
    const consumer = consumerOf(kafka, { logger: { debug: bad, info: bad, warn: bad, error: bad } });
    for (const name of ['assigned', 'log', 'committed', 'partitionEnd'] as const) consumer.on(name, bad);
    consumer.subscribe(['t']);
    expect(await take(consumer, 5)).toHaveLength(5);
    await consumer.close();
    expect(kafka.broker.count(fetch)).toBeGreaterThan(0);
  });
});

it('subscribe([]) unsubscribes', async () => {
  const rig = await MockRig.start(3);
  const consumer = rig.subscribed();
  await rig.kafka.untilStable('g', 1);
  consumer.subscribe([]);
  await rig.kafka.untilStable('g', 0);
  expect([consumer.subscription(), consumer.assignment()]).toEqual([[], []]);
});

it('resume() resumes what is paused, also while other paused partitions are being given back', async () => {
  const rig = await MockRig.start(3, 3);
  const consumer = rig.subscribed();
  const iterator = consumer[Symbol.asyncIterator]();
  const { value } = await iterator.next();
  consumer.pause();
  expect(consumer.paused()).toHaveLength(2);
  consumer.unsubscribe();
  // What the loop has in hand is waited for: it is not assigned any more, and not gone.
  expect([consumer.assignment(), consumer.paused(), value?.topic]).toEqual([[], [], 't']);
  consumer.resume();
  await iterator.return?.();
});

it('seek() says that what poll() gave is not finished, also while it is being given back', async () => {
  const rig = await MockRig.start(20, 20);
  const consumer = rig.subscribed({ partitionAssignmentStrategy: 'range', autoCommitIntervalMs: 10 });
  const polled = await consumer.poll({ timeoutMs: 10_000 });
  rig.subscribed({ partitionAssignmentStrategy: 'range' });
  await soon(() => consumer.assignment().length === 0, 'the revocation');
  for (const { topic, partition } of polled) consumer.seek({ topic, partition }, 1);
  const next = await consumer.poll({ timeoutMs: 10_000 });
  // Either member may be given either partition: nothing after what was sought is committed before it comes again.
  expect(next[0]?.firstOffset).toBeLessThanOrEqual(1);
  for (const { partition } of polled) expect(rig.committed(partition) ?? 0).toBeLessThanOrEqual(1);
});
