import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Frames, type FrameTenant } from '../../src/client/frames.ts';
import { batch, DeliveryRig, offsetsOf } from './partition-rig.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

class Tenant implements FrameTenant {
  moves = 0;
  memory: ArrayBufferLike;
  readonly sizeInBytes: number;

  constructor(memory: ArrayBufferLike, sizeInBytes: number) {
    this.memory = memory;
    this.sizeInBytes = sizeInBytes;
  }

  moveOut(): void {
    this.moves++;
    this.memory = new ArrayBuffer(0);
  }
}

describe('the memory behind what is buffered', () => {
  it('whoever goes first and whoever stays: no more is kept than is used and may be wasted, and nobody moves twice', () => {
    const answers = fc.array(fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 10 }), {
      minLength: 1,
      maxLength: 12,
    });
    const run = (sizes: number[][], order: number[], mostWaste: number): void => {
      const frames = new Frames<Tenant>(mostWaste);
      const tenants: Tenant[] = [];
      for (const answer of sizes) {
        const memory = new ArrayBuffer(0);
        for (const size of answer) {
          const tenant = new Tenant(memory, size);
          frames.moveIn(tenant);
          tenants.push(tenant);
        }
      }
      for (let i = 0; tenants.length > 0; i++) {
        const [gone] = tenants.splice((order[i % order.length] ?? 0) % tenants.length, 1);
        if (gone === undefined) throw new Error('nobody left');
        frames.leave(gone);
        frames.leave(gone); // counts once
        const used = tenants.reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0);
        const { keptBytes } = frames;
        if (keptBytes < used || keptBytes > used + mostWaste) throw new Error(`${keptBytes} kept, ${used} used`);
        if (tenants.some(({ moves }) => moves > 1)) throw new Error('moved twice');
      }
      expect(frames.keptBytes).toBe(0);
    };
    fc.assert(fc.property(answers, fc.array(fc.nat(100), { minLength: 1 }), fc.nat(500), run), { numRuns: 1000 });
  });

  it('nobody moves as long as little is wasted', () => {
    const frames = new Frames<Tenant>(100);
    const memory = new ArrayBuffer(0);
    const tenants = [60, 40, 1].map((size) => new Tenant(memory, size));
    for (const tenant of tenants) frames.moveIn(tenant);
    for (const tenant of tenants.slice(0, 2)) frames.leave(tenant);
    expect(tenants[2]?.moves).toBe(0);
    expect(frames.keptBytes).toBe(101);
  });
});

describe('a partition that stands still moves out of its frame', () => {
  /** Two partitions' chunks in one frame, of which the first stops where `stop` leaves it. */
  function frameOfTwo(stop: (rig: DeliveryRig) => void): { rig: DeliveryRig; found: number[] } {
    const rig = new DeliveryRig({ turn: 3, mostWasteBytes: 0 });
    const still = rig.assign(0);
    const goesOn = rig.assign(1);
    const [first, second] = [Buffer.concat([batch(0, 10), batch(10, 10)]), batch(0, 4)];
    const frame = Buffer.allocUnsafeSlow(first.length + second.length); // as a frame is: with memory of its own
    frame.set(first);
    frame.set(second, first.length);
    rig.add(still, 20, 20, frame.subarray(0, first.length));
    stop(rig);
    rig.delivery.pause(still);
    rig.add(goesOn, 4, 4, frame.subarray(first.length));
    expect(rig.frames.keptBytes).toBe(frame.length);
    while (rig.delivery.nextBatch(100) !== null) rig.delivery.finishInHand();
    expect(rig.frames.keptBytes).toBe(first.length);
    frame.fill(0xff); // whoever still looks there finds no record
    rig.delivery.resume(still);
    const found: number[] = [];
    for (let next = rig.delivery.nextBatch(4); next !== null; next = rig.delivery.nextBatch(4)) {
      found.push(...offsetsOf(next));
      rig.delivery.finishInHand();
    }
    expect(rig.frames.keptBytes).toBe(0);
    return { rig, found };
  }

  it.each<[string, (rig: DeliveryRig) => void, number]>([
    ['before its first record', () => undefined, 0],
    [
      'in the middle of a batch, record by record',
      (rig) => void (rig.delivery.nextRecord(), rig.delivery.nextRecord()),
      2,
    ],
    ['where a batch was cut that nobody has gone through', (rig) => void rig.delivery.nextBatch(3), 3],
    ['where a batch was cut that was gone through', (rig) => void offsetsOf(rig.delivery.nextBatch(3)), 3],
    ['between two batches', (rig) => void offsetsOf(rig.delivery.nextBatch(10)), 10],
  ])('%s', (_, stop, from) => {
    const { rig, found } = frameOfTwo((each) => {
      stop(each);
      each.delivery.finishInHand();
    });
    expect(found).toEqual(range(from, 20));
    expect(rig.committable()).toEqual({ 0: 20, 1: 4 });
    expect(rig.outstanding).toBe(0);
  });
});
