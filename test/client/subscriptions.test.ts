import { describe, expect, it } from 'vitest';
import type { Consumer, TopicPartition } from '../../src/index.ts';
import { soon, T0, take, type TestOptions } from './consumer-rig.ts';
import { deferred, MockRig } from './mock-rig.ts';

const T1 = { topic: 't', partition: 1 };
const COOPERATIVE: TestOptions = { partitionAssignmentStrategy: 'cooperative-sticky' };
const KIP_848: TestOptions = { groupProtocol: 'consumer' };
const GROUPS = [
  ['eager', {}],
  ['cooperative', COOPERATIVE],
  ['KIP-848', KIP_848],
] as const satisfies (readonly [string, TestOptions])[];

const partitions = (list: readonly TopicPartition[]): number[] => list.map(({ partition }) => partition).sort();

describe('assign() again', () => {
  it.each([
    ['without a group', { isAlone: true }],
    ['with a group', {}],
  ])('goes on where it was with what stays, paused or not: %s', async (_name, options) => {
    const rig = await MockRig.start(10, 3, 3);
    const consumer = rig.consumer({ ...options, autoOffsetReset: 'latest', maxPollRecords: 5 });
    consumer.assign([
      { ...T0, offset: 0 },
      { topic: 't', partition: 2 },
    ]);
    await soon(() => consumer.assignment().length === 2, 'the assignment');
    expect(await take(consumer, 5)).toEqual([0, 1, 2, 3, 4]);
    await consumer.read({ timeoutMs: 10_000 }); // the next one, 5, or 4 again after `break`: whatever is right, it stays
    const before = await consumer.position(T0);
    consumer.pause([T0]);
    consumer.assign([T0, { ...T1, offset: 1 }]);
    expect(await consumer.position(T0)).toBe(before);
    expect(consumer.paused()).toEqual([T0]);
    expect(partitions(consumer.assignment())).toEqual([0, 1]);
    expect(await take(consumer, 2)).toEqual([1, 2]);
    consumer.resume([T0]);
    expect((await consumer.read({ timeoutMs: 10_000 }))?.offset).toBe(2); // was in hand at the break
    const next = await consumer.read({ timeoutMs: 10_000 });
    expect([next?.partition, next?.offset]).toEqual([0, before]);
  });

  it('goes where it is told with what stays and has an offset, and still paused', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.consumer({ isAlone: true });
    consumer.assign([{ ...T0, offset: 0 }]);
    await take(consumer, 2);
    consumer.pause([T0]);
    consumer.assign([{ ...T0, offset: 7 }]);
    expect(await consumer.position(T0)).toBe(7);
    expect(consumer.paused()).toEqual([T0]);
    consumer.resume([T0]);
    expect(await take(consumer, 1)).toEqual([7]);
  });

  it('commits what is finished of what goes', async () => {
    const rig = await MockRig.start(10, 10);
    const consumer = rig.consumer();
    consumer.assign([{ ...T0, offset: 0 }]);
    for (let i = 0; i < 4; i++) await consumer.read({ timeoutMs: 10_000 });
    consumer.assign([T1]);
    await soon(() => rig.committed() === 3, 'commit of the finished ones');
  });
});

describe.each(GROUPS)('unsubscribe() (%s)', (_name, options) => {
  it.each(['poll', 'read'] as const)(
    'after %s() leaves at once; what that gave is not finished, but by commit() in onRevoked',
    async (style) => {
      const rig = await MockRig.start(4);
      const read = async (consumer: Consumer): Promise<unknown> =>
        style === 'poll' ? consumer.poll({ timeoutMs: 10_000 }) : consumer.read({ timeoutMs: 10_000 });
      const one = rig.consumer(options);
      const told: string[] = [];
      one.subscribe(['t'], {
        onRevoked: async (gone) => {
          told.push(`${partitions(gone).join()} of ${partitions(one.assignment()).join()}`);
          told.push(String(await one.position(T0)));
        },
      });
      await read(one);
      one.unsubscribe();
      expect(one.assignment()).toEqual([]);
      await soon(() => rig.kafka.members('g').length === 0, 'the way out');
      expect(told).toEqual(['0 of 0', style === 'poll' ? '4' : '1']);
      expect(rig.committed() ?? 0).toBe(0);

      one.subscribe(['t'], { onRevoked: () => one.commit() });
      await read(one);
      one.unsubscribe();
      await soon(() => rig.committed() === (style === 'poll' ? 4 : 1), 'the commit of the listener');
    },
  );

  it('tells the listener of the subscription that ends, not of the next one', async () => {
    const rig = await MockRig.start(1);
    rig.kafka.createTopic('u', { partitions: 1 });
    const consumer = rig.consumer(options);
    const told: string[] = [];
    const listenerOf = (name: string): object => ({
      onAssigned: (list: TopicPartition[]) => told.push(`${name} +${list.map(({ topic }) => topic).join()}`),
      onRevoked: (list: TopicPartition[]) => told.push(`${name} -${list.map(({ topic }) => topic).join()}`),
    });
    consumer.subscribe(['t'], listenerOf('first'));
    expect(await take(consumer, 1)).toEqual([0]);
    consumer.unsubscribe();
    consumer.subscribe(['u'], listenerOf('second'));
    await soon(() => told.includes('second +u'), 'the second assignment');
    expect(told).toEqual(['first +t', 'first -t', 'second +u']);
  });

  it('a commit after it is made in nobody’s name, as in Java', async () => {
    const rig = await MockRig.start(4);
    const consumer = rig.consumer(options);
    consumer.subscribe(['t']);
    await consumer.poll({ timeoutMs: 10_000 });
    consumer.unsubscribe();
    await soon(() => rig.kafka.members('g').length === 0, 'the way out');
    await consumer.commit({ ...T0, offset: 3 });
    expect(rig.committed()).toBe(3);
  });
});

it('assign() while run() is running, or waits for the group to be left, is read by it', async () => {
  const rig = await MockRig.start(2, 2);
  const consumer = rig.consumer();
  const handled: string[] = [];
  consumer.subscribe(['t']);
  await consumer.poll({ timeoutMs: 10_000 });
  consumer.unsubscribe();
  consumer.assign([{ ...T0, offset: 1 }]);
  const running = consumer.run({
    setup: (list) => void handled.push(`setup ${partitions(list).join()}`),
    consume: async (claim) => {
      for await (const { partition, offset } of claim) handled.push(`${partition}@${offset}`);
    },
  });
  await soon(() => handled.length === 2, 'the first partition');
  consumer.assign([T0, { ...T1, offset: 1 }]);
  await soon(() => handled.length === 4, 'the second partition');
  await consumer.close();
  await running;
  expect(handled).toEqual(['setup 0', '0@1', 'setup 1', '1@1']);
});

describe.each([
  ['cooperative', COOPERATIVE],
  ['KIP-848', KIP_848],
] as const)('while a revocation waits for a handler (%s)', (_name, options) => {
  /** One member that handles a record of each partition without end, another that takes half; then `modes` of the first. */
  async function during(modes: (one: Consumer, kept: TopicPartition[]) => void): Promise<{
    rig: MockRig;
    one: Consumer;
    kept: TopicPartition[];
    handled: Map<number, number>;
  }> {
    const rig = await MockRig.start(1, 1, 1, 1);
    const one = rig.consumer(options);
    const gate = deferred();
    const handled = new Map<number, number>();
    let begun = 0;
    one.subscribe(['t']);
    void one.forEach(
      async ({ partition, offset }) => {
        if (++begun <= 4) await gate.promise;
        handled.set(partition, offset);
      },
      { concurrency: 8 },
    );
    await soon(() => begun === 4, 'four handlers');
    const two = rig.consumer(options);
    two.subscribe(['t']);
    void two.forEach(() => undefined);
    await soon(() => one.assignment().length === 2, 'a revocation');
    const kept = one.assignment();
    modes(one, kept);
    gate.resolve();
    return { rig, one, kept, handled };
  }

  it('unsubscribe(), then assign(): what was kept is given up first, and then read by hand', async () => {
    const { rig, one, kept, handled } = await during((consumer, [first = T0]) => {
      consumer.unsubscribe();
      consumer.assign([{ ...first, offset: 1 }]);
    });
    const [{ partition } = T0] = kept;
    await soon(() => rig.kafka.members('g').length === 1, 'the way out');
    await soon(() => one.assignment().length === 1, 'the manual assignment');
    expect(one.assignment()).toEqual([{ topic: 't', partition }]);
    await rig.kafka.append('t', partition, ['new']);
    await soon(() => handled.get(partition) === 1, 'the new record');
  });

  it('unsubscribe(), assign(), unsubscribe(), subscribe(): what the group leaves here is read on', async () => {
    const { rig, one, handled } = await during((consumer) => {
      consumer.unsubscribe();
      consumer.assign([T0]);
      consumer.unsubscribe();
      consumer.subscribe(['t']);
    });
    await soon(
      () =>
        rig.kafka.members('g').length === 2 &&
        rig.kafka.group('g')?.state === 'Stable' &&
        one.assignment().length === 2,
      'two members with a share each',
    );
    for (const { partition } of one.assignment()) await rig.kafka.append('t', partition, ['new']);
    await soon(() => one.assignment().every(({ partition }) => handled.get(partition) === 1), 'the new records');
  });
});

describe.each(GROUPS)('a handler that never ends (%s)', (_name, options) => {
  it('holds its partition back no longer than maxPollIntervalMs, and what was finished is committed', async () => {
    const rig = await MockRig.start(3, 3);
    const one = rig.consumer({ ...options, maxPollIntervalMs: 1000, autoCommitIntervalMs: 10 });
    const told: string[] = [];
    one.on('error', ({ name }) => told.push(name));
    one.on('lost', () => told.push('lost')); // where the machine is so busy that the group was quicker
    one.subscribe(['t']);
    void one.forEach(({ offset }) => (offset === 1 ? new Promise(() => undefined) : undefined), { concurrency: 8 });
    await soon(() => rig.committed(0) === 1 && rig.committed(1) === 1, 'two handlers that hang');
    const two = rig.consumer(options);
    two.subscribe(['t']);
    const seen: string[] = [];
    void two.forEach(({ partition, offset }) => void seen.push(`${partition}@${offset}`));
    await soon(() => seen.some((each) => each.endsWith('@2')), 'the records of what was taken away');
    expect(seen.filter((each) => each.endsWith('@0'))).toEqual([]);
    expect(told).not.toEqual([]);
  });
});
