/** One line of `vectors/assignors/NAME.jsonl` through the assignor of that name (format: vectors/README.md). */
import type { AssignorMember, ClusterView } from '../../src/group/assignors/assignor.ts';
import { ASSIGNORS } from '../../src/group/assignors/index.ts';
import { checkSticky, type Shares } from './sticky-rules.ts';

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
  moved: number;
  assigned: number;
}

/** What is wrong with our assignment for this case, one text per member or rule; empty where it is as it must be. */
export function runAssignorCase(name: string, line: unknown): string[] {
  const assignor = ASSIGNORS.find((each) => each.name === name);
  if (assignor === undefined) return [`no assignor of that name: ${name}`];
  const test = line as AssignorCase;
  const cluster = clusterOf(test);
  const members = membersOf(test);
  const ours: Shares = new Map(
    [...assignor.assign(cluster, members)].map(([memberId, share]) => [
      memberId,
      partitionsOf(share.map(({ topic, partitions }) => [topic, partitions])),
    ]),
  );
  const javas: Shares = new Map(
    Object.entries(test.assignment).map(([memberId, share]) => [memberId, partitionsOf(share)]),
  );
  const failures =
    name === 'sticky' || name === 'cooperative-sticky'
      ? checkSticky(name, cluster, members, ours, { shares: javas, assigned: test.assigned, moved: test.moved })
      : differences(ours, javas);
  return failures.map((failure) => `${name} history ${test.history} step ${test.step}: ${failure}`);
}

function differences(ours: Shares, javas: Shares): string[] {
  const failures: string[] = [];
  for (const memberId of new Set([...javas.keys(), ...ours.keys()])) {
    const expected = (javas.get(memberId) ?? []).join(' ');
    const actual = (ours.get(memberId) ?? []).join(' ');
    if (expected !== actual) failures.push(`${memberId} expected [${expected}], got [${actual}]`);
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
function partitionsOf(list: PartitionList): string[] {
  return list.flatMap(([topic, partitions]) => partitions.map((partition) => `${topic}-${partition}`)).sort();
}
