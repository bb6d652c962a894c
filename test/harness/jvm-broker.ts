import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type DeathGuard, atDeath } from './at-death.ts';
import { type BrokerOptions, DEFAULT_KAFKA_VERSION, SINGLE_BROKER_PROPERTIES, type TestBroker } from './broker.ts';
import { classPath, fetchJars, javaCommand } from './kafka-jars.ts';
import { answersApiVersions, freePort } from './ports.ts';
import { until } from './waiting.ts';

const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const CLUSTER_ID = 'c2Ftc2EtdGVzdC1icm9rZQ';
const STARTED = 'Kafka Server started';

export interface JvmBrokerOptions extends BrokerOptions {
  /** Folder of the broker's data, log and configuration; kept by `stop`. Default: a temporary one, removed by `stop`. */
  dataDir?: string;
  /** Java heap. Default 768m. */
  heap?: string;
}

/**
 * Starts one Apache Kafka broker (KRaft, broker and controller in one JVM) from jars of Maven Central. Needs Java 17 and,
 * the first time, Maven. Resolves when the broker says that it has started and answers; else throws with its log's end.
 */
export async function startJvmBroker(options: JvmBrokerOptions = {}): Promise<JvmBroker> {
  const version = options.version ?? DEFAULT_KAFKA_VERSION;
  await fetchJars(version);
  const port = options.port ?? (await freePort());
  const controllerPort = await freePort();
  const ownsFolder = options.dataDir === undefined;
  const folder = options.dataDir ?? mkdtempSync(join(tmpdir(), 'samsa-kafka-'));
  mkdirSync(folder, { recursive: true });
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${HOST}:${controllerPort}`,
    listeners: `PLAINTEXT://${HOST}:${port},CONTROLLER://${HOST}:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${HOST}:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': join(folder, 'data'),
    ...SINGLE_BROKER_PROPERTIES,
    ...options.properties,
  };
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(folder, 'server.properties'), lines.join(''));
  const broker = new JvmBroker(version, port, folder, ownsFolder, options.heap ?? '768m');
  try {
    await broker.format();
    await broker.restart();
  } catch (error) {
    await broker.stop();
    throw error;
  }
  return broker;
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
  #process: ChildProcess | undefined;
  #guard: DeathGuard | undefined;

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

  async restart(): Promise<void> {
    await this.kill('SIGTERM');
    const log = openSync(this.#logFile, 'a');
    const from = readFileSync(this.#logFile).length;
    const jvm = ['-Xms128m', `-Xmx${this.#heap}`, '-XX:+UseG1GC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
    const levels = ['-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info'];
    const args = [...jvm, ...levels, '-cp', classPath(this.version), 'kafka.Kafka', this.#configuration];
    const child = spawn(javaCommand(), args, { stdio: ['ignore', log, log] });
    closeSync(log);
    let failure: Error | undefined;
    child.once('error', (error) => (failure = error));
    if (child.pid !== undefined) {
      const script = this.#ownsFolder ? 'kill -9 "$1"; sleep 0.2; rm -rf "$2"' : 'kill -9 "$1"';
      this.#guard = atDeath(script, String(child.pid), this.#folder);
    }
    this.#process = child;
    const isUp = async (): Promise<boolean> => {
      if (failure !== undefined) throw failure;
      if (hasExited(child)) throw new Error(`the broker has ended by itself\n${await this.logTail()}`);
      if (!readFileSync(this.#logFile).subarray(from).includes(STARTED)) return false;
      return answersApiVersions(HOST, this.#port);
    };
    const what = `broker on ${this.bootstrapServers}`;
    await until(isUp, { what, timeoutMs: START_TIMEOUT_MS, intervalMs: 100, details: () => this.logTail() });
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    if (!hasExited(child) && child.pid !== undefined) {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      const hard = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      child.kill('SIGCONT'); // a frozen process does not see SIGTERM
      child.kill(signal);
      await gone;
      clearTimeout(hard);
    }
    this.#guard?.release();
    this.#process = undefined;
  }

  async stop(): Promise<void> {
    await this.kill('SIGTERM');
    if (this.#ownsFolder) rmSync(this.#folder, { recursive: true, force: true });
  }

  async pause(): Promise<void> {
    this.#process?.kill('SIGSTOP');
  }

  async resume(): Promise<void> {
    this.#process?.kill('SIGCONT');
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

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
