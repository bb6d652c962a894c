/**
 * `sticky` and `cooperative-sticky` (KIP-54, KIP-429): shares as even as can be, and of these the ones for which the fewest
 * partitions change hands. They differ in how a member says what it had, and in what becomes of what is to change hands.
 */
import type { Assignor, AssignorMember } from './assignor.ts';
import { type Claims, NOBODY, resolveClaims } from './claims.ts';
import { Layout } from './layout.ts';
import { stickyShares } from './sticky-shares.ts';
import {
  type Claim,
  decodeGeneration,
  decodePreviousAssignment,
  encodeGeneration,
  encodePreviousAssignment,
} from './sticky-user-data.ts';

/** Eager: at the time of the assignment nobody owns anything; what members had they say in `userData`. */
export const sticky: Assignor = {
  name: 'sticky',
  supportedProtocols: ['eager'],

  subscriptionUserData: (_topics, last) => (last === null ? null : encodePreviousAssignment(last)),

  assign(cluster, members) {
    const layout = new Layout(cluster, members);
    const claims = resolveClaims(layout, ({ userData }) => decodePreviousAssignment(userData));
    return layout.assignment(stickyShares(layout, claims, 'eager'));
  },
};

/**
 * Cooperative: members go on with what they own, which they say in `ownedPartitions`. What is to go from one to another is given
 * to nobody yet. That its owner does not get it again tells it to revoke it and to join anew, and then it is free.
 */
export const cooperativeSticky: Assignor = {
  name: 'cooperative-sticky',
  supportedProtocols: ['cooperative', 'eager'],

  // For leaders from before subscriptions of v2, which look for the generation here.
  subscriptionUserData: (_topics, last) => encodeGeneration(last?.generationId ?? -1),

  assign(cluster, members) {
    const layout = new Layout(cluster, members);
    const claims = resolveClaims(layout, ownedBy);
    return layout.assignment(withhold(lastingShares(layout, claims), claims));
  },
};

function ownedBy({ ownedPartitions, generationId, userData }: AssignorMember): Claim {
  return { partitions: ownedPartitions, generation: generationId >= 0 ? generationId : decodeGeneration(userData) };
}

/**
 * Where a partition is to go depends on who has which, and in the next round nobody has what this one takes away. What would come back to
 * its member then stays where it is, or every rebalance would take it away and bring it back.
 */
function lastingShares(layout: Layout, claims: Claims): Int32Array {
  const shares = stickyShares(layout, claims, 'cooperative');
  const owner = withhold(shares, claims);
  const isWithheld = (partition: number): boolean => owner[partition] !== shares[partition];
  if (!shares.some((_, partition) => isWithheld(partition))) return shares;
  const later = stickyShares(
    layout,
    { owner, earlier: new Int32Array(owner.length).fill(NOBODY), contested: new Set() },
    'cooperative',
  );
  const comesBack = later.some((member, partition) => isWithheld(partition) && member === claims.owner[partition]);
  return comesBack ? later : shares;
}

function withhold(shares: Int32Array, { owner, contested }: Claims): Int32Array {
  return shares.map((member, partition) => {
    const isAnothers = owner[partition] !== NOBODY && owner[partition] !== member;
    return isAnothers || contested.has(partition) ? NOBODY : member;
  });
}
