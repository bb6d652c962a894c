import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { Consumer, type KafkaError } from '../../src/index.ts';
import { joinGroup } from '../../src/protocol/api/join-group.ts';
import { leaveGroup } from '../../src/protocol/api/leave-group.ts';
import { offsetCommit } from '../../src/protocol/api/offset-commit.ts';
import { cleanups, consumerOf, soon, start, T0, take, timed } from './consumer-rig.ts';
import { MockRig } from './mock-rig.ts';

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
    await consumer.close({ timeoutMs: 4000 });
    expect(warnings.join()).toMatch(/close\(\) waits, .* to finish what it has of t-0 from offset 1 on/);
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

  it('after read() likewise: at once, and commit() covers it', async () => {
    for (const commits of [true, false]) {
      const kafka = await start(5);
      const consumer = consumerOf(kafka, { autoCommitIntervalMs: 60_000 });
      consumer.subscribe(['t']);
      await consumer.read({ timeoutMs: 5000 });
      await consumer.read({ timeoutMs: 5000 });
      if (commits) await consumer.commit();
      const closed = consumer.close({ timeoutMs: 20_000 });
      expect(await timed(closed)).toBeLessThan(10_000); // it waited for another read(), 15 of 20 seconds
      expect(kafka.committed.get(0)).toBe(commits ? 2 : 1);
    }
  });

  it('during a revocation whose listener hangs: waits a quarter of its time, for the listener may wait for it', async () => {
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
    expect(duration).toBeGreaterThan(50);
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

it('close() does not wait for what was lost while the application still had it', async () => {
  const rig = await MockRig.start(5);
  const consumer = rig.subscribed({ maxPollIntervalMs: 300 });
  const iterator = consumer[Symbol.asyncIterator]();
  await iterator.next();
  const lost = once(consumer, 'lost');
  const closed = consumer.close({ timeoutMs: 600_000 });
  await lost;
  await closed;
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
});
