import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Assignor, AssignorMember, ClusterView, GroupAssignment } from '../../../src/group/assignors/assignor.ts';
import { ASSIGNORS } from '../../../src/group/assignors/index.ts';
import { cooperativeSticky, sticky } from '../../../src/group/assignors/sticky.ts';
import { afterwards, groups, keysOf, ownersOf, type RandomGroup, withClaim } from './group-arbitrary.ts';

const RUNS = { numRuns: 1_000 };
/** Eight are the most that were seen in 300,000 groups with racks and different subscriptions; most take two. */
const MOST_ROUNDS = 12;
const LIMIT = { timeout: 60_000 };

/** By `ownedPartitions` and `generationId` alone: the user data here is that of `sticky`. */
const cooperative: Assignor = {
  ...cooperativeSticky,
  assign: (topics, members) =>
    cooperativeSticky.assign(
      topics,
      members.map((each) => ({ ...each, userData: null })),
    ),
};

function subscribersOf({ members }: RandomGroup, partition: string): AssignorMember[] {
  return members.filter(({ topics }) => topics.includes(partition.slice(0, partition.lastIndexOf('-'))));
}

/** The partitions that somebody subscribes to. */
function wanted(group: RandomGroup): string[] {
  return [...group.cluster]
    .flatMap(([topic, infos]) => infos.map(({ partition }) => `${topic}-${partition}`))
    .filter((partition) => subscribersOf(group, partition).length > 0);
}

function sizesOf(assignment: GroupAssignment): Map<string, number> {
  return new Map([...assignment].map(([memberId, share]) => [memberId, keysOf(share).length]));
}

function plain(assignment: GroupAssignment): unknown {
  return [...assignment].map(([memberId, share]) => [memberId, keysOf(share).sort()]).sort();
}

/** Everybody's claims of the newest generation; elsewhere contradictions are resolved. */
function claimsOf({ members }: RandomGroup): Map<string, string[]> {
  const newest = Math.max(...members.map(({ generationId }) => generationId));
  const claims = new Map<string, string[]>();
  for (const { memberId, ownedPartitions, generationId } of members) {
    if (generationId !== newest) continue;
    for (const key of keysOf(ownedPartitions)) claims.set(key, [...(claims.get(key) ?? []), memberId]);
  }
  return claims;
}

/** Until nothing is withheld any more: what the members go through with a cooperative assignor. */
function settle(assignor: Assignor, group: RandomGroup): { rounds: number; assignment: GroupAssignment } {
  let { members } = group;
  for (let rounds = 1; rounds <= MOST_ROUNDS; rounds++) {
    const assignment = assignor.assign(group.cluster, members);
    const revoked = members.some(({ memberId, ownedPartitions }) => {
      const kept = new Set(keysOf(assignment.get(memberId) ?? []));
      return keysOf(ownedPartitions).some((key) => !kept.has(key));
    });
    members = afterwards(members, assignment);
    if (!revoked) return { rounds, assignment };
  }
  throw new Error('does not settle');
}

/** After some rebalances nothing changes any more. */
function isAtRest(assignor: Assignor, { cluster, members }: RandomGroup): boolean {
  let last = '';
  for (let round = 1; round <= MOST_ROUNDS; round++) {
    const assignment = assignor.assign(cluster, members);
    const shares = JSON.stringify(plain(assignment));
    if (shares === last) return true;
    last = shares;
    members = afterwards(members, assignment);
  }
  return false;
}

describe.each(
  ASSIGNORS.map((assignor) => [assignor.name, assignor === cooperativeSticky ? cooperative : assignor] as const),
)('%s', LIMIT, (name, assignor) => {
  it('gives each partition to one of its subscribers, once; leaves out only what another member owns', () => {
    fc.assert(
      fc.property(groups(), (group) => {
        const assignment = assignor.assign(group.cluster, group.members);
        const owners = ownersOf(assignment);
        const strangers = [...owners].filter(
          ([partition, memberId]) => !subscribersOf(group, partition).some((each) => each.memberId === memberId),
        );
        expect(strangers).toEqual([]);
        const missing = wanted(group).filter((partition) => !owners.has(partition));

        const claimed = new Set(group.members.flatMap(({ ownedPartitions }) => keysOf(ownedPartitions)));
        expect(missing.filter((partition) => name !== 'cooperative-sticky' || !claimed.has(partition))).toEqual([]);
      }),
      RUNS,
    );
  });

  it('gives the same whatever the order of members, topics and partitions', () => {
    fc.assert(
      fc.property(groups(), fc.infiniteStream(fc.nat()), ({ cluster, members }, chance) => {
        const shuffled = <T>(list: readonly T[]): T[] =>
          list
            .map((item) => ({ item, key: Number(chance.next().value) }))
            .sort((a, b) => a.key - b.key)
            .map(({ item }) => item);
        const other: ClusterView = new Map(shuffled([...cluster].map(([topic, infos]) => [topic, shuffled(infos)])));
        expect(plain(assignor.assign(other, shuffled(members)))).toEqual(plain(assignor.assign(cluster, members)));
      }),
      { numRuns: 500 },
    );
  });

  it('leaves its arguments as they are', () => {
    fc.assert(
      fc.property(groups(), ({ cluster, members }) => {
        const before = JSON.stringify([[...cluster], members]);
        assignor.assign(cluster, members);
        expect(JSON.stringify([[...cluster], members])).toBe(before);
      }),
      { numRuns: 200 },
    );
  });
});

describe.each([
  ['sticky', sticky],
  ['cooperative-sticky', cooperative],
])('%s', LIMIT, (_, assignor) => {
  it('is even in the end: no move from one member to another makes two shares more even', () => {
    fc.assert(
      fc.property(groups(), (group) => {
        const { assignment } = settle(assignor, group);
        const sizes = sizesOf(assignment);
        const sizeOf = (memberId: string): number => sizes.get(memberId) ?? 0;
        const uneven = [...ownersOf(assignment)].filter(([partition, memberId]) =>
          subscribersOf(group, partition).some((other) => sizeOf(memberId) > sizeOf(other.memberId) + 1),
        );
        expect(uneven).toEqual([]);
      }),
      RUNS,
    );
  });

  it('is there after two rounds nearly always: what is taken away in the first is given to its new members in the second', () => {
    const rounds: number[] = [];
    const count = fc.property(groups(), (group) => void rounds.push(settle(assignor, group).rounds));
    fc.assert(count, { numRuns: 2_000, seed: 1 });
    expect(rounds.filter((each) => each > 2).length).toBeLessThan(200);
    expect(rounds.filter((each) => each > 3).length).toBeLessThan(20);
  });

  it('changes nothing where nothing has changed', () => {
    fc.assert(
      fc.property(groups({ racks: false }), (group) => {
        const { assignment } = settle(assignor, group);
        const again = assignor.assign(group.cluster, afterwards(group.members, assignment));
        expect(plain(again)).toEqual(plain(assignment));
      }),
      RUNS,
    );
  });

  it('comes to rest with racks, too: it does not give to and fro', () => {
    fc.assert(
      fc.property(groups(), (group) => {
        expect(isAtRest(assignor, group)).toBe(true);
      }),
      RUNS,
    );
  });

  it('takes from nobody more than an even share asks for, where all read the same', () => {
    fc.assert(
      fc.property(groups({ uniform: true, racks: false }), (group) => {
        // Only one claim for each partition: what is right is then plain.
        const seen = new Set<string>();
        const members = group.members.map((member) => {
          const own = member.ownedPartitions.map(({ topic, partitions }) => ({
            topic,
            partitions: partitions.filter((partition) => {
              const exists = (group.cluster.get(topic) ?? []).some((info) => info.partition === partition);
              const key = `${topic}-${partition}`;
              return exists && !seen.has(key) && seen.add(key);
            }),
          }));
          return withClaim(member, own, 1);
        });
        const shares = assignor.assign(group.cluster, members);
        const kept = members.map(({ memberId, ownedPartitions }) => {
          const now = new Set(keysOf(shares.get(memberId) ?? []));
          return keysOf(ownedPartitions).filter((key) => now.has(key)).length;
        });
        const owned = members.map(({ ownedPartitions }) => keysOf(ownedPartitions).length);
        const share = Math.floor(wanted(group).length / members.length);
        const extra = wanted(group).length % members.length;
        const most = owned.reduce((sum, count) => sum + Math.min(count, share), 0);
        const mostExtra = Math.min(extra, owned.filter((count) => count > share).length);
        expect(kept.reduce((sum, count) => sum + count, 0)).toBe(most + mostExtra);
      }),
      RUNS,
    );
  });
});

describe('cooperative-sticky', LIMIT, () => {
  it('gives nothing to anyone that another member of the newest generation still owns', () => {
    fc.assert(
      fc.property(groups(), (group) => {
        const claims = claimsOf(group);
        const owners = ownersOf(cooperative.assign(group.cluster, group.members));
        const early = [...owners].filter(([partition, memberId]) =>
          (claims.get(partition) ?? []).some((owner) => owner !== memberId),
        );
        expect(early).toEqual([]);
      }),
      RUNS,
    );
  });

  it('takes nothing away that the next round would give back', () => {
    const racks = {
      a: ['r2', 'r0 r2', 'r2', 'r0 r2'],
      c: ['r2', 'r1', 'r0 r2', 'r0 r2', 'r1'],
      d: ['r1', 'r2', 'r0 r2'],
    };
    const cluster: ClusterView = new Map(
      Object.entries(racks).map(([topic, list]) => [
        topic,
        list.map((each, partition) => ({ partition, replicaRacks: each.split(' ') })),
      ]),
    );
    const one = (memberId: string, topics: string, rackId: string | null, owned: string): AssignorMember => {
      const partitions = [...owned.matchAll(/([a-z])(\d)/g)].map(([, topic = '', number]) => ({
        topic,
        partitions: [Number(number)],
      }));
      return withClaim({ memberId, groupInstanceId: null, userData: null, topics: [...topics], rackId }, partitions, 0);
    };
    const members = [
      one('m0', 'acd', 'r2', 'a3'),
      one('m1', '', null, 'a2'),
      one('m2', 'acd', 'r0', 'a1 d1'),
      one('m4', 'a', 'r0', ''),
      one('m5', 'a', 'r1', 'a0 d2'),
      one('m7', 'c', 'r0', ''),
      one('m8', 'd', 'r1', ''),
      one('m9', 'ad', null, ''),
    ];
    expect(settle(cooperative, { cluster, members }).rounds).toBeLessThan(MOST_ROUNDS);
    expect(isAtRest(cooperative, { cluster, members })).toBe(true);
  });
});

function member(memberId: string, rackId: string | null, owned: number[], generationId = 1): AssignorMember {
  const base = { memberId, groupInstanceId: null, rackId, topics: ['t'], userData: null };
  return withClaim(base, [{ topic: 't', partitions: owned }], generationId);
}

function cluster(racks: readonly string[][]): ClusterView {
  return new Map([['t', racks.map((replicaRacks, partition) => ({ partition, replicaRacks }))]]);
}

function shares(assignment: GroupAssignment): Record<string, number[]> {
  return Object.fromEntries(
    [...assignment].map(([memberId, share]) => [
      memberId,
      share.flatMap(({ partitions }) => partitions).sort((a, b) => a - b),
    ]),
  );
}

describe('claims that contradict each other (KIP-341)', () => {
  const four = cluster([[], [], [], []]);

  it.each([sticky, cooperative])('$name: the newer generation is right', (assignor) => {
    const members = [member('a', null, [0, 1], 4), member('b', null, [0, 1], 5)];
    expect(shares(assignor.assign(four, members))).toEqual({ a: [2, 3], b: [0, 1] });
  });

  it('sticky: of the same generation nobody is right, and all goes on', () => {
    const members = [member('a', null, [0, 1]), member('b', null, [1, 2])];
    const result = shares(sticky.assign(four, members));
    expect(result['a']).toContain(0);
    expect(result['b']).toContain(2);
  });

  it('cooperative-sticky: what two of the same generation claim is given back by both first', () => {
    const members = [member('a', null, [0, 1]), member('b', null, [1, 2])];
    const first = cooperative.assign(four, members);
    expect(Object.values(shares(first)).flat()).not.toContain(1);
    const second = cooperative.assign(four, afterwards(members, first));
    expect(Object.values(shares(second)).flat().sort()).toEqual([0, 1, 2, 3]);
  });
});

describe('racks (KIP-881)', () => {
  const alternating = cluster(Array.from({ length: 12 }, (_, partition) => [partition % 2 === 0 ? 'r0' : 'r1']));

  it.each([sticky, cooperative])('$name: everyone reads in its own rack', (assignor) => {
    const members = ['a', 'b', 'c', 'd'].map((id, index) => member(id, index < 2 ? 'r0' : 'r1', []));
    const { a = [], b = [], c = [], d = [] } = shares(assignor.assign(alternating, members));
    expect([...a, ...b].every((partition) => partition % 2 === 0)).toBe(true);
    expect([...c, ...d].every((partition) => partition % 2 === 1)).toBe(true);
    expect([a, b, c, d].map(({ length }) => length)).toEqual([3, 3, 3, 3]);
  });

  it('sticky: even shares go before racks, and a member without a rack takes anything', () => {
    const members = [member('a', 'r0', []), member('b', 'elsewhere', []), member('c', null, [])];
    const result = shares(sticky.assign(alternating, members));
    expect(result['a']?.every((partition) => partition % 2 === 0)).toBe(true);
    expect(Object.values(result).map(({ length }) => length)).toEqual([4, 4, 4]);
  });

  it('sticky: what has moved out of the rack is exchanged', () => {
    const members = [member('a', 'r0', [1, 3, 5, 7, 9, 11]), member('b', 'r1', [0, 2, 4, 6, 8, 10])];
    expect(shares(sticky.assign(alternating, members))).toEqual({ a: [0, 2, 4, 6, 8, 10], b: [1, 3, 5, 7, 9, 11] });
  });
});
