/**
 * The rules for the sticky assignors (vectors/README.md): not Java's very assignment, but one that is valid, at least as even,
 * and for which no more partitions change hands.
 */
import type { AssignorMember, ClusterView } from '../../src/group/assignors/assignor.ts';
import { decodePreviousAssignment } from '../../src/group/assignors/sticky-user-data.ts';

/** Member id → its partitions as `topic-number`. */
export type Shares = ReadonlyMap<string, readonly string[]>;

export interface JavaResult {
  shares: Shares;
  assigned: number;
  moved: number;
}

/** Which rules `ours` breaks, one text per rule. */
export function checkSticky(
  assignor: 'sticky' | 'cooperative-sticky',
  cluster: ClusterView,
  members: readonly AssignorMember[],
  ours: Shares,
  java: JavaResult,
): string[] {
  const claims = members.map((member) => claimOf(assignor, member));
  const failures = checkValid(cluster, members, ours);
  if (isLessEven(sizesOf(members, ours), sizesOf(members, java.shares))) {
    failures.push(`shares of ${String(sizesOf(members, ours))}, Java's are ${String(sizesOf(members, java.shares))}`);
  }
  if (countMoved(claims, java.shares) !== java.moved) failures.push(`the case contradicts itself: moved ${java.moved}`);
  const moved = countMoved(claims, ours);
  if (moved > java.moved) failures.push(`${moved} partitions change hands, with Java ${java.moved}`);
  const assigned = [...ours.values()].flat().length;
  if (assigned < java.assigned) failures.push(`${assigned} partitions are assigned, by Java ${java.assigned}`);
  if (assignor === 'cooperative-sticky') {
    const newest = Math.max(...claims.map(({ generation }) => generation));
    const early = countMoved(
      claims.filter(({ generation }) => generation === newest),
      ours,
    );
    if (early > 0) failures.push(`${early} partitions are assigned while another member still owns them`);
  }
  return failures;
}

interface Claim {
  memberId: string;
  generation: number;
  partitions: readonly string[];
}

function claimOf(assignor: string, member: AssignorMember): Claim {
  const { memberId, userData, ownedPartitions, generationId } = member;
  const { partitions, generation } =
    assignor === 'sticky'
      ? decodePreviousAssignment(userData)
      : { partitions: ownedPartitions, generation: generationId };
  return {
    memberId,
    generation,
    partitions: partitions.flatMap((entry) => entry.partitions.map((number) => `${entry.topic}-${number}`)),
  };
}

function checkValid(cluster: ClusterView, members: readonly AssignorMember[], ours: Shares): string[] {
  const failures: string[] = [];
  const seen = new Set<string>();
  for (const [memberId, partitions] of ours) {
    const topics = members.find((member) => member.memberId === memberId)?.topics ?? [];
    const allowed = new Set(
      topics.flatMap((topic) => (cluster.get(topic) ?? []).map(({ partition }) => `${topic}-${partition}`)),
    );
    for (const partition of partitions) {
      if (!allowed.has(partition)) failures.push(`${memberId} must not have ${partition}`);
      if (seen.has(partition)) failures.push(`${partition} is assigned twice`);
      seen.add(partition);
    }
  }
  return failures;
}

function sizesOf(members: readonly AssignorMember[], shares: Shares): number[] {
  return members.map(({ memberId }) => shares.get(memberId)?.length ?? 0).sort((a, b) => a - b);
}

/** In the strictest sense: some number of the smallest shares together have less than theirs. */
function isLessEven(ours: readonly number[], theirs: readonly number[]): boolean {
  let sum = 0;
  return ours.some((size, index) => (sum += size - (theirs[index] ?? 0)) < 0);
}

/** Partitions that are assigned to another member than the one that has them. */
function countMoved(claims: readonly Claim[], shares: Shares): number {
  const owner = new Map(
    [...shares].flatMap(([memberId, list]) => list.map((partition) => [partition, memberId] as const)),
  );
  const moved = claims.flatMap(({ memberId, partitions }) =>
    partitions.filter((partition) => (owner.get(partition) ?? memberId) !== memberId),
  );
  return moved.length;
}
