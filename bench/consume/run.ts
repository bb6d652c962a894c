/*
 * Whole consumers on a real broker, each a process of its own, in turns (A B C A B C …), so that whatever else the
 * machine does hits all alike; medians count:
 *
 *   npx tsx bench/consume/run.ts [--rounds 5] [--topics small,kv,…] [--clients samsa,librdkafka,…] [--records N] [--write]
 *
 * The broker is a JVM that keeps its data in .cache/bench, so that the topics are filled once. All clients join a group of one;
 * count, bytes, the sum of the values' last bytes and the sum of the offsets must be equal. `--write` puts the figures into
 * bench/results/consume-TOPIC.json and the charts into bench/consume.svg and bench/consume-more.svg.
 */
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startJvmBroker } from '../../test/harness/jvm-broker.ts';
import { CLIENTS, named } from './clients.ts';
import { measure, type Run } from './measure.ts';
import { KAFKA } from './places.ts';
import { printTable, rowOf, writeCharts, writeResults, type Row } from './report.ts';
import { provideTopics, TOPICS } from './topics.ts';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    topics: { type: 'string', default: TOPICS.map(({ name }) => name).join(',') },
    clients: { type: 'string', default: CLIENTS.map(({ name }) => name).join(',') },
    /** Read only so many of each topic: what a process costs before it is warm. */
    records: { type: 'string', default: 'Infinity' },
    write: { type: 'boolean', default: false },
    /** Fill the topics anew. */
    fresh: { type: 'boolean', default: false },
  },
});
const rounds = Number(flags.rounds);
const most = Number(flags.records);
if (flags.write && most !== Infinity) throw new Error('--write is for whole topics');
const filled = named(TOPICS, flags.topics, 'topic');
const topics = filled.map((topic) => ({ ...topic, records: Math.min(topic.records, most) }));
const clients = named(CLIENTS, flags.clients, 'client').filter((client) => {
  try {
    client.prepare();
    return true;
  } catch (error) {
    console.log(
      `left out: ${client.name} (${error instanceof Error ? error.message.split('\n', 1).join() : String(error)})`,
    );
    return false;
  }
});

if (flags.fresh) rmSync(KAFKA, { recursive: true, force: true });
const broker = await startJvmBroker({ heap: '1g', dataDir: KAFKA });
const rows: Row[] = [];
const runs: Run[] = [];
try {
  await provideTopics(broker, filled);
  for (const topic of topics) {
    for (let round = 0; round <= rounds; round++) {
      for (const client of clients) {
        const { bootstrapServers } = broker;
        const groupId = `${client.name}-${topic.name}-${Date.now()}`;
        const result = await measure(client, { bootstrapServers, topic: topic.name, records: topic.records, groupId });
        if (round > 0) runs.push({ client: client.name, topic: topic.name, round, ...result }); // the first warms the page cache
      }
    }
    check(topic.name, topic.records);
    const ofTopic = clients.map((client) => rowOf(client, topic, runs));
    printTable(topic, ofTopic);
    rows.push(...ofTopic);
  }
} finally {
  await broker.stop();
}
if (flags.write) {
  const command = `npx tsx bench/consume/run.ts --rounds ${rounds} --topics ${flags.topics} --clients ${clients.map(({ name }) => name).join(',')} --write`;
  writeResults(topics, rows, runs, command);
  writeCharts();
}

function check(topic: string, records: number): void {
  const ofTopic = runs.filter((run) => run.topic === topic);
  for (const sum of ['bytes', 'lastBytes', 'offsets'] as const) {
    const known = ofTopic.filter((run) => run[sum] !== null);
    const other = known.find((run) => run[sum] !== known[0]?.[sum]);
    if (other !== undefined) throw new Error(`${other.client} did other work than the rest: ${JSON.stringify(other)}`);
  }
  // Of a part of a topic the null consumer reads whole answers.
  const short = ofTopic.find((run) => (most === Infinity ? run.records !== records : run.records < records));
  if (short !== undefined) throw new Error(`${short.client} read ${short.records} of ${records} records`);
}
