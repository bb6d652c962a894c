import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Consumer, type ConsumerOptions, type KafkaError } from '../../src/index.ts';
import { fetch } from '../../src/protocol/api/fetch.ts';
import { findCoordinator } from '../../src/protocol/api/find-coordinator.ts';
import { heartbeat } from '../../src/protocol/api/heartbeat.ts';
import { joinGroup } from '../../src/protocol/api/join-group.ts';
import { leaveGroup } from '../../src/protocol/api/leave-group.ts';
import { metadata } from '../../src/protocol/api/metadata.ts';
import { offsetCommit } from '../../src/protocol/api/offset-commit.ts';
import { offsetFetch } from '../../src/protocol/api/offset-fetch.ts';
import { until } from '../harness/waiting.ts';
import { silence } from '../network/scripted-broker.ts';
import { offsetsOf } from './partition-rig.ts';
import { startScriptedKafka, type ScriptedKafka } from './scripted-kafka.ts';

const T0 = { topic: 't', partition: 0 };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(...counts: number[]): Promise<ScriptedKafka> {
  const kafka = await startScriptedKafka(...counts);
  cleanups.push(() => kafka.broker.stop());
  return kafka;
}

interface TestOptions extends Partial<ConsumerOptions> {
  /** Without a group. */
  isAlone?: boolean;
}

function consumerOf(kafka: ScriptedKafka | number, { isAlone = false, ...options }: TestOptions = {}): Consumer {
  const port = typeof kafka === 'number' ? kafka : kafka.broker.port;
  const consumer = new Consumer({
    bootstrapServers: `127.0.0.1:${port}`,
    ...(isAlone ? {} : { groupId: 'g' }),
    autoOffsetReset: 'earliest',
    heartbeatIntervalMs: 30,
    fetchMaxWaitMs: 50,
    logger: null,
    ...options,
  });
  cleanups.push(() => consumer.close({ timeoutMs: 0 }));
  return consumer;
}

async function soon(condition: () => boolean, what: string): Promise<void> {
  await until(condition, { what, timeoutMs: 5000, intervalMs: 5 });
}

/** How long it takes. */
async function timed(work: Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work;
  return performance.now() - begin;
}

async function take(consumer: Consumer, count: number): Promise<number[]> {
  const offsets: number[] = [];
  for await (const record of consumer) {
    offsets.push(record.offset);
    if (offsets.length === count) break;
  }
  return offsets;
}

/** Open sockets and timers of this process; the test runner has some of its own. */
function handles(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'Timeout').length;
}

describe('close()', () => {
  it('before anything', async () => {
    for (const groupId of ['g', undefined]) {
      const consumer = new Consumer({ bootstrapServers: 'localhost:1', ...(groupId === undefined ? {} : { groupId }) });
      expect(await timed(consumer.close())).toBeLessThan(500);
    }
  });

  it('with a dead host, an unreachable port, a broker that says nothing: at once, and nothing is left', async () => {
    const silent = net.createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    cleanups.push(() => silent.close());
    for (const port of [1, (silent.address() as net.AddressInfo).port]) {
      const before = handles();
      const consumer = consumerOf(port);
      const errors: KafkaError[] = [];
      consumer.on('error', (error) => errors.push(error));
      consumer.subscribe(['t']);
      const reading = consumer.poll({ timeoutMs: 60_000 });
      const positions = [consumer.committed([T0]), consumer.endOffsets([T0])].map((call) =>
        call.catch((error: KafkaError) => error.name),
      );
      if (port === 1) await soon(() => errors.length > 0, 'error');
      expect(await timed(consumer.close())).toBeLessThan(1000);
      expect(await reading).toEqual([]);
      expect(await Promise.all(positions)).toHaveLength(2);
      await soon(() => handles() <= before + 1, 'end of all sockets and timers');
    }
  });

  it('while the group is being joined: leaves it', async () => {
    const kafka = await start(5);
    const { broker } = kafka;
    let joins = 0;
    broker.on(joinGroup, (request) => {
      joins++;
      if (request.memberId !== '') return undefined; // holds the answer back, as for a rebalance
      const none = { protocolType: null, protocolName: '', leader: '', skipAssignment: false, members: [] };
      return { throttleTimeMs: 0, errorCode: 79, generationId: -1, memberId: 'member-1', ...none };
    });
    const consumer = consumerOf(kafka);
    consumer.subscribe(['t']);
    await soon(() => joins === 2, 'second JoinGroup');
    expect(await timed(consumer.close())).toBeLessThan(1000);
    expect(broker.received.find(({ api }) => api === 'LeaveGroup')?.body).toMatchObject({
      members: [{ memberId: 'member-1' }],
    });
    await soon(() => broker.sockets.size === 0, 'end of all connections');
  });

  it('twice, and at once: the same end', async () => {
    const kafka = await start(5);
    const consumer = consumerOf(kafka);
    consumer.subscribe(['t']);
    await take(consumer, 2);
    await Promise.all([consumer.close(), consumer.close()]);
    await consumer.close();
    expect(kafka.broker.count(leaveGroup)).toBe(1);
  });

  it('commits what is finished, tells the listener, leaves, closes, in this order', async () => {
    const kafka = await start(5);
    const consumer = consumerOf(kafka, { autoCommitIntervalMs: 60_000 });
    const revoked: number[] = [];
    consumer.subscribe(['t'], {
      onRevoked: () => revoked.push(kafka.broker.count(offsetCommit), kafka.broker.count(leaveGroup)),
    });
    expect(await take(consumer, 3)).toEqual([0, 1, 2]);
    await consumer.close();
    expect(revoked).toEqual([1, 0]);
    expect(kafka.committed.get(0)).toBe(2); // the third was in hand at the break
    expect(kafka.broker.count(leaveGroup)).toBe(1);
    await soon(() => kafka.broker.sockets.size === 0, 'end of all connections');
  });

  it('with something in hand for ever: the rest is committed and the group left all the same', async () => {
    const kafka = await start(5);
    const warnings: string[] = [];
    const consumer = consumerOf(kafka, { autoCommitIntervalMs: 60_000 });
    consumer.on('log', ({ level, message }) => level === 'warn' && warnings.push(message));
    consumer.subscribe(['t']);
    const iterator = consumer[Symbol.asyncIterator]();
    await iterator.next();
    await iterator.next();
    expect(await timed(consumer.close({ timeoutMs: 5200 }))).toBeLessThan(2000);
    expect(warnings.join()).toMatch(/close\(\) waits for the loop to finish what it holds/);
    expect(kafka.committed.get(0)).toBe(1);
    expect(kafka.broker.count(leaveGroup)).toBe(1);
  });

  it('after poll() does not wait for another one; without commit() what that gave is not finished', async () => {
    for (const commits of [true, false]) {
      const kafka = await start(5);
      const consumer = consumerOf(kafka, { autoCommitIntervalMs: 60_000, maxPollRecords: 2 });
      consumer.subscribe(['t']);
      await consumer.poll({ timeoutMs: 5000 });
      await consumer.poll({ timeoutMs: 5000 });
      if (commits) await consumer.commit();
      expect(await timed(consumer.close())).toBeLessThan(1000);
      expect(kafka.committed.get(0)).toBe(commits ? 4 : 2);
    }
  });

  it('during a revocation whose listener hangs: by its time-out', async () => {
    const kafka = await start(5);
    const consumer = consumerOf(kafka);
    let isHanging = false;
    consumer.subscribe(['t'], {
      onRevoked: () => {
        isHanging = true;
        return new Promise(() => undefined);
      },
    });
    await take(consumer, 1);
    kafka.rebalance();
    await soon(() => isHanging, 'onRevoked');
    const duration = await timed(consumer.close({ timeoutMs: 300 }));
    expect(duration).toBeGreaterThan(250);
    expect(duration).toBeLessThan(2000);
    await soon(() => kafka.broker.sockets.size === 0, 'end of all connections');
  });

  it('by the signal, also one that is aborted already', async () => {
    const kafka = await start(5);
    const controller = new AbortController();
    const consumer = consumerOf(kafka, { signal: controller.signal });
    consumer.subscribe(['t']);
    const offsets: number[] = [];
    for await (const record of consumer) {
      offsets.push(record.offset);
      if (offsets.length === 5) controller.abort();
    }
    await consumer.close();
    expect(kafka.committed.get(0)).toBe(5);
    const dead = consumerOf(kafka, { signal: controller.signal });
    expect(() => dead.subscribe(['t'])).toThrow(/closed/);
    expect(await take(dead, 1)).toEqual([]);
  });

  it('afterwards every call says so and settles', async () => {
    const kafka = await start(5);
    const consumer = consumerOf(kafka);
    consumer.subscribe(['t']);
    await take(consumer, 1);
    await consumer.close();
    const closed = { name: 'ConsumerClosedError' };
    await expect(consumer.commit([{ ...T0, offset: 1 }])).rejects.toMatchObject(closed);
    await expect(consumer.commit()).rejects.toMatchObject(closed);
    await expect(consumer.committed([T0])).rejects.toMatchObject(closed);
    await expect(consumer.position(T0)).rejects.toMatchObject(closed);
    await expect(consumer.poll()).rejects.toMatchObject(closed);
    for (const call of [
      () => consumer.subscribe(['t']),
      () => consumer.assign([T0]),
      () => consumer.seek(T0, 1),
      () => consumer.unsubscribe(),
    ])
      expect(call).toThrow(expect.objectContaining(closed));
    expect(await consumer[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
    expect(consumer.assignment()).toEqual([]);
  });
});

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
    const reading = take(consumer, 2);
    await soon(() => errors.length > 0, 'error');
    kafka.counts[0] = 7;
    await kafka.broker.listen();
    expect(await reading).toEqual([5, 6]);
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
    kafka.broker.on(metadata, (request) => {
      const answer = kafka.broker.describe(request);
      return { ...answer, topics: answer.topics.map((topic) => ({ ...topic, errorCode: 29, partitions: [] })) };
    });
    const consumer = consumerOf(kafka);
    consumer.subscribe(['t']);
    const denied = { name: 'TOPIC_AUTHORIZATION_FAILED', message: /'t'/ };
    await expect(take(consumer, 1)).rejects.toMatchObject(denied);
    await expect(consumer.poll()).rejects.toMatchObject(denied);
    await expect(consumer.commit([{ ...T0, offset: 1 }])).rejects.toMatchObject(denied);
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
