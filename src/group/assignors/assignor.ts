/**
 * What turns members and topics into an assignment. The leader of a group runs the one that the broker chose, over every
 * member's own subscription.
 */

/** One partition as metadata tells it. */
export interface PartitionInfo {
  partition: number;
  /** Racks of its replicas; empty where the cluster names none. */
  replicaRacks: readonly string[];
}

/** Topics that exist, each with its partitions. A topic without an entry does not exist. */
export type ClusterView = ReadonlyMap<string, readonly PartitionInfo[]>;

/** A member as the leader sees it. */
export interface AssignorMember {
  memberId: string;
  groupInstanceId: string | null;
  /** `null` or `''` for none. */
  rackId: string | null;
  topics: readonly string[];
  /** What the member says it owns, and of which generation (−1: none said). */
  ownedPartitions: readonly TopicPartitions[];
  generationId: number;
  userData: Buffer | null;
}

export interface TopicPartitions {
  topic: string;
  partitions: number[];
}

/** What a member was assigned last, and in which generation; it may have lost it since. */
export interface LastAssignment {
  partitions: readonly TopicPartitions[];
  generationId: number;
}

/** What each member gets, by member id. A member without an entry gets nothing. */
export type GroupAssignment = Map<string, TopicPartitions[]>;

/** Eager: everything is revoked before a rejoin. Cooperative (KIP-429): only what moves. */
export type RebalanceProtocol = 'eager' | 'cooperative';

/**
 * An assignor: one of samsa's own (`'range'`, `'roundrobin'`, `'sticky'`, `'cooperative-sticky'`), or any object of this shape in
 * `partitionAssignmentStrategy`. It keeps no state and may serve several consumers: what it has to know of its member's past it is
 * told, and what it has to know of the others' they say in their subscriptions.
 */
export interface Assignor {
  /**
   * The protocol name in JoinGroup. The broker chooses one that all members of the group offer, so all of them, whatever client
   * they are, must mean the same by it.
   */
  readonly name: string;
  /**
   * The rebalance protocols that it can serve. `cooperative` is followed where every assignor of the consumer has it; such an
   * assignor must hand out nothing that another member still owns (`ownedPartitions`): what is to move it leaves out, and gives to
   * its new owner in the rebalance that follows the revocation.
   */
  readonly supportedProtocols: readonly RebalanceProtocol[];
  /**
   * Bytes for the `userData` of this member's subscription, asked for with every JoinGroup; none by default.
   * @param last what this member was assigned last, `null` before that
   */
  subscriptionUserData?(topics: readonly string[], last: LastAssignment | null): Buffer | null;
  /**
   * Called at the leader, for the whole group. Must give each partition to one member at most, and only to one that subscribes to
   * its topic. What it throws ends the leader's consumer.
   * @param cluster the topics that any member subscribes to, as far as they exist
   */
  assign(cluster: ClusterView, members: readonly AssignorMember[]): GroupAssignment;
}

/** Appends a partition to a member's share, which keeps one entry per topic. */
export function give(share: TopicPartitions[], topic: string, partition: number): void {
  const last = share.at(-1);
  const entry = last?.topic === topic ? last : share.find((candidate) => candidate.topic === topic);
  if (entry === undefined) share.push({ topic, partitions: [partition] });
  else entry.partitions.push(partition);
}

/** Order of UTF-16 code units, as Java compares strings; never `localeCompare`, which depends on the machine. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Static members first, by instance id, so that a restart with a new member id changes nothing; the others by member id. */
export function compareMembers(a: AssignorMember, b: AssignorMember): number {
  if (a.groupInstanceId !== null && b.groupInstanceId !== null) {
    return compareStrings(a.groupInstanceId, b.groupInstanceId);
  }
  if (a.groupInstanceId !== null) return -1;
  if (b.groupInstanceId !== null) return 1;
  return compareStrings(a.memberId, b.memberId);
}
