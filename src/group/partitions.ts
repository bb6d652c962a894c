/** Lists of partitions, as members and leaders compare them. */
import type { Assignor, RebalanceProtocol, TopicPartitions } from './assignors/assignor.ts';
import { give } from './assignors/assignor.ts';
import type { TopicPartition } from './events.ts';

/** One entry a topic, in the order of their first partitions: as the group's messages have them. */
export function byTopic(partitions: readonly TopicPartition[]): TopicPartitions[] {
  const topics: TopicPartitions[] = [];
  for (const { topic, partition } of partitions) give(topics, topic, partition);
  return topics;
}

/** Those of `partitions` that are not in `others`. */
export function without(partitions: readonly TopicPartition[], others: readonly TopicPartition[]): TopicPartition[] {
  const keys = new Set(others.map(keyOf));
  return partitions.filter((each) => !keys.has(keyOf(each)));
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`; // a topic's name has no slash
}

/**
 * As Java's consumer has it: cooperative where every assignor of the list can be, else eager. So a group moves from range to
 * cooperative-sticky in two rounds of restarts, the first of which offers both and stays eager (KIP-429).
 */
export function rebalanceProtocolOf(assignors: readonly Assignor[]): RebalanceProtocol {
  return assignors.every(({ supportedProtocols }) => supportedProtocols.includes('cooperative'))
    ? 'cooperative'
    : 'eager';
}
