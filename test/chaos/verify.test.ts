import { describe, expect, it } from 'vitest';
import { parseMemberLog } from './member-log.ts';
import { type Verdict, verify } from './verify.ts';

// A judge that cannot find anyone guilty proves nothing.
describe('the judge of the chaos run', () => {
  const judge = (logs: Record<string, string[]>, killed: string | null = null): Verdict =>
    verify(
      Object.entries(logs).map(([member, lines]) => parseMemberLog(member, lines)),
      { shares: [100], killed, longestGapMs: 1000 },
    );
  const one = ['a 0 0', 'd 0 0 49 10', 'd 0 50 79 20', 'c 0 80 25', 'r 30 0'];
  const two = ['a 40 0', 'd 0 80 99 50', 'r 60 0'];

  it('passes what is right', () => {
    const verdict = judge({ one, two });
    expect(verdict.faults).toEqual([]);
    expect(verdict).toMatchObject({ records: 100, deliveries: 100, duplicates: 0 });
    expect(verdict.longestGapMs).toEqual({ one: 10, two: 0 });
  });

  it('counts what the killed member had not committed', () => {
    const killed = ['a 0 0', 'd 0 0 49 10', 'c 0 50 15', 'd 0 50 79 20'];
    const verdict = judge({ killed, two: ['a 40 0', 'd 0 50 99 500', 'r 600 0'] }, 'killed');
    expect(verdict.faults).toEqual([]);
    expect(verdict).toMatchObject({ duplicates: 30, duplicatesOfKilled: 30, uncommittedOfKilled: 30, takeoverMs: 480 });
  });

  it.each([
    ['a gap between two members', { one, two: ['a 40 0', 'd 0 81 99 50', 'r 60 0'] }, /80 to 80 are missing/],
    ['a gap within one', { one: [...one.slice(0, 1), 'd 0 0 49 10', 'd 0 51 99 20', 'r 30 0'] }, /after 0@49/],
    ['an end that was not reached', { one }, /ends at 80, not at 100/],
    ['records again after an orderly return', { one, two: ['a 40 0', 'd 0 70 99 50', 'r 60 0'] }, /10 records again/],
    ['two at the same time', { one, two: ['a 15 0', 'd 0 80 99 15', 'r 60 0'] }, /still being given/],
    [
      'a member that waits too long',
      { one: [...one.slice(0, 4), 'd 0 80 99 1021', 'r 1100 0'] },
      /nothing for 1001 ms/,
    ],
    ['records of the wrong value', { one: [...one, 'x 0@3 has the value 4'], two }, /has the value 4/],
    ['a lost membership', { one: [...one, 'l 35 0'], two }, /lost/],
  ])('finds %s', (_, logs, fault) => {
    expect(judge(logs).faults.join('\n')).toMatch(fault);
  });

  it('finds records that were committed and came again after a kill', () => {
    const killed = ['a 0 0', 'd 0 0 49 10', 'c 0 50 15'];
    const verdict = judge({ killed, two: ['a 40 0', 'd 0 40 99 500', 'r 600 0'] }, 'killed');
    expect(verdict.faults.join('\n')).toMatch(/committed was 50/);
  });
});
