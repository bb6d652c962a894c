import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { MockCluster } from '../../src/testing/index.ts';
import { run, type Running, start } from './run.ts';

const LIMIT_MS = 30_000;

interface Event {
  name: string;
  partitions?: { topic: string; partition: number }[];
  offsets?: { topic: string; partition: number; offset: number }[];
  [field: string]: unknown;
}

let kafka: MockCluster;
beforeAll(async () => {
  kafka = await MockCluster.start({ topics: { orders: 1, wide: 4, large: 1, long: 1 } });
  await kafka.append('orders', 0, [{ key: 'k', value: 'zwölf' }, { key: null, value: null }, { value: '3' }]);
  await kafka.append(
    'large',
    0,
    Array.from({ length: 1200 }, (_, index) => ({ value: String(index) })),
  );
});
afterAll(() => kafka.close());

function begin(...flags: string[]): Running {
  return start('verifiable-consumer', '--bootstrap-server', kafka.bootstrapServers, ...flags);
}

function eventsOf(stdout: string): Event[] {
  const events = stdout.split('\n').map((line) => (line === '' ? null : (JSON.parse(line) as Event)));
  expect(events.pop()).toBeNull();
  return events.map((event) => {
    const { timestamp, ...rest } = event ?? expect.unreachable();
    expect(Math.abs(Number(timestamp) - Date.now())).toBeLessThan(2 * LIMIT_MS);
    return rest;
  });
}

const orders = { topic: 'orders', partition: 0 };

describe('samsa verifiable-consumer', { timeout: LIMIT_MS }, () => {
  test('tells of everything in order, and SIGTERM ends it with exit code 0', async () => {
    const running = begin('--topic', 'orders', '--group-id', 'all', '--verbose');
    await kafka.untilCommitted('all', { orders: { 0: 3 } }, { timeoutMs: LIMIT_MS });
    running.process.kill('SIGTERM');
    const { code, errors, stdout } = await running.ended;
    expect({ code, errors }).toEqual({ code: 0, errors: [] });
    expect(eventsOf(stdout)).toEqual([
      { name: 'startup_complete' },
      { name: 'partitions_assigned', partitions: [orders] },
      { name: 'record_data', key: 'k', value: 'zwölf', ...orders, offset: 0 },
      { name: 'record_data', key: null, value: null, ...orders, offset: 1 },
      { name: 'record_data', key: null, value: '3', ...orders, offset: 2 },
      { name: 'records_consumed', count: 3, partitions: [{ ...orders, count: 3, minOffset: 0, maxOffset: 2 }] },
      { name: 'offsets_committed', offsets: [{ ...orders, offset: 3 }], success: true },
      { name: 'partitions_revoked', partitions: [orders] },
      { name: 'shutdown_complete' },
    ]);
  });

  test('--max-messages: commits no more than it has told of, also with --enable-autocommit', async () => {
    for (const flags of [[], ['--enable-autocommit']]) {
      const group = `some${flags.length}`;
      const { code, stdout } = await begin('--topic', 'orders', '--group-id', group, '--max-messages', '2', ...flags)
        .ended;
      expect(code).toBe(0);
      const events = eventsOf(stdout);
      expect(events.at(-1)).toEqual({ name: 'shutdown_complete' });
      expect(events.find(({ name }) => name === 'records_consumed')?.partitions).toEqual([
        { ...orders, count: 2, minOffset: 0, maxOffset: 1 },
      ]);
      expect(events.some(({ name }) => name === 'offsets_committed')).toBe(flags.length === 0);
      expect(kafka.committed(group)).toEqual({ orders: { 0: 2 } });
    }
  });

  test('--enable-autocommit: what was told is committed at the end', async () => {
    const running = begin('--topic', 'large', '--group-id', 'auto', '--enable-autocommit');
    let text = '';
    running.process.stdout.on('data', (chunk: string) => (text += chunk));
    await vi.waitFor(() => expect(text).toContain('"maxOffset":1199'), { timeout: LIMIT_MS });
    running.process.kill('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 0, errors: [] });
    expect(text).not.toContain('offsets_committed');
    expect(kafka.committed('auto')).toEqual({ large: { 0: 1200 } });
    // As many at once as Java polls: max.poll.records.
    const counts = eventsOf(text).flatMap(({ name, count }) => (name === 'records_consumed' ? [count] : []));
    expect(Math.max(...counts.map(Number))).toBe(500);
  });

  test('commits nothing of which it has not told: lines that nobody has read yet may never come', async () => {
    // More than pipes hold.
    const values = Array.from({ length: 500 }, (_, index) => ({ value: `${index} ${'x'.repeat(5000)}` }));
    await kafka.append('long', 0, values);
    const heartbeats = kafka.delay('Heartbeat', 0, { group: 'unread' });
    const flags = ['--topic', 'long', '--group-id', 'unread', '--verbose', '-X', 'heartbeat.interval.ms=100'];
    const { process, ended } = begin(...flags, '-X', 'max.partition.fetch.bytes=10000000');
    process.stdout.pause();
    await vi.waitFor(() => expect(process.stdout.readableLength).toBeGreaterThan(5000), { timeout: LIMIT_MS });
    await heartbeats.untilHit(heartbeats.hits + 3);
    expect(kafka.committed('unread')).toEqual({});
    process.stdout.resume();
    await kafka.untilCommitted('unread', { long: { 0: 500 } }, { timeoutMs: LIMIT_MS });
    process.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, errors: [] });
    heartbeats.remove();
  });

  test('a failed commit is told with its error, and it goes on', async () => {
    kafka.fail('OffsetCommit', { errorCode: 'OFFSET_METADATA_TOO_LARGE', times: 1 });
    const running = begin('--topic', 'orders', '--group-id', 'failing');
    let text = '';
    running.process.stdout.on('data', (chunk: string) => (text += chunk));
    await vi.waitFor(() => expect(text).toContain('offsets_committed'), { timeout: LIMIT_MS });
    running.process.kill('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 0 });
    expect(eventsOf(text).find(({ name }) => name === 'offsets_committed')).toEqual({
      name: 'offsets_committed',
      offsets: [{ ...orders, offset: 3 }],
      error: expect.stringContaining('OFFSET_METADATA_TOO_LARGE') as unknown,
      success: false,
    });
  });

  test("Java's class names, static members, sessions, properties", async () => {
    const running = begin(
      ...['--topic', 'wide', '--group-id', 'static', '--group-instance-id', 'i-1', '--session-timeout', '20000'],
      ...['--assignment-strategy', 'org.apache.kafka.clients.consumer.StickyAssignor', '-X', 'client.id=me'],
    );
    await vi.waitFor(() => expect(kafka.group('static').members).toHaveLength(1), { timeout: LIMIT_MS });
    await vi.waitFor(() => expect(kafka.group('static').state).toBe('Stable'), { timeout: LIMIT_MS });
    expect(kafka.group('static')).toMatchObject({ assignor: 'sticky', members: [{ groupInstanceId: 'i-1' }] });
    running.process.kill('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 0, errors: [] });
  });

  test('wrong arguments: one line, exit code 2', async () => {
    const needed = ['--bootstrap-server', 'localhost:1', '--topic', 't', '--group-id', 'g'];
    const cases: [args: string[], says: RegExp][] = [
      [[], /--topic TOPIC/],
      [needed.slice(2), /no broker given/],
      [[...needed, '--max-messages', 'many'], /--max-messages takes a whole number, not 'many'/],
      [[...needed, '--assignment-strategy', 'com.example.Mine'], /com\.example\.Mine/],
      [[...needed, '--consumer.config', '/nowhere.properties'], /\/nowhere\.properties/],
    ];
    const results = await Promise.all(cases.map(([args]) => run('verifiable-consumer', ...args)));
    for (const [index, { code, errors, stdout }] of results.entries()) {
      expect({ code, stdout, lines: errors.length }).toEqual({ code: 2, stdout: '', lines: 1 });
      expect(errors[0]).toMatch(cases[index]?.[1] ?? expect.unreachable());
    }
  });
});
