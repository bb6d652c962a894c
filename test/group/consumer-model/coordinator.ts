/**
 * A model of the coordinator of one consumer group (KIP-848), written from Kafka's CurrentAssignmentBuilder and GroupMetadataManager: who is
 * in the group, what each may read, and the offsets. A partition goes to its next owner only when the last one has given it back.
 */
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../../src/protocol/api/consumer-group-heartbeat.ts';
import { ERROR_CODES } from '../../../src/protocol/error-codes.ts';

export interface ModelTopic {
  name: string;
  count: number;
}

export interface ModelMember {
  id: string;
  instanceId: string | null;
  epoch: number;
  previousEpoch: number;
  topics: readonly string[];
  rebalanceTimeoutMs: number;
  /** Keys `topicId/partition`. */
  assigned: Set<string>;
  revoking: Set<string>;
  sessionEndsAt: number;
  revokeEndsAt: number;
}

export interface ModelOptions {
  sessionTimeoutMs: number;
  heartbeatIntervalMs: number;
}

export class ModelConsumerCoordinator {
  readonly members = new Map<string, ModelMember>();
  readonly topics = new Map<string, ModelTopic>();
  readonly offsets = new Map<string, number>();
  /** How many members were thrown out for silence, or for not giving something up. */
  expired = 0;
  epoch = 0;
  readonly #options: ModelOptions;
  #targets = new Map<string, Set<string>>();
  #seen = '';

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  deadline(): number {
    let at = Infinity;
    for (const { sessionEndsAt, revokeEndsAt } of this.members.values()) at = Math.min(at, sessionEndsAt, revokeEndsAt);
    return at;
  }

  tick(now: number): void {
    for (const member of [...this.members.values()]) {
      if (now < Math.min(member.sessionEndsAt, member.revokeEndsAt)) continue;
      this.expired += 1;
      this.members.delete(member.id);
    }
  }

  /** Another broker has taken over: it knows all that was written, and gives everyone a new session. */
  move(now: number): void {
    for (const member of this.members.values()) {
      member.sessionEndsAt = now + this.#options.sessionTimeoutMs;
      if (member.revokeEndsAt < Infinity) member.revokeEndsAt = now + member.rebalanceTimeoutMs;
    }
  }

  commit(memberId: string, epoch: number, offsets: ReadonlyMap<string, number>): number {
    const member = this.members.get(memberId);
    if (member === undefined) return ERROR_CODES.UNKNOWN_MEMBER_ID;
    if (member.epoch !== epoch) return ERROR_CODES.STALE_MEMBER_EPOCH;
    for (const [key, offset] of offsets) {
      const before = this.offsets.get(key) ?? 0;
      if (offset < before) throw new Error(`the commit of ${key} goes back from ${before} to ${offset}`);
      this.offsets.set(key, offset);
    }
    return 0;
  }

  heartbeat(request: ConsumerGroupHeartbeatRequest, now: number): ConsumerGroupHeartbeatResponse {
    const { memberEpoch } = request;
    if (memberEpoch < 0) return this.#leave(request, now);
    const member = memberEpoch === 0 ? this.#join(request) : this.#find(request);
    if (typeof member === 'number') return failed(member);
    member.sessionEndsAt = now + this.#options.sessionTimeoutMs;
    if (request.rebalanceTimeoutMs !== -1) member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    if (request.subscribedTopicNames !== null) member.topics = request.subscribedTopicNames;
    this.#retarget();
    const before = [...member.assigned].sort().join();
    this.#reconcile(member, request.topicPartitions === null ? null : keysOf(request.topicPartitions), now);
    const isFull =
      memberEpoch === 0 ||
      (request.rebalanceTimeoutMs !== -1 && request.subscribedTopicNames !== null && request.topicPartitions !== null);
    const isChanged = before !== [...member.assigned].sort().join();
    return {
      ...failed(0),
      memberId: member.id,
      memberEpoch: member.epoch,
      heartbeatIntervalMs: this.#options.heartbeatIntervalMs,
      assignment: isFull || isChanged ? { topicPartitions: topicsOf(member.assigned) } : null,
    };
  }

  #join(request: ConsumerGroupHeartbeatRequest): ModelMember | number {
    const { memberId, instanceId, topicPartitions, subscribedTopicNames, rebalanceTimeoutMs } = request;
    const isWhole = topicPartitions?.length === 0 && subscribedTopicNames !== null && rebalanceTimeoutMs > 0;
    if (!isWhole || memberId === '') return ERROR_CODES.INVALID_REQUEST;
    const holder = this.#ofInstance(instanceId);
    if (holder !== undefined && holder.id !== memberId) {
      if (holder.epoch !== -2) return ERROR_CODES.UNRELEASED_INSTANCE_ID;
      this.members.delete(holder.id);
      const heir = { ...newMember(memberId, instanceId), assigned: holder.assigned };
      this.members.set(memberId, heir);
      this.#targets.set(memberId, this.#targets.get(holder.id) ?? new Set());
      return heir;
    }
    const known = this.members.get(memberId);
    if (known !== undefined) {
      if (known.epoch === -2) known.epoch = 0;
      return known;
    }
    const member = newMember(memberId, instanceId);
    this.members.set(memberId, member);
    return member;
  }

  #find({ memberId, memberEpoch, instanceId, topicPartitions }: ConsumerGroupHeartbeatRequest): ModelMember | number {
    const holder = this.#ofInstance(instanceId);
    if (holder !== undefined && holder.id !== memberId) return ERROR_CODES.FENCED_INSTANCE_ID;
    const member = this.members.get(memberId);
    if (member === undefined) return ERROR_CODES.UNKNOWN_MEMBER_ID;
    if (memberEpoch === member.epoch) return member;
    const isLate =
      memberEpoch === member.previousEpoch &&
      topicPartitions !== null &&
      [...keysOf(topicPartitions)].every((key) => member.assigned.has(key));
    return isLate ? member : ERROR_CODES.FENCED_MEMBER_EPOCH;
  }

  #leave(request: ConsumerGroupHeartbeatRequest, now: number): ConsumerGroupHeartbeatResponse {
    const member = this.members.get(request.memberId);
    if (member === undefined) return failed(ERROR_CODES.UNKNOWN_MEMBER_ID);
    if (request.memberEpoch === -2) {
      member.epoch = -2;
      member.revoking = new Set();
      member.revokeEndsAt = Infinity;
      member.sessionEndsAt = now + this.#options.sessionTimeoutMs;
    } else {
      this.members.delete(member.id);
    }
    return { ...failed(0), memberEpoch: request.memberEpoch };
  }

  #ofInstance(instanceId: string | null): ModelMember | undefined {
    if (instanceId === null) return undefined;
    return [...this.members.values()].find((member) => member.instanceId === instanceId);
  }

  /** Partitions in turn to those who want the topic: simple, and it moves much around when somebody comes or goes. */
  #retarget(): void {
    const members = [...this.members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const seen = JSON.stringify([members.map(({ id, topics }) => [id, topics]), [...this.topics]]);
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.epoch += 1;
    this.#targets = new Map(members.map(({ id }) => [id, new Set()]));
    let turn = 0;
    for (const [topicId, { name, count }] of this.topics) {
      const wanting = members.filter(({ topics }) => topics.includes(name));
      for (let partition = 0; partition < count && wanting.length > 0; partition++) {
        const owner = wanting[turn++ % wanting.length];
        if (owner !== undefined) this.#targets.get(owner.id)?.add(`${topicId}/${partition}`);
      }
    }
  }

  #reconcile(member: ModelMember, owned: ReadonlySet<string> | null, now: number): void {
    const stillOwns = (keys: ReadonlySet<string>): boolean => owned === null || [...keys].some((key) => owned.has(key));
    if (member.revoking.size > 0 && stillOwns(member.revoking)) return;
    const target = this.#targets.get(member.id) ?? new Set<string>();
    const kept = new Set([...member.assigned].filter((key) => target.has(key)));
    const removed = new Set([...member.assigned].filter((key) => !target.has(key)));
    if (removed.size > 0 && stillOwns(removed)) {
      member.assigned = kept;
      member.revoking = removed;
      member.revokeEndsAt = now + member.rebalanceTimeoutMs;
      return;
    }
    const held = new Set<string>();
    for (const other of this.members.values()) {
      if (other !== member) for (const key of [...other.assigned, ...other.revoking]) held.add(key);
    }
    member.assigned = new Set([...kept, ...[...target].filter((key) => !held.has(key))]);
    member.revoking = new Set();
    member.revokeEndsAt = Infinity;
    if (member.epoch === this.epoch) return;
    member.previousEpoch = member.epoch;
    member.epoch = this.epoch;
  }
}

export function failed(errorCode: number): ConsumerGroupHeartbeatResponse {
  return {
    throttleTimeMs: 0,
    errorCode,
    errorMessage: null,
    memberId: null,
    memberEpoch: 0,
    heartbeatIntervalMs: 0,
    assignment: null,
  };
}

export function keysOf(topics: readonly { topicId: string; partitions: readonly number[] }[]): Set<string> {
  return new Set(topics.flatMap(({ topicId, partitions }) => partitions.map((each) => `${topicId}/${each}`)));
}

function topicsOf(keys: Iterable<string>): { topicId: string; partitions: number[] }[] {
  const byTopic = new Map<string, number[]>();
  for (const key of keys) {
    const [topicId = '', partition = ''] = key.split('/');
    byTopic.set(topicId, [...(byTopic.get(topicId) ?? []), Number(partition)]);
  }
  return [...byTopic].map(([topicId, partitions]) => ({ topicId, partitions }));
}

function newMember(id: string, instanceId: string | null): ModelMember {
  return {
    id,
    instanceId,
    epoch: 0,
    previousEpoch: 0,
    topics: [],
    rebalanceTimeoutMs: -1,
    assigned: new Set(),
    revoking: new Set(),
    sessionEndsAt: Infinity,
    revokeEndsAt: Infinity,
  };
}
