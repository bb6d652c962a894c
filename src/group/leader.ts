/**
 * The leader's part of a rebalance: it alone is told all members, and computes the assignment for all of them, each from
 * the subscription that the member itself sent, with the assignor that the broker chose.
 */
import type { JoinGroupMember } from '../protocol/api/join-group.ts';
import type { SyncGroupAssignment } from '../protocol/api/sync-group.ts';
import { decodeSubscription, encodeAssignment } from '../protocol/consumer-protocol.ts';
import type {
  Assignor,
  AssignorMember,
  ClusterView,
  GroupAssignment,
  PartitionInfo,
  RebalanceProtocol,
} from './assignors/assignor.ts';
import { compareStrings } from './assignors/assignor.ts';
import { cooperativeSticky } from './assignors/sticky.ts';

/** The group as its leader sees it during one generation. */
export class LedGroup {
  readonly members: readonly AssignorMember[];
  /** Every topic that any member subscribes to, sorted. */
  readonly topics: readonly string[];
  /** Members whose subscription makes no sense; they get nothing, the others go on. */
  readonly unreadable: readonly { memberId: string; error: unknown }[];
  readonly #usesRacks: boolean;
  /** Topic → what the assignment rested on. */
  readonly #basis = new Map<string, string>();

  constructor(members: readonly JoinGroupMember[]) {
    const unreadable: { memberId: string; error: unknown }[] = [];
    this.members = members.map((member) => readMember(member, unreadable));
    this.unreadable = unreadable;
    this.topics = [...new Set(this.members.flatMap((member) => member.topics))].sort(compareStrings);
    this.#usesRacks = this.members.some((member) => member.rackId !== null && member.rackId !== '');
  }

  /** Topics of the group that no metadata refresh has asked for yet. */
  missingFrom(metadata: ClusterView): string[] {
    return this.topics.filter((topic) => !metadata.has(topic));
  }

  /**
   * Each member's assignment; also the members that get nothing are in it.
   * @throws what the assignor throws, and where a cooperative one gives away what its owner has not given up
   */
  assign(assignor: Assignor, metadata: ClusterView, protocol: RebalanceProtocol): SyncGroupAssignment[] {
    this.remember(metadata);
    const cluster = new Map(
      this.topics.flatMap((topic) => {
        const partitions = metadata.get(topic) ?? [];
        return partitions.length === 0 ? [] : [[topic, partitions] as const];
      }),
    );
    const assignment = assignor.assign(cluster, this.members);
    if (protocol === 'cooperative' && assignor !== cooperativeSticky) mustLeaveOwned(this.members, assignment);
    return this.members.map(({ memberId }) => ({
      memberId,
      assignment: encodeAssignment({ assignedPartitions: assignment.get(memberId) ?? [], userData: null }),
    }));
  }

  /** Takes `metadata` as what the present assignment rests on, as far as it tells the group's topics. */
  remember(metadata: ClusterView): void {
    for (const topic of this.topics) {
      const partitions = metadata.get(topic);
      if (partitions !== undefined) this.#basis.set(topic, this.#signature(partitions));
    }
  }

  /** A topic whose partition count or racks are not those that the assignment rests on; `null` where all are. */
  changedTopic(metadata: ClusterView): string | null {
    for (const [topic, signature] of this.#basis) {
      const partitions = metadata.get(topic);
      if (partitions !== undefined && this.#signature(partitions) !== signature) return topic;
    }
    return null;
  }

  /** Racks count only where a member has one: replicas that move elsewhere would cause a rebalance for nothing. */
  #signature(partitions: readonly PartitionInfo[]): string {
    if (!this.#usesRacks) return String(partitions.length);
    const racks = [...partitions]
      .sort((a, b) => a.partition - b.partition)
      .map((info) => [...new Set(info.replicaRacks)].sort(compareStrings));
    return JSON.stringify(racks);
  }
}

/** As Java's `validateCooperativeAssignment`: two members would read the same partition at the same time. */
function mustLeaveOwned(members: readonly AssignorMember[], assignment: GroupAssignment): void {
  const newest = members.reduce((generation, member) => Math.max(generation, member.generationId), -1);
  const owners = new Map<string, string>();
  for (const { memberId, generationId, ownedPartitions } of members) {
    if (generationId < newest) continue; // what it claims may be another one's by now
    for (const { topic, partitions } of ownedPartitions)
      for (const partition of partitions) owners.set(`${topic}/${partition}`, memberId);
  }
  for (const [memberId, topics] of assignment) {
    for (const { topic, partitions } of topics) {
      for (const partition of partitions) {
        const owner = owners.get(`${topic}/${partition}`) ?? memberId;
        if (owner === memberId) continue;
        throw new Error(`it gives ${topic}-${partition} to '${memberId}' while '${owner}' still owns it (KIP-429)`);
      }
    }
  }
}

function readMember(member: JoinGroupMember, unreadable: { memberId: string; error: unknown }[]): AssignorMember {
  const { memberId, groupInstanceId } = member;
  try {
    const { topics, userData, ownedPartitions, generationId, rackId } = decodeSubscription(member.metadata);
    return { memberId, groupInstanceId, rackId, topics, ownedPartitions, generationId, userData };
  } catch (error) {
    unreadable.push({ memberId, error });
    return {
      memberId,
      groupInstanceId,
      rackId: null,
      topics: [],
      ownedPartitions: [],
      generationId: -1,
      userData: null,
    };
  }
}
