import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { classPath, javaCommand } from '../../test/harness/kafka-jars.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const BUILD = join(ROOT, '.cache', 'bench');
const PEERS = join(ROOT, 'bench', 'peers');
const KAFKA_VERSION = '4.2.0';

export interface Task {
  bootstrapServers: string;
  topic: string;
  records: number;
  groupId: string;
}

/** What a client says of itself; null for what it does not know. */
export interface Tally {
  records: number;
  /** Of all values. */
  bytes: number | null;
  /** The sum of every value's last byte: proof that it was looked at. */
  lastBytes: number | null;
  /** From the first record to the last. */
  seconds: number;
}

export interface Client {
  name: string;
  about: string;
  /** Makes it ready to run; throws with what is missing. */
  prepare(): void;
  command(task: Task): string[];
  parse(stdout: string): Tally;
}

const positional = ({ bootstrapServers, topic, records, groupId }: Task): string[] => [
  bootstrapServers,
  topic,
  String(records),
  groupId,
];
const parseJson = (stdout: string): Tally => JSON.parse(stdout) as Tally; // our own programs print exactly this
const java = (...args: string[]): string[] => [
  javaCommand(),
  '-Xmx1g',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
  ...args,
];

export const CLIENTS: readonly Client[] = [
  {
    name: 'samsa',
    about: 'batches(), compiled by tsc',
    prepare: () => {
      const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
      run(process.execPath, [compiler, '-p', join(ROOT, 'bench', 'consume', 'tsconfig.samsa.json')]);
    },
    command: (task) => [process.execPath, join(BUILD, 'bench', 'consume', 'samsa.js'), ...positional(task)],
    parse: parseJson,
  },
  {
    name: 'kafkajs',
    about: 'kafkajs 2.2.4, eachBatch',
    prepare: () => {
      if (existsSync(join(PEERS, 'node_modules', 'kafkajs'))) return;
      run('npm', ['ci', '--prefix', PEERS, '--no-audit', '--no-fund']);
    },
    command: (task) => [process.execPath, join(PEERS, 'kafkajs.mjs'), ...positional(task)],
    parse: parseJson,
  },
  {
    name: 'java',
    about: "Kafka's Java consumer, a poll loop that touches every value",
    prepare: () => {
      mkdirSync(join(BUILD, 'java'), { recursive: true });
      run('javac', ['-cp', classPath(KAFKA_VERSION), '-d', join(BUILD, 'java'), join(PEERS, 'Consume.java')]);
    },
    command: (task) =>
      java('-cp', `${join(BUILD, 'java')}:${classPath(KAFKA_VERSION)}`, 'Consume', ...positional(task)),
    parse: parseJson,
  },
  {
    name: 'java-perf',
    about: "Kafka's own ConsumerPerformance, which only counts",
    prepare: () => undefined,
    command: ({ bootstrapServers, topic, records, groupId }) => {
      const name = 'org.apache.kafka.tools.ConsumerPerformance';
      const limits = ['--num-records', String(records), '--timeout', '30000', '--hide-header'];
      const where = ['--bootstrap-server', bootstrapServers, '--topic', topic, '--group', groupId];
      return java('-cp', classPath(KAFKA_VERSION), name, ...where, ...limits);
    },
    // start, end, MiB, MiB/s, records, records/s, rebalance ms, fetch ms, MiB/s and records/s without the rebalance
    parse: (stdout) => {
      const fields = (stdout.trim().split('\n').at(-1) ?? '').split(', ');
      const [records = NaN, fetchMs = NaN] = [fields[4], fields[7]].map(Number);
      if (Number.isNaN(records) || Number.isNaN(fetchMs)) {
        throw new Error(`not what ConsumerPerformance prints: ${stdout}`);
      }
      return { records, bytes: null, lastBytes: null, seconds: fetchMs / 1000 };
    },
  },
];

function run(command: string, args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
}
