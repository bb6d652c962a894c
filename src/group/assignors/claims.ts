/**
 * Who had which partition, from what the members say. Two may claim the same one: then the newer generation is right, for the
 * other has missed a rebalance (KIP-341); two of the same generation are both wrong, and the partition is nobody's.
 */
import type { AssignorMember } from './assignor.ts';
import type { Layout } from './layout.ts';
import type { Claim } from './sticky-user-data.ts';

export const NOBODY = -1;

export interface Claims {
  /** By partition: the member that has it, whether it still subscribes to the topic or not; or `NOBODY`. */
  readonly owner: Int32Array;
  /** By partition: the member that had it in an earlier generation than the group's newest; or `NOBODY`. */
  readonly earlier: Int32Array;
  /** Partitions that several members of one generation claim. */
  readonly contested: ReadonlySet<number>;
}

export function resolveClaims(layout: Layout, claimOf: (member: AssignorMember) => Claim): Claims {
  const owner = new Int32Array(layout.partitionCount).fill(NOBODY);
  const earlier = new Int32Array(layout.partitionCount).fill(NOBODY);
  const since = new Int32Array(layout.partitionCount);
  const earlierSince = new Int32Array(layout.partitionCount);
  const contested = new Set<number>();
  const claims = layout.members.map(claimOf);
  const newest = Math.max(-1, ...claims.map(({ generation }) => generation));
  for (const [member, { partitions, generation }] of claims.entries()) {
    for (const partition of indexesOf(layout, partitions)) {
      if (generation < newest && (earlier[partition] === NOBODY || generation > (earlierSince[partition] ?? 0))) {
        earlier[partition] = member;
        earlierSince[partition] = generation;
      }
      const isFirst = owner[partition] === NOBODY && !contested.has(partition);
      if (isFirst || generation > (since[partition] ?? 0)) {
        owner[partition] = member;
        since[partition] = generation;
        contested.delete(partition);
      } else if (generation === since[partition]) {
        owner[partition] = NOBODY;
        contested.add(partition);
      }
    }
  }
  return { owner, earlier, contested };
}

/** Each partition once, those that are gone left out. */
function indexesOf(layout: Layout, partitions: Claim['partitions']): Set<number> {
  const indexes = new Set<number>();
  for (const entry of partitions) {
    for (const number of entry.partitions) {
      const index = layout.indexOf(entry.topic, number);
      if (index !== null) indexes.add(index);
    }
  }
  return indexes;
}
