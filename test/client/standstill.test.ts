import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Consumer, type ConsumerOptions } from '../../src/index.ts';
import type { ErrorName } from '../../src/protocol/error-codes.ts';
import { MockCluster, type Clock } from '../../src/testing/index.ts';
import { cleanups, T0 } from './consumer-rig.ts';

/** Delays of this length, and longer ones, end when the test says so. */
const HELD_MS = 1_000_000;
const COUNT = 8;

const realNow = performance.now.bind(performance);
let skippedMs = 0;
beforeEach(() => {
  skippedMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => realNow() + skippedMs);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** As the consumer sees it the event loop has stood still for a session. The broker's time goes on as ever. */
function standStill(): void {
  skippedMs += 46_000;
}

/** The broker's time. */
class HeldClock implements Clock {
  readonly held: (() => void)[] = [];

  now(): number {
    return Math.floor(performance.timeOrigin + realNow());
  }

  after(delayMs: number, callback: () => void): () => void {
    if (delayMs >= HELD_MS / 2) {
      this.held.push(callback);
      return () => undefined;
    }
    const timer = setTimeout(callback, delayMs).unref();
    return () => clearTimeout(timer);
  }
}

class Rig {
  readonly kafka: MockCluster;
  readonly consumer: Consumer;
  readonly clock: HeldClock;
  readonly seen: number[] = [];
  readonly lost: number[] = [];
  /** What the heartbeats after the standstill are answered; `null` for what the group says. */
  errorCode: ErrorName | null = null;
  readonly #heartbeat: string;

  private constructor(kafka: MockCluster, consumer: Consumer, heartbeat: string, clock: HeldClock) {
    this.kafka = kafka;
    this.consumer = consumer;
    this.#heartbeat = heartbeat;
    this.clock = clock;
  }

  static async start(options: Partial<ConsumerOptions>): Promise<Rig> {
    const clock = new HeldClock();
    const kafka = await MockCluster.start({ brokers: 1, topics: { t: 1 }, clock });
    cleanups.push(() => kafka.close());
    const records = Array.from({ length: COUNT }, (_, offset) => ({ key: `k${offset % 2}`, value: 'v' }));
    await kafka.append('t', 0, records);
    const consumer = new Consumer({
      bootstrapServers: kafka.bootstrapServers,
      groupId: 'g',
      autoOffsetReset: 'earliest',
      fetchMaxWaitMs: 50,
      requestTimeoutMs: 120_000,
      maxPollRecords: 1,
      logger: null,
      ...options,
    });
    cleanups.push(() => consumer.close({ timeoutMs: 0 }));
    const heartbeat = options.groupProtocol === 'consumer' ? 'ConsumerGroupHeartbeat' : 'Heartbeat';
    return new Rig(kafka, consumer, heartbeat, clock);
  }

  subscribe(): void {
    this.consumer.subscribe(['t'], { onLost: () => this.lost.push(this.seen.length) });
  }

  /** Takes in a record; the first one holds up the event loop. From then on heartbeats wait for `answer`. */
  take(offset: number): boolean {
    this.seen.push(offset);
    if (this.seen.length === 1) {
      const fate = this.errorCode === null ? {} : { errorCode: this.errorCode };
      this.kafka.faults.add({ api: this.#heartbeat, times: Infinity, delayMs: HELD_MS, ...fate });
      standStill();
    }
    return this.seen.length >= COUNT;
  }

  /** A heartbeat that was sent after the standstill is at the broker, and everybody has had a chance to go on without it. */
  async untilAsked(): Promise<void> {
    await vi.waitUntil(() => this.clock.held.length > 0, { timeout: 15_000, interval: 5 });
    for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve));
  }

  answer(): void {
    this.kafka.faults.clear();
    for (const release of this.clock.held.splice(0)) release();
  }
}

const STYLES: Record<string, (rig: Rig, consumer: Consumer) => Promise<void>> = {
  'for await': async (rig, consumer) => {
    for await (const { offset } of consumer) if (rig.take(offset)) return;
  },
  'batches()': async (rig, consumer) => {
    for await (const batch of consumer.batches()) for (const { offset } of batch) if (rig.take(offset)) return;
  },
  'poll()': async (rig, consumer) => {
    for (;;) {
      const batches = await consumer.poll();
      for (const batch of batches) for (const { offset } of batch) if (rig.take(offset)) return;
    }
  },
  'read()': async (rig, consumer) => {
    for (;;) {
      const record = await consumer.read();
      if (record !== null && rig.take(record.offset)) return;
    }
  },
  'forEach() by partition': (rig, consumer) => forEach(rig, consumer, 'partition'),
  'forEach() by key': (rig, consumer) => forEach(rig, consumer, 'key'),
  'forEach() by partition, handlers that wait': (rig, consumer) => forEach(rig, consumer, 'partition', true),
  'run()': async (rig, consumer) => {
    const end = new AbortController();
    const consume = async (claim: AsyncIterable<{ offset: number }>): Promise<void> => {
      for await (const { offset } of claim) if (rig.take(offset)) end.abort();
    };
    await consumer.run({ consume }, { signal: end.signal });
  },
};

async function forEach(rig: Rig, consumer: Consumer, ordering: 'partition' | 'key', isWaiting = false): Promise<void> {
  const end = new AbortController();
  const handle = ({ offset }: { offset: number }): Promise<void> | undefined => {
    if (rig.take(offset)) end.abort();
    return isWaiting ? Promise.resolve() : undefined;
  };
  await consumer.forEach(handle, { ordering, signal: end.signal });
}

const ALL = Array.from({ length: COUNT }, (_, offset) => offset);

describe.each<Partial<ConsumerOptions>>([{}, { groupProtocol: 'consumer' }])(
  'after the event loop stood still for a session, %o',
  (options) => {
    it.each(Object.entries(STYLES))('%s gives nothing before the group has answered', async (_, read) => {
      const rig = await Rig.start(options);
      rig.subscribe();
      const done = read(rig, rig.consumer);
      await rig.untilAsked();
      expect(rig.seen).toEqual([0]);
      rig.answer();
      await done;
      expect(rig.seen).toEqual(ALL);
    });

    it('nothing of partitions that are lost is given; reading goes on once they are back', async () => {
      const rig = await Rig.start(options);
      rig.errorCode = options.groupProtocol === 'consumer' ? 'UNKNOWN_MEMBER_ID' : 'ILLEGAL_GENERATION';
      rig.subscribe();
      const done = STYLES['read()']?.(rig, rig.consumer);
      await rig.untilAsked();
      rig.answer();
      await done;
      expect(rig.lost).toEqual([1]);
    });

    it('a subscription that is given up holds nothing back', async () => {
      const rig = await Rig.start(options);
      rig.subscribe();
      rig.take((await rig.consumer.read())?.offset ?? -1);
      expect(await rig.consumer.read({ timeoutMs: 0 })).toBeNull();
      rig.consumer.unsubscribe();
      rig.consumer.assign([{ ...T0, offset: 3 }]);
      rig.answer();
      expect((await rig.consumer.read())?.offset).toBe(3);
    });

    it('close() does not wait for the answer', async () => {
      const rig = await Rig.start(options);
      rig.subscribe();
      rig.take((await rig.consumer.read())?.offset ?? -1);
      expect(await rig.consumer.read({ timeoutMs: 0 })).toBeNull();
      rig.kafka.faults.clear();
      expect(await rig.consumer.close()).toMatchObject({ hasLeft: true });
    });
  },
);

it('what is assigned by hand is nobody else’s: it is read on', async () => {
  const rig = await Rig.start({});
  rig.consumer.assign([{ ...T0, offset: 0 }]);
  await STYLES['read()']?.(rig, rig.consumer);
  expect(rig.seen).toEqual(ALL);
});
