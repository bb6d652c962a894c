import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PartitionLedger } from '../../src/commit/ledger.ts';

describe('a loop, in order', () => {
  it('is dirty from the first finished record on, until that is committed, and again when it is sought back', () => {
    const ledger = new PartitionLedger();
    expect(ledger.isDirty).toBe(false);
    ledger.finish(5, 2);
    expect(ledger).toMatchObject({ isDirty: true, finished: 5, leaderEpoch: 2 });
    ledger.committed = 5;
    expect(ledger.isDirty).toBe(false);
    ledger.restart(3);
    expect(ledger.isDirty).toBe(true);
    ledger.restart(5); // a commit that is under way may still change what is committed
    expect(ledger.isDirty).toBe(true);
    ledger.restart(-1);
    expect(ledger.isDirty).toBe(false);
  });
});

function tracking(start: number): PartitionLedger {
  const ledger = new PartitionLedger();
  ledger.finish(start, -1);
  ledger.committed = start;
  ledger.track();
  return ledger;
}

describe('work that ends in any order', () => {
  it('is committable up to the oldest unfinished record, with the leader epoch of the one before it', () => {
    const ledger = tracking(10);
    const tickets = [10, 11, 12, 13].map((offset) => ledger.begin(offset, offset + 1, offset < 12 ? 3 : 4));
    ledger.end(tickets[2] ?? -1);
    ledger.end(tickets[1] ?? -1);
    expect(ledger).toMatchObject({ finished: 10, isDirty: false, outstandingCount: 4 });
    ledger.end(tickets[0] ?? -1);
    expect(ledger).toMatchObject({ finished: 13, leaderEpoch: 4, isDirty: true, outstandingCount: 1 });
    ledger.end(tickets[0] ?? -1); // twice
    ledger.end(tickets[3] ?? -1);
    expect(ledger).toMatchObject({ finished: 14, outstandingCount: 0 });
  });

  it('a batch is finished as a whole, by parts of it, or record by record', () => {
    const ledger = tracking(0);
    ledger.begin(0, 10, 1, 8); // compacted
    ledger.begin(10, 20, 1, 10);
    ledger.endRange(10, 20);
    expect(ledger.finished).toBe(0);
    for (const offset of [9, 0, 0, 0, 1, 2, 4, 5, 6]) ledger.endRecord(offset);
    expect(ledger.finished).toBe(0);
    ledger.endRecord(8);
    expect(ledger.finished).toBe(20);
  });

  it('what lies behind the last record without a record is committed with it, and not before', () => {
    const ledger = tracking(0);
    const ticket = ledger.begin(0, 1, 1);
    ledger.skip(7, 2); // a control batch
    expect(ledger.finished).toBe(0);
    ledger.end(ticket);
    expect(ledger.finished).toBe(7);
    ledger.skip(9, 2);
    expect(ledger).toMatchObject({ finished: 9, leaderEpoch: 2 });
  });

  it('after a seek or a reset backwards tickets from before are worth nothing', () => {
    for (const back of ['restart', 'jump'] as const) {
      const ledger = tracking(50);
      const old = ledger.begin(50, 51, 1);
      ledger[back](3);
      const fresh = ledger.begin(3, 4, 1);
      ledger.end(old);
      expect(ledger.finished).toBe(3);
      ledger.end(fresh);
      expect(ledger.finished).toBe(4);
    }
  });

  it('a reset forwards waits for what was handed out before it', () => {
    const ledger = tracking(0);
    const ticket = ledger.begin(0, 1, 1);
    ledger.jump(100);
    expect(ledger.finished).toBe(0);
    ledger.end(ticket);
    expect(ledger.finished).toBe(100);
  });

  it('an offset that the application commits itself finishes what lies before it', () => {
    const ledger = tracking(0);
    const tickets = [0, 1, 2].map((offset) => ledger.begin(offset, offset + 1, 1));
    ledger.end(tickets[2] ?? -1);
    ledger.finishUpTo(2, 1);
    expect(ledger).toMatchObject({ finished: 3, outstandingCount: 0 });
  });

  it('a million outstanding records take 16 bytes each, and any of them is found at once', () => {
    const ledger = tracking(0);
    const before = process.memoryUsage().arrayBuffers;
    for (let offset = 0; offset < 1_000_000; offset++) ledger.begin(offset, offset + 1, 1);
    // Rings double: what is needed, and at most as much again.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40 << 20);
    for (let offset = 999_999; offset > 0; offset--) ledger.endRecord(offset);
    expect(ledger).toMatchObject({ finished: 0, outstandingCount: 1_000_000 });
    ledger.endRecord(0);
    expect(ledger).toMatchObject({ finished: 1_000_000, outstandingCount: 0 });
  });
});

/** The same with a plain list: a record, and whether it is finished. */
class Plain {
  records: { offset: number; isDone: boolean }[] = [];
  start = 0;
  tail = 0;

  get finished(): number {
    const first = this.records.findIndex(({ isDone }) => !isDone);
    if (first < 0) return this.tail;
    return first === 0 ? this.start : (this.records[first - 1]?.offset ?? 0) + 1;
  }
}

type Each<D extends string, T> = D extends string ? { do: D } & T : never;
type Step =
  | Each<'record' | 'gap' | 'seek' | 'reset', { size: number }>
  | { do: 'batch'; size: number; every: number }
  | Each<'end' | 'endRecord' | 'endBatch' | 'upTo', { which: number }>;

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('record' as const), size: fc.nat(3) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('batch' as const), size: fc.integer({ min: 1, max: 6 }), every: fc.nat(2) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('gap' as const, 'seek', 'reset'), size: fc.nat(30) }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constantFrom('end' as const, 'endRecord', 'endBatch'), which: fc.nat(40) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('upTo' as const), which: fc.nat(40) }) },
);

it('finishes what a plain list of records finishes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const ledger = tracking(0);
      let plain = new Plain();
      let units: { ticket: number; offsets: number[]; first: number; next: number }[] = [];
      let position = 0;
      const restart = (offset: number): void => {
        plain = new Plain();
        plain.start = plain.tail = position = offset;
        units = [];
      };
      const handOut = (offsets: number[], next: number): void => {
        if (plain.records.every(({ isDone }) => isDone)) restart(plain.tail);
        const ticket = ledger.begin(offsets[0] ?? next, next, 1, offsets.length);
        units.push({ ticket, offsets, first: offsets[0] ?? next, next });
        plain.records.push(...offsets.map((offset) => ({ offset, isDone: false })));
        position = plain.tail = next;
      };
      const finish = (isDone: (offset: number) => boolean): void => {
        for (const record of plain.records) record.isDone ||= isDone(record.offset);
      };
      for (const each of steps) {
        if (each.do === 'record') handOut([position + each.size], position + each.size + 1);
        else if (each.do === 'batch') {
          const offsets = Array.from({ length: each.size }, (_, i) => position + i * (each.every + 1));
          handOut(offsets, (offsets.at(-1) ?? position) + 1);
        } else if (each.do === 'gap') {
          position = plain.tail = position + each.size;
          ledger.skip(position, 1);
        } else if (each.do === 'seek') {
          restart(each.size);
          ledger.restart(each.size);
        } else if (each.do === 'reset') {
          const offset = each.size * 4;
          const end = units.at(-1)?.next ?? position;
          if (ledger.outstandingCount > 0 && offset >= end) position = plain.tail = offset;
          else restart(offset);
          ledger.jump(offset);
        } else {
          const unit = units[each.which % Math.max(1, units.length)];
          if (unit === undefined) continue;
          const { ticket, offsets, first, next } = unit;
          if (each.do === 'end') {
            ledger.end(ticket);
            finish((offset) => offsets.includes(offset));
          } else if (each.do === 'endBatch') {
            ledger.endRange(first, next);
            finish((offset) => offsets.includes(offset));
          } else if (each.do === 'upTo') {
            ledger.finishUpTo(next, 1);
            finish((offset) => offset < next);
          } else {
            const one = offsets[each.which % offsets.length] ?? -1;
            ledger.endRecord(one);
            finish((offset) => offset === one);
          }
        }
        // A batch counts as a whole: what was finished of its records one by one is not committed before the rest.
        const done = (offset: number): boolean =>
          plain.records.find((record) => record.offset === offset)?.isDone === true;
        const open = units.find(({ offsets }) => !offsets.every(done));
        const before = units[units.findIndex((unit) => unit === open) - 1];
        assert.equal(ledger.finished, open === undefined ? plain.tail : (before?.next ?? plain.start));
        assert.ok(ledger.finished <= plain.finished);
      }
    }),
    { numRuns: 3000 },
  );
});
