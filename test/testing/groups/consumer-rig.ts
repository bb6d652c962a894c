import {
  ConsumerGroup,
  type ConsumerGroupOptions,
  type ConsumerHeartbeat,
  type ConsumerHeartbeatResult,
  type SubscribableTopic,
} from '../../../src/testing/groups/consumer-group.ts';

export const SESSION_MS = 1000;
export const REBALANCE_MS = 5000;

/** A group whose time is a number. */
export class ConsumerRig {
  readonly topics: SubscribableTopic[] = [{ id: 'T', name: 't', partitions: 4 }];
  readonly group: ConsumerGroup;
  now = 0;

  constructor(options: Partial<ConsumerGroupOptions> = {}) {
    this.group = new ConsumerGroup({
      heartbeatIntervalMs: 100,
      sessionTimeoutMs: SESSION_MS,
      maxSize: Infinity,
      assignor: 'uniform',
      newMemberId: () => 'made',
      topics: () => this.topics,
      ...options,
    });
  }

  beat(memberId: string, memberEpoch: number, options: Partial<ConsumerHeartbeat> = {}): ConsumerHeartbeatResult {
    const request: ConsumerHeartbeat = {
      memberId,
      memberEpoch,
      instanceId: null,
      rackId: null,
      rebalanceTimeoutMs: -1,
      subscribedTopicNames: null,
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: null,
      clientId: 'c',
      clientHost: '/h',
      ...options,
    };
    return this.group.heartbeat(request, this.now);
  }

  join(memberId: string, options: Partial<ConsumerHeartbeat> = {}): ConsumerHeartbeatResult {
    const whole = { rebalanceTimeoutMs: REBALANCE_MS, subscribedTopicNames: ['t'], topicPartitions: [] };
    return this.beat(memberId, 0, { ...whole, ...options });
  }

  pass(ms: number): void {
    const end = this.now + ms;
    for (let at = this.group.deadline(); at <= end; at = this.group.deadline()) {
      this.now = Math.max(this.now, at);
      this.group.tick(this.now);
    }
    this.now = end;
  }
}

export const owned = (...partitions: number[]): { topicId: string; partitions: number[] }[] => [
  { topicId: 'T', partitions },
];
