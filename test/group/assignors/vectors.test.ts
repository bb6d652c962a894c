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

describe.each([
  ['range', 545],
  ['roundrobin', 567],
])("the assignments of Kafka's own %s", (assignor, count) => {
  it(`are ours in all ${count} cases`, () => {
    const lines = cases(assignor);
    expect(lines).toHaveLength(count);
    expect(lines.flatMap((line) => runAssignorCase(assignor, line))).toEqual([]);
  });
});

it('names an assignor that does not exist', () => {
  expect(runAssignorCase('sticky', {})).toEqual(['no assignor of that name yet: sticky']);
});
