/*
 * How long the event loop stands still while samsa consumes at full speed: 5 M records of 100 bytes, each client a process of its own.
 *
 *   npx tsx bench/loop/run.ts [--rounds 5] [--topics small,zstd] [--clients samsa,samsa-await,kafkajs] [--write]
 */
import { parseArgs } from 'node:util';
import { startJvmBroker } from '../../test/harness/jvm-broker.ts';
import { CLIENTS, named } from '../consume/clients.ts';
import { measure } from '../consume/measure.ts';
import { KAFKA } from '../consume/places.ts';
import { median, writeResult } from '../consume/report.ts';
import { provideTopics, TOPICS } from '../consume/topics.ts';

interface LoopDelay {
  p50: number;
  p99: number;
  max: number;
}

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    topics: { type: 'string', default: 'small,kv,zstd' },
    clients: { type: 'string', default: 'samsa,samsa-await,kafkajs,platformatic' },
    write: { type: 'boolean', default: false },
  },
});
const topics = named(TOPICS, flags.topics, 'topic');
const clients = named(CLIENTS, flags.clients, 'client');
for (const client of clients) client.prepare();

const broker = await startJvmBroker({ heap: '1g', dataDir: KAFKA });
const medians: ({ client: string; topic: string } & LoopDelay)[] = [];
try {
  await provideTopics(broker, topics);
  for (const { name: topic, records } of topics) {
    const runs = new Map<string, LoopDelay[]>(clients.map(({ name }) => [name, []]));
    for (let round = 1; round <= Number(flags.rounds); round++) {
      for (const client of clients) {
        const groupId = `${client.name}-${topic}-loop-${Date.now()}`;
        const task = { bootstrapServers: broker.bootstrapServers, topic, records, groupId };
        const run = await measure({ ...client, environment: { ...client.environment, LOOP: '1' } }, task);
        runs.get(client.name)?.push((run as unknown as { loop: LoopDelay }).loop);
      }
    }
    for (const [client, own] of runs) {
      const middle = (name: keyof LoopDelay): number => Math.round(median(own.map((each) => each[name])) * 10) / 10;
      medians.push({ client, topic, p50: middle('p50'), p99: middle('p99'), max: middle('max') });
    }
  }
} finally {
  await broker.stop();
}
console.table(medians);
if (flags.write) writeResult('loop', { unit: 'ms', rounds: Number(flags.rounds), medians });
