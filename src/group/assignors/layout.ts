/**
 * Members and partitions as small integers, for an assignor that compares many of them: members in the order of their ids,
 * partitions topic by topic, so that the result depends on nothing but the input's content.
 */
import type { AssignorMember, ClusterView, GroupAssignment } from './assignor.ts';
import { compareStrings, give } from './assignor.ts';

export class Layout {
  readonly members: readonly AssignorMember[];
  readonly memberCount: number;
  readonly partitionCount: number;
  /** Topics that exist and have a subscriber: those with the fewest subscribers first, for their partitions have the least choice. */
  readonly topics: readonly string[];
  /** By topic: its subscribers, ascending. */
  readonly subscribers: readonly (readonly number[])[];
  /** By partition: its topic, and its number in it. */
  readonly topicOf: Int32Array;
  readonly numberOf: Int32Array;
  /** All members subscribe to the same topics, as far as these exist. */
  readonly isUniform: boolean;
  /** Some member's rack holds replicas, and not every partition is in every rack (KIP-881). */
  readonly isRackAware: boolean;
  readonly #subscribes: readonly ReadonlySet<number>[];
  /** By topic: the index of each partition number. */
  readonly #indexes: ReadonlyMap<string, ReadonlyMap<number, number>>;
  readonly #racks: readonly ReadonlySet<string>[];

  constructor(cluster: ClusterView, members: readonly AssignorMember[]) {
    this.members = [...members].sort((a, b) => compareStrings(a.memberId, b.memberId));
    this.memberCount = members.length;
    const subscribers = new Map<string, number[]>();
    for (const [index, member] of this.members.entries()) {
      for (const topic of new Set(member.topics)) {
        const list = subscribers.get(topic);
        if (list !== undefined) list.push(index);
        else if ((cluster.get(topic)?.length ?? 0) > 0) subscribers.set(topic, [index]);
      }
    }
    const topics = [...subscribers].sort(([a, x], [b, y]) => x.length - y.length || compareStrings(a, b));
    this.topics = topics.map(([topic]) => topic);
    this.subscribers = topics.map(([, list]) => list);
    this.isUniform = this.subscribers.every((list) => list.length === members.length);
    const subscribes = this.members.map(() => new Set<number>());
    for (const [topic, list] of this.subscribers.entries()) for (const member of list) subscribes[member]?.add(topic);
    this.#subscribes = subscribes;

    const topicOf: number[] = [];
    const numberOf: number[] = [];
    const racks: ReadonlySet<string>[] = [];
    const indexes = new Map<string, ReadonlyMap<number, number>>();
    for (const [topic, name] of this.topics.entries()) {
      const byNumber = new Map<number, number>();
      const infos = [...(cluster.get(name) ?? [])].sort((a, b) => a.partition - b.partition);
      for (const { partition, replicaRacks } of infos) {
        byNumber.set(partition, topicOf.length);
        topicOf.push(topic);
        numberOf.push(partition);
        racks.push(new Set(replicaRacks));
      }
      indexes.set(name, byNumber);
    }
    this.#indexes = indexes;
    this.topicOf = Int32Array.from(topicOf);
    this.numberOf = Int32Array.from(numberOf);
    this.partitionCount = topicOf.length;
    this.isRackAware = usesRacks(this.members, racks);
    this.#racks = this.isRackAware ? racks : [];
  }

  /** `null` for a partition that does not exist, or whose topic nobody subscribes to. */
  indexOf(topic: string, partition: number): number | null {
    return this.#indexes.get(topic)?.get(partition) ?? null;
  }

  subscribersOf(partition: number): readonly number[] {
    return this.subscribers[this.topicOf[partition] ?? -1] ?? [];
  }

  maySubscribe(member: number, partition: number): boolean {
    return this.#subscribes[member]?.has(this.topicOf[partition] ?? -1) ?? false;
  }

  /** A replica is in the member's rack. */
  isNear(member: number, partition: number): boolean {
    const rack = this.members[member]?.rackId ?? '';
    return rack !== '' && (this.#racks[partition]?.has(rack) ?? false);
  }

  /** No replica is in the member's rack. Neither near nor far is a member without a rack; without racks none is. */
  isFar(member: number, partition: number): boolean {
    const rack = this.members[member]?.rackId ?? '';
    return this.isRackAware && rack !== '' && !(this.#racks[partition]?.has(rack) ?? false);
  }

  /** @param owner by partition: the member that gets it, or −1 */
  assignment(owner: Int32Array): GroupAssignment {
    const assignment: GroupAssignment = new Map(this.members.map(({ memberId }) => [memberId, []]));
    for (const [partition, member] of owner.entries()) {
      const share = assignment.get(this.members[member]?.memberId ?? '');
      const topic = this.topics[this.topicOf[partition] ?? -1];
      if (share === undefined || topic === undefined) continue;
      give(share, topic, this.numberOf[partition] ?? -1);
    }
    return assignment;
  }
}

function usesRacks(members: readonly AssignorMember[], racks: readonly ReadonlySet<string>[]): boolean {
  const all = new Set(racks.flatMap((set) => [...set]));
  const anyMatches = members.some(({ rackId }) => rackId !== null && rackId !== '' && all.has(rackId));
  return anyMatches && racks.some((set) => set.size !== all.size);
}
