import { expect, it } from 'vitest';
import { until } from '../harness/waiting.ts';
import { MockRig } from './mock-rig.ts';
import { cleanups } from './consumer-rig.ts';

it('one answer of a broker that does not know the topic takes no partition away and starts no rebalance', async () => {
  const rig = await MockRig.start(3, 3);
  const consumer = rig.subscribed({ metadataMaxAgeMs: 30, retryBackoffMs: 20 });
  const seen: string[] = [];
  const reading = (async (): Promise<void> => {
    for await (const record of consumer) seen.push(record.text() ?? '');
  })();
  cleanups.push(() => reading);
  cleanups.push(() => consumer.close({ timeoutMs: 2000 }));
  await until(() => seen.length === 6, { what: 'records', timeoutMs: 20_000, intervalMs: 5 });
  let joins = 0;
  rig.kafka.on('request', ({ api }) => {
    if (api === 'JoinGroup') joins++;
  });
  for (let i = 0; i < 5; i++) {
    const errorCode = 'UNKNOWN_TOPIC_OR_PARTITION';
    await rig.kafka.faults.add({ api: 'Metadata', topic: 't', errorCode }).untilHit();
    // The good answers that follow.
    let answers = 0;
    const count = rig.kafka.faults.add({ api: 'Metadata', times: Infinity, where: () => (answers++, false) });
    await until(() => answers >= 2, { what: 'answers', timeoutMs: 20_000, intervalMs: 5 });
    count.remove();
    await rig.kafka.append('t', 0, ['more']);
    await until(() => seen.length === 7 + i, { what: 'another record', timeoutMs: 20_000, intervalMs: 5 });
  }
  // A rejoin would have been under way by now: the heartbeats that follow the last answer have been answered.
  await rig.kafka.faults.add({ api: 'Heartbeat', times: 3, delayMs: 0 }).untilHit(3);
  expect(joins).toBe(0);
  expect(consumer.metrics().group?.rebalances).toBe(1);
});
