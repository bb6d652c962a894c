import { afterEach, describe, expect, it, vi } from 'vitest';
import { Reading } from '../../src/client/reading.ts';
import { KafkaError } from '../../src/errors.ts';
import { batch, DeliveryRig, offsetsOf, type Bytes } from './partition-rig.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

class ReadingRig extends DeliveryRig {
  waits = 0;
  handChanges = 0;
  readonly reading: Reading<Bytes, Bytes> = new Reading(this.delivery, {
    onHandChanged: () => this.handChanges++,
    onWaiting: () => this.waits++,
  });

  /** As the session does. */
  arrive(...batches: Buffer[]): void {
    const partition = this.delivery.get('t', 0) ?? this.assign(0);
    const last = batches.at(-1) ?? Buffer.alloc(0);
    const next = Number(last.readBigInt64BE(0)) + last.readInt32BE(23) + 1;
    this.add(partition, next, next, ...batches);
    this.reading.wake();
  }
}

/** A turn of the event loop, after which all microtasks have run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a read', () => {
  it('waits for what comes, and says once that it waits', async () => {
    const rig = new ReadingRig();
    const next = rig.reading.nextRecord();
    await turn();
    expect(rig.reading.isWaiting).toBe(true);
    rig.reading.wake(); // for nothing
    await turn();
    expect(rig.waits).toBe(2);
    rig.arrive(batch(0, 2));
    expect(await next).toMatchObject({ done: false, value: { offset: 0 } });
    expect(rig.reading.isWaiting).toBe(false);
    expect(await rig.reading.nextRecord()).toMatchObject({ value: { offset: 1 } });
    expect(rig.committable()).toEqual({ 0: 1 });
    expect(rig.handChanges).toBe(1);
  });

  it.each(['nextRecord', 'nextBatch', 'poll'] as const)(
    'while another waits is refused, and harms neither (%s)',
    async (second) => {
      for (const first of ['nextRecord', 'nextBatch', 'poll'] as const) {
        const rig = new ReadingRig();
        const read = (kind: typeof first): Promise<unknown> =>
          kind === 'poll'
            ? rig.reading.poll(10, 60_000)
            : kind === 'nextBatch'
              ? rig.reading.nextBatch(10)
              : rig.reading.nextRecord();
        const waiting = read(first);
        await expect(read(second)).rejects.toMatchObject({ name: 'ConcurrentReadError' });
        await turn();
        await expect(read(second)).rejects.toMatchObject({ name: 'ConcurrentReadError' });
        rig.arrive(batch(0, 2));
        await waiting;
        rig.arrive(batch(2, 2));
        await expect(read(second)).resolves.toBeTruthy();
      }
    },
  );

  it('lets the event loop turn while records are buffered', async () => {
    for (const kind of ['nextRecord', 'nextBatch'] as const) {
      const rig = new ReadingRig();
      rig.arrive(...Array.from({ length: 400 }, (_, i) => batch(1000 * i, 1000)));
      let turns = 0;
      const count = (): void => {
        turns++;
        handle = setImmediate(count);
      };
      let handle = setImmediate(count);
      // A handler that works for 20 microseconds, without ever waiting: for 60 ms of a clock that nothing else moves.
      let now = 0;
      const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
      for (; now < 60; now += 0.02) {
        const { done } = kind === 'nextRecord' ? await rig.reading.nextRecord() : await rig.reading.nextBatch(10);
        expect(done).toBe(false);
      }
      clock.mockRestore();
      clearImmediate(handle);
      expect(turns).toBeGreaterThanOrEqual(7); // one in 5 to 8 ms: the clock is not looked at for every record
      expect(turns).toBeLessThanOrEqual(13);
    }
  });

  it('a slow handler gets a turn after every record', async () => {
    const rig = new ReadingRig();
    rig.arrive(batch(0, 20));
    let turns = 0;
    const count = (): void => {
      turns++;
      handle = setImmediate(count);
    };
    let handle = setImmediate(count);
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
    for (let i = 0; i < 10; i++, now += 7) await rig.reading.nextRecord();
    clock.mockRestore();
    clearImmediate(handle);
    expect(turns).toBeGreaterThanOrEqual(7);
  });
});

describe('poll', () => {
  it('gives an empty array when the time is up, and at once for 0', async () => {
    const rig = new ReadingRig();
    expect(await rig.reading.poll(10, 20)).toEqual([]);
    expect(await rig.reading.poll(10, 0)).toEqual([]);
    rig.arrive(batch(0, 2));
    expect((await rig.reading.poll(10, 0)).map(offsetsOf)).toEqual([[0, 1]]);
  });

  it('takes from all partitions, maxRecords in all; what it gave is finished by the next one', async () => {
    const rig = new ReadingRig();
    for (const index of [0, 1, 2]) rig.add(rig.assign(index), 4, 4, batch(0, 4));
    const batches = await rig.reading.poll(10, 1000);
    expect(batches.map(({ partition, recordCount }) => [partition, recordCount])).toEqual([
      [0, 4],
      [1, 4],
      [2, 2],
    ]);
    expect(rig.committable()).toEqual({});
    await rig.reading.poll(10, 1000);
    expect(rig.committable()).toEqual({ 0: 4, 1: 4, 2: 2 });
  });

  it('a partition that fails takes nothing of the others with it', async () => {
    const rig = new ReadingRig();
    rig.add(rig.assign(0), 2, 2, batch(0, 2));
    rig.delivery.fail(rig.assign(1), new KafkaError('not authorized'));
    expect((await rig.reading.poll(10, 1000)).map(offsetsOf)).toEqual([[0, 1]]);
    await expect(rig.reading.poll(10, 1000)).rejects.toThrow('not authorized');
    expect(rig.committable()).toEqual({ 0: 2 });
  });

  it('finishPolled() counts it as finished and tells; what a loop holds is not touched', async () => {
    const rig = new ReadingRig();
    rig.arrive(batch(0, 2), batch(2, 2));
    await rig.reading.poll(2, 0);
    rig.reading.finishPolled();
    expect(rig.handChanges).toBe(1);
    expect(rig.committable()).toEqual({ 0: 2 });
    await rig.reading.nextRecord();
    rig.reading.finishPolled();
    expect(rig.committable()).toEqual({ 0: 2 });
  });

  it('what read() gave is in hand as what poll() gave: by no loop', async () => {
    const rig = new ReadingRig();
    rig.arrive(batch(0, 3));
    await rig.reading.nextRecord();
    expect(rig.reading.isPollInHand).toBe(false);
    await rig.reading.read(1000, undefined);
    expect(rig.committable()).toEqual({ 0: 1 });
    expect(rig.reading.isPollInHand).toBe(true);
    rig.reading.finishPolled();
    expect(rig.committable()).toEqual({ 0: 2 });
    expect(rig.reading.isPollInHand).toBe(false);
    expect(await rig.reading.read(0, undefined)).toMatchObject({ offset: 2 });
  });
});

describe('ends', () => {
  it('end() wakes a loop and a poll; a later poll rejects, so that no loop spins', async () => {
    const rig = new ReadingRig();
    const waiting = rig.reading.nextRecord();
    await turn();
    rig.reading.end();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await rig.reading.nextBatch(5)).toEqual({ done: true, value: undefined });
    await expect(rig.reading.poll(10, 1000)).rejects.toMatchObject({ name: 'ConsumerClosedError' });
    const other = new ReadingRig();
    const polling = other.reading.poll(10, 60_000);
    await turn();
    other.reading.end();
    expect(await polling).toEqual([]);
  });

  it('coming back after end() still finishes what was in hand', async () => {
    const rig = new ReadingRig();
    rig.arrive(batch(0, 2));
    await rig.reading.nextRecord();
    rig.reading.end();
    expect(await rig.reading.nextRecord()).toMatchObject({ done: true });
    expect(rig.committable()).toEqual({ 0: 1 });
  });

  it('fail() wakes, and every read from then on throws that', async () => {
    const rig = new ReadingRig();
    const failure = new KafkaError('fatal');
    const waiting = rig.reading.nextBatch(5);
    await turn();
    rig.reading.fail(failure);
    rig.reading.fail(new KafkaError('another'));
    await expect(waiting).rejects.toBe(failure);
    await expect(rig.reading.nextRecord()).rejects.toBe(failure);
    await expect(rig.reading.poll(1, 0)).rejects.toBe(failure);
  });

  it('abandon() leaves it unfinished; the next read goes on with the next record', async () => {
    const rig = new ReadingRig();
    rig.arrive(batch(0, 3));
    await rig.reading.nextRecord();
    rig.reading.abandon();
    expect(rig.committable()).toEqual({});
    expect(await rig.reading.nextRecord()).toMatchObject({ value: { offset: 1 } });
  });
});
