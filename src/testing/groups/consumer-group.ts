import { ERROR_CODES } from '../../protocol/error-codes.ts';
import { ConsumerMember, keysOf, LEFT_STATIC_EPOCH, topicsOf, type TopicIdPartitions } from './consumer-member.ts';
import { assignTargets, SERVER_ASSIGNORS, type AssignableTopic, type ServerAssignor } from './target-assignment.ts';

export interface SubscribableTopic extends AssignableTopic {
  readonly name: string;
}

export interface ConsumerGroupOptions {
  readonly heartbeatIntervalMs: number;
  readonly sessionTimeoutMs: number;
  readonly maxSize: number;
  readonly assignor: ServerAssignor;
  readonly newMemberId: () => string;
  /** What there is at the moment. */
  readonly topics: () => readonly SubscribableTopic[];
}

/** ConsumerGroupHeartbeat without what is the connection's; null: as before. */
export interface ConsumerHeartbeat {
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly rebalanceTimeoutMs: number;
  readonly subscribedTopicNames: readonly string[] | null;
  readonly subscribedTopicRegex: string | null;
  readonly serverAssignor: string | null;
  readonly topicPartitions: readonly TopicIdPartitions[] | null;
  readonly clientId: string;
  readonly clientHost: string;
}

export interface ConsumerHeartbeatResult {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly memberId: string | null;
  readonly memberEpoch: number;
  readonly heartbeatIntervalMs: number;
  /** Null: as before. */
  readonly assignment: { topicId: string; partitions: number[] }[] | null;
}

const JOIN_EPOCH = 0;

/**
 * The broker's side of a consumer group (KIP-848): the coordinator decides who gets what, each member is led there by its own heartbeats, and a
 * partition goes to its next owner only when the last one has given it back. No I/O and no clock, like the classic one.
 */
export class ConsumerGroup {
  readonly #options: ConsumerGroupOptions;
  readonly #members = new Map<string, ConsumerMember>();
  /** Of each member, by id. */
  #targets = new Map<string, Set<string>>();
  #epoch = 0;
  #targetEpoch = 0;
  /** What the topics were like when the target was computed. */
  #topicsSeen = '';

  constructor(options: ConsumerGroupOptions) {
    this.#options = options;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get assignmentEpoch(): number {
    return this.#targetEpoch;
  }

  get assignor(): ServerAssignor {
    const votes = [...this.#members.values()].map(({ serverAssignor }) => serverAssignor);
    return SERVER_ASSIGNORS.find((name) => votes.includes(name)) ?? this.#options.assignor;
  }

  get members(): readonly ConsumerMember[] {
    return [...this.#members.values()];
  }

  get state(): 'Empty' | 'Reconciling' | 'Stable' {
    if (this.#members.size === 0) return 'Empty';
    const isStable = this.members.every(({ state, epoch }) => state === 'Stable' && epoch === this.#targetEpoch);
    return isStable && this.#epoch === this.#targetEpoch ? 'Stable' : 'Reconciling';
  }

  /** When to call `tick`, at the latest. */
  deadline(): number {
    return this.members.reduce((min, { deadline }) => Math.min(min, deadline), Infinity);
  }

  tick(now: number): void {
    for (const member of this.members) if (member.deadline <= now) this.#remove(member);
  }

  heartbeat(request: ConsumerHeartbeat, now: number): ConsumerHeartbeatResult {
    const invalid = this.#problemOf(request);
    if (invalid !== null) return invalid;
    if (request.memberEpoch < JOIN_EPOCH) return this.#leave(request, now);
    const size = this.#members.size;
    const member = request.memberEpoch === JOIN_EPOCH ? this.#join(request) : this.#find(request);
    if (!(member instanceof ConsumerMember)) return member;
    member.sessionEndsAt = now + this.#options.sessionTimeoutMs;
    const isChanged = this.#isChangedBy(member, request);
    if (isChanged || this.#members.size > size) this.#epoch++;
    this.#refreshTarget();
    const before = member.assigned;
    this.#reconcile(member, request.topicPartitions === null ? null : keysOf(request.topicPartitions), now);
    const isFull =
      request.memberEpoch === JOIN_EPOCH ||
      (request.rebalanceTimeoutMs !== -1 &&
        (request.subscribedTopicNames !== null || request.subscribedTopicRegex !== null) &&
        request.topicPartitions !== null);
    const isNew = before.size !== member.assigned.size || [...before].some((key) => !member.assigned.has(key));
    return this.#answer(member.id, member.epoch, isFull || isNew ? topicsOf(member.assigned) : null);
  }

  /** Whether a commit, or a fetch of offsets, by a member counts. Gives an error code. */
  checkEpoch(memberId: string | null, memberEpoch: number): number {
    if (memberEpoch < 0 && (memberId === null || memberId === '')) {
      return this.#members.size === 0 ? ERROR_CODES.NONE : ERROR_CODES.UNKNOWN_MEMBER_ID;
    }
    const member = this.#members.get(memberId ?? '');
    if (member === undefined) return ERROR_CODES.UNKNOWN_MEMBER_ID;
    return member.epoch === memberEpoch ? ERROR_CODES.NONE : ERROR_CODES.STALE_MEMBER_EPOCH;
  }

  /** A request that makes no sense whatever the state. */
  #problemOf(request: ConsumerHeartbeat): ConsumerHeartbeatResult | null {
    const { memberEpoch, serverAssignor, subscribedTopicRegex: regex, instanceId } = request;
    if (serverAssignor !== null && !SERVER_ASSIGNORS.some((name) => name === serverAssignor)) {
      const offered = SERVER_ASSIGNORS.join(', ');
      return this.#failed(request, ERROR_CODES.UNSUPPORTED_ASSIGNOR, `${serverAssignor} is not one of ${offered}.`);
    }
    if (regex !== null && regex !== '' && compile(regex) === null) {
      return this.#failed(request, ERROR_CODES.INVALID_REGULAR_EXPRESSION, `${regex} is no valid regular expression.`);
    }
    const isSenseless =
      memberEpoch < LEFT_STATIC_EPOCH ||
      instanceId === '' ||
      (memberEpoch === LEFT_STATIC_EPOCH && instanceId === null) ||
      (memberEpoch !== JOIN_EPOCH && request.memberId === '');
    if (isSenseless)
      return this.#failed(
        request,
        ERROR_CODES.INVALID_REQUEST,
        'member epoch, member id and instance id do not go together.',
      );
    if (memberEpoch !== JOIN_EPOCH) return null;
    const isWhole =
      request.rebalanceTimeoutMs > 0 &&
      request.topicPartitions?.length === 0 &&
      (request.subscribedTopicNames !== null || regex !== null);
    return isWhole
      ? null
      : this.#failed(
          request,
          ERROR_CODES.INVALID_REQUEST,
          'to join takes rebalanceTimeoutMs, a subscription and empty topicPartitions.',
        );
  }

  #join(request: ConsumerHeartbeat): ConsumerMember | ConsumerHeartbeatResult {
    const { instanceId } = request;
    const id = request.memberId === '' ? this.#options.newMemberId() : request.memberId;
    const former = instanceId === null ? undefined : this.#ofInstance(instanceId);
    if (former !== undefined && former.id !== id) {
      if (former.epoch !== LEFT_STATIC_EPOCH) {
        return this.#failed(request, ERROR_CODES.UNRELEASED_INSTANCE_ID, `Static member ${former.id} is still there.`);
      }
      const member = former.succeededBy(id);
      this.#members.delete(former.id);
      this.#members.set(id, member);
      this.#targets.set(id, this.#targets.get(former.id) ?? new Set());
      this.#targets.delete(former.id);
      return member;
    }
    const known = this.#members.get(id);
    if (known !== undefined) {
      if (known.epoch === LEFT_STATIC_EPOCH) known.epoch = known.previousEpoch;
      return known;
    }
    if (this.#members.size >= this.#options.maxSize) {
      return this.#failed(request, ERROR_CODES.GROUP_MAX_SIZE_REACHED, 'The group is full.');
    }
    const member = new ConsumerMember(id, instanceId);
    this.#members.set(id, member);
    return member;
  }

  #find(request: ConsumerHeartbeat): ConsumerMember | ConsumerHeartbeatResult {
    const { memberId, memberEpoch, instanceId, topicPartitions } = request;
    const holder = instanceId === null ? undefined : this.#ofInstance(instanceId);
    if (holder !== undefined && holder.id !== memberId) {
      return this.#failed(
        request,
        ERROR_CODES.FENCED_INSTANCE_ID,
        `Instance id ${instanceId ?? ''} belongs to ${holder.id}.`,
      );
    }
    const member = this.#members.get(memberId);
    if (member === undefined)
      return this.#failed(request, ERROR_CODES.UNKNOWN_MEMBER_ID, `Member ${memberId} is not in the group.`);
    if (memberEpoch === member.epoch) return member;
    // The answer that raised the epoch may have been lost: then the member still has nothing that it should not have.
    const isLate =
      memberEpoch === member.previousEpoch &&
      topicPartitions !== null &&
      [...keysOf(topicPartitions)].every((key) => member.assigned.has(key));
    if (isLate) return member;
    return this.#failed(
      request,
      ERROR_CODES.FENCED_MEMBER_EPOCH,
      `Member epoch ${memberEpoch} is not ${member.epoch}.`,
    );
  }

  #leave(request: ConsumerHeartbeat, now: number): ConsumerHeartbeatResult {
    const { memberId, memberEpoch, instanceId } = request;
    const holder = instanceId === null ? undefined : this.#ofInstance(instanceId);
    if (holder !== undefined && holder.id !== memberId) {
      return this.#failed(
        request,
        ERROR_CODES.FENCED_INSTANCE_ID,
        `Instance id ${instanceId ?? ''} belongs to ${holder.id}.`,
      );
    }
    const member = this.#members.get(memberId);
    if (member === undefined)
      return this.#failed(request, ERROR_CODES.UNKNOWN_MEMBER_ID, `Member ${memberId} is not in the group.`);
    if (memberEpoch === LEFT_STATIC_EPOCH) {
      // Its place and its partitions are kept until its session ends.
      member.previousEpoch = member.epoch;
      member.epoch = LEFT_STATIC_EPOCH;
      member.revoking = new Set();
      member.revokeEndsAt = Infinity;
      member.sessionEndsAt = now + this.#options.sessionTimeoutMs;
    } else {
      this.#remove(member);
    }
    return { ...this.#answer(memberId, memberEpoch, null), heartbeatIntervalMs: 0 };
  }

  #remove(member: ConsumerMember): void {
    this.#members.delete(member.id);
    this.#targets.delete(member.id);
    this.#epoch++;
  }

  #ofInstance(instanceId: string): ConsumerMember | undefined {
    return this.members.find((member) => member.instanceId === instanceId);
  }

  /** Takes in what the request says anew; whether the group has to be assigned again. */
  #isChangedBy(member: ConsumerMember, request: ConsumerHeartbeat): boolean {
    const before = subscriptionOf(member);
    member.clientId = request.clientId;
    member.clientHost = request.clientHost;
    if (request.rackId !== null) member.rackId = request.rackId;
    if (request.rebalanceTimeoutMs !== -1) member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    if (request.subscribedTopicNames !== null) member.subscribedTopicNames = request.subscribedTopicNames;
    if (request.subscribedTopicRegex !== null) member.subscribedTopicRegex = request.subscribedTopicRegex;
    if (request.serverAssignor !== null) member.serverAssignor = request.serverAssignor;
    return subscriptionOf(member) !== before;
  }

  #refreshTarget(): void {
    const topics = this.#options.topics();
    const wanted = this.members.map((member) => ({ member, topicIds: topicIdsOf(member, topics) }));
    const used = topics.filter(({ id }) => wanted.some(({ topicIds }) => topicIds.has(id)));
    const seen = JSON.stringify(used.map(({ id, partitions }) => [id, partitions]));
    if (seen !== this.#topicsSeen && this.#epoch === this.#targetEpoch) this.#epoch++;
    this.#topicsSeen = seen;
    if (this.#epoch === this.#targetEpoch) return;
    const subscribers = wanted.map(({ member, topicIds }) => {
      const { id: memberId, instanceId } = member;
      return { memberId, instanceId, topicIds, owned: this.#targets.get(memberId) ?? new Set<string>() };
    });
    this.#targets = assignTargets(this.assignor, used, subscribers);
    this.#targetEpoch = this.#epoch;
  }

  /** Leads a member one step towards its target. @param owned what it says that it has; null: as before */
  #reconcile(member: ConsumerMember, owned: ReadonlySet<string> | null, now: number): void {
    if (member.state === 'Stable' && member.epoch === this.#targetEpoch) return;
    if (member.state === 'UnrevokedPartitions') {
      const hasReleased = owned !== null && [...member.revoking].every((key) => !owned.has(key));
      if (!hasReleased) return;
    }
    const target = this.#targets.get(member.id) ?? new Set<string>();
    const kept = new Set([...member.assigned].filter((key) => target.has(key)));
    const revoking = new Set([...member.assigned].filter((key) => !target.has(key)));
    const hasToRevoke = revoking.size > 0 && (owned === null || [...revoking].some((key) => owned.has(key)));
    if (hasToRevoke) {
      member.state = 'UnrevokedPartitions';
      member.assigned = kept;
      member.revoking = revoking;
      member.revokeEndsAt = now + member.rebalanceTimeoutMs;
      return;
    }
    const held = this.#heldByOthers(member);
    const free = [...target].filter((key) => !kept.has(key) && !held.has(key));
    member.assigned = new Set([...kept, ...free]);
    member.revoking = new Set();
    member.revokeEndsAt = Infinity;
    member.state = member.assigned.size === target.size ? 'Stable' : 'UnreleasedPartitions';
    if (member.epoch === this.#targetEpoch) return;
    member.previousEpoch = member.epoch;
    member.epoch = this.#targetEpoch;
  }

  #heldByOthers(member: ConsumerMember): Set<string> {
    const held = new Set<string>();
    for (const other of this.#members.values()) {
      if (other === member) continue;
      for (const key of other.assigned) held.add(key);
      for (const key of other.revoking) held.add(key);
    }
    return held;
  }

  #answer(
    memberId: string,
    memberEpoch: number,
    assignment: ConsumerHeartbeatResult['assignment'],
  ): ConsumerHeartbeatResult {
    const { heartbeatIntervalMs } = this.#options;
    return { errorCode: ERROR_CODES.NONE, errorMessage: null, memberId, memberEpoch, heartbeatIntervalMs, assignment };
  }

  #failed({ memberId }: ConsumerHeartbeat, errorCode: number, errorMessage: string): ConsumerHeartbeatResult {
    return {
      errorCode,
      errorMessage,
      memberId: memberId === '' ? null : memberId,
      memberEpoch: 0,
      heartbeatIntervalMs: 0,
      assignment: null,
    };
  }
}

function subscriptionOf({ subscribedTopicNames, subscribedTopicRegex, serverAssignor }: ConsumerMember): string {
  return JSON.stringify([[...subscribedTopicNames].sort(), subscribedTopicRegex ?? '', serverAssignor]);
}

function topicIdsOf(member: ConsumerMember, topics: readonly SubscribableTopic[]): Set<string> {
  const names = new Set(member.subscribedTopicNames);
  const { subscribedTopicRegex: regex } = member;
  const pattern = regex === null || regex === '' ? null : compile(regex);
  return new Set(topics.filter(({ name }) => names.has(name) || pattern?.test(name) === true).map(({ id }) => id));
}

/** RE2J matches whole names, and refuses what it cannot do in linear time: look-around and back references, which JavaScript has. */
function compile(regex: string): RegExp | null {
  if (/\(\?<?[=!]|\\[1-9k]/.test(regex)) return null;
  try {
    return new RegExp(`^(?:${regex})$`, 'u');
  } catch {
    return null;
  }
}
