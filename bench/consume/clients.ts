import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lazily } from '../../src/protocol/compression/accelerator.ts';
import { classPath, javaCommand } from '../../test/harness/kafka-jars.ts';
import { BUILD, PACKAGE, PEERS } from './places.ts';

const KAFKA_VERSION = '4.2.0';
/** Of the npm package `node`, which ships Node's binaries. */
export const NODE_24 = join(PEERS, 'node_modules', 'node', 'bin', 'node');

export interface Task {
  readonly bootstrapServers: string;
  readonly topic: string;
  readonly records: number;
  readonly groupId: string;
}

export interface Client {
  readonly name: string;
  readonly about: string;
  /** Compiles or installs what it needs. Throws with what is missing: the client is then left out, and that is said. */
  prepare(): void;
  /** Which release is measured. */
  version(): string;
  command(task: Task): string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const positional = ({ bootstrapServers, topic, records, groupId }: Task): string[] => [
  bootstrapServers,
  topic,
  String(records),
  groupId,
];

/** Once for all of its ways to read. */
const buildSamsa = lazily(() => run('npm', ['run', '--silent', 'build'], PACKAGE));

function samsa(name: string, about: string, mode: string, node = process.execPath, pure = false): Client {
  return {
    name,
    about: `samsa, ${about}`,
    prepare: () => {
      if (node === NODE_24) installPeers();
      buildSamsa();
    },
    version: () => packageVersion(join(PACKAGE, 'package.json')),
    command: (task) => [node, join(import.meta.dirname, 'samsa.mjs'), ...positional(task), mode],
    ...(pure ? { environment: { SAMSA_PURE: '1' } } : {}),
  };
}

function nodePeer(
  name: string,
  about: string,
  packageName: string,
  program: string,
  mode = '',
  node = NODE_24,
): Client {
  return {
    name,
    about,
    prepare: installPeers,
    version: () => packageVersion(join(PEERS, 'node_modules', packageName, 'package.json')),
    command: (task) => [node, join(PEERS, 'node', program), ...positional(task), mode],
  };
}

/** The librdkafka bindings want a compiler at install: whoever has them in `bench/peers/native/node_modules` gets them measured. */
function nativePeer(name: string, packageName: string, program: string): Client {
  const folder = join(PEERS, 'native', 'node_modules');
  return {
    name,
    about: `${packageName} on librdkafka`,
    prepare: () => {
      const works = spawnSync(process.execPath, ['-e', `require(${JSON.stringify(join(folder, packageName))})`]).status;
      if (works !== 0)
        throw new Error(`npm install --prefix bench/peers/native ${packageName}, which compiles for minutes`);
    },
    version: () => packageVersion(join(folder, packageName, 'package.json')),
    command: (task) => [process.execPath, join(PEERS, 'node', program), ...positional(task)],
    environment: { NODE_PATH: folder },
  };
}

function go(name: string, about: string, module: string): Client {
  const binary = join(BUILD, 'go', name);
  return {
    name,
    about,
    prepare: () => run('go', ['build', '-o', binary, `./${name}`], join(PEERS, 'go')),
    version: () =>
      new RegExp(`${module} (v[^ \n]+)`).exec(readFileSync(join(PEERS, 'go', 'go.mod'), 'utf8'))?.[1] ?? 'unknown',
    command: (task) => [binary, ...positional(task)],
  };
}

const librdkafka: Client = {
  name: 'librdkafka',
  about: 'librdkafka in C, 1,000 messages a call',
  // LIBRDKAFKA: where `make install` has put another release than the system's.
  prepare: () => {
    mkdirSync(BUILD, { recursive: true });
    const prefix = process.env['LIBRDKAFKA'];
    const where = prefix === undefined ? [] : [`-I${prefix}/include`, `-L${prefix}/lib`, `-Wl,-rpath,${prefix}/lib`];
    run('cc', ['-O2', join(PEERS, 'c', 'consume.c'), '-o', join(BUILD, 'librdkafka'), ...where, '-lrdkafka']);
  },
  version: () => execFileSync(join(BUILD, 'librdkafka'), ['--version'], { encoding: 'utf8' }).trim(),
  command: (task) => [join(BUILD, 'librdkafka'), ...positional(task)],
};

/** Its default compares none; samsa, Java, franz-go and Sarama do. */
const librdkafkaChecking: Client = {
  ...librdkafka,
  name: 'librdkafka-crc',
  about: 'the same with check.crcs=true',
  environment: { CHECK_CRCS: '1' },
};

const rust: Client = {
  name: 'rust',
  about: 'the rdkafka crate on librdkafka, a poll loop',
  prepare: () =>
    run('cargo', ['build', '--release', '--quiet', '--target-dir', join(BUILD, 'rust')], join(PEERS, 'rust')),
  version: () =>
    `0.39.0 on ${execFileSync(join(BUILD, 'rust', 'release', 'consume'), ['--version'], { encoding: 'utf8' }).trim()}`,
  command: (task) => [join(BUILD, 'rust', 'release', 'consume'), ...positional(task)],
};

const java: Client = {
  name: 'java',
  about: "Kafka's own consumer, a poll loop",
  prepare: () => {
    mkdirSync(join(BUILD, 'java'), { recursive: true });
    run('javac', ['-cp', classPath(KAFKA_VERSION), '-d', join(BUILD, 'java'), join(PEERS, 'java', 'Consume.java')]);
  },
  version: () => KAFKA_VERSION,
  command: (task) => {
    const jvm = ['-Xmx1g', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'];
    return [
      javaCommand(),
      ...jvm,
      '-cp',
      `${join(BUILD, 'java')}:${classPath(KAFKA_VERSION)}`,
      'Consume',
      ...positional(task),
    ];
  },
};

export const CLIENTS: readonly Client[] = [
  {
    name: 'null',
    about: 'frames read and thrown away, batch headers walked: the floor',
    prepare: () => undefined,
    version: () => process.version,
    command: (task) => [process.execPath, join(import.meta.dirname, 'null.mjs'), ...positional(task)],
  },
  samsa('samsa', 'batches()', 'batches'),
  samsa('samsa-pure', 'batches(), everything in JavaScript', 'batches', process.execPath, true),
  samsa('samsa-scan', 'batches() and scan(), no object a record', 'scan'),
  samsa('samsa-await', 'for await, record by record', 'records'),
  samsa('samsa-each', 'forEach() with an async handler', 'each'),
  samsa('samsa-24', 'batches() on Node 24', 'batches', NODE_24),
  librdkafka,
  librdkafkaChecking,
  rust,
  go('franz', 'franz-go', 'github.com/twmb/franz-go'),
  go('sarama', 'Sarama', 'github.com/IBM/sarama'),
  go('kafkago', 'kafka-go', 'github.com/segmentio/kafka-go'),
  java,
  nodePeer(
    'platformatic',
    '@platformatic/kafka on Node 24, data events',
    '@platformatic/kafka',
    'platformatic.mjs',
    'data',
  ),
  nodePeer('kafkajs', 'kafkajs, eachBatch', 'kafkajs', 'kafkajs.mjs', 'batch', process.execPath),
  nodePeer('kafkajs-24', 'kafkajs on Node 24, eachBatch', 'kafkajs', 'kafkajs.mjs', 'batch'),
  nodePeer('kafkajs-each', 'kafkajs, eachMessage', 'kafkajs', 'kafkajs.mjs', 'message', process.execPath),
  nativePeer('confluent', '@confluentinc/kafka-javascript', 'confluent.mjs'),
  nativePeer('node-rdkafka', 'node-rdkafka', 'node-rdkafka.mjs'),
];

/** Those whose names a flag lists. */
export function named<T extends { name: string }>(all: readonly T[], names: string, what: string): T[] {
  return names.split(',').map((name) => {
    const found = all.find((each) => each.name === name);
    if (found === undefined)
      throw new Error(`no ${what} '${name}', there are: ${all.map((each) => each.name).join(', ')}`);
    return found;
  });
}

export function installPeers(): void {
  if (existsSync(join(PEERS, 'node_modules', '@platformatic', 'kafka'))) return;
  run('npm', ['ci', '--prefix', PEERS, '--no-audit', '--no-fund']);
}

function packageVersion(path: string): string {
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

function run(command: string, args: readonly string[], cwd?: string): void {
  execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...(cwd === undefined ? {} : { cwd }) });
}
