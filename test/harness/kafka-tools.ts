import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { type DeathGuard, atDeath } from './at-death.ts';
import { INSIDE_BOOTSTRAP_SERVERS, kafkaImage } from './docker-engine.ts';
import { classPath, fetchJars, javaCommand, javaMajorVersion } from './kafka-jars.ts';
import { until } from './waiting.ts';

// Kafka's own command line programs. Their flags change between releases (KIP-1147), so this one it is, whatever the
// broker's release; a program of 4.2 speaks to brokers since 2.1.
export const TOOLS_VERSION = '4.2.0';
// Shorter than a test's own time-out: this one says what the program wrote.
const TOOL_TIMEOUT_MS = 40_000;

/** The broker that a tool talks to: a `TestBroker` or a `ProvidedBroker`. */
export interface ToolTarget {
  readonly bootstrapServers: string;
  readonly containerId: string | null;
}

export interface ToolOptions {
  /** Java heap. Default 256m. */
  heap?: string;
}

/** A running program of Kafka's. It dies with this process. */
export class Tool {
  readonly #process: ChildProcess;
  readonly #name: string;
  readonly #ended: Promise<number | null>;
  #stdout = '';
  #stderr = '';

  constructor(name: string, command: string, args: readonly string[], guarded: (pid: number) => DeathGuard) {
    this.#name = name;
    this.#process = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const guard = this.#process.pid === undefined ? undefined : guarded(this.#process.pid);
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.#ended = new Promise((resolve, reject) => {
      this.#process.once('error', reject);
      this.#process.once('close', (code) => {
        guard?.release();
        resolve(code);
      });
    });
    this.#ended.catch(() => undefined); // told by whoever waits for the end
  }

  /** The process of `java`, or of `docker run`, which hands SIGTERM and SIGINT on. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Whole lines of standard output so far. */
  get lines(): string[] {
    return this.#stdout.split('\n').slice(0, -1);
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Waits for so many lines on standard output. */
  async untilLines(count: number, timeoutMs = TOOL_TIMEOUT_MS): Promise<string[]> {
    const enough = (): boolean => {
      if (this.lines.length >= count) return true;
      const { exitCode } = this.#process;
      if (exitCode !== null) throw new Error(`${this.#name} ended with ${exitCode}: ${this.#report()}`);
      return false;
    };
    await until(enough, { what: `${count} lines from ${this.#name}`, timeoutMs, details: () => this.#report() });
    return this.lines;
  }

  /** Waits for the end. Returns standard output's lines; throws for an exit code other than 0. */
  async untilEnd(timeoutMs = TOOL_TIMEOUT_MS): Promise<string[]> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#process.kill('SIGKILL');
    }, timeoutMs);
    const code = await this.#ended.finally(() => clearTimeout(timer));
    if (late) throw new Error(`${this.#name} did not end within ${timeoutMs} ms: ${this.#report()}`);
    if (code !== 0) throw new Error(`${this.#name} ended with ${code}: ${this.#report()}`);
    return this.lines;
  }

  /** Asks it to end, as Ctrl-C does (a consumer leaves its group then), and waits. Returns the lines. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<string[]> {
    this.#process.kill(signal);
    await this.#ended;
    return this.lines;
  }

  #report(): string {
    return `${this.#stdout.slice(-1000)}\n${this.#stderr.slice(-2000)}`;
  }
}

/** Starts one of Kafka's programs with this machine's Java, or else in a container beside the broker's own. */
export async function startTool(
  target: ToolTarget,
  className: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<Tool> {
  const heap = `-Xmx${options.heap ?? '256m'}`;
  const name = className.slice(className.lastIndexOf('.') + 1);
  if (javaMajorVersion() >= 17) {
    await fetchJars(TOOLS_VERSION);
    const jvm = [heap, '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', classPath(TOOLS_VERSION), className];
    const servers = ['--bootstrap-server', target.bootstrapServers];
    return new Tool(name, javaCommand(), [...jvm, ...servers, ...args], (pid) => atDeath('kill -9 "$1"', String(pid)));
  }
  if (target.containerId === null) throw new Error(`${name} needs Java 17 and Maven, or a broker in a container`);
  const container = `samsa-tool-${randomUUID()}`;
  const run = ['run', '--rm', '--init', '--name', container, '--network', `container:${target.containerId}`];
  const java = ['-e', `KAFKA_HEAP_OPTS=${heap}`, kafkaImage(), '/opt/kafka/bin/kafka-run-class.sh', className];
  const servers = ['--bootstrap-server', INSIDE_BOOTSTRAP_SERVERS];
  return new Tool(name, 'docker', [...run, ...java, ...servers, ...args], () =>
    atDeath('docker rm --force "$1"', container),
  );
}

export interface ConsoleConsumerOptions {
  topic: string;
  group?: string;
  /** Where the group has no offset: the beginning instead of the end. */
  fromBeginning?: boolean;
  /** Ends by itself after so many records. */
  maxMessages?: number;
  /** Ends by itself after so long without a record. */
  timeoutMs?: number;
  /** Java consumer properties. */
  properties?: Record<string, string>;
  /** What to print, such as `{ 'print.key': 'true' }`. Default: the value alone. */
  print?: Record<string, string>;
}

export function javaConsoleConsumer(target: ToolTarget, options: ConsoleConsumerOptions): Promise<Tool> {
  const args = ['--topic', options.topic];
  if (options.group !== undefined) args.push('--group', options.group);
  if (options.fromBeginning === true) args.push('--from-beginning');
  if (options.maxMessages !== undefined) args.push('--max-messages', String(options.maxMessages));
  if (options.timeoutMs !== undefined) args.push('--timeout-ms', String(options.timeoutMs));
  args.push(...assignments('--command-property', options.properties));
  args.push(...assignments('--formatter-property', options.print));
  return startTool(target, 'org.apache.kafka.tools.consumer.ConsoleConsumer', args);
}

export interface ProducerPerformanceOptions {
  topic: string;
  records: number;
  /** Bytes of each value. */
  recordSize: number;
  /** Java producer properties. Default: none. */
  properties?: Record<string, string>;
}

/** Fills a topic with random values. Returns the program's lines; the last one is its summary. */
export async function producerPerformance(target: ToolTarget, options: ProducerPerformanceOptions): Promise<string[]> {
  const { topic, records, recordSize, properties } = options;
  const args = ['--topic', topic, '--num-records', String(records), '--record-size', String(recordSize)];
  // Of this program's flags the last one wins: all values behind one flag.
  const settings = Object.entries(properties ?? {}).map(([key, value]) => `${key}=${value}`);
  if (settings.length > 0) args.push('--command-property', ...settings);
  const name = 'org.apache.kafka.tools.ProducerPerformance';
  const tool = await startTool(target, name, [...args, '--throughput', '-1'], { heap: '512m' });
  return tool.untilEnd(600_000);
}

export interface ConsumerPerformanceOptions {
  topic: string;
  records: number;
  group?: string;
  properties?: Record<string, string>;
}

export function consumerPerformance(target: ToolTarget, options: ConsumerPerformanceOptions): Promise<Tool> {
  const args = ['--topic', options.topic, '--num-records', String(options.records), '--timeout', '30000'];
  if (options.group !== undefined) args.push('--group', options.group);
  args.push(...assignments('--command-property', options.properties));
  return startTool(target, 'org.apache.kafka.tools.ConsumerPerformance', args, { heap: '1g' });
}

export interface TransactionsOptions {
  topic: string;
  partitions: number;
  producers: number;
  /** Of each producer. */
  transactions: number;
}

/** Transactional producers that abort a third of their work: see `kafka/Transactions.java`. Needs a JDK. */
export async function transactions(target: ToolTarget, options: TransactionsOptions): Promise<Tool> {
  await fetchJars(TOOLS_VERSION);
  const source = fileURLToPath(new URL('kafka/Transactions.java', import.meta.url));
  const { topic, partitions, producers, transactions: count } = options;
  const args = [topic, partitions, producers, count].map(String);
  const jvm = ['-Xmx256m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', classPath(TOOLS_VERSION), source];
  return new Tool('Transactions', javaCommand(), [...jvm, target.bootstrapServers, ...args], (pid) =>
    atDeath('kill -9 "$1"', String(pid)),
  );
}

function assignments(flag: string, values: Record<string, string> = {}): string[] {
  return Object.entries(values).flatMap(([name, value]) => [flag, `${name}=${value}`]);
}
