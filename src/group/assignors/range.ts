/**
 * `range`: topic by topic, each subscriber gets a run of neighbouring partitions; the first ones get one more where the
 * number does not divide. Topics of equal size and equal subscribers are cut alike, so that partition n of all of them goes
 * to one member (co-partitioning, for joins of streams).
 *
 * With racks (KIP-881) each member first gets partitions that have a replica in its rack, within the same share and, for
 * co-partitioned topics, only where that holds for partition n of all of them; the rest is dealt as without racks.
 * The result equals that of Java's RangeAssignor, which all members of a mixed group rely on.
 */
import type { Assignor, AssignorMember, ClusterView, GroupAssignment, PartitionInfo } from './assignor.ts';
import { compareMembers, compareStrings, give } from './assignor.ts';

export const range: Assignor = {
  name: 'range',
  supportedProtocols: ['eager'],

  assign(cluster, members) {
    const topics = topicStates(cluster, members);
    const assignment: GroupAssignment = new Map(members.map((member) => [member.memberId, []]));
    if (topics.some((topic) => topic.rackAware)) {
      for (const topicsAlike of coPartitioned(topics)) assignMatchingRacks(topicsAlike, assignment);
    }
    for (const topic of topics) topic.assignRanges(assignment, () => true);
    for (const share of assignment.values()) {
      for (const entry of share) entry.partitions.sort((a, b) => a - b);
    }
    return assignment;
  },
};

function topicStates(cluster: ClusterView, members: readonly AssignorMember[]): TopicState[] {
  const subscribers = new Map<string, AssignorMember[]>();
  for (const member of [...members].sort(compareMembers)) {
    for (const topic of new Set(member.topics)) {
      const list = subscribers.get(topic);
      if (list === undefined) subscribers.set(topic, [member]);
      else list.push(member);
    }
  }
  const states: TopicState[] = [];
  for (const [topic, list] of [...subscribers].sort(([a], [b]) => compareStrings(a, b))) {
    const partitions = cluster.get(topic);
    if (partitions !== undefined && partitions.length > 0) states.push(new TopicState(topic, partitions, list));
  }
  return states;
}

/** One topic while it is being dealt out: what is left, and how much each member may still get. */
class TopicState {
  readonly topic: string;
  readonly subscribers: readonly AssignorMember[];
  readonly partitionCount: number;
  /** Worth matching racks: some subscriber's rack holds replicas, and not every partition is in every rack. */
  readonly rackAware: boolean;
  /** Same subscribers in the same racks, same number of partitions. */
  readonly groupingKey: string;
  readonly #unassigned: Set<number>;
  readonly #racks: Map<number, ReadonlySet<string>>;
  readonly #assignedCount = new Map<string, number>();
  readonly #share: number;
  /** How many members may still get one more than `#share`. */
  #extra: number;

  constructor(topic: string, partitions: readonly PartitionInfo[], subscribers: readonly AssignorMember[]) {
    this.topic = topic;
    this.subscribers = subscribers;
    this.partitionCount = partitions.length;
    const sorted = [...partitions].sort((a, b) => a.partition - b.partition);
    this.#unassigned = new Set(sorted.map((info) => info.partition));
    this.#racks = new Map(sorted.map((info) => [info.partition, new Set(info.replicaRacks)]));
    this.#share = Math.floor(partitions.length / subscribers.length);
    this.#extra = partitions.length % subscribers.length;
    this.rackAware = isRackAware(subscribers, this.#racks);
    this.groupingKey = JSON.stringify([
      partitions.length,
      subscribers.map((member) => [member.memberId, member.rackId ?? '']),
    ]);
  }

  racksMatch(member: AssignorMember, partition: number): boolean {
    return !hasRack(member) || (this.#racks.get(partition)?.has(member.rackId) ?? false);
  }

  room(memberId: string): number {
    const limit = this.#share + (this.#extra > 0 ? 1 : 0);
    return Math.max(0, limit - (this.#assignedCount.get(memberId) ?? 0));
  }

  assignRanges(assignment: GroupAssignment, mayAssign: (member: AssignorMember, partition: number) => boolean): void {
    for (const member of this.subscribers) {
      const room = this.room(member.memberId);
      const chosen: number[] = [];
      for (const partition of this.#unassigned) {
        if (chosen.length === room) break;
        if (mayAssign(member, partition)) chosen.push(partition);
      }
      if (chosen.length > 0) this.assign(assignment, member.memberId, chosen);
    }
  }

  assign(assignment: GroupAssignment, memberId: string, partitions: readonly number[]): void {
    const share = assignment.get(memberId) ?? [];
    for (const partition of partitions) {
      give(share, this.topic, partition);
      this.#unassigned.delete(partition);
    }
    assignment.set(memberId, share);
    const count = (this.#assignedCount.get(memberId) ?? 0) + partitions.length;
    this.#assignedCount.set(memberId, count);
    if (count > this.#share) this.#extra -= 1;
  }
}

function hasRack(member: AssignorMember): member is AssignorMember & { rackId: string } {
  return member.rackId !== null && member.rackId !== '';
}

function isRackAware(subscribers: readonly AssignorMember[], racks: ReadonlyMap<number, ReadonlySet<string>>): boolean {
  const memberRacks = new Set(subscribers.filter(hasRack).map((member) => member.rackId));
  const allRacks = new Set([...racks.values()].flatMap((set) => [...set]));
  if (![...memberRacks].some((rack) => allRacks.has(rack))) return false;
  return [...racks.values()].some((set) => set.size !== allRacks.size);
}

function coPartitioned(topics: readonly TopicState[]): TopicState[][] {
  const groups = new Map<string, TopicState[]>();
  for (const topic of topics) {
    // Without a rack on any subscriber there is nothing to match.
    if (!topic.subscribers.some(hasRack)) continue;
    const group = groups.get(topic.groupingKey);
    if (group === undefined) groups.set(topic.groupingKey, [topic]);
    else group.push(topic);
  }
  return [...groups.values()];
}

function assignMatchingRacks(topics: readonly TopicState[], assignment: GroupAssignment): void {
  const [first] = topics;
  if (first === undefined) return;
  if (topics.length === 1) {
    if (first.rackAware) first.assignRanges(assignment, (member, partition) => first.racksMatch(member, partition));
    return;
  }
  const remaining = new Set(first.subscribers);
  for (let partition = 0; partition < first.partitionCount; partition++) {
    for (const member of remaining) {
      const fits = topics.every((topic) => topic.racksMatch(member, partition) && topic.room(member.memberId) > 0);
      if (!fits) continue;
      for (const topic of topics) topic.assign(assignment, member.memberId, [partition]);
      if (topics.every((topic) => topic.room(member.memberId) === 0)) remaining.delete(member);
      break;
    }
  }
}
