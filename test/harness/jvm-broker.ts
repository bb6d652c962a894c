import { execFile } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BrokerOptions, DEFAULT_KAFKA_VERSION, SINGLE_BROKER_PROPERTIES, type TestBroker } from './broker.ts';
import { JvmProcess } from './jvm-process.ts';
import { classPath, fetchJars, isOlder, javaCommand } from './kafka-jars.ts';
import { answersApiVersions, freePort } from './ports.ts';
import { until } from './waiting.ts';
import { startZooKeeper } from './zookeeper.ts';

const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 60_000;
const CLUSTER_ID = 'c2Ftc2EtdGVzdC1icm9rZQ';
const STARTED = 'Kafka Server started';
/** From here on a broker may keep the cluster's metadata itself; one before it wants ZooKeeper. */
const FIRST_KRAFT_RELEASE = '3.3';

export interface JvmBrokerOptions extends BrokerOptions {
  /** Folder of the broker's data, log and configuration; kept by `stop`. Default: a temporary one, removed by `stop`. */
  dataDir?: string;
  /** Java heap. Default 768m. */
  heap?: string;
}

/**
 * Starts one Apache Kafka broker of any release from 0.10 on, from jars of Maven Central: with KRaft, broker and controller in one
 * JVM, or, before 3.3, with a ZooKeeper beside it. Needs Java 17 and, the first time, Maven. Resolves when the broker says that
 * it has started and answers; else throws with its log's end.
 */
export async function startJvmBroker(options: JvmBrokerOptions = {}): Promise<JvmBroker> {
  const version = options.version ?? DEFAULT_KAFKA_VERSION;
  await fetchJars(version);
  const port = options.port ?? (await freePort());
  const controllerPort = await freePort();
  const ownsFolder = options.dataDir === undefined;
  const folder = options.dataDir ?? mkdtempSync(join(tmpdir(), 'samsa-kafka-'));
  mkdirSync(folder, { recursive: true });
  const wantsZooKeeper = isOlder(version, FIRST_KRAFT_RELEASE);
  const properties: Record<string, string> = {
    ...(wantsZooKeeper ? zooKeeperProperties(port, controllerPort) : kraftProperties(port, controllerPort)),
    'advertised.listeners': `PLAINTEXT://${HOST}:${port}`,
    'log.dirs': join(folder, 'data'),
    ...SINGLE_BROKER_PROPERTIES,
    ...options.properties,
  };
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(folder, 'server.properties'), lines.join(''));
  const broker = new JvmBroker(version, port, folder, ownsFolder, options.heap ?? '768m');
  try {
    if (wantsZooKeeper) await broker.startZooKeeper(controllerPort);
    else await broker.format();
    await broker.restart();
  } catch (error) {
    await broker.stop();
    throw error;
  }
  return broker;
}

function kraftProperties(port: number, controllerPort: number): Record<string, string> {
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${HOST}:${controllerPort}`,
    listeners: `PLAINTEXT://${HOST}:${port},CONTROLLER://${HOST}:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
  };
}

function zooKeeperProperties(port: number, zooKeeperPort: number): Record<string, string> {
  return {
    'broker.id': '1',
    'zookeeper.connect': `${HOST}:${zooKeeperPort}`,
    'zookeeper.connection.timeout.ms': String(START_TIMEOUT_MS),
    listeners: `PLAINTEXT://${HOST}:${port}`,
  };
}

export class JvmBroker implements TestBroker {
  readonly kind = 'jvm';
  readonly containerId = null;
  readonly bootstrapServers: string;
  readonly version: string;
  readonly #port: number;
  readonly #folder: string;
  readonly #ownsFolder: boolean;
  readonly #heap: string;
  #process: JvmProcess | undefined;
  #zooKeeper: JvmProcess | undefined;

  constructor(version: string, port: number, folder: string, ownsFolder: boolean, heap: string) {
    this.version = version;
    this.bootstrapServers = `${HOST}:${port}`;
    this.#port = port;
    this.#folder = folder;
    this.#ownsFolder = ownsFolder;
    this.#heap = heap;
  }

  /** The process id while the broker runs; undefined else. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Makes the storage that KRaft wants to find; one that is there already stays. */
  async format(): Promise<void> {
    const tool = ['-XX:TieredStopAtLevel=1', '-cp', classPath(this.version), 'kafka.tools.StorageTool', 'format'];
    const args = ['-t', CLUSTER_ID, '-c', this.#configuration, '--ignore-formatted'];
    await promisify(execFile)(javaCommand(), [...tool, ...args], { timeout: START_TIMEOUT_MS });
  }

  /** For a release that needs one; it runs until `stop`. */
  async startZooKeeper(port: number): Promise<void> {
    this.#zooKeeper = await startZooKeeper(this.version, port, this.#folder);
  }

  async restart(): Promise<void> {
    await this.kill('SIGTERM');
    appendFileSync(this.#logFile, '');
    const from = readFileSync(this.#logFile).length;
    const jvm = ['-Xms128m', `-Xmx${this.#heap}`, '-XX:+UseG1GC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
    const levels = ['-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info'];
    const args = [...jvm, ...levels, '-cp', classPath(this.version), 'kafka.Kafka', this.#configuration];
    const started = new JvmProcess(args, this.#logFile, this.#ownsFolder ? this.#folder : null);
    this.#process = started;
    const isUp = async (): Promise<boolean> => {
      started.mustHaveStarted();
      if (started.hasExited) throw new Error(`the broker has ended by itself\n${await this.logTail()}`);
      // With ZooKeeper it listens only once it is a member of the cluster; its log says nothing where it logs with log4j.
      const isMember = this.#zooKeeper !== undefined || readFileSync(this.#logFile).subarray(from).includes(STARTED);
      return isMember && answersApiVersions(HOST, this.#port);
    };
    const what = `broker on ${this.bootstrapServers}`;
    await until(isUp, { what, timeoutMs: START_TIMEOUT_MS, intervalMs: 100, details: () => this.logTail() });
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    await this.#process?.end(signal);
    this.#process = undefined;
  }

  async stop(): Promise<void> {
    await this.kill('SIGTERM');
    await this.#zooKeeper?.end('SIGTERM');
    this.#zooKeeper = undefined;
    if (this.#ownsFolder) rmSync(this.#folder, { recursive: true, force: true });
  }

  async pause(): Promise<void> {
    this.#process?.signal('SIGSTOP');
  }

  async resume(): Promise<void> {
    this.#process?.signal('SIGCONT');
  }

  async logTail(lines = 40): Promise<string> {
    return readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  get #configuration(): string {
    return join(this.#folder, 'server.properties');
  }

  get #logFile(): string {
    return join(this.#folder, 'broker.log');
  }
}
