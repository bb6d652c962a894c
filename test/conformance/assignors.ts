/** One line of `vectors/assignors/NAME.jsonl` through the assignor of that name (format: vectors/README.md). */
import type { Assignor, AssignorMember, ClusterView } from '../../src/group/assignors/assignor.ts';
import { range } from '../../src/group/assignors/range.ts';
import { roundrobin } from '../../src/group/assignors/roundrobin.ts';

type PartitionList = [topic: string, partitions: number[]][];

interface AssignorCase {
  history: number;
  step: number;
  topics: { topic: string; partitions: string[][] }[];
  members: {
    memberId: string;
    groupInstanceId: string | null;
    rackId: string | null;
    topics: string[];
    generationId: number;
    ownedPartitions: PartitionList;
    userData: string | null;
  }[];
  assignment: Record<string, PartitionList>;
}

const ASSIGNORS: ReadonlyMap<string, Assignor> = new Map(
  [range, roundrobin].map((assignor) => [assignor.name, assignor]),
);

/** What is wrong with our assignment for this case, one text per member; empty where it equals Java's. */
export function runAssignorCase(assignor: string, line: unknown): string[] {
  const found = ASSIGNORS.get(assignor);
  if (found === undefined) return [`no assignor of that name yet: ${assignor}`];
  const test = line as AssignorCase;
  const assignment = found.assign(clusterOf(test), membersOf(test));
  const failures: string[] = [];
  const memberIds = new Set([...Object.keys(test.assignment), ...assignment.keys()]);
  for (const memberId of memberIds) {
    const expected = flatten(test.assignment[memberId] ?? []);
    const actual = flatten((assignment.get(memberId) ?? []).map((entry) => [entry.topic, entry.partitions]));
    if (expected === actual) continue;
    const where = `${assignor} history ${test.history} step ${test.step} ${memberId}`;
    failures.push(`${where}: expected [${expected}], got [${actual}]`);
  }
  return failures;
}

function clusterOf(test: AssignorCase): ClusterView {
  return new Map(
    test.topics.map(({ topic, partitions }) => [
      topic,
      partitions.map((replicaRacks, partition) => ({ partition, replicaRacks })),
    ]),
  );
}

function membersOf(test: AssignorCase): AssignorMember[] {
  return test.members.map((member) => ({
    ...member,
    ownedPartitions: member.ownedPartitions.map(([topic, partitions]) => ({ topic, partitions })),
    userData: member.userData === null ? null : Buffer.from(member.userData, 'base64'),
  }));
}

/** Order says nothing in an assignment: sorted, but with duplicates kept, so that they count as failures. */
function flatten(list: PartitionList): string {
  return list
    .flatMap(([topic, partitions]) => partitions.map((partition) => `${topic}-${partition}`))
    .sort()
    .join(' ');
}
