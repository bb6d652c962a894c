import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ConfigError, HandlerError, type HandlerContext } from '../../src/index.ts';
import { soon, T0, take } from './consumer-rig.ts';
import { errorsOf, Handling, nameOf, settle } from './handling-rig.ts';
import { MockRig } from './mock-rig.ts';
import { matching } from '../harness/matching.ts';

describe('forEach', () => {
  it('one after the other by default, and everything is committed at close()', async () => {
    const rig = await MockRig.start(50, 50);
    const consumer = rig.subscribed();
    const seen: string[] = [];
    let running = 0;
    const done = consumer.forEach(async (record) => {
      expect(++running).toBe(1);
      await sleep(0);
      running--;
      seen.push(nameOf(record));
    });
    await soon(() => seen.length === 100, 'all');
    await consumer.close();
    await done;
    for (const partition of [0, 1])
      expect(seen.filter((name) => name.startsWith(`${partition}@`))).toEqual(
        Array.from({ length: 50 }, (_, offset) => `${partition}@${offset}`),
      );
    expect(rig.kafka.committed('g')).toEqual({ t: { 0: 50, 1: 50 } });
  });

  it('handlers that return no promise, and the commit in between covers what is finished', async () => {
    const rig = await MockRig.start(100);
    const consumer = rig.subscribed();
    const seen: number[] = [];
    let committing: Promise<void> | undefined;
    const done = consumer.forEach(
      (record) => {
        seen.push(record.offset);
        if (record.offset === 40) committing = consumer.commit();
      },
      { concurrency: 64, ordering: 'none' },
    );
    await soon(() => seen.length === 100, 'all');
    await committing;
    expect(rig.committed()).toBe(40);
    await consumer.close();
    await done;
    expect(seen).toEqual(Array.from({ length: 100 }, (_, offset) => offset));
    expect(rig.committed()).toBe(100);
  });

  it("ordering 'partition': one of each at a time, as many partitions as there is room for", async () => {
    const rig = await MockRig.start(3, 3, 3);
    const consumer = rig.subscribed();
    const handling = new Handling();
    const done = consumer.forEach(handling.handler, { concurrency: 2 });
    await soon(() => handling.begun.length === 2, 'two');
    await settle();
    expect(handling.running).toHaveLength(2);
    while (handling.begun.length < 9) {
      expect(new Set(handling.running.map((name) => name[0])).size).toBe(handling.running.length);
      for (const { outstanding } of consumer.unfinished()) expect(outstanding).toBe(1);
      const [next] = handling.running;
      if (next !== undefined) handling.end(next);
      await settle();
    }
    await soon(() => handling.begun.length === 9, 'all');
    handling.end(...handling.running);
    await consumer.close();
    await done;
    expect(rig.kafka.committed('g')).toEqual({ t: { 0: 3, 1: 3, 2: 3 } });
  });

  it("ordering 'key': one of each key at a time; 'none': any", async () => {
    for (const [ordering, first] of [
      ['key', ['0@0', '0@1', '0@2', '0@3']],
      ['none', ['0@0', '0@1', '0@2', '0@3', '0@4', '0@5']],
    ] as const) {
      const rig = await MockRig.start(6);
      const consumer = rig.subscribed();
      const handling = new Handling();
      const done = consumer.forEach(handling.handler, { concurrency: 10, ordering });
      await handling.until(...first);
      await settle();
      expect(handling.begun).toEqual(first);
      handling.end('0@2', '0@1', '0@3');
      await handling.until('0@5');
      await consumer.commit();
      expect(rig.committed()).toBe(0);
      expect(consumer.unfinished()).toMatchObject([{ ...T0, offset: 0, outstanding: 6 }]);
      handling.end('0@0');
      await handling.until('0@4');
      await consumer.commit();
      expect(rig.committed()).toBe(4);
      handling.end('0@4', '0@5');
      await consumer.close();
      await done;
      expect(rig.committed()).toBe(6);
    }
  });

  it('records without a key have no order among them', async () => {
    const rig = await MockRig.start(0);
    await rig.kafka.append('t', 0, ['a', 'b', { key: 'k', value: 'c' }, { key: 'k', value: 'd' }]);
    const handling = new Handling();
    const done = rig.subscribed().forEach(handling.handler, { concurrency: 10, ordering: 'key' });
    await handling.until('0@0', '0@1', '0@2');
    await settle();
    expect(handling.running).toEqual(['0@0', '0@1', '0@2']);
    handling.end('0@2');
    await handling.until('0@3');
    handling.end('0@0', '0@1', '0@3');
    void done;
  });

  it('a stuck record bounds how far ahead its partition is read, and no other', async () => {
    const rig = await MockRig.start(100, 100);
    const consumer = rig.subscribed();
    const handling = new Handling();
    const done = consumer.forEach(
      (record, context) =>
        nameOf(record) === '0@2' ? handling.handler(record, context) : handling.begun.push(nameOf(record)),
      { concurrency: 4, ordering: 'none', maxAhead: 10 },
    );
    await soon(() => handling.begun.filter((name) => name.startsWith('1@')).length === 100, 'the other partition');
    expect(handling.begun.filter((name) => name.startsWith('0@'))).toHaveLength(12);
    const [unfinished] = consumer.unfinished();
    expect(unfinished).toMatchObject({ ...T0, offset: 2, outstanding: 10 });
    expect(unfinished?.ageMs).toBeGreaterThanOrEqual(0);
    await consumer.commit();
    expect(rig.kafka.committed('g')).toEqual({ t: { 0: 2, 1: 100 } });
    handling.end('0@2');
    await soon(() => handling.begun.length === 200, 'all');
    expect(consumer.unfinished()).toEqual([]);
    await consumer.close();
    await done;
  });

  it.each([true, false])('lets the event loop turn, whether handlers give promises (%s)', async (isAsync) => {
    const rig = await MockRig.start(20_000);
    const consumer = rig.subscribed();
    const work = (): void => {
      for (const until = performance.now() + 0.01; performance.now() < until;);
    };
    let handled = 0;
    let turns = 0;
    let handle: NodeJS.Immediate | undefined;
    const turn = (): void => {
      turns++;
      handle = setImmediate(turn);
    };
    const done = consumer.forEach(
      (record) => {
        if (++handled === 1) handle = setImmediate(turn);
        if (record.offset === 19_999) clearImmediate(handle);
        work();
        return isAsync ? Promise.resolve() : undefined;
      },
      { concurrency: 64, ordering: 'none' },
    );
    await soon(() => handled === 20_000, 'all');
    clearImmediate(handle);
    // 200 ms of work, a turn every 5 ms; a busy machine makes fewer.
    expect(turns).toBeGreaterThanOrEqual(5);
    await consumer.close();
    await done;
  });

  it('is the only reader, and takes no nonsense', async () => {
    const rig = await MockRig.start(1);
    const consumer = rig.subscribed();
    const seen: string[] = [];
    const done = consumer.forEach((record) => seen.push(nameOf(record)));
    await expect(consumer.forEach(() => undefined)).rejects.toMatchObject({ name: 'ConcurrentReadError' });
    await expect(consumer.poll()).rejects.toMatchObject({ name: 'ConcurrentReadError' });
    await soon(() => seen.length === 1, 'a record');
    for (const options of [
      { concurrency: 0 },
      { ordering: 'keys' },
      { retries: -1 },
      { deadLetter: 'queue' },
      { signal: true },
      { concurency: 1 },
    ])
      await expect(consumer.forEach(() => undefined, options as never)).rejects.toBeInstanceOf(ConfigError);
    await expect(consumer.forEach('handler' as never)).rejects.toThrow(/takes a function/);
    await consumer.close();
    await done;
    await expect(consumer.forEach(() => undefined)).rejects.toThrow(/closed/);
  });

  it('gives types from the deserializers', async () => {
    const rig = await MockRig.start(1);
    const { Consumer } = await import('../../src/index.ts');
    await using consumer = new Consumer({
      bootstrapServers: rig.kafka.bootstrapServers,
      groupId: 'typed',
      autoOffsetReset: 'earliest',
      valueDeserializer: (bytes) => (bytes === null ? 0 : bytes.length),
    });
    consumer.subscribe(['t']);
    const lengths: number[] = [];
    void consumer.forEach(({ value }) => {
      const length: number = value;
      lengths.push(length);
    });
    await soon(() => lengths.length === 1, 'a record');
    expect(lengths).toEqual([3]);
  });
});

describe('a handler that fails', () => {
  it('is tried again with back-off; others go on meanwhile', async () => {
    const rig = await MockRig.start(3, 3);
    const consumer = rig.subscribed();
    const attempts: [string, number, number][] = [];
    const done = consumer.forEach(
      (record, { attempt }) => {
        attempts.push([nameOf(record), attempt, performance.now()]);
        if (nameOf(record) === '0@1' && attempt < 4) throw new Error('not yet');
      },
      { concurrency: 2, retries: 3, retryBackoffMs: 20, retryBackoffMaxMs: 40 },
    );
    await soon(() => attempts.length === 9, 'nine calls');
    await consumer.close();
    await done;
    const times = attempts.filter(([name]) => name === '0@1').map(([, , at]) => at);
    const waits = times.slice(1).map((at, i) => at - (times[i] ?? 0));
    expect(waits[0]).toBeGreaterThanOrEqual(15);
    expect(waits[1]).toBeGreaterThanOrEqual(31);
    expect(waits[2]).toBeGreaterThanOrEqual(31);
    expect(rig.kafka.committed('g')).toEqual({ t: { 0: 3, 1: 3 } });
    // Nothing of its partition overtakes it.
    expect(attempts.filter(([name]) => name.startsWith('0@')).at(-1)?.[0]).toBe('0@2');
  });

  it('goes to deadLetter with its error, and counts as finished then', async () => {
    const rig = await MockRig.start(3);
    const consumer = rig.subscribed();
    const dead: unknown[] = [];
    let isLastHandled = false;
    const done = consumer.forEach(
      (record) => {
        if (record.offset === 1) throw new Error('poison');
        isLastHandled = record.offset === 2;
      },
      {
        retries: 1,
        retryBackoffMs: 1,
        deadLetter: async (record, error, { attempt }) => {
          await sleep(1);
          dead.push(record.offset, (error as Error).message, attempt, record.valueBytes?.toString());
        },
      },
    );
    await rig.kafka.untilStable('g', 1);
    await soon(() => dead.length > 0 && isLastHandled, 'the end');
    await consumer.close();
    await done;
    expect(dead).toEqual([1, 'poison', 2, '0@1']);
    expect(rig.committed()).toBe(3);
  });

  it('stops its partition and no other; the error is an event at once, and thrown in the end', async () => {
    const rig = await MockRig.start(10, 10);
    const consumer = rig.subscribed();
    const errors = errorsOf(consumer);
    const seen: string[] = [];
    const done = consumer.forEach(
      async (record) => {
        await sleep(1);
        if (nameOf(record) === '0@4') throw new TypeError('poison');
        seen.push(nameOf(record));
      },
      { concurrency: 2 },
    );
    const outcome = done.catch((error: unknown) => error);
    await soon(() => seen.length === 14, 'what is left');
    expect(errors).toMatchObject([
      { name: 'HandlerError', topic: 't', partition: 0, offset: 4, cause: { name: 'TypeError' } },
    ]);
    await rig.kafka.append('t', 1, ['more']);
    await soon(() => seen.includes('1@10'), 'more of the other');
    await consumer.close();
    expect(await outcome).toBe(errors[0]);
    expect(await outcome).toBeInstanceOf(HandlerError);
    expect(rig.kafka.committed('g')).toEqual({ t: { 0: 4, 1: 11 } });
  });

  it('ends all where nothing is left, or with stopOnError: all; what was not finished is read again', async () => {
    for (const [partitions, stopOnError] of [
      [1, 'partition'],
      [2, 'all'],
    ] as const) {
      const rig = await MockRig.start(...Array.from({ length: partitions }, () => 6));
      const consumer = rig.subscribed();
      const handling = new Handling();
      const done = consumer.forEach(handling.handler, { concurrency: 10, ordering: 'key', stopOnError });
      const outcome = done.catch((error: unknown) => error);
      await handling.until('0@0', '0@1', '0@2', '0@3');
      handling.end('0@3');
      handling.fail('0@1', new Error('poison'));
      await soon(() => handling.contexts.get('0@0')?.signal.aborted === true, 'signal');
      handling.end(...handling.running); // what runs is let end, and counts
      expect(await outcome).toMatchObject({
        name: 'HandlerError',
        partition: 0,
        offset: 1,
        message: matching(/poison/),
      });
      await consumer.commit();
      expect(rig.committed()).toBe(1);
      const again: number[] = [];
      for await (const record of consumer) {
        if (record.partition === 0 && again.push(record.offset) === 5) break;
      }
      expect(again).toEqual([1, 2, 3, 4, 5]);
    }
  });

  it('and its application seeks past the record: the partition goes on', async () => {
    const rig = await MockRig.start(5, 1);
    const consumer = rig.subscribed();
    const seen: string[] = [];
    consumer.on('error', (error) => {
      if (error instanceof HandlerError) consumer.seek({ ...T0, offset: error.offset + 1 });
    });
    const done = consumer.forEach((record) => {
      if (nameOf(record) === '0@2') throw new Error('poison');
      seen.push(nameOf(record));
    });
    const outcome = done.catch((error: unknown) => error);
    await soon(() => seen.length === 5, 'the rest');
    await consumer.close();
    expect(await outcome).toMatchObject({ offset: 2 });
    expect(rig.committed()).toBe(5);
  });

  it('a deserializer that fails is the handler’s failure', async () => {
    const rig = await MockRig.start(2);
    const consumer = rig.subscribed({
      valueDeserializer: (bytes) => {
        if (bytes?.toString() === '0@0') throw new Error('no such type');
        return bytes;
      },
    });
    const dead: unknown[] = [];
    const seen: unknown[] = [];
    const done = consumer.forEach(({ value }) => seen.push(value), {
      deadLetter: ({ valueBytes }, error) => dead.push(valueBytes?.toString(), (error as Error).message),
    });
    await soon(() => seen.length === 1, 'the second');
    expect(dead).toEqual(['0@0', 'no such type']);
    await consumer.close();
    await done;
  });
});

describe('the end of a record’s time', () => {
  it('a revocation aborts the signals of its partitions only, waits for the handlers, and commits what they finish', async () => {
    const rig = await MockRig.start(4, 4);
    const consumer = rig.subscribed({ partitionAssignmentStrategy: 'cooperative-sticky' });
    const handling = new Handling();
    const events: string[] = [];
    consumer.on('revoked', (partitions) =>
      events.push(`revoked ${partitions.map(({ partition }) => partition).join()}`),
    );
    const done = consumer.forEach(handling.handler, { concurrency: 8, ordering: 'none' });
    await soon(() => handling.running.length === 8, 'eight');
    const contexts = [...handling.contexts];
    const [[, first] = ['', null]] = contexts;
    void first?.signal;
    const other = rig.consumer({ partitionAssignmentStrategy: 'cooperative-sticky' });
    other.subscribe(['t']);
    const others = take(other, 3);
    await soon(() => contexts.some(([, { signal }]) => signal.aborted), 'abort');
    const aborted = contexts.filter(([, { signal }]) => signal.aborted).map(([name]) => name);
    const lost = aborted[0]?.[0] ?? '';
    expect(aborted.sort()).toEqual([0, 1, 2, 3].map((offset) => `${lost}@${offset}`));
    expect(contexts.find(([name]) => name === aborted[0])?.[1].signal.reason).toMatchObject({ name: 'AbortError' });
    expect(events).toEqual([]);
    handling.end(`${lost}@0`);
    handling.fail(`${lost}@1`, (contexts.find(([name]) => name === `${lost}@1`)?.[1] as HandlerContext).signal.reason);
    handling.end(`${lost}@2`, `${lost}@3`);
    expect(await others).toEqual([1, 2, 3]); // from the first one that was not finished
    expect(events).toEqual([`revoked ${lost}`]);
    handling.end(...handling.running);
    await consumer.close();
    await done;
    expect(rig.committed(lost === '0' ? 1 : 0)).toBe(4);
  });

  it('close() aborts them, waits, drops what has not begun, and resolves forEach', async () => {
    const rig = await MockRig.start(8);
    const consumer = rig.subscribed();
    const handling = new Handling();
    const done = consumer.forEach(handling.handler, { concurrency: 10, ordering: 'key' });
    await handling.until('0@0', '0@1', '0@2', '0@3');
    const closing = consumer.close();
    await soon(() => handling.contexts.get('0@3')?.signal.aborted === true, 'abort');
    handling.end('0@0', '0@1', '0@3');
    handling.fail('0@2', new Error('gave up'));
    await closing;
    await done;
    expect(handling.begun).toHaveLength(4);
    expect(rig.committed()).toBe(2);
  });

  it('what has been overtaken is handled before the end, or it would make those behind it come twice', async () => {
    for (const end of ['close', 'revoke'] as const) {
      const rig = await MockRig.start(0);
      await rig.kafka.append(
        't',
        0,
        ['a', 'a', 'b', 'b'].map((key) => ({ key, value: key })),
      );
      const consumer = rig.subscribed();
      const handling = new Handling();
      const done = consumer.forEach(handling.handler, { concurrency: 4, ordering: 'key' });
      await handling.until('0@0', '0@2');
      await soon(() => consumer.unfinished()[0]?.outstanding === 4, 'all four');
      const ending = end === 'close' ? consumer.close() : Promise.resolve(consumer.unsubscribe());
      await soon(() => handling.contexts.get('0@0')?.signal.aborted === true, 'abort');
      handling.end('0@2', '0@0');
      await handling.until('0@1');
      handling.end('0@1');
      await ending;
      await rig.kafka.untilCommitted('g', { t: { 0: 3 } });
      expect(handling.begun).toEqual(['0@0', '0@2', '0@1']);
      await consumer.close();
      await done;
    }
  });

  it('a retry that waits is given up at once', async () => {
    const rig = await MockRig.start(1);
    const consumer = rig.subscribed();
    let calls = 0;
    const done = consumer.forEach(
      () => {
        calls++;
        throw new Error('poison');
      },
      { retries: 100, retryBackoffMs: 60_000, retryBackoffMaxMs: 60_000 },
    );
    await soon(() => calls === 1, 'a call');
    await settle();
    const begin = performance.now();
    await consumer.close();
    await done;
    expect(performance.now() - begin).toBeLessThan(2000);
    expect(rig.committed()).toBe(0);
  });

  it('options.signal ends it and leaves the consumer open', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.subscribed();
    const controller = new AbortController();
    const seen: number[] = [];
    await consumer.forEach(
      (record) => {
        seen.push(record.offset);
        if (record.offset === 4) controller.abort();
      },
      { signal: controller.signal },
    );
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    expect(await take(consumer, 2)).toEqual([5, 6]);
    await consumer.forEach(() => undefined, { signal: AbortSignal.abort() });
    await consumer.close();
    expect(rig.committed()).toBe(6);
  });

  it('a handler that never ends does not keep close() beyond its time', async () => {
    const rig = await MockRig.start(3);
    const consumer = rig.subscribed();
    const done = consumer.forEach((record) => (record.offset === 1 ? new Promise(() => undefined) : undefined), {
      ordering: 'none',
      concurrency: 3,
    });
    await soon(() => consumer.unfinished().length === 1, 'stuck');
    await consumer.close({ timeoutMs: 4000 });
    await done;
    expect(rig.committed()).toBe(1);
  }, 10_000);

  it('thrown out of the group: nothing of the old assignment is committed, and the records come again', async () => {
    const rig = await MockRig.start(4);
    const consumer = rig.subscribed({ sessionTimeoutMs: 300 });
    const handling = new Handling();
    let lost = 0;
    consumer.on('lost', () => lost++);
    const done = consumer.forEach(handling.handler, { concurrency: 6, ordering: 'none' });
    await soon(() => handling.running.length === 4, 'four');
    handling.end('0@0', '0@1');
    const old = handling.contexts.get('0@2');
    rig.kafka.fail('Heartbeat', { errorCode: 'UNKNOWN_MEMBER_ID' });
    await soon(() => lost === 1, 'lost');
    expect(old?.signal.aborted).toBe(true);
    await soon(() => handling.begun.length === 8, 'again');
    expect(rig.committed()).toBe(null);
    handling.end(...handling.running);
    await consumer.close();
    await done;
    expect(rig.committed()).toBe(4);
  }, 10_000);

  it('commit(record) in a handler passes nothing unfinished', async () => {
    const rig = await MockRig.start(4);
    const consumer = rig.subscribed();
    const handling = new Handling();
    const done = consumer.forEach(
      async (record, context) => {
        await handling.handler(record, context);
        await consumer.commit(record);
      },
      { concurrency: 4, ordering: 'none' },
    );
    await soon(() => handling.running.length === 4, 'four');
    handling.end('0@2');
    await settle();
    expect(rig.committed() ?? 0).toBe(0);
    handling.end('0@0');
    await rig.kafka.untilCommitted('g', { t: { 0: 1 } });
    handling.end('0@1');
    await rig.kafka.untilCommitted('g', { t: { 0: 3 } });
    handling.end('0@3');
    await consumer.close();
    await done;
  });

  it('with enableAutoOffsetStore: false what was marked counts, and nothing else', async () => {
    const rig = await MockRig.start(6);
    const consumer = rig.subscribed({ enableAutoOffsetStore: false });
    let handled = 0;
    const done = consumer.forEach(
      (record) => {
        handled++;
        if (record.offset !== 3) consumer.markConsumed(record);
      },
      { maxAhead: 2 },
    );
    await soon(() => handled === 5, 'two from the one that is not marked');
    await settle();
    expect(handled).toBe(5);
    consumer.markConsumed({ ...T0, offset: 4 });
    await soon(() => handled === 6, 'the last');
    await consumer.close();
    await done;
    expect(rig.committed()).toBe(6);
  });
});
