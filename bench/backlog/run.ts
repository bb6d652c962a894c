import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Consumer } from '../../src/index.ts';
import { MockCluster } from '../../src/testing/index.ts';

// npx tsx bench/backlog/run.ts [--seconds 60]: 50 partitions with 10 MB of backlog each, and a handler that takes its time. What is buffered, and
// what the process holds, sampled every 50 ms after the first tenth.

const PARTITIONS = 50;
const RECORD_BYTES = 10_000;
const RECORDS = 1000;
const TOPIC = 't';
const MB = 1 << 20;

async function broker(): Promise<void> {
  const kafka = await MockCluster.start({ brokers: 3, topics: { [TOPIC]: PARTITIONS } });
  const value = Buffer.alloc(RECORD_BYTES, 'x');
  for (let partition = 0; partition < PARTITIONS; partition++) {
    await kafka.append(
      TOPIC,
      partition,
      Array.from({ length: RECORDS }, () => ({ value })),
      { batchRecords: 10 },
    );
  }
  process.send?.(kafka.bootstrapServers);
  process.on('disconnect', () => process.exit());
}

async function main(): Promise<void> {
  const at = process.argv.indexOf('--seconds');
  const seconds = at < 0 ? 60 : Number(process.argv[at + 1]);
  const child = fork(fileURLToPath(import.meta.url), ['--broker']);
  const [bootstrapServers] = (await once(child, 'message')) as [string];
  const before = process.memoryUsage();
  const consumer = new Consumer({ bootstrapServers, autoOffsetReset: 'earliest' });
  consumer.assign(Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: TOPIC, partition, offset: 0 })));
  const samples: { buffered: number; rss: number; arrayBuffers: number }[] = [];
  const begin = performance.now();
  const timer = setInterval(() => {
    if (performance.now() - begin < seconds * 100) return;
    const { rss, arrayBuffers } = process.memoryUsage();
    samples.push({ buffered: consumer.metrics().bufferedBytes, rss, arrayBuffers });
  }, 50);
  const wanted = PARTITIONS * RECORDS;
  let records = 0;
  for await (const batch of consumer.batches()) {
    records += batch.recordCount;
    // At the pace that brings the whole backlog through in the time.
    const ahead = (records / wanted) * seconds * 1000 - (performance.now() - begin);
    if (ahead > 0) await sleep(ahead);
    if (records >= wanted) break;
  }
  clearInterval(timer);
  const half = samples.length >> 1;
  const peak = (list: typeof samples, of: (each: (typeof samples)[number]) => number): number =>
    +(list.reduce((most, each) => Math.max(most, of(each)), 0) / MB).toFixed(1);
  const row = (of: (each: (typeof samples)[number]) => number): Record<string, number> => ({
    'first half, peak MiB': peak(samples.slice(0, half), of),
    'second half, peak MiB': peak(samples.slice(half), of),
  });
  console.table({
    'buffered, as on the wire': row((each) => each.buffered),
    'array buffers': row((each) => each.arrayBuffers),
    'resident, above the start': row((each) => each.rss - before.rss),
  });
  console.log(
    `${records} records in ${Math.round((performance.now() - begin) / 1000)} s; budget (fetchMaxBytes): 50 MiB`,
  );
  await consumer.close();
  child.disconnect();
}

await (process.argv.includes('--broker') ? broker() : main());
