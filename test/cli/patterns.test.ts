import { afterEach, describe, expect, test } from 'vitest';
import { MockCluster } from '../../src/testing/index.ts';
import { run } from './run.ts';

// -t with a regular expression, as kcat takes it.

let kafka: MockCluster | undefined;
afterEach(async () => {
  await kafka?.close();
  kafka = undefined;
});

async function startKafka(): Promise<string> {
  kafka = await MockCluster.start({ topics: { orders: 1, 'audit.a': 2, 'audit.b': 1, __consumer_offsets: 1 } });
  for (const topic of ['orders', 'audit.a', 'audit.b']) await kafka.append(topic, 0, [`of ${topic}`]);
  return kafka.bootstrapServers;
}

describe.each([
  ['without a group', []],
  ['with a group', ['-g', 'g']],
])('-t ^…, %s', (_, group) => {
  test('stands for every topic that matches', { timeout: 30_000 }, async () => {
    const servers = await startKafka();
    const result = await run('consume', '-b', servers, ...group, '-t', '^audit', '-o', 'beginning', '-e');
    expect(result).toMatchObject({ code: 0, errors: [] });
    expect(result.stdout.split('\n').sort()).toEqual(['', 'of audit.a', 'of audit.b']);
  });
});

test('-t ^… that matches nothing, without a group: one line', { timeout: 30_000 }, async () => {
  const result = await run('consume', '-b', await startKafka(), '-t', '^__', '-e');
  expect(result).toMatchObject({ code: 1, stdout: '', errors: ["samsa: no topic matches '^__'"] });
});
