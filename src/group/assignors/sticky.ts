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
    return layout.assignment(withhold(stickyShares(layout, claims, 'cooperative'), claims));
  },
};

function ownedBy({ ownedPartitions, generationId, userData }: AssignorMember): Claim {
  return { partitions: ownedPartitions, generation: generationId >= 0 ? generationId : decodeGeneration(userData) };
}

function withhold(shares: Int32Array, { owner, contested }: Claims): Int32Array {
  return shares.map((member, partition) => {
    const isAnothers = owner[partition] !== NOBODY && owner[partition] !== member;
    return isAnothers || contested.has(partition) ? NOBODY : member;
  });
}
