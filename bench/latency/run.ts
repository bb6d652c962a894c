/*
 * From a producer's send to the application's hands, at a steady pace, each client in turn:
 *
 *   npx tsx bench/latency/run.ts [--rates 200,20000] [--rounds 5] [--seconds 10] [--clients samsa-await,librdkafka,java,kafkajs] [--write]
 *
 * The producer writes CLOCK_MONOTONIC into each value and never waits for an answer before it sends the next; the first two seconds are
 * not counted. A topic and a group of its own for every run. `--write` puts the figures into bench/results/latency.json.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { TestAdmin } from '../../test/harness/admin.ts';
import { startJvmBroker } from '../../test/harness/jvm-broker.ts';
import { CLIENTS, named } from '../consume/clients.ts';
import { measure } from '../consume/measure.ts';
import { median, writeResult } from '../consume/report.ts';

const WARM_UP_SECONDS = 2;
const VALUE_BYTES = 100;
const TICK_MS = 1;

interface Latencies {
  p50: number;
  p99: number;
  p999: number;
  max: number;
}

const { values: flags } = parseArgs({
  options: {
    rates: { type: 'string', default: '200,20000' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '10' },
    clients: { type: 'string', default: 'samsa-await,librdkafka,java,kafkajs-each' },
    write: { type: 'boolean', default: false },
  },
});
const rates = flags.rates.split(',').map(Number);
const rounds = Number(flags.rounds);
const seconds = Number(flags.seconds) + WARM_UP_SECONDS;
const clients = named(CLIENTS, flags.clients, 'client');
for (const client of clients) client.prepare();

const broker = await startJvmBroker({ heap: '1g' });
const admin = await TestAdmin.connect(broker.bootstrapServers);
const medians: ({ client: string; rate: number } & Latencies)[] = [];
try {
  for (const rate of rates) {
    const runs = new Map<string, Latencies[]>(clients.map(({ name }) => [name, []]));
    for (let round = 1; round <= rounds; round++) {
      for (const client of clients) {
        const topic = `${client.name}-${rate}-${round}`;
        await admin.createTopic(topic);
        const task = { bootstrapServers: broker.bootstrapServers, topic, records: rate * seconds, groupId: topic };
        const environment = { ...client.environment, LATENCY: '1', LATENCY_SKIP: String(rate * WARM_UP_SECONDS) };
        const [run] = await Promise.all([measure({ ...client, environment }, task), produce(topic, rate)]);
        runs.get(client.name)?.push((run as unknown as { latencies: Latencies }).latencies);
      }
    }
    for (const [client, own] of runs) {
      const middle = (name: keyof Latencies): number => Math.round(median(own.map((each) => each[name])) * 100) / 100;
      medians.push({ client, rate, p50: middle('p50'), p99: middle('p99'), p999: middle('p999'), max: middle('max') });
    }
  }
} finally {
  admin.close();
  await broker.stop();
}
console.table(medians);
if (flags.write) writeResult('latency', { unit: 'ms', rounds, medians });

/** At so many records a second, a batch in every millisecond that has one. */
async function produce(topic: string, rate: number): Promise<void> {
  const begin = performance.now();
  const sending: Promise<unknown>[] = [];
  for (let sent = 0; sent < rate * seconds;) {
    const due = Math.min(Math.floor(((performance.now() - begin) / 1000) * rate), rate * seconds) - sent;
    if (due > 0) {
      const value = Buffer.alloc(VALUE_BYTES);
      value.writeBigInt64BE(process.hrtime.bigint());
      sending.push(
        admin.produce(
          topic,
          0,
          Array.from({ length: due }, () => ({ value })),
        ),
      );
      sent += due;
    }
    await sleep(TICK_MS);
  }
  await Promise.all(sending);
}
