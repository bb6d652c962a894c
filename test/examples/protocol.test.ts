import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startKafka } from '../testing/rig.ts';

const MAIN = path.join(import.meta.dirname, '../../examples/protocol/main.ts');

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = ['--import', 'tsx', MAIN, ...args];
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, command)) };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

test('examples/protocol asks a broker by hand and prints the answer', async () => {
  const kafka = await startKafka({ brokers: 2, topics: { orders: 2, others: 1 } });
  const { code, stdout, stderr } = await run(kafka.broker(1).address, 'orders');
  expect([code, stderr]).toEqual([0, '']);
  const [about = '', ...lines] = stdout.split('\n');
  expect(about).toMatch(/ has \d+ APIs, samsa\/protocol knows \d+ of them$/);
  expect(lines[0]).toMatch(/^Metadata v13: \{$/);
  const answer = JSON.parse(lines.join('\n').replace(/^Metadata v\d+: /, '')) as {
    brokers: { nodeId: number }[];
    topics: { name: string; topicId: string; partitions: unknown[] }[];
  };
  expect(answer.brokers.map(({ nodeId }) => nodeId)).toEqual([1, 2]);
  expect(answer.topics).toMatchObject([{ name: 'orders', topicId: kafka.topicId('orders') }]);
  expect(answer.topics[0]?.partitions).toHaveLength(2);
});

test('… of an old broker too, in the version that it has', async () => {
  const kafka = await startKafka({ versions: '2.1', topics: { orders: 1 } });
  const { stdout } = await run(kafka.broker(1).address);
  expect(stdout).toContain('Metadata v7: {');
  expect(stdout).toContain('"name": "orders"');
});

test('… and says in one line what is wrong', async () => {
  const kafka = await startKafka();
  const { address } = kafka.broker(1);
  await kafka.close();
  expect(await run(address)).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('ECONNREFUSED') as string,
  });
  expect(await run('nowhere')).toMatchObject({ code: 2, stdout: '' });
});
