import { describe, expect, it, vi } from 'vitest';
import { Listeners } from '../../src/client/listeners.ts';
import type { Consumer, TopicPartition } from '../../src/index.ts';
import { soon, T0, take } from './consumer-rig.ts';
import { deferred, MockRig } from './mock-rig.ts';

const PROTOCOLS = ['classic', 'consumer'] as const;
const NO_STORE = 'the database is down';

/** What a listener can know of a partition, as `NAME answer`. */
async function ask(consumer: Consumer, [first = T0]: TopicPartition[]): Promise<string[]> {
  const answers: [string, unknown][] = [
    ['assignment', consumer.assignment().map(({ partition }) => partition)],
    ['position', await consumer.position(first)],
    ['committed', (await consumer.committed([first]))[0]?.offset],
    ['beginningOffsets', (await consumer.beginningOffsets([first]))[0]?.offset],
    ['endOffsets', (await consumer.endOffsets([first]))[0]?.offset],
    ['partitionsFor', (await consumer.partitionsFor('t')).length],
  ];
  consumer.pause([first]);
  consumer.resume([first]);
  return answers.map(([name, answer]) => `${name} ${JSON.stringify(answer)}`);
}

describe.each(PROTOCOLS)('everything can be asked in a listener (%s)', (groupProtocol) => {
  it('in onAssigned before anything is read, and in onRevoked, also while the consumer closes', async () => {
    const rig = await MockRig.start(5);
    const consumer = rig.consumer({ groupProtocol });
    const told: Record<string, string[]> = {};
    consumer.subscribe(['t'], {
      onAssigned: async (partitions) => {
        told['onAssigned'] = await ask(consumer, partitions);
      },
      onRevoked: async (partitions) => {
        told['onRevoked'] = await ask(consumer, partitions);
        consumer.seek(partitions[0] ?? T0, 1);
        told['onRevoked'].push(`after seek ${await consumer.position(partitions[0] ?? T0)}`);
      },
    });
    expect(await take(consumer, 3)).toEqual([0, 1, 2]);
    await consumer.close();
    const always = ['beginningOffsets 0', 'endOffsets 5', 'partitionsFor 1'];
    expect(told['onAssigned']).toEqual(['assignment [0]', 'position 0', 'committed null', ...always]);
    // The third record was left with `break`, so it is not finished.
    expect(told['onRevoked']?.slice(2)).toEqual(['committed 2', ...always, 'after seek 1']);
    expect(told['onRevoked']?.[0]).toBe('assignment [0]');
    expect(consumer.assignment()).toEqual([]);
    await expect(consumer.position(T0)).rejects.toMatchObject({ name: 'ConsumerClosedError' });
    await expect(consumer.endOffsets([T0])).rejects.toMatchObject({ name: 'ConsumerClosedError' });
  });

  it('commit() in onRevoked covers what the last poll() gave, also at close()', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.consumer({
      groupProtocol,
      enableAutoCommit: false,
    });
    consumer.subscribe(['t'], { onRevoked: () => consumer.commit() });
    expect((await consumer.poll({ timeoutMs: 10_000 }))[0]?.recordCount).toBe(10);
    await consumer.close();
    expect(rig.committed()).toBe(10);
  });

  it('a close() that nobody commits in leaves what poll() gave unfinished', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.consumer({ groupProtocol });
    consumer.subscribe(['t']);
    await consumer.poll({ timeoutMs: 10_000 });
    await consumer.close();
    expect(rig.committed() ?? 0).toBe(0);
  });
});

it('position() in onRevoked at close() of a partition that nothing was read of', async () => {
  const rig = await MockRig.start(5);
  const consumer = rig.consumer();
  const answers: number[] = [];
  consumer.subscribe(['t'], {
    onAssigned: () => void consumer.close(),
    onRevoked: async () => answers.push(await consumer.position(T0)),
  });
  expect(await consumer.read().catch(() => null)).toBeNull();
  await consumer.close();
  expect(answers).toEqual([0]);
});

describe('await close() in a listener', () => {
  it.each(PROTOCOLS)('that was called in an ordinary rebalance (%s)', async (groupProtocol) => {
    const rig = await MockRig.start(1, 1);
    const one = rig.consumer({ groupProtocol });
    const closed = deferred<boolean>();
    one.subscribe(['t'], { onRevoked: async () => closed.resolve((await one.close()).hasLeft) });
    const reading = take(one, Infinity);
    await soon(() => one.assignment().length === 2, 'the first assignment');
    const two = rig.subscribed({ groupProtocol });
    const other = two.read();
    expect(await closed.promise).toBe(true);
    await reading;
    await rig.kafka.append('t', 0, ['more']);
    expect(await other).not.toBeNull();
    expect(rig.kafka.members('g').length).toBe(1);
  });

  it('after something else: within a quarter of the time, for it may not be this one that waits', async () => {
    const rig = await MockRig.start(1);
    const consumer = rig.consumer();
    const closed = deferred<boolean>();
    consumer.subscribe(['t'], {
      onRevoked: async () => {
        await consumer.endOffsets([T0]);
        closed.resolve((await consumer.close({ timeoutMs: 400 })).hasLeft);
      },
    });
    await consumer.read();
    const begin = performance.now();
    await consumer.close({ timeoutMs: 60_000 });
    expect(await closed.promise).toBe(true);
    expect(performance.now() - begin).toBeLessThan(30_000);
  });

  it.each(['onAssigned', 'onLost'] as const)('%s is not waited for at all', async (name) => {
    const listeners = new Listeners(300_000);
    const { promise, resolve } = deferred();
    const listener = { [name]: () => promise };
    const call = listeners.call(name, [T0], { listener });
    listeners.closing(300_000);
    expect(await call).toBeNull();
    expect(listeners.isRunning).toBe(false);
    resolve();
  });

  it('onRevoked that was called before close() is waited for, but not for ever', async () => {
    vi.useFakeTimers();
    try {
      const listeners = new Listeners(300_000);
      let hasReturned = false;
      const call = listeners.call('onRevoked', [T0], { listener: { onRevoked: () => new Promise(() => undefined) } });
      void call.then(() => (hasReturned = true));
      listeners.closing(5000);
      await vi.advanceTimersByTimeAsync(4999);
      expect(hasReturned).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      expect(hasReturned).toBe(true);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('onAssigned that throws', () => {
  it('is thrown to each read, and nothing is read, until it succeeds', async () => {
    const rig = await MockRig.start(5);
    const consumer = rig.consumer();
    let calls = 0;
    consumer.subscribe(['t'], {
      onAssigned: () => {
        if (++calls < 4) throw new Error(NO_STORE);
        consumer.seek(T0, 3);
      },
    });
    await expect(consumer.poll({ timeoutMs: 10_000 })).rejects.toMatchObject({ name: 'ListenerError' });
    await expect(consumer.read()).rejects.toMatchObject({ cause: new Error(NO_STORE) });
    await expect(take(consumer, 1)).rejects.toThrow(NO_STORE);
    expect(await take(consumer, 2)).toEqual([3, 4]);
    expect(calls).toBe(4);
  });

  it('forEach() rejects with it, and calls it again when it is called again', async () => {
    const rig = await MockRig.start(3);
    const consumer = rig.consumer();
    let isDown = true;
    consumer.subscribe(['t'], {
      onAssigned: () => {
        if (isDown) throw new Error(NO_STORE);
      },
    });
    const offsets: number[] = [];
    const handle = ({ offset }: { offset: number }): unknown => offsets.push(offset);
    await expect(consumer.forEach(handle)).rejects.toThrow(NO_STORE);
    expect(offsets).toEqual([]);
    isDown = false;
    const handling = consumer.forEach(handle);
    await soon(() => offsets.length === 3, 'the records');
    await consumer.close();
    await handling;
    expect(offsets).toEqual([0, 1, 2]);
  });

  it('run() rejects with it; setup is called once it has succeeded', async () => {
    const rig = await MockRig.start(3);
    const consumer = rig.consumer();
    const story: string[] = [];
    let isDown = true;
    consumer.subscribe(['t'], {
      onAssigned: () => {
        story.push(isDown ? 'onAssigned throws' : 'onAssigned');
        if (isDown) throw new Error(NO_STORE);
      },
    });
    const handler = {
      setup: () => story.push('setup'),
      consume: async (claim: AsyncIterable<{ offset: number }>): Promise<void> => {
        for await (const { offset } of claim) story.push(String(offset));
      },
    };
    await expect(consumer.run(handler)).rejects.toThrow(NO_STORE);
    isDown = false;
    const running = consumer.run(handler);
    await soon(() => story.includes('2'), 'the records');
    await consumer.close();
    await running;
    expect(story).toEqual(['onAssigned throws', 'onAssigned', 'setup', '0', '1', '2']);
  });

  it('of a partition that comes later: the others are read on after the error', async () => {
    const rig = await MockRig.start(2, 2);
    rig.kafka.createTopic('u', { partitions: 1 });
    await rig.kafka.append('u', 0, ['a']);
    const consumer = rig.consumer({ partitionAssignmentStrategy: 'cooperative-sticky' });
    let isDown = true;
    const listener = {
      onAssigned: (partitions: TopicPartition[]): void => {
        if (isDown && partitions.some(({ topic }) => topic === 'u')) throw new Error(NO_STORE);
      },
    };
    consumer.subscribe(['t'], listener);
    await take(consumer, 4);
    await consumer.read({ timeoutMs: 10_000 }); // the one that was in hand
    consumer.subscribe(['t', 'u'], listener);
    await expect(consumer.read({ timeoutMs: 10_000 })).rejects.toThrow(NO_STORE);
    await rig.kafka.append('t', 0, ['more']);
    await expect(consumer.read({ timeoutMs: 10_000 })).rejects.toThrow(NO_STORE); // called again, and failed again
    isDown = false;
    const seen = [await consumer.read({ timeoutMs: 10_000 }), await consumer.read({ timeoutMs: 10_000 })];
    expect(seen.map((record) => record?.topic).sort()).toEqual(['t', 'u']);
  });
});

it('onRevoked that throws is thrown to one read, and the group goes on', async () => {
  const rig = await MockRig.start(2);
  const one = rig.consumer();
  const told = deferred();
  one.subscribe(['t'], {
    onRevoked: () => {
      told.resolve();
      throw new Error(NO_STORE);
    },
  });
  expect(await take(one, 2)).toEqual([0, 1]);
  await one.read({ timeoutMs: 20_000 }); // the one that was in hand
  const reading = expect(one.read({ timeoutMs: 20_000 })).rejects.toThrow(NO_STORE);
  const two = rig.subscribed();
  const other = two.read({ timeoutMs: 20_000 });
  await told.promise;
  await reading;
  const next = one.read({ timeoutMs: 20_000 });
  await rig.kafka.append('t', 0, ['for whoever has it']);
  expect((await Promise.race([other, next]))?.offset).toBe(2);
  await Promise.all([one.close(), two.close()]);
});
