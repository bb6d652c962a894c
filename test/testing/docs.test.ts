import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Consumer } from '../../src/index.ts';
import { MockCluster } from '../../src/testing/index.ts';

// The first example of docs/testing.md, line by line as it stands there.

async function example(): Promise<void> {
  // begin
  await using kafka = await MockCluster.start({ topics: { orders: 1 } });
  await kafka.append('orders', 0, ['one', 'two', 'three']);
  const { bootstrapServers } = kafka;
  const consumer = new Consumer({ bootstrapServers, groupId: 'billing', autoOffsetReset: 'earliest' });
  consumer.subscribe(['orders']);
  consumer.on('partitionEnd', () => void consumer.close()); // all is read: the loop ends, what it finished is committed
  const billed: (string | null)[] = [];
  for await (const record of consumer) billed.push(record.text()); // your handler
  expect(billed).toEqual(['one', 'two', 'three']);
  await kafka.untilCommitted('billing', { orders: { 0: 3 } }); // else it throws what was there instead
  // end
}

it("the docs' test of an application takes ten lines, and less than 200 ms", async () => {
  const source = readFileSync(new URL(import.meta.url), 'utf8');
  const lines = source.slice(source.indexOf('// begin\n') + 9, source.indexOf('  // end\n'));
  expect(lines.trimEnd().split('\n')).toHaveLength(10);
  expect(readFileSync(new URL('../../docs/testing.md', import.meta.url), 'utf8')).toContain(lines);
  let fastest = Infinity;
  for (let round = 0; round < 3; round++) {
    const begin = performance.now();
    await example();
    fastest = Math.min(fastest, performance.now() - begin); // a busy machine says nothing about the example
  }
  expect(fastest).toBeLessThan(200);
});
