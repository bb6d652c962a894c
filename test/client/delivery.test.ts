import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KafkaError } from '../../src/errors.ts';
import { sealBatch } from '../../src/testing/record-batch-writer.ts';
import { batch, compacted, DeliveryRig, offsetsOf } from './partition-rig.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe('finished is not handed out', () => {
  it('record by record', () => {
    const rig = new DeliveryRig();
    const partition = rig.assign(0, 10);
    rig.add(partition, 13, 13, batch(10, 3));
    expect(rig.delivery.nextRecord()?.offset).toBe(10);
    expect(rig.committable()).toEqual({});
    rig.delivery.finishInHand();
    expect(rig.committable()).toEqual({ 0: 11 });
    expect(rig.delivery.nextRecord()?.offset).toBe(11);
    expect(rig.committable()).toEqual({ 0: 11 });
    expect(partition.position).toBe(12);
  });

  it.each([
    ['a whole fetched batch', 500],
    ['part of one', 2],
  ])('batches: %s', (_, most) => {
    const rig = new DeliveryRig();
    rig.add(rig.assign(0, 10), 16, 16, batch(10, 3), batch(13, 3));
    const first = rig.delivery.nextBatch(most);
    expect(first?.recordCount).toBe(Math.min(most, 6));
    expect(rig.committable()).toEqual({});
    rig.delivery.finishInHand();
    expect(rig.committable()).toEqual({ 0: first?.nextOffset });
    expect(rig.delivery.uncommitted()[0]).toMatchObject({ leaderEpoch: 3 });
  });

  it('a batch that ends in gaps and control batches takes them along, but not before it is finished', () => {
    const rig = new DeliveryRig({ checkCrcs: false });
    rig.add(
      rig.assign(0),
      12,
      12,
      compacted(0, 3, 9),
      batch(10, 1, { control: true }),
      batch(11, 1, { control: true }),
    );
    const handedOut = rig.delivery.nextBatch(500);
    expect(offsetsOf(handedOut)).toEqual([0, 1, 2]);
    expect(handedOut).toMatchObject({ nextOffset: 12, lastOffset: 11, firstOffset: 0, recordCount: 3 });
    expect(rig.committable()).toEqual({});
    rig.delivery.finishInHand();
    expect(rig.committable()).toEqual({ 0: 12 });
  });

  it('what is let go of without being finished is not committed, and the next one is handed out', () => {
    const rig = new DeliveryRig();
    rig.add(rig.assign(0), 5, 5, batch(0, 5));
    rig.delivery.nextRecord();
    rig.delivery.finishInHand();
    expect(rig.delivery.nextRecord()?.offset).toBe(1);
    rig.delivery.abandonInHand();
    expect(rig.committable()).toEqual({ 0: 1 });
    expect(rig.delivery.nextRecord()?.offset).toBe(2);
  });

  it('control batches alone move the committable position on (never a lag that sticks)', () => {
    const rig = new DeliveryRig();
    const partition = rig.assign(0);
    rig.add(partition, 2, 2, batch(0, 1, { control: true }), batch(1, 1, { control: true }));
    expect(rig.delivery.nextRecord()).toBeNull();
    expect(partition.position).toBe(2);
    expect(rig.committable()).toEqual({ 0: 2 });
    expect(partition.isAtEnd).toBe(true);
  });
});

describe('a batch', () => {
  it('is scanned as it is iterated: whole, from the position on, no further than its end', () => {
    const rig = new DeliveryRig();
    rig.add(rig.assign(0, 2), 20, 20, batch(0, 10), batch(10, 10));
    for (const expected of [range(2, 9), range(9, 16), range(16, 20)]) {
      const delivered = rig.delivery.nextBatch(7);
      const scanned: number[] = [];
      delivered?.scan((view) => scanned.push(view.offset));
      expect(scanned).toEqual(expected);
      expect(offsetsOf(delivered)).toEqual(expected);
      rig.delivery.finishInHand();
    }
  });
});

describe('cut anywhere', () => {
  // Where the rest of a wire batch begins is found by whoever goes through the first part, if anybody does.
  it('what one batch leaves is in the next, whatever the application does with the first', () => {
    const wire = fc.record({ records: fc.integer({ min: 1, max: 12 }), gap: fc.nat(3) });
    const use = fc.constantFrom('all' as const, 'some', 'none', 'scan', 'scanSome', 'record');
    const throwing = (): void => {
      throw new RangeError();
    };
    const run = (batches: { records: number; gap: number }[], sizes: number[], uses: string[]): void => {
      const rig = new DeliveryRig({ checkCrcs: false });
      const partition = rig.assign(0);
      const expected: number[] = [];
      const bytes: Buffer[] = [];
      let next = 0;
      for (const { records, gap } of batches) {
        bytes.push(gap === 0 ? batch(next, records) : compacted(next, records, next + records + gap - 1));
        expected.push(...range(next, next + records));
        next += records + gap;
      }
      rig.add(partition, next, next, ...bytes);
      const given: (() => number[])[] = []; // looked at in the end: what is looked at now is what the application looks at
      let count = 0;
      for (let i = 0; count < expected.length; i++) {
        const how = uses[i % uses.length];
        if (how === 'record') {
          const { offset } = rig.delivery.nextRecord() ?? { offset: -1 };
          given.push(() => [offset]);
          count++;
        } else {
          const size = sizes[i % sizes.length] ?? 1;
          const delivered = rig.delivery.nextBatch(size);
          if (delivered === null) throw new Error(`nothing behind ${count} records`);
          expect(delivered.recordCount).toBe(Math.min(size, expected.length - count));
          if (how === 'all') offsetsOf(delivered);
          else if (how === 'some') for (const { offset } of delivered) if (offset % 3 === 0) break;
          if (how === 'scan') delivered.scan(() => undefined);
          else if (how === 'scanSome') expect(() => delivered.scan(throwing)).toThrow(RangeError);
          given.push(() => offsetsOf(delivered));
          count += delivered.recordCount;
          expect(delivered.nextOffset).toBeGreaterThan(expected[count - 1] ?? 0);
          expect(delivered.nextOffset).toBeLessThanOrEqual(expected[count] ?? next);
        }
        rig.delivery.finishInHand();
      }
      expect(given.flatMap((offsets) => offsets())).toEqual(expected);
      expect(rig.delivery.nextBatch(100)).toBeNull();
      expect(rig.committable()).toEqual({ 0: next });
    };
    fc.assert(
      fc.property(
        fc.array(wire, { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 }),
        fc.array(use, { minLength: 1, maxLength: 7 }),
        run,
      ),
      { numRuns: 2000 },
    );
  });
});

describe('positions', () => {
  it('records before it, in the first batch, are skipped', () => {
    const rig = new DeliveryRig();
    rig.add(rig.assign(0, 12), 15, 15, batch(10, 5));
    expect(rig.drain()).toEqual([12, 13, 14]);
  });

  it('an answer without records leaves what is still buffered', () => {
    const rig = new DeliveryRig();
    const partition = rig.assign(0);
    rig.add(partition, 10, 10, batch(0, 10));
    rig.add(partition, 10, 50); // no room in that answer; the high watermark is news
    expect(partition.position).toBe(0);
    expect(rig.drain()).toEqual(range(0, 10));
    expect(partition.isAtEnd).toBe(false);
  });

  it.each([
    ['ahead', 500, 503],
    ['back', 0, 3],
  ])('a reset waits behind what was fetched before it (%s)', (_, to, next) => {
    const rig = new DeliveryRig();
    const partition = rig.assign(0, 100);
    rig.add(partition, 110, 110, batch(100, 10));
    expect(rig.delivery.nextRecord()?.offset).toBe(100);
    partition.startAt(to, true);
    expect(rig.committable()).toEqual({});
    rig.add(partition, next, next, batch(to, 3));
    rig.delivery.finishInHand();
    const first = rig.delivery.nextBatch(500);
    expect(offsetsOf(first)).toEqual(range(101, 110));
    expect(first?.nextOffset).toBe(110);
    rig.delivery.finishInHand();
    expect(rig.committable()).toEqual({ 0: 110 });
    expect(offsetsOf(rig.delivery.nextBatch(500))).toEqual(range(to, to + 3));
    rig.delivery.finishInHand();
    expect(rig.committable()).toEqual({ 0: next });
    expect(rig.outstanding).toBe(0);
  });

  it('a reset while the last record is in hand is committed when that is finished', () => {
    const rig = new DeliveryRig();
    const partition = rig.assign(0);
    rig.add(partition, 1, 1, batch(0, 1));
    rig.delivery.nextRecord();
    rig.delivery.nextRecord();
    partition.startAt(50, true);
    expect(partition.position).toBe(50);
    expect(rig.committable()).toEqual({});
    rig.delivery.finishInHand();
    expect(rig.committable()).toEqual({ 0: 50 });
  });

  it('a seek drops what is buffered and in hand, and is what is committed next', () => {
    const rig = new DeliveryRig();
    const partition = rig.assign(0);
    rig.add(partition, 10, 10, batch(0, 10));
    rig.delivery.nextRecord();
    rig.seek(partition, 4);
    expect(rig.delivery.hasInHand).toBe(false);
    expect(rig.outstanding).toBe(0);
    expect(rig.committable()).toEqual({ 0: 4 });
    expect(rig.delivery.nextRecord()).toBeNull();
    rig.add(partition, 10, 10, batch(0, 10));
    expect(rig.drain()).toEqual(range(4, 10));
  });

  it('the end is reached when all is handed out, and left when the log goes on', () => {
    const rig = new DeliveryRig();
    const partition = rig.assign(0);
    expect(partition.isAtEnd).toBe(false);
    rig.add(partition, 2, 2, batch(0, 2));
    expect(partition.isAtEnd).toBe(false);
    rig.drain();
    expect(partition.isAtEnd).toBe(true);
    rig.add(partition, 2, 9);
    expect(partition.isAtEnd).toBe(false);
  });
});

describe('taking turns', () => {
  it('of `turn` records each', () => {
    const rig = new DeliveryRig({ turn: 2 });
    for (const index of [0, 1, 2]) rig.add(rig.assign(index), 5, 5, batch(0, 5));
    const order: number[] = [];
    for (let record = rig.delivery.nextRecord(); record !== null; record = rig.delivery.nextRecord())
      order.push(record.partition);
    expect(order.join('')).toBe('001122001122012');
  });

  it('of a batch each', () => {
    const rig = new DeliveryRig();
    for (const index of [0, 1]) rig.add(rig.assign(index), 6, 6, batch(0, 3), batch(3, 3));
    const sizes: string[] = [];
    for (let next = rig.delivery.nextBatch(4); next !== null; next = rig.delivery.nextBatch(4))
      sizes.push(`${next.partition}:${offsetsOf(next).join()}`);
    expect(sizes).toEqual(['0:0,1,2,3', '1:0,1,2,3', '0:4,5', '1:4,5']);
  });

  it('a batch is as large as it may be, wherever wire batches end', () => {
    const rig = new DeliveryRig();
    rig.add(rig.assign(0), 9, 9, batch(0, 7), batch(7, 2));
    const parts: number[][] = [];
    for (let next = rig.delivery.nextBatch(3); next !== null; next = rig.delivery.nextBatch(3)) {
      expect(offsetsOf(next)).toEqual(offsetsOf(next)); // any number of times
      parts.push(offsetsOf(next));
    }
    expect(parts).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7, 8],
    ]);
  });

  it('a paused partition keeps its buffer, a blocked one does not', () => {
    const rig = new DeliveryRig();
    const [paused, blocked] = [rig.assign(0), rig.assign(1)];
    rig.add(paused, 2, 2, batch(0, 2));
    rig.add(blocked, 2, 2, batch(0, 2));
    expect(rig.delivery.nextRecord()).toMatchObject({ partition: 0, offset: 0 });
    rig.delivery.pause(paused);
    rig.delivery.block([blocked]);
    expect(rig.delivery.nextRecord()).toBeNull();
    rig.delivery.resume(paused);
    rig.delivery.resume(blocked);
    expect(rig.delivery.nextRecord()).toMatchObject({ partition: 0, offset: 1 });
    expect(rig.delivery.nextRecord()).toBeNull();
    rig.delivery.remove([paused, blocked]);
    expect(rig.delivery.hasInHand).toBe(false);
    expect(rig.outstanding).toBe(0);
  });

  it('what is in hand of a blocked partition can still be finished', () => {
    const rig = new DeliveryRig();
    const partition = rig.assign(0);
    rig.add(partition, 5, 5, batch(0, 5));
    rig.delivery.nextBatch(2);
    rig.delivery.block([partition]);
    expect(rig.delivery.isAnyInHand([partition])).toBe(true);
    rig.delivery.finishInHand();
    expect(rig.committable()).toEqual({ 0: 2 });
  });
});

describe('failures', () => {
  /** Not by its CRC, which is fetched again first. */
  const corrupt = (baseOffset: number): Buffer => {
    const bytes = batch(baseOffset, 2);
    bytes.writeInt32BE(1_000_000, 57); // record count
    sealBatch(bytes);
    return bytes;
  };

  it.each(['record', 'batch'])('good batches first, then the error at every read until a seek (%s by %s)', (unit) => {
    const rig = new DeliveryRig();
    const partition = rig.assign(0);
    rig.add(partition, 6, 6, batch(0, 2), corrupt(2), batch(4, 2));
    const next = (): unknown => (unit === 'record' ? rig.delivery.nextRecord() : rig.delivery.nextBatch(500));
    for (let i = 0; i < (unit === 'record' ? 2 : 1); i++) {
      expect(next()).not.toBeNull();
      rig.delivery.finishInHand();
    }
    const expected: unknown = expect.objectContaining({
      name: 'CorruptRecordError',
      topic: 't',
      partition: 0,
      offset: 2,
    });
    for (let i = 0; i < 3; i++) expect(next).toThrow(expected);
    expect(rig.committable()).toEqual({ 0: 2 });
    expect(rig.outstanding).toBe(0);
    rig.seek(partition, 4);
    rig.add(partition, 6, 6, batch(4, 2));
    expect(rig.drain()).toEqual([4, 5]);
  });

  it('the others are read on', () => {
    const rig = new DeliveryRig();
    const [bad, good] = [rig.assign(0), rig.assign(1)];
    rig.delivery.fail(bad, new KafkaError('not authorized'));
    rig.add(good, 3, 3, batch(0, 3));
    const seen: (number | string)[] = [];
    for (let i = 0; i < 6; i++) {
      try {
        const record = rig.delivery.nextRecord();
        seen.push(record?.offset ?? 'none');
      } catch {
        seen.push('error');
      }
    }
    expect(seen.filter((each) => typeof each === 'number')).toEqual([0, 1, 2]);
    expect(seen.at(-1)).toBe('error');
  });

  it('a failure from the fetcher comes after what was fetched before it', () => {
    const rig = new DeliveryRig();
    const partition = rig.assign(0);
    rig.add(partition, 1, 1, batch(0, 1));
    rig.delivery.fail(partition, new KafkaError('no more'));
    expect(rig.delivery.nextRecord()?.offset).toBe(0);
    expect(() => rig.delivery.nextRecord()).toThrow('no more');
  });
});

it('every byte is given back once, in the epoch that it came in', () => {
  const rig = new DeliveryRig();
  const partition = rig.assign(0);
  const bytes = batch(0, 2).length;
  rig.add(partition, 4, 4, batch(0, 2), batch(2, 2));
  rig.add(partition, 6, 6, batch(4, 2));
  rig.delivery.nextBatch(2);
  expect(rig.released).toEqual([]);
  rig.delivery.nextBatch(2);
  expect(rig.released).toEqual([{ partition: 0, epoch: 1, bytes: 2 * bytes }]);
  rig.seek(partition, 0);
  expect(rig.released.slice(1)).toEqual([{ partition: 0, epoch: 1, bytes }]);
  rig.add(partition, 2, 2, batch(0, 2));
  rig.delivery.remove([partition]);
  expect(rig.released.slice(2)).toEqual([{ partition: 0, epoch: 2, bytes }]);
  expect(rig.outstanding).toBe(0);
});
