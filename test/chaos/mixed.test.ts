import { expect, test } from 'vitest';
import { type MixedLine, type MixedMember, verifyMixed } from './mixed.ts';

const partitions = [{ partition: 0 }];
const assigned = (timestamp: number): MixedLine => ({ timestamp, name: 'partitions_assigned', partitions });
const revoked = (timestamp: number): MixedLine => ({ timestamp, name: 'partitions_revoked', partitions });
const committed = (timestamp: number, offset: number, success = true): MixedLine => {
  return { timestamp, name: 'offsets_committed', offsets: [{ partition: 0, offset }], success };
};
const read = (timestamp: number, offset: number): MixedLine => {
  return { timestamp, name: 'record_data', partition: 0, offset, value: `v${offset}` };
};
const member = (name: string, lines: MixedLine[], isKilled = false): MixedMember => ({ name, lines, isKilled });
const acknowledged = [0, 1, 2, 3].map((offset) => ({ partition: 0, offset, value: `v${offset}`, atMs: 5 }));

const killed = member('a', [assigned(1), read(6, 0), read(6, 1), committed(7, 2), read(8, 2)], true);

test('a member that is killed leaves what it had not committed', () => {
  const next = member('b', [assigned(20), read(21, 2), read(35, 3), committed(36, 4), revoked(40)]);
  expect(verifyMixed([killed, next], acknowledged)).toEqual({
    ...{ acknowledged: 4, delivered: 5, duplicates: 1, duplicatesOfKilled: 1, tenures: 2, failedCommits: 0 },
    ...{ longestStallMs: 30, problems: [] },
  });
});

test('a failed commit commits nothing', () => {
  const first = member('a', [assigned(1), read(6, 0), committed(7, 1, false), revoked(8)]);
  const next = member('b', [assigned(9), ...[0, 1, 2, 3].map((offset) => read(10, offset))]);
  const { problems, duplicates, duplicatesOfKilled, failedCommits } = verifyMixed([first, next], acknowledged);
  expect({ problems, duplicates, duplicatesOfKilled, failedCommits }).toEqual({
    ...{ problems: [], duplicates: 1, duplicatesOfKilled: 0, failedCommits: 1 },
  });
});

test('what only the broker has told of is committed, too', () => {
  const first = member('a', [assigned(1), read(6, 0), read(6, 1)], true);
  const next = member('b', [assigned(20), ...[1, 2, 3].map((offset) => read(21, offset))]);
  const commit = (offset: number) => ({ partition: 0, offset, atMs: 19 });
  expect(verifyMixed([first, next], acknowledged, [commit(1)]).problems).toEqual([]);
  expect(verifyMixed([first, next], acknowledged, [commit(2)]).problems).toEqual([
    'b, partition 0: from 1, 2 was committed',
  ]);
});

test.each<[what: string, next: MixedLine[], problem: RegExp]>([
  ['a loss', [assigned(20), read(21, 2)], /lost: partition 0, offset 3/],
  ['a gap', [assigned(20), read(21, 2), read(21, 4), read(21, 3)], /b, partition 0: 4 after 2/],
  ['what was committed', [assigned(20), ...[1, 2, 3].map((o) => read(21, o))], /from 1, 2 was committed/],
  ['two at once', [assigned(7), read(9, 2), read(9, 3)], /a, partition 0: 1 records, 1 ms after b was given it/],
  ['nothing assigned', [read(9, 2)], /b: 0\/2 without an assignment/],
  ['another value', [assigned(20), { ...read(21, 2), value: 'x' }, read(21, 3)], /0\/2 is 'v2' and 'x' of b/],
])('finds %s', (_what, next, problem) => {
  const { problems } = verifyMixed([killed, member('b', next)], acknowledged);
  expect(problems.join('\n')).toMatch(problem);
});
