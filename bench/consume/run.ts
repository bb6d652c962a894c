/*
 * Whole consumers on a real broker, each a process of its own, in turns (A B C A B C …), so that whatever else the
 * machine does hits all alike; medians count:
 *
 *   npx tsx bench/consume/run.ts [--rounds 5] [--records 5000000] [--size 100] [--clients samsa,kafkajs,java,java-perf]
 *
 * The broker is a JVM with its data in a temporary folder. All clients read the same topic with one partition, as a
 * group of one; counts, bytes and the sum of the values' last bytes must be equal. CPU is what the whole process used,
 * its start included; seconds run from the first record to the last. Results go to bench/results/consume.json.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { TestAdmin } from '../../test/harness/admin.ts';
import { startJvmBroker } from '../../test/harness/jvm-broker.ts';
import { producerPerformance } from '../../test/harness/kafka-tools.ts';
import { type Client, CLIENTS, type Tally, type Task } from './clients.ts';

const RESULTS = join(import.meta.dirname, '..', 'results', 'consume.json');
const TIMEOUT_MS = 300_000;
const TOPIC = 'bench';

interface Run extends Tally {
  client: string;
  round: number;
  /** Process start to end. */
  totalSeconds: number;
  /** User and system time of the whole process. */
  cpuSeconds: number;
}

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    records: { type: 'string', default: '5000000' },
    size: { type: 'string', default: '100' },
    clients: { type: 'string', default: CLIENTS.map(({ name }) => name).join(',') },
  },
});
const [rounds, records, size] = [Number(flags.rounds), Number(flags.records), Number(flags.size)];
const clients = flags.clients.split(',').map((name) => {
  const client = CLIENTS.find((candidate) => candidate.name === name);
  if (client === undefined) throw new Error(`no client '${name}', there are: ${CLIENTS.map((c) => c.name).join(', ')}`);
  return client;
});

const broker = await startJvmBroker({ heap: '1g' });
try {
  for (const client of clients) client.prepare();
  const admin = await TestAdmin.connect(broker.bootstrapServers);
  await admin.createTopic(TOPIC, 1);
  const summary = await producerPerformance(broker, {
    topic: TOPIC,
    records,
    recordSize: size,
    properties: { 'linger.ms': '5', 'batch.size': '65536', 'buffer.memory': '67108864' },
  });
  console.log(`filled: ${summary.at(-1)}`);
  const [end] = await admin.endOffsets(TOPIC);
  admin.close();
  if (end !== records) throw new Error(`the topic has ${end} records, expected ${records}`);

  const runs: Run[] = [];
  for (let round = 0; round <= rounds; round++) {
    for (const client of clients) {
      const groupId = `${client.name}-${round}`;
      const result = await measure(client, {
        bootstrapServers: broker.bootstrapServers,
        topic: TOPIC,
        records,
        groupId,
      });
      const perSecond = (records / result.seconds / 1e6).toFixed(2);
      const note = round === 0 ? ' (warm-up, not counted)' : '';
      console.log(`round ${round} ${client.name}: ${perSecond} M records/s, CPU ${result.cpuSeconds} s${note}`);
      if (round > 0) runs.push({ client: client.name, round, ...result });
    }
  }
  check(runs);
  report(runs);
} finally {
  await broker.stop();
}

/** Runs a client below a shell whose `times` tells what it used: the same way to measure for Node and for Java. */
async function measure(client: Client, task: Task): Promise<Omit<Run, 'client' | 'round'>> {
  const started = performance.now();
  const script = '"$@"; code=$?; times >&3; exit $code';
  const child = spawn('sh', ['-c', script, 'sh', ...client.command(task)], {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    timeout: TIMEOUT_MS,
  });
  let stdout = '';
  let times = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stdio[3]?.on('data', (text: Buffer) => (times += text.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const totalSeconds = (performance.now() - started) / 1000;
  if (code !== 0) throw new Error(`${client.name} ended with ${code}: ${stdout}`);
  return { ...client.parse(stdout), totalSeconds: round3(totalSeconds), cpuSeconds: childrenSeconds(times) };
}

/** The second line of `times`: user and system time of the shell's children, as `0m1.234s 0m0.567s`. */
function childrenSeconds(times: string): number {
  const matches = [...(times.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.,]+)s/g)];
  if (matches.length !== 2) throw new Error(`not what 'times' prints: ${times}`);
  const seconds = matches.map(([, minutes, rest]) => Number(minutes) * 60 + Number(rest?.replace(',', '.')));
  return round3(seconds.reduce((sum, value) => sum + value, 0));
}

function check(runs: readonly Run[]): void {
  const lastBytes = runs.find((run) => run.lastBytes !== null)?.lastBytes;
  for (const run of runs) {
    const sameBytes = run.bytes === null || run.bytes === records * size;
    const sameValues = run.lastBytes === null || run.lastBytes === lastBytes;
    if (run.records === records && sameBytes && sameValues) continue;
    throw new Error(`${run.client} did other work than the rest: ${JSON.stringify(run)}`);
  }
}

function report(runs: readonly Run[]): void {
  const rows = clients.map(({ name, about }) => {
    const own = runs.filter(({ client }) => client === name);
    const seconds = median(own.map((run) => run.seconds));
    const cpuSeconds = median(own.map((run) => run.cpuSeconds));
    return {
      client: name,
      about,
      seconds: round3(seconds),
      totalSeconds: round3(median(own.map((run) => run.totalSeconds))),
      cpuSeconds: round3(cpuSeconds),
      millionRecordsPerSecond: round3(records / seconds / 1e6),
      megabytesPerSecond: Math.round((records * size) / seconds / 1e6),
      cpuSecondsPerMillionRecords: round3(cpuSeconds / (records / 1e6)),
    };
  });
  console.table(
    rows.map((row) => ({
      client: row.client,
      'M records/s': row.millionRecordsPerSecond,
      'MB/s': row.megabytesPerSecond,
      'CPU s per M': row.cpuSecondsPerMillionRecords,
      's first to last': row.seconds,
      's in all': row.totalSeconds,
    })),
  );
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    // The runs themselves keep one to two cores busy; more than that was somebody else, and the figures are too low.
    loadAverage: round3(loadavg()[0] ?? NaN),
  };
  const topic = { records, size, partitions: 1, kafka: broker.version };
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync(RESULTS, `${JSON.stringify({ date, machine, topic, rounds, medians: rows, runs }, null, 2)}\n`);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2;
}

function round3(value: number): number {
  return Math.round(value * 1000) / 1000;
}
