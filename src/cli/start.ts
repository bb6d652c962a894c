import type { Assignment, Consumer, TopicPartition } from '../index.ts';
import { UsageError } from './usage-error.ts';

/** Where `-o` says to begin. */
export type Start =
  | { kind: 'beginning' | 'end' | 'stored' }
  | { kind: 'offset'; offset: number }
  | { kind: 'last'; count: number }
  | { kind: 'time'; timestamp: number };

/** @throws UsageError */
export function parseStart(text: string): Start {
  if (text === 'beginning' || text === 'end' || text === 'stored') return { kind: text };
  const match = /^(s@|-)?(\d+)$/.exec(text);
  const number = Number(match?.[2]);
  if (!Number.isSafeInteger(number))
    throw new UsageError(`-o takes beginning, end, stored, an offset, -N or s@MS, not '${text}'`);
  if (match?.[1] === 's@') return { kind: 'time', timestamp: number };
  return match?.[1] === '-' ? { kind: 'last', count: number } : { kind: 'offset', offset: number };
}

/**
 * The same for each partition, as `assign` wants it.
 * @param warn is told where a partition has no such offset and another one is taken
 */
export async function assignmentsFrom(
  start: Start,
  partitions: readonly TopicPartition[],
  consumer: Pick<Consumer<unknown, unknown>, 'beginningOffsets' | 'endOffsets' | 'offsetsForTimes'>,
  warn: (text: string) => void,
): Promise<Assignment[]> {
  switch (start.kind) {
    case 'stored':
      return [...partitions];
    case 'beginning':
      return partitions.map((each) => ({ ...each, offset: 'earliest' }));
    case 'end':
      return partitions.map((each) => ({ ...each, offset: 'latest' }));
    case 'time': {
      const asked = partitions.map((each) => ({ ...each, timestamp: start.timestamp }));
      const found = await consumer.offsetsForTimes(asked);
      return found.map(({ topic, partition, offset }) => ({ topic, partition, offset: offset ?? 'latest' }));
    }
    case 'offset':
    case 'last': {
      const [firsts, ends] = await Promise.all([
        consumer.beginningOffsets(partitions),
        consumer.endOffsets(partitions),
      ]);
      return ends.map(({ topic, partition, offset: end }, index) => {
        const first = firsts[index]?.offset ?? 0;
        const wanted = start.kind === 'last' ? Math.max(first, end - start.count) : start.offset;
        const offset = Math.min(Math.max(wanted, first), end);
        const name = `${topic}-${partition}`;
        const has =
          first === end
            ? `is empty and has no offset ${wanted}`
            : `has no offset ${wanted}, only ${first} to ${end - 1}`;
        if (offset !== wanted) warn(`${name} ${has}: beginning at ${offset}`);
        return { topic, partition, offset };
      });
    }
  }
}
