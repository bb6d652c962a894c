import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Consumer } from '../../src/index.ts';
import { MockCluster } from '../../src/testing/index.ts';

// npx tsx bench/idle/run.ts [--seconds 20]: what a consumer of 1,000 partitions costs while nothing comes, and while one of them gets ten records
// a second. The brokers are mocks in a process of their own; the wire is theirs and ours alike.

const PARTITIONS = 1000;
const TOPIC = 't';
/** Until what runs twice a second is compiled: 1.1 % of a core in the first eight seconds, 0.3 after twenty. */
const WARM_UP_MS = 20_000;

async function broker(): Promise<void> {
  const kafka = await MockCluster.start({ brokers: 1, topics: { [TOPIC]: PARTITIONS } });
  process.on('message', (message) => {
    if (message === 'write') setInterval(() => void kafka.append(TOPIC, 7, ['x'.repeat(100)]), 100);
  });
  process.send?.(kafka.bootstrapServers);
  process.on('disconnect', () => process.exit());
}

async function measure(consumer: Consumer, seconds: number): Promise<Record<string, string | number>> {
  const traffic = (): { requests: number; out: number; in: number } => {
    const { brokers } = consumer.metrics();
    const sum = (of: (each: (typeof brokers)[number]) => number): number =>
      brokers.reduce((total, each) => total + of(each), 0);
    return {
      requests: sum((each) => each.requests),
      out: sum((each) => each.bytesOut),
      in: sum((each) => each.bytesIn),
    };
  };
  const before = traffic();
  const cpu = process.cpuUsage();
  await sleep(seconds * 1000);
  const { user, system } = process.cpuUsage(cpu);
  const after = traffic();
  const requests = after.requests - before.requests;
  return {
    'requests per second': +(requests / seconds).toFixed(1),
    'bytes per request': Math.round((after.out - before.out) / requests),
    'bytes per answer': Math.round((after.in - before.in) / requests),
    'percent of a core': +((user + system) / seconds / 10_000).toFixed(2),
  };
}

async function main(): Promise<void> {
  const at = process.argv.indexOf('--seconds');
  const seconds = at < 0 ? 20 : Number(process.argv[at + 1]);
  const child = fork(fileURLToPath(import.meta.url), ['--broker']);
  const [bootstrapServers] = (await once(child, 'message')) as [string];
  const consumer = new Consumer({ bootstrapServers, groupId: 'idle', autoOffsetReset: 'earliest' });
  consumer.assign(Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: TOPIC, partition, offset: 0 })));
  let records = 0;
  void (async () => {
    for await (const batch of consumer.batches()) records += batch.recordCount;
  })();
  await sleep(WARM_UP_MS);
  const idle = await measure(consumer, seconds);
  child.send('write');
  await sleep(1000);
  const active = await measure(consumer, seconds);
  console.table({ 'nothing comes': idle, 'ten records a second in one partition': active });
  console.log(`${records} records came; a fetch that names all ${PARTITIONS} partitions is 33 KB`);
  await consumer.close();
  child.disconnect();
}

await (process.argv.includes('--broker') ? broker() : main());
