import { expect, test, vi } from 'vitest';
import { Consumer } from '../../src/index.ts';
import { run, start } from './run.ts';

/** The first lines that it prints: where it listens, and what is there. */
async function started(running: ReturnType<typeof start>, count: number): Promise<string[]> {
  let text = '';
  running.process.stdout.on('data', (chunk: string) => (text += chunk));
  const lines = (): string[] => text.split('\n').slice(0, -1);
  await vi.waitFor(() => expect(lines()).toHaveLength(count), { timeout: 20_000 });
  return lines();
}

test('a cluster with records, for any client; SIGTERM ends it', { timeout: 30_000 }, async () => {
  const mock = start('mock', '--port', '0', '-t', 'orders:3:1000', '-t', 'empty', '--brokers', '2');
  const [bootstrapServers = '', ...topics] = await started(mock, 3);
  expect(topics).toEqual(['topic orders: 3 partitions, 1000 records', 'topic empty: 1 partitions, 0 records']);
  const consumer = new Consumer({ bootstrapServers, groupId: 'g', autoOffsetReset: 'earliest' });
  consumer.subscribe(['orders']);
  const ids = new Set<number>();
  while (ids.size < 1000)
    for (const batch of await consumer.poll())
      for (const record of batch) ids.add(record.json<{ id: number }>()?.id ?? -1);
  await consumer.close();
  mock.process.kill('SIGTERM');
  expect(await mock.ended).toMatchObject({ code: 0, errors: [] });
});

test('wrong arguments: one line, exit code 2', { timeout: 30_000 }, async () => {
  const results = await Promise.all([
    run('mock', '-t', 'orders:0'),
    run('mock', '-t', ':3'),
    run('mock', '--port', 'x'),
    run('mock', '--file', 'orders'),
    run('mock', '--brokers'),
  ]);
  for (const { code, errors } of results) expect({ code, lines: errors.length }).toEqual({ code: 2, lines: 1 });
});
