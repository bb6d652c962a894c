import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runAssignorCase } from '../../conformance/assignors.ts';

const VECTORS = new URL('../../vectors/assignors/', import.meta.url);

function cases(assignor: string): unknown[] {
  const text = readFileSync(new URL(`${assignor}.jsonl`, VECTORS), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
}

describe("the rebalances of Kafka's own assignors", () => {
  it.each([
    ['range', 545],
    ['roundrobin', 567],
  ])('%s: the same assignment in all %d cases', (assignor, count) => {
    const lines = cases(assignor);
    expect(lines).toHaveLength(count);
    expect(lines.flatMap((line) => runAssignorCase(assignor, line))).toEqual([]);
  });

  it.each([
    ['sticky', 530],
    ['cooperative-sticky', 532],
  ])('%s: as even and with as few moves at least, in all %d cases', (assignor, count) => {
    const lines = cases(assignor);
    expect(lines).toHaveLength(count);
    expect(lines.flatMap((line) => runAssignorCase(assignor, line))).toEqual([]);
  });

  it('names an assignor that does not exist', () => {
    expect(runAssignorCase('nope', {})).toEqual(['no assignor of that name: nope']);
  });
});
