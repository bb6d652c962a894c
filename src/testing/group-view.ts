import { decodeAssignment } from '../protocol/consumer-protocol.ts';
import type { Cluster } from './cluster.ts';
import type { Group } from './groups/coordinator.ts';
import { topicsOf } from './groups/consumer-member.ts';

/** Topic → partition → the next offset to be consumed. */
export type OffsetsByTopic = Readonly<Record<string, Readonly<Record<number, number>>>>;

export interface CommittedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** −1 where the member did not say. */
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export interface MemberView {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** What it may read, as the coordinator sees it; sorted. */
  readonly assignment: readonly { readonly topic: string; readonly partition: number }[];
}

export interface GroupView {
  readonly groupId: string;
  /** Which protocol its members speak: JoinGroup and so on, or ConsumerGroupHeartbeat (KIP-848). */
  readonly protocol: 'classic' | 'consumer';
  /** Kafka's names: `'Empty'`, `'PreparingRebalance'`, `'CompletingRebalance'`, `'Stable'`; with KIP-848 `'Empty'`, `'Reconciling'`, `'Stable'`. */
  readonly state: string;
  /** The generation, or the group's epoch. */
  readonly generation: number;
  /** The assignor. */
  readonly assignor: string | null;
  readonly members: readonly MemberView[];
}

export function groupView(cluster: Cluster, groupId: string): GroupView {
  const group = cluster.coordinator.find(groupId);
  if (group === undefined) {
    return { groupId, protocol: 'classic', state: 'Empty', generation: 0, assignor: null, members: [] };
  }
  const { classic, consumer } = group;
  if (consumer.members.length > 0 || (consumer.epoch > 0 && classic.members.length === 0)) {
    const { state, epoch, assignor } = consumer;
    return {
      groupId,
      protocol: 'consumer',
      state,
      generation: epoch,
      assignor,
      members: consumerMembers(cluster, group),
    };
  }
  const { state, generation } = classic;
  const members = classicMembers(group);
  return { groupId, protocol: 'classic', state, generation: generation.id, assignor: generation.protocolName, members };
}

function classicMembers({ classic }: Group): MemberView[] {
  return classic.members.map(({ id, groupInstanceId, clientId, clientHost, assignment }) => {
    const partitions = classic.generation.protocolType === 'consumer' ? partitionsIn(assignment) : [];
    return { memberId: id, groupInstanceId, clientId, clientHost, assignment: partitions };
  });
}

/** Nothing for an assignment that is empty, or none that we can read: it is the members' own business. */
function partitionsIn(assignment: Buffer): MemberView['assignment'] {
  if (assignment.length === 0) return [];
  try {
    const { assignedPartitions } = decodeAssignment(assignment);
    const all = assignedPartitions.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    );
    return sorted(all);
  } catch {
    return [];
  }
}

function consumerMembers({ topics }: Cluster, { consumer }: Group): MemberView[] {
  return consumer.members.map(({ id, instanceId, clientId, clientHost, assigned }) => {
    const partitions = topicsOf(assigned).flatMap(({ topicId, partitions: indexes }) => {
      const topic = topics.byId(topicId)?.name ?? topicId;
      return indexes.map((partition) => ({ topic, partition }));
    });
    return { memberId: id, groupInstanceId: instanceId, clientId, clientHost, assignment: sorted(partitions) };
  });
}

function sorted(partitions: { topic: string; partition: number }[]): { topic: string; partition: number }[] {
  return partitions.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
}

export function committedBy(cluster: Cluster, groupId: string): OffsetsByTopic {
  const topics =
    cluster.coordinator.find(groupId)?.offsets.topics ?? new Map<string, ReadonlyMap<number, { offset: number }>>();
  return Object.fromEntries(
    [...topics].map(([topic, partitions]) => [
      topic,
      Object.fromEntries([...partitions].map(([partition, { offset }]) => [partition, offset])),
    ]),
  );
}

export function commitsOf(cluster: Cluster, groupId: string): CommittedPartition[] {
  const topics = cluster.coordinator.find(groupId)?.offsets.topics;
  const all = [...(topics ?? [])].flatMap(([topic, partitions]) =>
    [...partitions].map(([partition, committed]) => ({ topic, partition, ...committed })),
  );
  return all.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
}
