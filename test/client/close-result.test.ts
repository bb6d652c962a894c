import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Closing, type CloseResult, type ClosingHost } from '../../src/client/closing.ts';
import type { EngineCommand } from '../../src/client/port.ts';
import { Consumer, type HandlerContext, type KafkaRecord } from '../../src/index.ts';
import { cleanups, soon, T0, take } from './consumer-rig.ts';
import { deferred, MockRig } from './mock-rig.ts';

const NOTHING: CloseResult = { unfinished: [], uncommitted: [], hasLeft: true };

function warningsOf(consumer: Consumer): string[] {
  const warnings: string[] = [];
  consumer.on('log', ({ level, message }) => level === 'warn' && warnings.push(message));
  return warnings;
}

/** Turns of the event loop in which something that does not wait would long be done. */
async function turns(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('close() with little time', () => {
  it.each([4000, 5000])('waits for the handlers of forEach (%i ms)', async (timeoutMs) => {
    const rig = await MockRig.start(3);
    const consumer = rig.subscribed();
    const end = deferred();
    const contexts: HandlerContext[] = [];
    let isOver = false;
    const done = consumer
      .forEach(async (_record, context) => {
        contexts.push(context);
        await end.promise;
      })
      .then(() => (isOver = true));
    await soon(() => contexts.length === 1, 'a handler');
    const closing = consumer.close({ timeoutMs });
    await soon(() => contexts[0]?.signal.aborted === true, 'the signal');
    await turns();
    expect(isOver).toBe(false);
    end.resolve();
    expect(await closing).toEqual(NOTHING);
    await done;
    expect(rig.committed()).toBe(1);
  });

  it('waits for a loop, and for the loops of run()', async () => {
    for (const style of ['loop', 'run'] as const) {
      const rig = await MockRig.start(3);
      const consumer = rig.subscribed();
      const end = deferred();
      let begun = 0;
      const read = async (records: AsyncIterable<KafkaRecord>): Promise<void> => {
        for await (const record of records)
          if (record.offset === 1) await end.promise.then(() => begun++);
          else begun++;
      };
      const done = style === 'loop' ? read(consumer) : consumer.run({ consume: read });
      await soon(() => begun === 1, 'the first record');
      const closing = consumer.close({ timeoutMs: 4000 });
      await turns();
      end.resolve();
      expect(await closing).toEqual(NOTHING);
      await done;
      expect(rig.committed()).toBe(2);
    }
  });
});

describe('close() names what it could not bring to its end', () => {
  it('a handler that does not end: from its record on, with the advice that fits, and its later end changes nothing', async () => {
    const rig = await MockRig.start(4, 2);
    const consumer = rig.subscribed();
    const warnings = warningsOf(consumer);
    const end = deferred();
    let seen = 0;
    const done = consumer.forEach(
      (record) => {
        seen++;
        return record.partition === 0 && record.offset === 1 ? end.promise : undefined;
      },
      { ordering: 'none', concurrency: 4 },
    );
    await soon(() => seen === 6, 'all');
    const result = await consumer.close({ timeoutMs: 4000 });
    await done;
    expect(result).toEqual({ unfinished: [{ ...T0, offset: 1 }], uncommitted: [], hasLeft: true });
    expect(warnings.at(-1)).toMatch(/does not wait any longer for what it has of t-0 from offset 1 on; allow/);
    end.resolve();
    await turns();
    expect(rig.kafka.committed('g')).toEqual({ t: { 0: 1, 1: 2 } });
  });

  it('a loop that does not come back', async () => {
    const rig = await MockRig.start(4);
    const consumer = rig.subscribed();
    const iterator = consumer[Symbol.asyncIterator]();
    await iterator.next();
    await iterator.next();
    expect((await consumer.close({ timeoutMs: 200 })).unfinished).toEqual([{ ...T0, offset: 1 }]);
  });

  it('what poll() gave, which it does not wait for, unless that is committed', async () => {
    for (const commits of [false, true]) {
      const rig = await MockRig.start(4);
      const consumer = rig.subscribed();
      const warnings = warningsOf(consumer);
      await consumer.poll({ timeoutMs: 5000 });
      if (commits) await consumer.commit();
      const result = await consumer.close();
      expect(result).toEqual(commits ? NOTHING : { ...NOTHING, unfinished: [{ ...T0, offset: 0 }] });
      expect(warnings).toEqual([]);
    }
  });

  it('what was finished and could not be committed', async () => {
    const rig = await MockRig.start(4);
    const consumer = rig.subscribed();
    await take(consumer, 3);
    rig.kafka.fail('OffsetCommit', { errorCode: 'GROUP_AUTHORIZATION_FAILED', times: Infinity });
    expect(await consumer.close()).toMatchObject({ unfinished: [], uncommitted: [{ ...T0, offset: 2 }] });
  });

  it('nothing where nothing was read, also without automatic commits; nor without a group', async () => {
    const rig = await MockRig.start(4);
    const consumer = rig.subscribed({ enableAutoCommit: false });
    consumer.pause([]);
    await rig.kafka.untilStable('g', 1);
    await soon(() => consumer.assignment().length === 1, 'assignment');
    await consumer.position(T0);
    expect(await consumer.close()).toEqual(NOTHING);
    const alone = new Consumer({ bootstrapServers: rig.kafka.bootstrapServers, logger: null });
    cleanups.push(() => alone.close({ timeoutMs: 0 }));
    alone.assign([{ ...T0, offset: 0 }]);
    await take(alone, 3);
    expect(await alone.close()).toEqual(NOTHING);
  });

  it.each(['classic', 'consumer'] as const)('a group that does not answer (%s)', async (groupProtocol) => {
    const rig = await MockRig.start(4);
    const consumer = rig.subscribed({ enableAutoCommit: false, groupProtocol });
    await take(consumer, 1);
    for (const nodeId of [1, 2]) rig.kafka.broker(nodeId).freeze();
    // Far from its end of 60 s: the goodbye has a time of its own.
    expect((await consumer.close({ timeoutMs: 60_000 })).hasLeft).toBe(false);
  });

  it.each(['classic', 'consumer'] as const)('a static member stays in its group (%s)', async (groupProtocol) => {
    const rig = await MockRig.start(4);
    const consumer = rig.subscribed({ groupInstanceId: 'one', groupProtocol });
    await take(consumer, 1);
    expect((await consumer.close()).hasLeft).toBe(false);
  });
});

describe('close() again', () => {
  it('the shortest time counts', async () => {
    const rig = await MockRig.start(2);
    const consumer = rig.subscribed();
    const iterator = consumer[Symbol.asyncIterator]();
    await iterator.next();
    const first = consumer.close({ timeoutMs: 3_600_000 });
    const result = await consumer.close({ timeoutMs: 100 });
    expect(result.unfinished).toEqual([{ ...T0, offset: 0 }]);
    expect(await first).toEqual(result);
    expect(await consumer.close()).toEqual(result);
  });

  it('also while the last commit is under way, and while the group is being left', async () => {
    for (const api of ['OffsetCommit', 'LeaveGroup'] as const) {
      const rig = await MockRig.start(2);
      const consumer = rig.subscribed();
      await take(consumer, 2);
      const silent = rig.kafka.faults.add({ api, silent: true, times: Infinity });
      const first = consumer.close({ timeoutMs: 3_600_000 });
      await silent.untilHit();
      await consumer.close({ timeoutMs: 50 });
      await first;
    }
  });
});

describe('close(), awaited by whom it waits for', () => {
  const styles = {
    'a loop': async (consumer: Consumer, close: () => Promise<void>) => {
      for await (const record of consumer) if (record.offset === 1) await close();
    },
    'a handler of forEach': (consumer: Consumer, close: () => Promise<void>) =>
      consumer.forEach((record) => (record.offset === 1 ? close() : undefined)),
    'consume of run': (consumer: Consumer, close: () => Promise<void>) =>
      consumer.run({
        consume: async (claim) => {
          for await (const record of claim) if (record.offset === 1) await close();
        },
      }),
    deadLetter: (consumer: Consumer, close: () => Promise<void>) =>
      consumer.forEach(
        (record) => {
          if (record.offset === 1) throw new Error('poison');
        },
        { deadLetter: close },
      ),
  };

  it.each(Object.keys(styles) as (keyof typeof styles)[])('%s: ends in its time all the same', async (style) => {
    const rig = await MockRig.start(4);
    const consumer = rig.subscribed();
    let result: CloseResult | null = null;
    await styles[style](consumer, async () => {
      result = await consumer.close({ timeoutMs: 1200 });
    });
    await soon(() => result !== null, 'the end');
    expect(result).toMatchObject({ unfinished: [{ ...T0, offset: 1 }] });
    await consumer.close();
    // What ended after close() is in nobody's commit.
    expect(rig.committed()).not.toBe(2);
  });

  it('by an aborted signal inside a handler: the handler is waited for', async () => {
    const rig = await MockRig.start(4);
    const controller = new AbortController();
    const consumer = rig.subscribed({ signal: controller.signal });
    await consumer.forEach(async (record, { signal }) => {
      if (record.offset !== 1) return;
      controller.abort();
      await turns();
      expect(signal.aborted).toBe(true);
    });
    expect(await consumer.close()).toEqual(NOTHING);
    expect(rig.committed()).toBe(2);
  });
});

describe('the time of close(), shared out', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A `Closing` whose host lets go of nothing, and can commit nothing. */
  function stuck(hasInHand: boolean): {
    closing: Closing<unknown, unknown>;
    sent: EngineCommand[];
    commits: number[];
  } {
    const sent: EngineCommand[] = [];
    const commits: number[] = [];
    const began = performance.now();
    const commit = (by: number): Promise<void> => {
      commits.push(by - began);
      return new Promise((resolve) => setTimeout(resolve, Math.max(0, by - performance.now())));
    };
    const host = {
      delivery: { hasInHand, partitions: [], abandonWork: () => undefined, remove: () => undefined },
      reading: { isPollInHand: false, end: () => undefined, abandon: () => undefined },
      rebalances: { closing: () => undefined, handChanged: () => undefined, close: () => undefined },
      commits: {
        beforeClose: commit,
        beforeRevocation: (_: unknown, by: number) => commit(by),
        failAll: () => undefined,
      },
      lookups: { failAll: () => undefined },
      engine: { send: (command: EngineCommand) => sent.push(command) },
      reporting: { log: () => undefined },
      hasGroup: true,
      isSubscribed: () => false,
      failure: () => null,
      onClosed: () => undefined,
    };
    // What is left out is not asked for.
    const closing = new Closing(host as unknown as ClosingHost<unknown, unknown>);
    return { closing, sent, commits };
  }

  it.each([
    // handlers that never end or none, timeoutMs, by when the two commits end, what the engine gets
    [true, 30_000, [28_000, 29_000], 1000],
    [true, 4000, [3562.5, 3750], 250],
    [true, 400, [356.25, 375], 25],
    [false, 30_000, [5000, 6000], 24_000],
    [false, 120_000, [23_000, 24_000], 96_000],
    [false, 4000, [2250, 3000], 1000],
  ])('handlers %s, %i ms', async (hasInHand, timeoutMs, commitsBy, engineMs) => {
    const { closing, sent, commits } = stuck(hasInHand);
    const closed = closing.close(timeoutMs);
    await vi.advanceTimersByTimeAsync(timeoutMs);
    expect(commits).toEqual(commitsBy);
    expect(sent).toMatchObject([{ type: 'close', leaveTimeoutMs: 2000 }]);
    const given = sent[0]?.type === 'close' ? sent[0].timeoutMs : NaN;
    expect(Math.abs(given - engineMs)).toBeLessThanOrEqual(2); // timers count whole milliseconds
    closing.onEngineClosed(true);
    await closed;
  });

  it('a commit that a revocation began to wait for before ends with the others', async () => {
    const { closing } = stuck(false);
    let isOver = false;
    void closing.whileCommitting(new Promise(() => undefined)).then(() => (isOver = true));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(isOver).toBe(false);
    void closing.close(30_000);
    await vi.advanceTimersByTimeAsync(5900);
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(isOver).toBe(true);
  });
});
