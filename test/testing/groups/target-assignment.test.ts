import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignTargets, type ServerAssignor, type Subscriber } from '../../../src/testing/groups/target-assignment.ts';

const member = (memberId: string, topics: string[], owned: string[] = []): Subscriber => {
  return { memberId, topicIds: new Set(topics), owned: new Set(owned) };
};
const plain = (targets: Map<string, Set<string>>): Record<string, string[]> =>
  Object.fromEntries([...targets].map(([id, keys]) => [id, [...keys].sort()]));

describe('server-side assignors', () => {
  it('range gives runs of each topic', () => {
    const topics = [
      { id: 'a', partitions: 3 },
      { id: 'b', partitions: 2 },
    ];
    const targets = assignTargets('range', topics, [member('m2', ['a', 'b']), member('m1', ['a'])]);
    expect(plain(targets)).toEqual({ m1: ['a:0', 'a:1'], m2: ['a:2', 'b:0', 'b:1'] });
  });

  it('range begins with static members, in the order of their instance ids', () => {
    const topics = [{ id: 'a', partitions: 3 }];
    const named = (memberId: string, instanceId: string): Subscriber => ({ ...member(memberId, ['a']), instanceId });
    const targets = assignTargets('range', topics, [member('m1', ['a']), named('m2', 'y'), named('m3', 'x')]);
    expect(plain(targets)).toEqual({ m1: ['a:2'], m2: ['a:1'], m3: ['a:0'] });
  });

  it('uniform moves no more than it has to', () => {
    const topics = [{ id: 'a', partitions: 5 }];
    const all = [0, 1, 2, 3, 4].map((partition) => `a:${partition}`);
    const targets = assignTargets('uniform', topics, [member('m1', ['a'], all), member('m2', ['a'])]);
    expect([...targets].map(([id, keys]) => [id, keys.size])).toEqual([
      ['m1', 3],
      ['m2', 2],
    ]);
    const again = assignTargets(
      'uniform',
      topics,
      [...targets].map(([id, keys]) => member(id, ['a'], [...keys])),
    );
    expect(plain(again)).toEqual(plain(targets));
  });

  it('give each partition to one who wants it, and uniform as evenly as subscriptions allow', () => {
    const topicIds = ['a', 'b', 'c'];
    fc.assert(
      fc.property(
        fc.array(fc.nat(7), { minLength: 3, maxLength: 3 }),
        fc.array(fc.subarray(topicIds), { maxLength: 5 }),
        fc.constantFrom<ServerAssignor>('uniform', 'range'),
        (counts, subscriptions, assignor) => {
          const topics = topicIds.map((id, index) => ({ id, partitions: counts[index] ?? 0 }));
          const members = subscriptions.map((wanted, index) => member(`m${index}`, wanted));
          const targets = assignTargets(assignor, topics, members);
          const keys = [...targets.values()].flatMap((each) => [...each]);
          const wanted = topics.flatMap(({ id, partitions }) =>
            members.some((each) => each.topicIds.has(id))
              ? Array.from({ length: partitions }, (_, index) => `${id}:${index}`)
              : [],
          );
          expect(keys.sort()).toEqual(wanted.sort());
          for (const each of members) {
            const mine = targets.get(each.memberId) ?? new Set();
            for (const key of mine) expect(each.topicIds.has(key.slice(0, 1))).toBe(true);
            if (assignor === 'range') continue;
            for (const other of members) {
              const size = targets.get(other.memberId)?.size ?? 0;
              const canTake = [...mine].some((key) => other.topicIds.has(key.slice(0, 1)));
              if (canTake) expect(mine.size - size).toBeLessThanOrEqual(1);
            }
          }
        },
      ),
    );
  });
});
