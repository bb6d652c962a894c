import fc from 'fast-check';
import type {
  AssignorMember,
  ClusterView,
  GroupAssignment,
  PartitionInfo,
  TopicPartitions,
} from '../../../src/group/assignors/assignor.ts';
import { encodePreviousAssignment } from '../../../src/group/assignors/sticky-user-data.ts';

/** A group as its leader sees it: everything that can be, sense or not. */
export interface RandomGroup {
  cluster: ClusterView;
  members: AssignorMember[];
}

const TOPICS = ['a', 'b', 'c', 'd', 'missing'];
const RACKS = ['r0', 'r1', 'r2'];

export interface GroupOptions {
  /** All members read all topics. */
  uniform?: boolean;
  racks?: boolean;
  /** Claims that contradict each other, and claims of what does not exist. Otherwise nobody claims anything. */
  claims?: boolean;
}

export function groups({ uniform = false, racks = true, claims = true }: GroupOptions = {}): fc.Arbitrary<RandomGroup> {
  const rackSets = racks ? fc.subarray(RACKS, { minLength: 1 }) : fc.constant<string[]>([]);
  const topic = fc
    .array(rackSets, { maxLength: 12 })
    .map((list) => list.map((replicaRacks, partition): PartitionInfo => ({ partition, replicaRacks })));
  const cluster = fc
    .tuple(topic, topic, topic, topic)
    .map((list): ClusterView => new Map(list.map((infos, index) => [TOPICS[index] ?? '', infos])));
  const claimed = claims
    ? fc.uniqueArray(fc.record({ topic: fc.constantFrom(...TOPICS), partition: fc.integer({ min: 0, max: 14 }) }), {
        maxLength: 15,
        selector: keyOf,
      })
    : fc.constant([]);
  const member = fc.record({
    topics: uniform ? fc.constant(TOPICS) : fc.subarray(TOPICS),
    rackId: racks ? fc.option(fc.constantFrom(...RACKS, '')) : fc.constant(null),
    owned: claimed,
    generationId: fc.integer({ min: -1, max: 3 }),
    isStatic: fc.boolean(),
  });
  return fc.record({ cluster, list: fc.array(member, { minLength: 1, maxLength: 8 }) }).map(({ cluster, list }) => ({
    cluster,
    members: list.map(({ owned, isStatic, ...rest }, index) =>
      withClaim(
        { memberId: `m${(index * 7) % 10}`, groupInstanceId: isStatic ? `i${index}` : null, userData: null, ...rest },
        byTopic(owned),
        rest.generationId,
      ),
    ),
  }));
}

/** What it says it owns, in both places where assignors look for it. */
export function withClaim(
  member: Omit<AssignorMember, 'ownedPartitions' | 'generationId'>,
  ownedPartitions: readonly TopicPartitions[],
  generationId: number,
): AssignorMember {
  const userData = encodePreviousAssignment({ partitions: ownedPartitions, generationId });
  return { ...member, ownedPartitions, generationId, userData };
}

/** The group after everyone has taken what it was given. */
export function afterwards(members: readonly AssignorMember[], assignment: GroupAssignment): AssignorMember[] {
  return members.map((member) => withClaim(member, assignment.get(member.memberId) ?? [], 9));
}

export function keyOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}-${partition}`;
}

export function keysOf(list: readonly TopicPartitions[]): string[] {
  return list.flatMap(({ topic, partitions }) => partitions.map((partition) => keyOf({ topic, partition })));
}

/** Partition → member. Throws where one is given twice. */
export function ownersOf(assignment: GroupAssignment): Map<string, string> {
  const owners = new Map<string, string>();
  for (const [memberId, share] of assignment) {
    for (const key of keysOf(share)) {
      if (owners.has(key)) throw new Error(`${key} is given to ${owners.get(key) ?? ''} and to ${memberId}`);
      owners.set(key, memberId);
    }
  }
  return owners;
}

function byTopic(list: readonly { topic: string; partition: number }[]): TopicPartitions[] {
  return TOPICS.map((topic) => ({
    topic,
    partitions: list.filter((each) => each.topic === topic).map(({ partition }) => partition),
  })).filter(({ partitions }) => partitions.length > 0);
}
