import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PartitionDelivery } from '../../src/client/partition-delivery.ts';
import { Consumer } from '../../src/index.ts';
import { MockCluster } from '../../src/testing/index.ts';
import { encodeRecordBatch } from '../../src/testing/record-batch-writer.ts';
import { cleanups, soon } from './consumer-rig.ts';
import { deferred } from './mock-rig.ts';
import { batch, DeliveryRig, type Bytes } from './partition-rig.ts';

const PARTITIONS = 30;
const PER_PARTITION = 3;
const RECORDS = 25;
const TURN = 5;
const BUDGET = 100_000;

/** Small on the wire, some 40 kB when opened. */
function shrunk(baseOffset: number): Buffer {
  const records = Array.from({ length: RECORDS }, () => ({ value: Buffer.alloc(1600) }));
  return encodeRecordBatch(records, { baseOffset, timestamp: 1, compression: 'gzip' });
}

/** Worth opening on another thread, some 400 kB when opened. */
function large(baseOffset: number): Buffer {
  const noise = randomBytes(5000);
  const records = Array.from({ length: RECORDS }, (_, i) => ({
    value: Buffer.concat([i % 2 === 0 ? randomBytes(6000) : noise, Buffer.alloc(10_000)]),
  }));
  return encodeRecordBatch(records, { baseOffset, timestamp: 1, compression: 'gzip' });
}

function filled(budget: number, encode: (baseOffset: number) => Buffer, count = PARTITIONS): DeliveryRig {
  const rig = new DeliveryRig({ turn: TURN, budget });
  const end = PER_PARTITION * RECORDS;
  const bytes = Array.from({ length: PER_PARTITION }, (_, i) => encode(i * RECORDS));
  for (let i = 0; i < count; i++) rig.add(rig.assign(i), end, end, ...bytes);
  return rig;
}

describe('opened bytes of all partitions stay below the budget and one batch', () => {
  it.each<[string, (consumer: Consumer, onRecords: (partition: number, count: number) => boolean) => Promise<void>]>([
    [
      'for await',
      async (consumer, onRecords) => {
        for await (const { partition } of consumer) if (onRecords(partition, 1)) break;
      },
    ],
    [
      'batches()',
      async (consumer, onRecords) => {
        for await (const { partition, recordCount } of consumer.batches()) if (onRecords(partition, recordCount)) break;
      },
    ],
    [
      'poll()',
      async (consumer, onRecords) => {
        for (let isDone = false; !isDone;)
          for (const { partition, recordCount } of await consumer.poll()) isDone = onRecords(partition, recordCount);
      },
    ],
  ])('%s', async (_, read) => {
    const kafka = await MockCluster.start({ brokers: 1, topics: { t: PARTITIONS } });
    cleanups.push(() => kafka.close());
    for (let p = 0; p < PARTITIONS; p++) for (let i = 0; i < PER_PARTITION; i++) kafka.appendBatch('t', p, shrunk(0));
    let opened = 0;
    let largest = 0;
    let peak = 0;
    let measured = 0;
    const decompress = (bytes: Buffer): Buffer => {
      const result = gunzipSync(bytes);
      largest = Math.max(largest, result.length);
      opened += result.length;
      peak = Math.max(peak, opened);
      return result;
    };
    const consumer = new Consumer({
      bootstrapServers: kafka.bootstrapServers,
      fetchMaxBytes: BUDGET,
      maxPollRecords: TURN,
      codecs: { gzip: { decompress } },
      logger: null,
    });
    cleanups.push(() => consumer.close({ timeoutMs: 0 }));
    consumer.assign(Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: 't', partition, offset: 0 })));
    const counts = new Array<number>(PARTITIONS).fill(0);
    let total = 0;
    await read(consumer, (partition, count) => {
      counts[partition] = (counts[partition] ?? 0) + count;
      total += count;
      if ((counts[partition] ?? 0) % RECORDS === 0) opened -= largest; // they are all alike: one is used up
      measured = Math.max(measured, consumer.metrics().openedBytes);
      return total === PARTITIONS * PER_PARTITION * RECORDS;
    });
    expect(counts).toEqual(new Array<number>(PARTITIONS).fill(PER_PARTITION * RECORDS));
    expect(largest).toBeGreaterThan(30_000);
    expect(peak).toBeLessThanOrEqual(BUDGET + largest);
    expect(measured).toBeGreaterThanOrEqual(largest);
    expect(measured).toBeLessThanOrEqual(BUDGET + largest);
  });
});

describe('handlers and loops that hang, with the budget in their hands, starve no other partition', () => {
  const count = 6;

  it.each<[string, (consumer: Consumer, onRecord: (partition: number) => Promise<void>) => Promise<unknown>]>([
    ['forEach', (consumer, onRecord) => consumer.forEach(({ partition }) => onRecord(partition), { concurrency: 10 })],
    [
      'run',
      (consumer, onRecord) =>
        consumer.run({
          consume: async (claim) => {
            for await (const { partition } of claim) await onRecord(partition);
          },
        }),
    ],
  ])('%s', async (_, handle) => {
    const kafka = await MockCluster.start({ brokers: 1, topics: { t: count } });
    cleanups.push(() => kafka.close());
    for (let p = 0; p < count; p++) for (let i = 0; i < PER_PARTITION; i++) kafka.appendBatch('t', p, shrunk(0));
    const consumer = new Consumer({ bootstrapServers: kafka.bootstrapServers, fetchMaxBytes: BUDGET, logger: null });
    cleanups.push(() => consumer.close({ timeoutMs: 0 }));
    consumer.assign(Array.from({ length: count }, (_, partition) => ({ topic: 't', partition, offset: 0 })));
    const stuck = new Set<number>();
    const { promise: release, resolve } = deferred();
    let total = 0;
    const work = handle(consumer, async (partition) => {
      if (stuck.size < 2) stuck.add(partition);
      if (stuck.has(partition)) await release;
      total++;
    });
    await soon(() => total === (count - 2) * PER_PARTITION * RECORDS, 'the other partitions');
    expect(consumer.metrics().openedBytes).toBeGreaterThan(BUDGET / 2);
    resolve();
    await soon(() => total === count * PER_PARTITION * RECORDS, 'all partitions');
    await consumer.close();
    await work;
  });
});

describe('within the budget', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  const turnOfEvents = () => new Promise((resolve) => setImmediate(resolve));

  it('partitions take turns, also where one batch at a time is open', () => {
    const rig = filled(1000, shrunk);
    const counts = new Array<number>(PARTITIONS).fill(0);
    for (let record = rig.delivery.nextRecord(); record !== null; record = rig.delivery.nextRecord()) {
      rig.delivery.finishInHand();
      counts[record.partition] = (counts[record.partition] ?? 0) + 1;
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(RECORDS);
    }
    expect(counts).toEqual(new Array<number>(PARTITIONS).fill(PER_PARTITION * RECORDS));
    expect(rig.opened.bytes).toBe(0);
  });

  it.each([
    ['room for a few', 2_000_000],
    ['less than one batch', 1000],
  ])('batches that are opened on other threads, and ahead: %s', async (_, budget) => {
    const rig = filled(budget, large, 8);
    const offsets = Array.from({ length: 8 }, () => [] as number[]);
    const size = 16_000 * RECORDS;
    let peak = 0;
    while (offsets.some(({ length }) => length < PER_PARTITION * RECORDS)) {
      const record = rig.delivery.nextRecord();
      peak = Math.max(peak, rig.opened.bytes);
      if (record === null) await turnOfEvents();
      else offsets[record.partition]?.push(record.offset);
      rig.delivery.finishInHand();
    }
    for (const each of offsets) expect(each).toEqual(Array.from({ length: PER_PARTITION * RECORDS }, (_, i) => i));
    expect(peak).toBeLessThanOrEqual(budget + size);
    expect(rig.drain()).toEqual([]);
    expect(rig.opened.bytes).toBe(0);
  });

  it('uncompressed batches count nothing', () => {
    const rig = new DeliveryRig({ budget: 1 });
    for (let i = 0; i < 3; i++) rig.add(rig.assign(i), 10, 10, batch(0, 10));
    for (let i = 0; i < 15; i++) rig.delivery.nextRecord();
    expect(rig.opened.bytes).toBe(0);
  });

  it('who is paused while its batch is open starves nobody, and costs one batch more', () => {
    const rig = filled(BUDGET, shrunk, 6);
    const paused = new Set<PartitionDelivery<Bytes, Bytes>>();
    // As many as there is room for.
    for (let i = 0; i < 2 * TURN; i++) {
      rig.delivery.nextRecord();
      const { current } = rig.delivery;
      rig.delivery.finishInHand();
      if (current !== null) paused.add(current);
    }
    for (const each of paused) rig.delivery.pause(each);
    const held = rig.opened.bytes;
    const rest = rig.drain();
    expect(paused.size).toBe(2);
    expect(held).toBeGreaterThan(BUDGET - 50_000);
    expect(rest).toHaveLength(4 * PER_PARTITION * RECORDS);
    for (const each of paused) rig.delivery.resume(each);
    expect(rig.drain()).toHaveLength(2 * (PER_PARTITION * RECORDS - TURN));
    expect(rig.opened.bytes).toBe(0);
  });

  describe('where several partitions are read at the same time', () => {
    /** As `run` reads: each partition alone. */
    function claimed(budget: number): {
      rig: DeliveryRig;
      partitions: PartitionDelivery<Bytes, Bytes>[];
      size: number;
    } {
      const rig = filled(budget, shrunk, 4);
      const partitions = [...rig.delivery.partitions];
      for (const each of partitions) each.onReady = () => undefined;
      rig.delivery.setWorker({ isIdle: false, onBlocked: () => undefined, onAbandoned: () => undefined });
      partitions[0]?.nextRecord();
      return { rig, partitions, size: rig.opened.bytes };
    }
    const read = (each: PartitionDelivery<Bytes, Bytes> | undefined): number => each?.nextRecord()?.offset ?? -1;

    it('who has no room waits until a batch is used up, in their order', () => {
      const { rig, partitions, size } = claimed(1000);
      const [first, second, third] = partitions;
      const woken: number[] = [];
      for (const each of partitions) each.onReady = () => woken.push(each.partition);
      expect([read(second), read(third)]).toEqual([-1, -1]);
      expect(second?.hasSomething).toBe(false);
      for (let i = 1; i < RECORDS; i++) expect(read(first)).toBe(i);
      expect(woken).toEqual([]);
      expect(read(first)).toBe(-1); // the others come first
      expect(woken).toEqual([1]);
      expect([read(second), read(third)]).toEqual([0, -1]);
      expect(rig.opened.bytes).toBe(size);
      for (let i = 1; i <= RECORDS; i++) read(second);
      expect(woken).toEqual([1, 2]);
      expect([read(third), read(first)]).toEqual([0, -1]);
    });

    it('where nothing moves one batch more is opened after a while, and the next at once', async () => {
      const { rig, partitions, size } = claimed(1000);
      const [, second, third] = partitions;
      expect([read(second), read(third)]).toEqual([-1, -1]);
      await vi.advanceTimersByTimeAsync(999);
      expect(read(second)).toBe(-1);
      await vi.advanceTimersByTimeAsync(1);
      expect([read(second), read(third)]).toEqual([0, -1]);
      expect(rig.opened.bytes).toBe(2 * size);
      for (let i = 1; i <= RECORDS; i++) read(second);
      expect(read(third)).toBe(0); // in the place of the second
      expect(rig.opened.bytes).toBe(2 * size);
    });

    it('a small batch does not overtake a large one that waits', () => {
      const { rig, partitions, size } = claimed(BUDGET);
      const [, second, third] = partitions;
      expect([read(second), read(third)]).toEqual([0, -1]);
      const small = rig.assign(9);
      small.onReady = () => undefined;
      rig.add(small, 1, 1, batch(0, 1, { compression: 'gzip' }));
      expect(read(small)).toBe(-1);
      expect(rig.opened.bytes).toBe(2 * size);
    });

    it('who was paused while it waited comes when it is resumed', async () => {
      const { rig, partitions } = claimed(1000);
      const [first, second, third] = partitions;
      expect([read(second), read(third)]).toEqual([-1, -1]);
      if (second !== undefined) rig.delivery.pause(second);
      for (let i = 1; i <= RECORDS; i++) read(first);
      expect(read(third)).toBe(0);
      if (second !== undefined) rig.delivery.resume(second);
      expect([second?.hasSomething, read(second)]).toEqual([true, -1]);
      for (let i = 1; i <= RECORDS; i++) read(third);
      await vi.advanceTimersByTimeAsync(0);
      // The first had asked before it.
      expect([read(second), read(first)]).toEqual([-1, RECORDS]);
    });
  });

  it('what is dropped while it waits, is being opened, or is open, counts no more', async () => {
    const rig = filled(1000, large, 3);
    const [first, second, third] = [...rig.delivery.partitions];
    expect(rig.delivery.nextRecord()).toBeNull(); // the first is being opened, the others wait
    if (second !== undefined) rig.seek(second, 500);
    if (first !== undefined) rig.seek(first, 500);
    await vi.waitFor(async () => {
      await turnOfEvents();
      expect(rig.delivery.nextRecord()).toMatchObject({ partition: 2, offset: 0 });
    });
    expect(rig.opened.bytes).toBeGreaterThan(0);
    if (third !== undefined) rig.delivery.remove([third]);
    await turnOfEvents();
    expect(rig.opened.bytes).toBe(0);
  });
});

it('a batch that was opened on another thread is not lost where the header of the next one is damaged', async () => {
  const rig = new DeliveryRig();
  const bad = batch(RECORDS, 1);
  bad.writeInt8(9, 16); // magic
  const partition = rig.assign(0);
  rig.add(partition, RECORDS + 1, RECORDS + 1, large(0), bad);
  const offsets: number[] = [];
  await vi.waitFor(() => {
    offsets.push(...rig.drain());
    expect(rig.refetched).toHaveLength(1);
  });
  expect(offsets).toEqual(Array.from({ length: RECORDS }, (_, i) => i));
  expect(rig.refetched).toMatchObject([{ position: RECORDS }]);
});
