import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { HandlerError, type Claim, type Consumer, type KafkaRecord } from '../../src/index.ts';
import { soon, T0, take } from './consumer-rig.ts';
import { errorsOf, Handling, nameOf, settle } from './handling-rig.ts';
import { deferred, MockRig } from './mock-rig.ts';

const NEVER = new Promise<void>(() => undefined);
const ofKey = (key: string, count: number): { key: string; value: string }[] =>
  Array.from({ length: count }, (_, i) => ({ key, value: `${i}` }));

async function pass(ms: number): Promise<void> {
  const until = performance.now() + ms;
  await soon(() => performance.now() > until, 'time');
}

describe('a handler that hangs', () => {
  it('takes up its own place and no more: the application counts as there, and the others go on', async () => {
    const rig = await MockRig.start(1, 0);
    const consumer = rig.subscribed({ maxPollIntervalMs: 300 });
    let lost = 0;
    let handled = 0;
    consumer.on('lost', () => lost++);
    const done = consumer.forEach((record) => (record.partition === 0 ? NEVER : void handled++), { concurrency: 10 });
    await soon(() => consumer.unfinished().length === 1, 'the one that hangs');
    await pass(1000);
    await rig.kafka.append('t', 1, ['a', 'b']);
    await soon(() => handled === 2, 'the other partition');
    expect(lost).toBe(0);
    await consumer.close({ timeoutMs: 1000 });
    await done;
  });

  it('in every partition: the group goes on without this member, which comes back as there are free places', async () => {
    const rig = await MockRig.start(1, 1);
    const consumer = rig.subscribed({ maxPollIntervalMs: 300 });
    let lost = 0;
    consumer.on('lost', () => lost++);
    const handling = new Handling();
    const done = consumer.forEach(handling.handler, { concurrency: 4 });
    await soon(() => handling.begun.length === 2, 'two that hang');
    await soon(() => lost === 1, 'lost');
    await soon(() => handling.begun.length === 4, 'the same again');
    // Now there is no place left: it stays away until one of them ends.
    await soon(() => lost === 2, 'lost again');
    await pass(500);
    expect(handling.begun).toHaveLength(4);
    handling.end('0@0');
    await soon(() => handling.begun.length === 5, 'one more');
    await consumer.close({ timeoutMs: 400 });
    await done;
  });

  it("in one lane of two partitions stops no third one with ordering 'key'", async () => {
    const rig = await MockRig.start(0, 0, 0);
    for (const partition of [0, 1]) await rig.kafka.append('t', partition, ofKey('stuck', 20));
    const consumer = rig.subscribed();
    let handled = 0;
    const options = { concurrency: 64, ordering: 'key', maxAhead: 10 } as const;
    const done = consumer.forEach((record) => (record.partition < 2 ? NEVER : void handled++), options);
    const outstanding = (): number[] => consumer.unfinished().map((each) => each.outstanding);
    await soon(() => outstanding().join() === '10,10', 'what may wait of each');
    await rig.kafka.append('t', 2, ofKey('free', 100));
    await soon(() => handled === 100, 'the third partition');
    await consumer.close({ timeoutMs: 400 });
    await done;
  });
});

describe('pause() and what waits in lanes', () => {
  it('nothing begins before resume(), then all in order, as there is room', async () => {
    const rig = await MockRig.start(12, 0); // four keys, three records of each
    const consumer = rig.subscribed();
    const handling = new Handling();
    const done = consumer.forEach(handling.handler, { concurrency: 5, ordering: 'key' });
    await handling.until('0@0', '0@1', '0@2', '0@3');
    await soon(() => consumer.unfinished()[0]?.outstanding === 12, 'the rest, that waits');
    consumer.pause([T0]);
    handling.end(...handling.running);
    await settle();
    expect(handling.begun).toHaveLength(4);
    // Others take the places meanwhile.
    await rig.kafka.append('t', 1, ['a', 'b', 'c']);
    await handling.until('1@0', '1@1', '1@2');
    consumer.resume([T0]);
    await soon(() => handling.running.length === 5, 'two of the four keys');
    await settle();
    expect(handling.running).toHaveLength(5);
    handling.end('1@0', '1@1', '1@2');
    for (let left = 8; left > 0; left--) {
      await soon(() => handling.running.length > 0, 'a handler');
      const [first] = handling.running;
      if (first !== undefined) handling.end(first);
      await settle();
      expect(handling.running.length).toBeLessThanOrEqual(5);
    }
    for (const key of [0, 1, 2, 3])
      expect(handling.begun.filter((name) => name.startsWith('0@') && Number(name.slice(2)) % 4 === key)).toEqual(
        [key, key + 4, key + 8].map((offset) => `0@${offset}`),
      );
    await consumer.close();
    await done;
    expect(rig.committed()).toBe(12);
  });

  it('resume() is enough, also where nothing more may be handed out', async () => {
    const rig = await MockRig.start(0);
    await rig.kafka.append('t', 0, [...ofKey('stuck', 1), ...ofKey('b', 4)]);
    const consumer = rig.subscribed();
    const handling = new Handling();
    const done = consumer.forEach(handling.handler, { concurrency: 4, ordering: 'key', maxAhead: 3 });
    await handling.until('0@0', '0@1');
    await soon(() => consumer.unfinished()[0]?.outstanding === 3, 'all that may be handed out');
    consumer.pause([T0]);
    handling.end('0@1');
    await settle();
    consumer.resume([T0]);
    await handling.until('0@2');
    handling.end(...handling.running);
    await soon(() => handling.begun.length === 4, 'the next one');
    handling.end(...handling.running);
    await soon(() => handling.begun.length === 5, 'the last one');
    handling.end(...handling.running);
    await consumer.close();
    await done;
    expect(rig.committed()).toBe(5);
  });

  it('nor at the end: close(), a revocation and a seek drop what waits, and it comes again', async () => {
    for (const end of ['close', 'revocation', 'seek'] as const) {
      const rig = await MockRig.start(0);
      await rig.kafka.append('t', 0, [...ofKey('a', 3), ...ofKey('b', 1)]);
      const consumer = rig.subscribed();
      const handling = new Handling();
      const done = consumer.forEach(handling.handler, { concurrency: 4, ordering: 'key' });
      await handling.until('0@0', '0@3');
      await soon(() => consumer.unfinished()[0]?.outstanding === 4, 'all four');
      consumer.pause([T0]);
      handling.end('0@0', '0@3');
      await settle();
      if (end === 'revocation') {
        consumer.unsubscribe();
        await rig.kafka.untilCommitted('g', { t: { 0: 1 } });
        await soon(() => consumer.assignment().length === 0, 'the end of it');
      } else if (end === 'seek') {
        consumer.seek({ ...T0, offset: 2 });
        consumer.resume([T0]);
        await soon(() => handling.begun.length === 4, 'from there on');
        expect(handling.begun.slice(2)).toEqual(['0@2', '0@3']);
        handling.end('0@2', '0@3');
      }
      await consumer.close();
      await done;
      expect(handling.begun.slice(0, 2).sort()).toEqual(['0@0', '0@3']);
      if (end !== 'seek') expect(handling.begun).toHaveLength(2);
      expect(rig.committed()).toBe(end === 'seek' ? 4 : 1);
    }
  });
});

describe('a partition that was stopped', () => {
  it('is named by unfinished() with its error, until it is sought', async () => {
    const rig = await MockRig.start(5, 1);
    const consumer = rig.subscribed();
    const errors = errorsOf(consumer);
    let isMended = false;
    const seen: string[] = [];
    const done = consumer.forEach((record) => {
      if (nameOf(record) === '0@2' && !isMended) throw new Error('poison');
      seen.push(nameOf(record));
    });
    const outcome = done.catch((error: unknown) => error);
    await soon(() => seen.length === 3, 'what goes on');
    const [stopped, ...others] = consumer.unfinished();
    expect(stopped).toMatchObject({ ...T0, offset: 2, error: errors[0] });
    expect(stopped?.error).toBeInstanceOf(HandlerError);
    expect(stopped?.ageMs).toBeGreaterThanOrEqual(0);
    expect(others).toEqual([]);
    isMended = true;
    consumer.seek({ ...T0, offset: 2 });
    await soon(() => seen.length === 6, 'the rest');
    expect(consumer.unfinished()).toEqual([]);
    await consumer.close();
    expect(await outcome).toBe(errors[0]);
  });

  it('so is one of run()', async () => {
    const rig = await MockRig.start(5, 1);
    const consumer = rig.subscribed();
    let seen = 0;
    const consume = async (claim: Claim): Promise<void> => {
      for await (const record of claim) {
        if (nameOf(record) === '0@2') throw new Error('poison');
        seen++;
      }
    };
    const outcome = consumer.run({ consume }).catch((error: unknown) => error);
    await soon(() => seen === 3 && consumer.unfinished().length === 1, 'what goes on');
    expect(consumer.unfinished()).toMatchObject([{ ...T0, offset: 2, error: { cause: { message: 'poison' } } }]);
    await consumer.close();
    expect(await outcome).toBeInstanceOf(HandlerError);
  });
});

describe('the end of forEach and run', () => {
  it('what was finished is committed when they end, whether by an error or by their signal', async () => {
    for (const style of ['forEach', 'run'] as const) {
      for (const end of ['error', 'signal'] as const) {
        const rig = await MockRig.start(6);
        const consumer = rig.subscribed();
        const controller = new AbortController();
        const { signal } = controller;
        const handle = (record: KafkaRecord): void => {
          if (record.offset !== 3) return;
          if (end === 'error') throw new Error('poison');
          controller.abort();
        };
        const consume = async (claim: Claim): Promise<void> => {
          for await (const record of claim) handle(record);
        };
        const done = style === 'forEach' ? consumer.forEach(handle, { signal }) : consumer.run({ consume }, { signal });
        await done.catch(() => undefined);
        expect(rig.committed()).toBe(end === 'error' ? 3 : 4);
      }
    }
  });

  it('also where that cannot be committed', async () => {
    const rig = await MockRig.start(3);
    const consumer = rig.subscribed();
    rig.kafka.fail('OffsetCommit', { errorCode: 'GROUP_AUTHORIZATION_FAILED', times: Infinity });
    const controller = new AbortController();
    await consumer.forEach(() => controller.abort(), { signal: controller.signal });
    expect(rig.committed()).toBe(null);
  });

  it('not without automatic commits', async () => {
    const rig = await MockRig.start(3);
    const consumer = rig.subscribed({ enableAutoCommit: false });
    const controller = new AbortController();
    await consumer.forEach(() => controller.abort(), { signal: controller.signal });
    expect(rig.committed()).toBe(null);
  });
});

describe('what is aborted has not failed', () => {
  const wrapped = (error: unknown): Error => new Error('the query was given up', { cause: error });

  it.each([
    ['Node’s own AbortError', (error: unknown) => error],
    ['an error that wraps it', wrapped],
  ])('%s, thrown by consume at the end of its claim: run() goes on', async (_, thrown) => {
    const rig = await MockRig.start(3, 3);
    const consumer = rig.subscribed();
    const errors = errorsOf(consumer);
    let begun = 0;
    const done = consumer.run({
      consume: async (claim) => {
        for await (const record of claim) {
          begun++;
          expect(record.offset).toBe(0);
          await sleep(3_600_000, undefined, { signal: claim.signal }).catch((error: unknown) => {
            throw thrown(error);
          });
        }
      },
    });
    await soon(() => begun === 2, 'both');
    const other = rig.subscribed();
    expect(await take(other, 1)).toEqual([0]);
    await soon(() => begun === 3, 'what is left here, again');
    await other.close();
    await soon(() => begun === 5, 'both again');
    await consumer.close();
    await done;
    expect(errors).toEqual([]);
  });

  it('another error at the end of a claim is told, and run() goes on', async () => {
    const rig = await MockRig.start(3);
    const consumer = rig.subscribed({ sessionTimeoutMs: 300 });
    const errors = errorsOf(consumer);
    const claims: Claim[] = [];
    const outcome = consumer
      .run({
        consume: async (claim) => {
          claims.push(claim);
          for await (const record of claim) expect(record.partition).toBe(0);
          if (claims.length === 1) throw new Error('not flushed');
        },
      })
      .catch((error: unknown) => error);
    await soon(() => claims.length === 1, 'a claim');
    rig.kafka.fail('Heartbeat', { errorCode: 'UNKNOWN_MEMBER_ID' });
    await soon(() => claims.length === 2, 'the next one');
    expect(errors).toMatchObject([{ name: 'HandlerError', cause: { message: 'not flushed' } }]);
    await consumer.close();
    expect(await outcome).toBe(errors[0]);
  });

  it('deadLetter that gives up with its partition', async () => {
    const rig = await MockRig.start(2);
    const consumer = rig.subscribed({ sessionTimeoutMs: 300 });
    const errors = errorsOf(consumer);
    let calls = 0;
    const done = consumer.forEach(
      () => {
        throw new Error('poison');
      },
      {
        deadLetter: async (_record, _error, { signal }) => {
          calls++;
          await sleep(3_600_000, undefined, { signal }).catch((error: unknown) => {
            throw wrapped(error);
          });
        },
      },
    );
    await soon(() => calls === 1, 'a call');
    rig.kafka.fail('Heartbeat', { errorCode: 'UNKNOWN_MEMBER_ID' });
    await soon(() => calls === 2, 'the next one');
    await consumer.close();
    await done;
    expect(errors).toEqual([]);
  });
});

describe('setup, when its partitions are taken away meanwhile', () => {
  it.each(['before run()', 'after it'])(
    'is followed by cleanup, and then by the revocation (assigned %s)',
    async (when) => {
      const rig = await MockRig.start(1);
      const consumer = rig.consumer();
      const events: string[] = [];
      const begun = deferred();
      const end = deferred();
      consumer.subscribe(['t'], { onRevoked: () => void events.push('revoked') });
      if (when === 'before run()') await take(consumer, 1);
      const done = consumer.run({
        setup: async () => {
          events.push('setup');
          begun.resolve();
          await end.promise;
        },
        consume: () => void events.push('consume'),
        cleanup: () => void events.push('cleanup'),
      });
      await begun.promise;
      consumer.unsubscribe();
      await settle();
      expect(events).toEqual(['setup']);
      end.resolve();
      await soon(() => events.includes('revoked'), 'revocation');
      expect(events).toEqual(['setup', 'cleanup', 'revoked']);
      await consumer.close();
      await done;
    },
  );

  it('close() waits for it, and run() for the cleanup', async () => {
    const rig = await MockRig.start(1);
    const consumer = rig.subscribed();
    const events: string[] = [];
    const begun = deferred();
    const end = deferred();
    const done = consumer
      .run({
        setup: async () => {
          begun.resolve();
          await end.promise;
        },
        consume: () => void events.push('consume'),
        cleanup: async () => {
          await settle();
          events.push('cleanup');
        },
      })
      .then(() => events.push('end of run'));
    await begun.promise;
    const closing = consumer.close();
    await settle();
    end.resolve();
    await closing;
    await done;
    expect(events).toEqual(['cleanup', 'end of run']);
  });
});

describe('a consume that hangs at the end of its claim', () => {
  async function oneHangs(options: { maxPollIntervalMs?: number } = {}): Promise<{
    rig: MockRig;
    consumer: Consumer;
    events: string[];
    done: Promise<void>;
    letGo: () => void;
  }> {
    const rig = await MockRig.start(3, 3);
    const consumer = rig.subscribed(options);
    const events: string[] = [];
    const { promise, resolve } = deferred();
    const done = consumer.run({
      consume: async (claim) => {
        events.push(`begin ${claim.partition}`);
        for await (const record of claim) if (record.partition === 0 && record.offset === 1) await promise;
        events.push(`end ${claim.partition}`);
      },
      cleanup: (partitions) => void events.push(`cleanup ${partitions.map(({ partition }) => partition).join()}`),
    });
    await soon(() => events.length === 2 && consumer.unfinished().length === 0, 'both');
    await soon(() => consumer.lag().every(({ position }) => (position ?? 0) >= 2), 'what they read');
    return { rig, consumer, events, done, letGo: () => resolve() };
  }

  it('close() cleans up after the others in its time, and after this one when it ends', async () => {
    const { rig, consumer, events, done, letGo } = await oneHangs();
    const { unfinished } = await consumer.close({ timeoutMs: 4000 });
    await done;
    expect(unfinished).toEqual([{ ...T0, offset: 1 }]);
    expect(events.slice(2)).toEqual(['end 1', 'cleanup 1']);
    letGo();
    await soon(() => events.length === 6, 'the end of that');
    expect(events.slice(4)).toEqual(['end 0', 'cleanup 0']);
    expect(rig.kafka.committed('g')).toEqual({ t: { 0: 1, 1: 3 } });
  });

  it('a revocation goes on without it in the end, and cleans up after the others', async () => {
    const { rig, consumer, events, done, letGo } = await oneHangs({ maxPollIntervalMs: 600 });
    const errors = errorsOf(consumer);
    const other = rig.subscribed();
    const others = take(other, 1);
    await soon(() => events.includes('cleanup 1'), 'cleanup of what has ended');
    expect(await others).toHaveLength(1);
    expect(errors).toMatchObject([{ name: 'HandlerError', ...T0, offset: 1 }]);
    expect(events).not.toContain('cleanup 0');
    letGo();
    await soon(() => events.includes('cleanup 0'), 'the end of that');
    await other.close();
    await consumer.close();
    await done;
  });
});
