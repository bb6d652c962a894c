/*
 * Positions outside Kafka, saved at each rebalance and at the end: a port of the example of Java's ConsumerRebalanceListener.
 *
 *   npx tsx examples/save-offsets/main.ts [--positions FILE] [--records N] [--topic T --group G]
 *
 * Two members of a group share the topic; the second joins while the first reads. Brings a mock cluster with N records, or reads N
 * from the servers in KAFKA_BOOTSTRAP_SERVERS. The next run with the same FILE goes on behind them.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Consumer } from '../../src/index.ts';
import { MockCluster } from '../../src/testing/index.ts';
import { saveOffsetsOnRebalance } from './listener.ts';
import { Positions } from './positions.ts';

const { values } = parseArgs({
  options: {
    positions: { type: 'string', default: join(tmpdir(), `samsa-positions-${process.pid}.json`) },
    records: { type: 'string', default: '1000' },
    topic: { type: 'string', default: 'clicks' },
    group: { type: 'string', default: 'counter' },
  },
});
const wanted = Number(values.records);
const servers = process.env['KAFKA_BOOTSTRAP_SERVERS'];
const mock = servers === undefined ? await mockWithClicks() : null;
const positions = new Positions(values.positions);
const handled: string[] = [];

function member(): Consumer {
  const consumer = new Consumer({
    bootstrapServers: servers ?? mock?.bootstrapServers ?? '',
    groupId: values.group,
    autoOffsetReset: 'earliest', // for partitions of which nothing was saved
    enableAutoCommit: false,
    heartbeatIntervalMs: 100, // to hear of the other member soon
    maxPollRecords: 10,
  });
  consumer.subscribe([values.topic], saveOffsetsOnRebalance(consumer, positions));
  return consumer;
}

/** As in Java: what a poll gave is handled before the next one, so the position in `onRevoked` is behind what is done. */
async function read(consumer: Consumer): Promise<number> {
  let count = 0;
  while (handled.length < wanted) {
    for (const batch of await consumer.poll({ timeoutMs: 100 })) {
      for (const { topic, partition, offset } of batch) handled.push(`${topic}-${partition}@${offset}`);
      count += batch.recordCount;
    }
    await sleep(5); // the work
  }
  await consumer.close(); // calls onRevoked, which saves the positions
  return count;
}

const first = read(member());
while (handled.length < wanted / 4) await sleep(5);
const counts = await Promise.all([first, read(member())]);
console.log(`the first member handled ${counts[0]} records, the second ${counts[1]}`);
console.log(`${handled.length} records, ${handled.length - new Set(handled).size} of them twice`);
console.log(`saved in ${values.positions}: ${JSON.stringify(positions.all())}`);
await mock?.close();

async function mockWithClicks(): Promise<MockCluster> {
  const cluster = await MockCluster.start({ topics: { clicks: 4 } });
  for (let partition = 0; partition < 4; partition++) {
    const count = Math.ceil((wanted - partition) / 4);
    await cluster.append(
      'clicks',
      partition,
      Array.from({ length: count }, (_, i) => `click ${i}`),
    );
  }
  return cluster;
}
