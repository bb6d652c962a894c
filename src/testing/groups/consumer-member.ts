import { partitionKey } from './target-assignment.ts';

export interface TopicIdPartitions {
  readonly topicId: string;
  readonly partitions: readonly number[];
}

export type ConsumerMemberState = 'Stable' | 'UnrevokedPartitions' | 'UnreleasedPartitions';

/** Epoch of a static member that has left for a while. */
export const LEFT_STATIC_EPOCH = -2;

/** A member of a consumer group (KIP-848), as the coordinator knows it. Partitions are written as `partitionKey` does. */
export class ConsumerMember {
  readonly id: string;
  readonly instanceId: string | null;
  clientId = '';
  clientHost = '';
  rackId: string | null = null;
  rebalanceTimeoutMs = -1;
  subscribedTopicNames: readonly string[] = [];
  subscribedTopicRegex: string | null = null;
  serverAssignor: string | null = null;
  state: ConsumerMemberState = 'Stable';
  epoch = 0;
  previousEpoch = 0;
  /** It may read these. */
  assigned: ReadonlySet<string> = new Set();
  /** It has to give these back before it goes on. */
  revoking: ReadonlySet<string> = new Set();
  sessionEndsAt = Infinity;
  /** When it has to have given back what it must, at the latest. */
  revokeEndsAt = Infinity;

  constructor(id: string, instanceId: string | null) {
    this.id = id;
    this.instanceId = instanceId;
  }

  /** A static member that comes back under another id. */
  succeededBy(id: string): ConsumerMember {
    const next = Object.assign(new ConsumerMember(id, this.instanceId), { ...this, id });
    next.epoch = 0;
    next.previousEpoch = 0;
    return next;
  }

  get deadline(): number {
    return Math.min(this.sessionEndsAt, this.revokeEndsAt);
  }
}

export function keysOf(topics: readonly TopicIdPartitions[]): Set<string> {
  return new Set(topics.flatMap(({ topicId, partitions }) => partitions.map((each) => partitionKey(topicId, each))));
}

export function topicsOf(keys: Iterable<string>): { topicId: string; partitions: number[] }[] {
  const byTopic = new Map<string, number[]>();
  for (const key of keys) {
    const colon = key.lastIndexOf(':');
    const partitions = byTopic.get(key.slice(0, colon)) ?? [];
    partitions.push(Number(key.slice(colon + 1)));
    byTopic.set(key.slice(0, colon), partitions);
  }
  return [...byTopic].map(([topicId, partitions]) => ({ topicId, partitions: partitions.sort((a, b) => a - b) }));
}
