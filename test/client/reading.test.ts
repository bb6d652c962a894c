import { afterEach, describe, expect, it, vi } from 'vitest';
import { Reading } from '../../src/client/reading.ts';
import { streamOf } from '../../src/client/stream.ts';
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
    onLongPause: () => undefined,
  });

  readonly records = this.reading.records();
  readonly batches = new Map<number, ReturnType<Reading<Bytes, Bytes>['batches']>>();

  nextRecord(): ReturnType<Reading<Bytes, Bytes>['nextRecord']> {
    return this.records.next();
  }

  nextBatch(maxRecords: number): ReturnType<Reading<Bytes, Bytes>['nextBatch']> {
    const loop = this.batches.get(maxRecords) ?? this.reading.batches(maxRecords);
    this.batches.set(maxRecords, loop);
    return loop.next();
  }

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
    const next = rig.nextRecord();
    await turn();
    expect(rig.reading.isWaiting).toBe(true);
    rig.reading.wake(); // for nothing
    await turn();
    expect(rig.waits).toBe(2);
    rig.arrive(batch(0, 2));
    expect(await next).toMatchObject({ done: false, value: { offset: 0 } });
    expect(rig.reading.isWaiting).toBe(false);
    expect(await rig.nextRecord()).toMatchObject({ value: { offset: 1 } });
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
            : (kind === 'nextBatch' ? rig.reading.batches(10) : rig.reading.records()).next();
        const loop = first === 'nextBatch' ? rig.reading.batches(10) : rig.reading.records();
        const waiting = first === 'poll' ? read(first) : loop.next();
        await expect(read(second)).rejects.toMatchObject({ name: 'ConcurrentReadError' });
        await turn();
        await expect(read(second)).rejects.toMatchObject({ name: 'ConcurrentReadError' });
        rig.arrive(batch(0, 2));
        await waiting;
        if (first !== 'poll') {
          await expect(read(second)).rejects.toMatchObject({ name: 'ConcurrentReadError' }); // the loop holds something
          await loop.return();
        }
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
        const { done } = kind === 'nextRecord' ? await rig.nextRecord() : await rig.nextBatch(10);
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
    for (let i = 0; i < 10; i++, now += 7) await rig.nextRecord();
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
    await rig.nextRecord();
    rig.reading.finishPolled();
    expect(rig.committable()).toEqual({ 0: 2 });
  });

  it('what read() gave is in hand as what poll() gave: by no loop', async () => {
    const rig = new ReadingRig();
    rig.arrive(batch(0, 3));
    expect(await rig.nextRecord()).toMatchObject({ value: { offset: 0 } });
    expect(rig.reading.isPollInHand).toBe(false);
    expect(await rig.nextRecord()).toMatchObject({ value: { offset: 1 } });
    await rig.records.return();
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
    const waiting = rig.nextRecord();
    await turn();
    rig.reading.end();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await rig.nextBatch(5)).toEqual({ done: true, value: undefined });
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
    expect(await rig.nextRecord()).toMatchObject({ done: false });
    rig.reading.end();
    expect(await rig.nextRecord()).toMatchObject({ done: true });
    expect(rig.committable()).toEqual({ 0: 1 });
  });

  it('fail() wakes, and every read from then on throws that', async () => {
    const rig = new ReadingRig();
    const failure = new KafkaError('fatal');
    const waiting = rig.nextBatch(5);
    await turn();
    rig.reading.fail(failure);
    rig.reading.fail(new KafkaError('another'));
    await expect(waiting).rejects.toBe(failure);
    await expect(rig.nextRecord()).rejects.toBe(failure);
    await expect(rig.reading.poll(1, 0)).rejects.toBe(failure);
  });

  it('abandon() leaves it unfinished', async () => {
    const rig = new ReadingRig();
    rig.arrive(batch(0, 3));
    await rig.nextRecord();
    rig.reading.abandon();
    expect(rig.committable()).toEqual({});
  });
});

describe('a loop', () => {
  const offsets = async (rig: ReadingRig, count: number): Promise<number[]> => {
    const seen: number[] = [];
    for await (const { offset } of rig.reading.records()) if (seen.push(offset) === count) break;
    return seen;
  };

  it('that was left: what was in hand comes again, in the next one, and is not committed before', async () => {
    const rig = new ReadingRig();
    rig.arrive(batch(0, 3), batch(3, 3));
    expect(await offsets(rig, 3)).toEqual([0, 1, 2]);
    expect(rig.committable()).toEqual({ 0: 2 });
    expect(rig.delivery.get('t', 0)).toMatchObject({ position: 2, highWatermark: 6 });
    expect(rig.delivery.hasInHand).toBe(false);
    expect(await offsets(rig, 4)).toEqual([2, 3, 4, 5]);
    expect(await offsets(rig, 1)).toEqual([5]);
    expect(rig.committable()).toEqual({ 0: 5 });
    expect(rig.refetched).toEqual([]);
  });

  it('the very first record likewise', async () => {
    const rig = new ReadingRig();
    rig.arrive(batch(0, 1));
    for (let i = 0; i < 3; i++) expect(await offsets(rig, 1)).toEqual([0]);
  });

  it('a batch comes again whole, over chunks and wire batches, and what follows it once', async () => {
    for (const maxRecords of [1, 2, 3, 4, 5, 7, 8, 100]) {
      const rig = new ReadingRig();
      rig.arrive(batch(0, 3), batch(3, 1));
      rig.arrive(batch(4, 3));
      rig.arrive(batch(7, 1));
      const seen: number[] = [];
      while (seen.at(-1) !== 7) {
        for await (const given of rig.reading.batches(maxRecords)) {
          expect(given.firstOffset).toBe(seen.length); // left: it comes again
          break;
        }
        let count = 0;
        for await (const given of rig.reading.batches(maxRecords)) {
          if (++count === 2) break;
          seen.push(...offsetsOf(given));
          expect(given.nextOffset).toBe(seen.length);
          if (seen.at(-1) === 7) break;
        }
      }
      expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      expect(rig.outstanding).toBe(0);
      expect(rig.refetched).toEqual([]);
    }
  });

  it('what was committed or marked of it by itself does not come again', async () => {
    const rig = new ReadingRig();
    rig.arrive(batch(0, 6), batch(6, 2));
    for await (const given of rig.reading.batches(7)) {
      expect(offsetsOf(given)).toEqual([0, 1, 2, 3, 4, 5, 6]);
      rig.delivery.get('t', 0)?.ledger.finishUpTo(2, 3); // commit(record 1)
      break;
    }
    expect(rig.delivery.get('t', 0)?.position).toBe(2);
    rig.delivery.get('t', 0)?.ledger.finishUpTo(4, 3); // commit(record 3), after the loop
    expect(await offsets(rig, 4)).toEqual([4, 5, 6, 7]);
    expect(rig.committable()).toEqual({ 0: 7 });
  });

  it('where work is marked: what is not marked comes again, and holds back the commit once', async () => {
    const rig = new ReadingRig();
    rig.delivery.setTracking(true);
    rig.arrive(batch(0, 4));
    expect(await offsets(rig, 2)).toEqual([0, 1]);
    rig.delivery.get('t', 0)?.ledger.endRecord(0);
    expect(rig.committable()).toEqual({ 0: 1 });
    expect(await offsets(rig, 2)).toEqual([1, 2]);
    for (const offset of [1, 2]) rig.delivery.get('t', 0)?.ledger.endRecord(offset);
    expect(rig.committable()).toEqual({ 0: 2 }); // 2 was taken back
    expect(await offsets(rig, 2)).toEqual([2, 3]);
  });

  it('beside others: what comes again comes first, unless it is paused', async () => {
    const rig = new ReadingRig();
    for (const index of [0, 1]) rig.add(rig.assign(index), 4, 4, batch(0, 4));
    const first = rig.reading.batches(2);
    const held = (await first.next()).value;
    await first.return();
    const second = rig.reading.batches(2);
    expect(await second.next()).toMatchObject({ value: { partition: held?.partition, firstOffset: 0 } });
    const delivery = rig.delivery.get('t', held?.partition ?? 0);
    if (delivery !== undefined) rig.delivery.pause(delivery);
    await second.return();
    expect(delivery).toMatchObject({ isPaused: true, position: 0 });
    expect((await rig.reading.poll(10, 0)).map(({ partition }) => partition)).toEqual([1 - (held?.partition ?? 0)]);
  });

  it('return() while next() waits ends it, and the next loop gets what comes', async () => {
    const rig = new ReadingRig();
    rig.assign(0);
    const loop = rig.reading.records();
    const waiting = loop.next();
    await turn();
    const returned = loop.return();
    const next = rig.reading.records().next(); // at once
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await returned).toEqual({ done: true, value: undefined });
    expect(await loop.next()).toEqual({ done: true, value: undefined });
    rig.arrive(batch(0, 1));
    expect(await next).toMatchObject({ value: { offset: 0 } });
  });

  it('a second next() while one waits gets the same record', async () => {
    const rig = new ReadingRig();
    rig.assign(0);
    const loop = rig.reading.records();
    const [first, second] = [loop.next(), loop.next()];
    await turn();
    const third = loop.next();
    rig.arrive(batch(0, 2));
    for (const each of [first, second, third]) expect(await each).toMatchObject({ value: { offset: 0 } });
    expect(await loop.next()).toMatchObject({ value: { offset: 1 } });
    expect(rig.committable()).toEqual({ 0: 1 });
  });

  it('a record that came after its race was lost is not finished: it comes again', async () => {
    const rig = new ReadingRig();
    rig.assign(0);
    const loop = rig.reading.records();
    expect(await Promise.race([loop.next(), turn().then(() => 'late')])).toBe('late');
    rig.arrive(batch(0, 2));
    await turn(); // it was given to nobody
    expect(await loop.next()).toMatchObject({ value: { offset: 0 } });
    expect(rig.committable()).toEqual({});
    expect(await loop.next()).toMatchObject({ value: { offset: 1 } });
    expect(rig.committable()).toEqual({ 0: 1 });
  });

  it('while it holds something nobody else is let in, whether or not there is more', async () => {
    const rig = new ReadingRig();
    rig.arrive(batch(0, 4));
    const loop = rig.reading.records();
    expect(await loop.next()).toMatchObject({ value: { offset: 0 } });
    const refused = { name: 'ConcurrentReadError' };
    await expect(rig.reading.records().next()).rejects.toMatchObject(refused);
    await expect(rig.reading.batches(2).next()).rejects.toMatchObject(refused);
    await expect(rig.reading.poll(2, 0)).rejects.toMatchObject(refused);
    await expect(rig.reading.read(0, undefined)).rejects.toMatchObject(refused);
    expect(() => rig.reading.claim()).toThrow(expect.objectContaining(refused));
    expect(rig.committable()).toEqual({});
    expect(await loop.next()).toMatchObject({ value: { offset: 1 } });
    expect(rig.committable()).toEqual({ 0: 1 });
  });

  it('is entered again: `for await` over the same object reads on', async () => {
    const rig = new ReadingRig();
    rig.arrive(batch(0, 2));
    const records = rig.reading.records();
    const seen: number[] = [];
    for (let i = 0; i < 2; i++) {
      for await (const { offset } of records) {
        seen.push(offset);
        break;
      }
    }
    expect(seen).toEqual([0, 0]);
  });
});

describe('a stream', () => {
  it('finishes a record when the next is taken, and gives the last one back', async () => {
    const rig = new ReadingRig();
    rig.arrive(batch(0, 4));
    const seen: number[] = [];
    for await (const { offset } of streamOf(rig.reading.records())) {
      await turn();
      expect(rig.committable()).toEqual(offset === 0 ? {} : { 0: offset });
      seen.push(offset);
      if (offset === 2) break;
    }
    expect(seen).toEqual([0, 1, 2]);
    expect(rig.committable()).toEqual({ 0: 2 });
    expect(await rig.nextRecord()).toMatchObject({ value: { offset: 2 } });
  });

  it('is piped one by one, and gives back what its sink has failed at', async () => {
    const rig = new ReadingRig();
    rig.arrive(batch(0, 4));
    const committable: unknown[] = [];
    const sink = new WritableStream<{ offset: number }>({
      write: async ({ offset }) => {
        await turn();
        await turn();
        committable.push(rig.committable()[0]);
        if (offset === 2) throw new Error('full');
      },
    });
    await expect(streamOf(rig.reading.records()).pipeTo(sink)).rejects.toThrow('full');
    expect(committable).toEqual([undefined, 1, 2]);
    expect(await rig.nextRecord()).toMatchObject({ value: { offset: 2 } });
  });

  it('ends a wait when it is cancelled, and closes with the consumer', async () => {
    const rig = new ReadingRig();
    rig.assign(0);
    const reader = streamOf(rig.reading.records()).getReader();
    const cancelled = reader.read();
    await turn();
    await reader.cancel();
    expect(await cancelled).toEqual({ done: true, value: undefined });
    const closed = streamOf(rig.reading.records()).getReader().read();
    await turn();
    rig.reading.end();
    expect(await closed).toEqual({ done: true, value: undefined });
  });
});
