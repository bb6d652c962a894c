import type { ConsumerGroupHeartbeatRequest } from '../protocol/api/consumer-group-heartbeat.ts';
import type { TopicIdPartitions } from '../protocol/topic-id-partitions.ts';
import type { ConsumerGroupOptions, ConsumerSubscription } from './consumer-events.ts';
import { type OwnedPartition, toTopicIdPartitions } from './topic-ids.ts';

/** Epochs that are orders rather than epochs. */
export const JOIN_EPOCH = 0;
export const LEAVE_EPOCH = -1;
/** A static member leaves its place open for itself. */
export const LEAVE_STATIC_EPOCH = -2;

export interface MemberIdentity {
  memberId: string;
  memberEpoch: number;
}

/** What of a member the broker has been told by the last heartbeat, so that the next one says only what has changed. */
export class HeartbeatFields {
  readonly #options: ConsumerGroupOptions;
  #isFull = true;
  #topics: string | null = null;
  #regex: string | null = null;
  /** The broker may still know a pattern of this member. */
  #hadRegex = false;
  #owned: string | null = null;

  constructor(options: ConsumerGroupOptions) {
    this.#options = options;
  }

  get isForgotten(): boolean {
    return this.#isFull;
  }

  /** Nobody knows what of the last heartbeat has arrived: the next one says all. */
  forget(): void {
    this.#isFull = true;
  }

  next(
    identity: MemberIdentity,
    subscription: ConsumerSubscription,
    owned: readonly OwnedPartition[],
  ): ConsumerGroupHeartbeatRequest {
    const isFull = this.#isFull || identity.memberEpoch === JOIN_EPOCH;
    const { rebalanceTimeoutMs, serverAssignor, clientRack } = this.#options;
    const topicPartitions = toTopicIdPartitions(owned);
    const topics = JSON.stringify(subscription.topics);
    const request = {
      ...this.#base(identity),
      rackId: isFull && clientRack !== '' ? clientRack : null,
      rebalanceTimeoutMs: isFull ? rebalanceTimeoutMs : -1,
      subscribedTopicNames: isFull || topics !== this.#topics ? [...subscription.topics] : null,
      subscribedTopicRegex: this.#regexFor(subscription.regex, isFull),
      serverAssignor: isFull ? serverAssignor : null,
      topicPartitions: isFull || keyOf(topicPartitions) !== this.#owned ? topicPartitions : null,
    };
    this.#isFull = false;
    this.#topics = topics;
    this.#regex = subscription.regex;
    this.#hadRegex ||= subscription.regex !== null;
    this.#owned = keyOf(topicPartitions);
    return request;
  }

  leave(identity: MemberIdentity): ConsumerGroupHeartbeatRequest {
    this.forget();
    const { groupInstanceId } = this.#options;
    return this.#base({ ...identity, memberEpoch: groupInstanceId === null ? LEAVE_EPOCH : LEAVE_STATIC_EPOCH });
  }

  /** An empty pattern takes an earlier one back; v0 knows none, so it must hear of none. */
  #regexFor(regex: string | null, isFull: boolean): string | null {
    if (regex === null) return this.#hadRegex && (isFull || this.#regex !== null) ? '' : null;
    return isFull || regex !== this.#regex ? regex : null;
  }

  #base({ memberId, memberEpoch }: MemberIdentity): ConsumerGroupHeartbeatRequest {
    return {
      groupId: this.#options.groupId,
      memberId,
      memberEpoch,
      instanceId: this.#options.groupInstanceId,
      rackId: null,
      rebalanceTimeoutMs: -1,
      subscribedTopicNames: null,
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: null,
    };
  }
}

function keyOf(topicPartitions: readonly TopicIdPartitions[]): string {
  return JSON.stringify(topicPartitions);
}
