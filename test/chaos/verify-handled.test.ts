import { expect, it } from 'vitest';
import type { Handled } from './handled-log.ts';
import { verifyHandled } from './verify-handled.ts';

// A judge that cannot find anyone guilty proves nothing.
const log = (fromUs: number, ...indexes: number[]): Handled[] =>
  indexes.map((index, i) => ({ index, atUs: fromUs + i }));
const judge = (...logs: Handled[][]) => verifyHandled(logs, { records: 8, keys: 2 });

it('passes what is right, in whatever order the keys come, and counts what came again', () => {
  expect(judge(log(0, 1, 0, 3, 2), log(10, 3, 2, 4, 5, 7, 6))).toEqual({
    records: 8,
    handled: 8,
    duplicates: 2,
    faults: [],
  });
});

it('finds records that were left out, and records before their turn', () => {
  expect(judge(log(0, 0, 1, 2, 3, 4, 5, 6)).faults).toEqual(['key 1: 7 was never handled']);
  expect(judge(log(0, 0, 1, 4, 3, 5, 7), log(10, 2, 4, 6)).faults).toEqual(['key 0: 4 was handled before 2']);
  expect(judge(log(5, 1, 3, 5, 7, 0, 4, 6), log(0, 2)).faults.length).toBeGreaterThan(0);
});
