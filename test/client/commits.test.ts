import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  Consumer,
  FencedError,
  type KafkaError,
  type KafkaRecord,
  type TopicPartitionOffset,
} from '../../src/index.ts';
import { soon, T0, take } from './consumer-rig.ts';
import { deferred, MockRig } from './mock-rig.ts';
import { matching } from '../harness/matching.ts';

const offsetsOf = (offsets: readonly { offset: number }[]): number[] => offsets.map(({ offset }) => offset);

// What docs/commits.md promises, line by line.
describe('commit()', () => {
  it('in a loop: what is finished, not the record in hand; with the record, that one too', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.subscribed({ enableAutoCommit: false });
    for await (const record of consumer) {
      if (record.offset === 3) {
        await consumer.commit();
        expect(rig.committed()).toBe(3);
        await consumer.commitSync(record);
        expect(rig.committed()).toBe(4);
        break;
      }
    }
  });

  it('of a record or a batch never goes back behind what is committed; of an offset it does', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.subscribed({ enableAutoCommit: false });
    const records: KafkaRecord[] = [];
    for await (const record of consumer) {
      records.push(record);
      if (record.offset === 5) break;
    }
    const [, early, , , , late] = records;
    await Promise.all([consumer.commit(late), consumer.commit(early)]);
    expect(rig.committed()).toBe(6);
    await consumer.commit({ ...T0, offset: 2, metadata: 'back' });
    expect(rig.kafka.commits('g')).toMatchObject([{ offset: 2, metadata: 'back' }]);
    // An array of records is one request about the last of them.
    await consumer.commit(records.slice(0, 4));
    expect(rig.committed()).toBe(4);
  });

  it('after a seek back goes back', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.subscribed({ enableAutoCommit: false });
    await take(consumer, 6);
    await consumer.commit();
    expect(rig.committed()).toBe(5);
    consumer.seek(T0, 1);
    for await (const record of consumer) {
      expect(record.offset).toBe(1);
      await consumer.commit(record);
      break;
    }
    expect(rig.committed()).toBe(2);
  });

  it('in onRevoked works, in onLost is a FencedError, and no commit of a fenced member reaches the group', async () => {
    const rig = await MockRig.start(10);
    const outcome: Record<string, unknown> = {};
    const consumer = rig.consumer({ enableAutoCommit: false, sessionTimeoutMs: 300 });
    consumer.subscribe(['t'], {
      onRevoked: async () => {
        await consumer.commit({ ...T0, offset: 7 });
        outcome['revoked'] = rig.committed();
      },
      onLost: async () => {
        outcome['lost'] = await consumer.commit({ ...T0, offset: 9 }).catch((error: unknown) => error);
      },
    });
    const reading = take(consumer, 11);
    await soon(() => consumer.assignment().length === 1, 'assignment');
    const metadata = consumer.groupMetadata();
    expect(metadata).toMatchObject({ groupId: 'g', generationId: 1, groupInstanceId: null });
    expect(metadata.memberId).not.toBe('');
    rig.kafka.fail('Heartbeat', { errorCode: 'UNKNOWN_MEMBER_ID' });
    await soon(() => outcome['lost'] !== undefined, 'lost');
    expect(outcome['lost']).toMatchObject({ name: 'UNKNOWN_MEMBER_ID' });
    expect(outcome['lost']).toBeInstanceOf(FencedError);
    await soon(() => consumer.groupMetadata().generationId > 0, 'the way back');
    await consumer.close();
    await reading;
    expect(outcome['revoked']).toBe(7);
    expect(rig.committed()).toBe(7);
  });

  it('during a rebalance waits for it: what is still ours is committed, the rest is a FencedError', async () => {
    const rig = await MockRig.start(5, 5);
    const first = rig.subscribed({ enableAutoCommit: false });
    const poll = await first.poll({ timeoutMs: 5000 });
    expect(poll.length).toBeGreaterThan(0);
    const second = rig.subscribed();
    const others = take(second, 100);
    await rig.kafka.untilGroup('g', ({ state }) => state === 'PreparingRebalance');
    const commit = first
      .commit([
        { topic: 't', partition: 0, offset: 1 },
        { topic: 't', partition: 1, offset: 1 },
      ])
      .catch((error: unknown) => error);
    let isStable = false;
    const stable = rig.kafka.untilStable('g', 2).finally(() => (isStable = true));
    while (!isStable) await first.poll({ timeoutMs: 20 }); // it lets go of what it held
    await stable;
    // By the broker's clock it came before the rebalance, or after it: nothing in between.
    const error = await commit;
    if (error !== undefined) expect(error).toMatchObject({ name: 'ILLEGAL_GENERATION' });
    await soon(() => first.assignment().length > 0, 'what the broker has assigned already');
    const mine = first.assignment()[0]?.partition ?? -1;
    expect(rig.committed(mine)).toBe(1);
    await second.close();
    await others;
  });

  it('of a record of an earlier assignment is a FencedError', async () => {
    const rig = await MockRig.start(5);
    const consumer = rig.subscribed();
    let kept: KafkaRecord | undefined;
    for await (const record of consumer) {
      kept = record;
      break;
    }
    let isAssigned = false;
    consumer.on('assigned', () => (isAssigned = true));
    consumer.subscribe(['other']);
    await soon(() => isAssigned, 'assignment of nothing');
    await expect(consumer.commit(kept)).rejects.toMatchObject({
      name: 'ILLEGAL_GENERATION',
      message: matching(/t-0/),
    });
    expect(() => consumer.commitAsync(kept)).toThrow(/t-0/);
    expect(() => consumer.markConsumed(kept as KafkaRecord)).not.toThrow();
  });

  it('after close is refused, without a group a ConfigError', async () => {
    const rig = await MockRig.start(5);
    const consumer = rig.subscribed();
    await consumer.close();
    await expect(consumer.commit()).rejects.toThrow(/closed/);
    await expect(consumer.commitSync()).rejects.toThrow(/closed/);
    expect(() => consumer.commitAsync()).toThrow(/closed/);
    const alone = new Consumer({ bootstrapServers: rig.kafka.bootstrapServers });
    alone.assign([{ ...T0, offset: 0 }]);
    await expect(alone.commit()).rejects.toBeInstanceOf(ConfigError);
    expect(() => alone.commitAsync()).toThrow(/needs a groupId/);
  });

  it.each([
    [{ ...T0, offset: -1 }, /offset/],
    [{ ...T0, offset: 1, leaderEpoch: 1.5 }, /leaderEpoch/],
    [{ ...T0, offset: 1, metadata: 3 }, /metadata/],
    ['t', /offset/],
  ])('takes no %j', async (what, message) => {
    const rig = await MockRig.start(1);
    const consumer = rig.subscribed();
    await expect(consumer.commit(what as never)).rejects.toThrow(message);
  });
});

describe('commitAsync()', () => {
  it('is not retried; callbacks come in the order of the calls, and before a commit() that was called later', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.subscribed({ enableAutoCommit: false });
    await take(consumer, 1);
    await consumer.commit();
    const told: [number, string | null, number[]][] = [];
    const events: number[] = [];
    consumer.on('committed', (offsets) => events.push(...offsetsOf(offsets)));
    const callback =
      (index: number) =>
      (error: KafkaError | null, offsets: TopicPartitionOffset[]): void =>
        void told.push([index, error?.name ?? null, offsetsOf(offsets)]);
    rig.kafka.fail('OffsetCommit', { errorCode: 'COORDINATOR_LOAD_IN_PROGRESS', after: 1 });
    consumer.commitAsync({ ...T0, offset: 1 }, callback(0));
    // While the first is under way: these two share a request, and what becomes of it.
    consumer.commitAsync({ ...T0, offset: 2 }, callback(1));
    consumer.commitAsync({ ...T0, offset: 3 }, callback(2));
    consumer.commitAsync([], callback(3));
    await consumer.commit();
    expect(told).toEqual([
      [0, null, [1]],
      [1, 'COORDINATOR_LOAD_IN_PROGRESS', []],
      [2, 'COORDINATOR_LOAD_IN_PROGRESS', []],
      [3, null, []],
    ]);
    expect(events).toEqual([1, 3]);
    expect(rig.committed()).toBe(3);
  });

  it('without an argument commits what is finished, and close() waits for it', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.subscribed({ enableAutoCommit: false });
    await take(consumer, 6);
    const told: unknown[] = [];
    rig.kafka.delay('OffsetCommit', 100);
    consumer.commitAsync((error, offsets) => told.push(error, offsets));
    await consumer.close();
    expect(told).toEqual([null, [{ ...T0, offset: 5, leaderEpoch: 0, metadata: '' }]]);
    expect(rig.committed()).toBe(5);
  });

  it('of assigned partitions, too, is finished before close()', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.consumer({ enableAutoCommit: false });
    consumer.assign([{ ...T0, offset: 3 }]);
    await take(consumer, 2);
    const told: unknown[] = [];
    rig.kafka.delay('OffsetCommit', 100);
    consumer.commitAsync((error) => told.push(error));
    await consumer.close();
    expect(told).toEqual([null]);
    expect(rig.committed()).toBe(4);
  });

  it('during a rebalance fails at once; an error that no callback takes is an error event; a callback may throw', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.subscribed({ enableAutoCommit: false });
    const errors: KafkaError[] = [];
    consumer.on('error', (error) => errors.push(error));
    consumer.commitAsync({ ...T0, offset: 1 }); // not a member yet
    await soon(() => errors.length === 1, 'error');
    expect(errors[0]).toMatchObject({ name: 'REBALANCE_IN_PROGRESS' });
    await take(consumer, 1);
    consumer.commitAsync({ ...T0, offset: 1 }, () => {
      throw new Error('callback');
    });
    await soon(() => errors.length === 2, 'second error');
    expect(errors[1]).toMatchObject({ name: 'CallbackError', message: matching(/callback/) });
    expect(rig.committed()).toBe(1);
  });
});

describe('the automatic commit', () => {
  it('that failed is tried again soon, with the newest offsets', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.subscribed({ autoCommitIntervalMs: 300 });
    const fault = rig.kafka.fail('OffsetCommit', { errorCode: 'COORDINATOR_NOT_AVAILABLE', times: 2 });
    const reading = consumer[Symbol.asyncIterator]();
    for (let i = 0; i < 4; i++) await reading.next();
    await fault.untilHit(1);
    const begin = performance.now();
    await reading.next();
    await rig.kafka.untilCommitted('g', { t: { 0: 4 } });
    // Two back-offs of 100 and 200 ms, not two intervals more.
    expect(performance.now() - begin).toBeLessThan(580);
    await reading.return?.();
  });
});

describe('enableAutoOffsetStore: false', () => {
  it('passes over what was handed out before a seek, or in an older assignment', async () => {
    const rig = await MockRig.start(400);
    const consumer = rig.subscribed({ enableAutoOffsetStore: false, maxPollRecords: 200 });
    const [first] = await consumer.poll({ timeoutMs: 10_000 });
    const [old] = await consumer.poll({ timeoutMs: 10_000 });
    if (first === undefined || old === undefined) throw new Error('no batches');
    consumer.seek({ topic: 't', partition: 0 }, 0);
    const [now] = await consumer.poll({ timeoutMs: 10_000 });
    expect(now?.firstOffset).toBe(0);
    consumer.markConsumed([old, first]);
    consumer.markConsumed([...first]);
    await consumer.commit();
    expect(rig.committed() ?? 0).toBe(0);
    if (now !== undefined) consumer.markConsumed(now);
    await consumer.commit();
    expect(rig.committed()).toBe(200);
  });

  it('commits what was marked, in any order, as far as there is no gap', async () => {
    const rig = await MockRig.start(10, 10);
    const consumer = rig.subscribed({ enableAutoOffsetStore: false });
    const records: KafkaRecord[] = [];
    for await (const record of consumer) {
      records.push(record);
      if (records.length === 20) break;
    }
    const of = (partition: number): KafkaRecord[] => records.filter((record) => record.partition === partition);
    await consumer.commit();
    expect(rig.kafka.committed('g')).toEqual({ t: { 0: 0, 1: 0 } });
    for (const offset of [4, 0, 2]) consumer.markConsumed(of(0)[offset] as KafkaRecord);
    await consumer.commit();
    expect(rig.kafka.committed('g')).toEqual({ t: { 0: 1, 1: 0 } });
    consumer.markConsumed(of(0)[1] as KafkaRecord);
    consumer.markConsumed({ topic: 't', partition: 1, offset: 8, metadata: 'mine' });
    await consumer.close();
    expect(rig.kafka.committed('g')).toEqual({ t: { 0: 3, 1: 8 } });
    expect(rig.kafka.commits('g')).toMatchObject([{ metadata: '' }, { metadata: 'mine' }]);
  });

  it('batches, too, and what a poll gave is not finished by the next one', async () => {
    const rig = await MockRig.start(30);
    const consumer = rig.subscribed({ enableAutoOffsetStore: false, maxPollRecords: 10 });
    const [first] = await consumer.poll({ timeoutMs: 5000 });
    const [second] = await consumer.poll();
    const [third] = await consumer.poll();
    if (first === undefined || second === undefined || third === undefined) throw new Error('three batches');
    await consumer.commit();
    expect(rig.committed() ?? 0).toBe(0);
    consumer.markConsumed(second);
    for (const record of [...third].slice(0, 9)) consumer.markConsumed(record);
    consumer.markConsumed(first);
    await consumer.commit();
    expect(rig.committed()).toBe(20);
    consumer.markConsumed([...third].at(-1) as KafkaRecord);
    await consumer.commit();
    expect(rig.committed()).toBe(30);
  });

  it('commit(record) is still that one and all before it; a seek back begins anew', async () => {
    const rig = await MockRig.start(30);
    const consumer = rig.subscribed({ enableAutoOffsetStore: false });
    let kept: KafkaRecord | undefined;
    for await (const record of consumer) {
      if (record.offset === 3) await consumer.commit(record);
      if (record.offset === 8) kept = record;
      if (record.offset === 9) break;
    }
    expect(rig.committed()).toBe(4);
    consumer.markConsumed(kept as KafkaRecord); // 4 to 7 are missing
    await consumer.commit();
    expect(rig.committed()).toBe(4);
    consumer.seek(T0, 2);
    await consumer.commit();
    expect(rig.committed()).toBe(2);
  });
});

describe('read()', () => {
  it('gives a record at a time, each finished by the next read or by commit(), and null when none came', async () => {
    const rig = await MockRig.start(2);
    const consumer = rig.subscribed();
    expect((await consumer.read())?.offset).toBe(0);
    await consumer.commit();
    expect(rig.committed()).toBe(1);
    expect((await consumer.read({ timeoutMs: 1000 }))?.offset).toBe(1);
    expect(await consumer.read({ timeoutMs: 20 })).toBe(null);
    expect(await consumer.read({ timeoutMs: 0 })).toBe(null);
    await consumer.commit();
    expect(rig.committed()).toBe(2);
  });

  it('throws what its signal was aborted with, and loses nothing by it', async () => {
    const rig = await MockRig.start(0);
    const consumer = rig.subscribed();
    const controller = new AbortController();
    const reading = consumer.read({ signal: controller.signal });
    await rig.kafka.untilStable('g', 1);
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(reading).rejects.toBe(reason);
    await expect(consumer.read({ signal: controller.signal })).rejects.toBe(reason);
    await rig.kafka.append('t', 0, ['late']);
    expect((await consumer.read({ signal: new AbortController().signal }))?.text()).toBe('late');
  });

  it('ends with null at close(), and is refused afterwards', async () => {
    const rig = await MockRig.start(0);
    const consumer = rig.subscribed();
    const reading = consumer.read();
    const { promise, resolve } = deferred();
    setImmediate(resolve);
    await promise;
    await consumer.close();
    expect(await reading).toBe(null);
    await expect(consumer.read()).rejects.toThrow(/closed/);
  });
});
