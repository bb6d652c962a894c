import { KafkaError } from '../errors.ts';
import { ERROR_CODES } from '../protocol/error-codes.ts';
import type { FetchAction, PartitionState } from './partition.ts';

/** Partitions that their topics do not have: told once, topic by topic, and asked for all the same, for there may be more of them. */
export function noSuchPartitions(
  missing: readonly PartitionState[],
  partitionCount: (topic: string) => number | null,
): FetchAction[] {
  const byTopic = new Map<string, string[]>();
  for (const state of missing) {
    if (state.hasWarned) continue;
    state.hasWarned = true;
    const names = byTopic.get(state.topic) ?? [];
    names.push(state.name);
    byTopic.set(state.topic, names);
  }
  return [...byTopic].map(([topic, [first, ...others]]) => {
    const which = others.length === 0 ? `${first} does not exist` : `${first} and ${others.length} more do not exist`;
    const text = `${which}: topic '${topic}' has ${partitionCount(topic)} partitions; asking for metadata until there are more`;
    const code = ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION;
    const error = new KafkaError(text, { code, name: 'UNKNOWN_TOPIC_OR_PARTITION', api: 'Metadata', retriable: true });
    return { type: 'trouble', error };
  });
}
