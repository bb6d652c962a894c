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

/** What each member gets, by member id. A member without an entry gets nothing. */
export type GroupAssignment = Map<string, TopicPartitions[]>;

/** Eager: everything is revoked before a rejoin. Cooperative (KIP-429): only what moves. */
export type RebalanceProtocol = 'eager' | 'cooperative';

export interface Assignor {
  /** The protocol name in JoinGroup. All members of a group need one in common. */
  readonly name: string;
  /** The rebalance protocol that members of this assignor follow. */
  readonly supportedProtocols: readonly RebalanceProtocol[];
  /** Bytes for the `userData` of this member's subscription; none by default. */
  subscriptionUserData?(topics: readonly string[]): Buffer | null;
  /** Must give each partition to one member at most, and only to one that subscribes to its topic. */
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
