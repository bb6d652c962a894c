import { expect, it } from 'vitest';
import { Consumer } from '../../src/index.ts';
import { MockCluster } from '../../src/testing/index.ts';
import { until } from '../harness/waiting.ts';

it('a handler that blocks the event loop for half of the session is told of it, by both times', async () => {
  const kafka = await MockCluster.start({ topics: { t: 1 } });
  await kafka.append('t', 0, ['slow']);
  const consumer = new Consumer({
    bootstrapServers: kafka.bootstrapServers,
    groupId: 'g',
    autoOffsetReset: 'earliest',
    sessionTimeoutMs: 600,
    heartbeatIntervalMs: 100,
    logger: null,
  });
  const warnings: string[] = [];
  consumer.on('log', ({ level, message }) => {
    if (level === 'warn' && message.includes('stood still')) warnings.push(message);
  });
  consumer.subscribe('t');
  for await (const record of consumer) {
    expect(record.text()).toBe('slow');
    const end = performance.now() + 420;
    while (performance.now() < end);
    break;
  }
  await until(() => warnings.length > 0, { what: 'the warning', timeoutMs: 5000, intervalMs: 5 });
  expect(warnings[0]).toMatch(/^the event loop stood still for \d{3} ms, .* sessionTimeoutMs \(600 ms\)/);
  await consumer.close();
  await kafka.close();
});
