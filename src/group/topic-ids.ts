import type { TopicIdPartitions } from '../protocol/topic-id-partitions.ts';
import type { TopicPartition } from './events.ts';

/** A partition as the broker knows it and as the application does. */
export interface OwnedPartition extends TopicPartition {
  topicId: string;
}

/** A set of partitions by topic id. Two topics of the same name, one deleted and one made after it, are two topics here. */
export class TopicIdPartitionSet {
  readonly #byTopic = new Map<string, Set<number>>();

  constructor(topics: readonly TopicIdPartitions[] = []) {
    for (const { topicId, partitions } of topics) {
      const known = this.#byTopic.get(topicId);
      if (known === undefined) this.#byTopic.set(topicId, new Set(partitions));
      else for (const partition of partitions) known.add(partition);
    }
  }

  get topicIds(): readonly string[] {
    return [...this.#byTopic.keys()];
  }

  has(topicId: string, partition: number): boolean {
    return this.#byTopic.get(topicId)?.has(partition) === true;
  }

  partitionsOf(topicId: string): readonly number[] {
    return [...(this.#byTopic.get(topicId) ?? [])];
  }
}

/** For the wire: sorted, so that the same partitions are the same bytes. */
export function toTopicIdPartitions(owned: readonly OwnedPartition[]): TopicIdPartitions[] {
  const byTopic = new Map<string, number[]>();
  for (const { topicId, partition } of owned) {
    const partitions = byTopic.get(topicId);
    if (partitions === undefined) byTopic.set(topicId, [partition]);
    else partitions.push(partition);
  }
  return [...byTopic]
    .map(([topicId, partitions]) => ({ topicId, partitions: partitions.sort((a, b) => a - b) }))
    .sort((a, b) => (a.topicId < b.topicId ? -1 : 1));
}

/** Without the ids. */
export function named(owned: readonly OwnedPartition[]): TopicPartition[] {
  return owned.map(({ topic, partition }) => ({ topic, partition }));
}
