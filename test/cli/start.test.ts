import { describe, expect, test } from 'vitest';
import { assignmentsFrom, type Start } from '../../src/cli/start.ts';
import type { TopicPartition } from '../../src/index.ts';

const PARTITIONS = [0, 1].map((partition) => ({ topic: 'x', partition }));
/** Partition 0 holds 10 to 99, partition 1 nothing since 5. */
const LOGS = [
  { first: 10, end: 100 },
  { first: 5, end: 5 },
];

async function offsetsFrom(start: Start): Promise<{ offsets: unknown[]; warnings: string[] }> {
  const warnings: string[] = [];
  const answer = <T>(partitions: readonly TopicPartition[], offset: (log: { first: number; end: number }) => T) =>
    Promise.resolve(
      partitions.map(({ topic, partition }) => {
        const log = LOGS[partition] ?? { first: 0, end: 0 };
        return { topic, partition, offset: offset(log), timestamp: null, leaderEpoch: -1 };
      }),
    );
  const consumer = {
    beginningOffsets: (partitions: readonly TopicPartition[]) => answer(partitions, ({ first }) => first),
    endOffsets: (partitions: readonly TopicPartition[]) => answer(partitions, ({ end }) => end),
    offsetsForTimes: (partitions: readonly TopicPartition[]) =>
      answer(partitions, ({ first, end }) => (first === end ? null : first + 1)),
  };
  const found = await assignmentsFrom(start, PARTITIONS, consumer, (text) => warnings.push(text));
  expect(found.map(({ topic, partition }) => ({ topic, partition }))).toEqual(PARTITIONS);
  return { offsets: found.map(({ offset }) => offset), warnings };
}

describe('-o', () => {
  test.each<[Start, unknown[]]>([
    [{ kind: 'beginning' }, ['earliest', 'earliest']],
    [{ kind: 'end' }, ['latest', 'latest']],
    [{ kind: 'stored' }, [undefined, undefined]],
    [{ kind: 'last', count: 3 }, [97, 5]],
    [{ kind: 'last', count: 1000 }, [10, 5]],
    [{ kind: 'last', count: 0 }, [100, 5]],
    [{ kind: 'time', timestamp: 1 }, [11, 'latest']],
  ])('%j', async (start, offsets) => {
    expect(await offsetsFrom(start)).toEqual({ offsets, warnings: [] });
  });

  test('an offset that is not there: the nearest one, with a word', async () => {
    const { offsets, warnings } = await offsetsFrom({ kind: 'offset', offset: 50 });
    expect(offsets).toEqual([50, 5]);
    expect(warnings).toEqual(['x-1 is empty and has no offset 50: beginning at 5']);
    expect((await offsetsFrom({ kind: 'offset', offset: 3 })).warnings[0]).toBe(
      'x-0 has no offset 3, only 10 to 99: beginning at 10',
    );
  });
});
