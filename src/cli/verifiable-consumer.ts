import { setTimeout as delay } from 'node:timers/promises';
import {
  Consumer,
  configFromProperties,
  type ConsumerOptions,
  type RecordBatch,
  type TopicPartition,
} from '../index.ts';
import type { Command } from './command.ts';
import { COMMON_HELP, COMMON_OPTIONS, consumerOptions, parseArguments, readConfig } from './common-arguments.ts';
import { Output } from './output.ts';
import { onStopSignal } from './signals.ts';
import { UsageError } from './usage-error.ts';

const HELP = `samsa verifiable-consumer: the consumer of Kafka's own system tests, with the flags and the lines of
org.apache.kafka.tools.VerifiableConsumer: every event is a JSON object on a line of standard output

Usage: samsa verifiable-consumer --bootstrap-server HOST:PORT[,…] --topic TOPIC --group-id GROUP [OPTIONS]

      --bootstrap-server LIST   the same as -b
      --topic TOPIC             consumes this topic
      --group-id GROUP          as a member of this group
      --group-instance-id ID    as this static member
      --group-protocol NAME     classic (default) or consumer
      --group-remote-assignor NAME  the broker's assignor, with the protocol consumer
      --assignment-strategy LIST    range (default), roundrobin, sticky, cooperative-sticky, or Java's class names of
                                them; with the protocol classic
      --session-timeout MS      default 30000; with the protocol classic
      --max-messages COUNT      ends after so many records; −1 (default): never
      --reset-policy POLICY     earliest (default), latest or none
      --enable-autocommit       commits now and then instead of after every poll
      --verbose                 a line for every record, too
      --command-config FILE     the same as --config, and so is --consumer.config; the flags above, and what they are by default, go
                                before it. What is given with -X goes before the defaults
${COMMON_HELP}`;

interface Arguments {
  topic: string;
  /** Infinity for no limit. */
  maxMessages: number;
  usesAutoCommit: boolean;
  verbose: boolean;
  options: ConsumerOptions;
}

export const verifiableConsumer: Command = {
  name: 'verifiable-consumer',
  summary: "the consumer of Kafka's system tests",
  async run(args) {
    const parsed = parse(args);
    if (parsed === null) {
      process.stdout.write(HELP);
      return 0;
    }
    const output = new Output(process.stdout, false);
    const verification = new Verification(parsed, output);
    onStopSignal(() => verification.stop()); // for good: a signal that comes at the end is no failure
    await verification.run();
    // What the reader never took would hold the process for as long as the reader lives.
    if (output.isAbandoned) process.exit(0);
    return 0;
  },
};

/** @returns null where the help is asked for. @throws UsageError, ConfigError */
function parse(args: readonly string[]): Arguments | null {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArguments('verifiable-consumer', args, {
    ...COMMON_OPTIONS,
    'bootstrap-server': text,
    topic: text,
    'group-id': text,
    'group-instance-id': text,
    'group-protocol': text,
    'group-remote-assignor': text,
    'assignment-strategy': text,
    'session-timeout': text,
    'max-messages': text,
    'reset-policy': text,
    'enable-autocommit': { type: 'boolean' },
    verbose: { type: 'boolean' },
    'consumer.config': text,
    'command-config': text,
  });
  if (values.help === true) return null;
  if (positionals.length > 0) throw new UsageError(`unknown argument '${positionals[0] ?? ''}'`);
  if (values.topic === undefined) throw new UsageError('no topic given: --topic TOPIC');
  if (values['group-id'] === undefined) throw new UsageError('no group given: --group-id GROUP');
  const isClassic = values['group-protocol']?.toLowerCase() !== 'consumer';
  const flags: Record<string, string | undefined> = {
    'group.id': values['group-id'],
    'group.instance.id': values['group-instance-id'],
    'group.protocol': values['group-protocol'],
    'auto.offset.reset': values['reset-policy'],
    ...(isClassic && { 'session.timeout.ms': values['session-timeout'] }),
    ...(isClassic && { 'partition.assignment.strategy': values['assignment-strategy'] }),
    ...(!isClassic && { 'group.remote.assignor': values['group-remote-assignor'] }),
  };
  const defaults = {
    'auto.offset.reset': 'earliest',
    ...(isClassic && { 'session.timeout.ms': 30000, 'partition.assignment.strategy': 'range' }),
  };
  const config = values['command-config'] ?? values['consumer.config'] ?? values.config;
  const properties = consumerOptions({
    property: values.property,
    'bootstrap-servers': values['bootstrap-server'] ?? values['bootstrap-servers'],
  });
  const usesAutoCommit = values['enable-autocommit'] ?? properties.enableAutoCommit ?? false;
  const options = {
    ...(config === undefined ? {} : readConfig(config)),
    ...configFromProperties(defaults),
    ...properties,
    ...configFromProperties(Object.fromEntries(given(flags))),
    enableAutoCommit: usesAutoCommit,
  };
  return {
    topic: values.topic,
    maxMessages: limit(values['max-messages'] ?? '-1'),
    usesAutoCommit,
    verbose: values.verbose === true,
    options,
  };
}

function given(flags: Record<string, string | undefined>): [string, string][] {
  return Object.entries(flags).filter((flag): flag is [string, string] => flag[1] !== undefined);
}

function limit(text: string): number {
  const value = Number(text);
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new UsageError(`--max-messages takes a whole number, not '${text}'`);
  return value < 0 ? Infinity : value;
}

/** How long one poll waits; then comes the next one. */
const POLL_MS = 60_000;
/** How long an orderly end waits for a reader of the output that does not read. */
const PATIENCE_MS = 1000;

interface Consumed extends TopicPartition {
  count: number;
  minOffset: number;
  maxOffset: number;
}

class Verification {
  readonly #arguments: Arguments;
  readonly #output: Output;
  readonly #consumer: Consumer;
  /** What was printed last, in the order in which it happened. */
  #printed: Promise<unknown> = Promise.resolve();
  #left: number;
  #isStopping = false;
  #isPolling = false;

  /** @throws ConfigError */
  constructor(args: Arguments, output: Output) {
    this.#arguments = args;
    this.#output = output;
    this.#left = args.maxMessages;
    this.#consumer = new Consumer(args.options);
  }

  /** Ends in an orderly way: what was printed is committed first. */
  stop(): void {
    this.#isStopping = true;
    if (this.#isPolling) void this.#consumer.close();
  }

  /** @throws what ended it other than `stop`, after the line that says that it has ended */
  async run(): Promise<void> {
    const printRevoked = (partitions: TopicPartition[]): void => this.#print('partitions_revoked', { partitions });
    try {
      this.#print('startup_complete', {});
      this.#consumer.subscribe([this.#arguments.topic], {
        onAssigned: (partitions) => this.#print('partitions_assigned', { partitions }),
        onRevoked: printRevoked,
        onLost: printRevoked,
      });
      while (!this.#isStopping && this.#left > 0) await this.#consume(await this.#poll());
    } catch (error) {
      if (!this.#isStopping || (error as Error).name !== 'ConsumerClosedError') throw error;
    } finally {
      await this.#consumer.close();
      this.#print('shutdown_complete', {});
      await Promise.race([this.#printed, this.#abandonLater()]);
    }
  }

  async #poll(): Promise<RecordBatch[]> {
    this.#isPolling = true;
    try {
      return await this.#consumer.poll({ timeoutMs: POLL_MS });
    } finally {
      this.#isPolling = false;
    }
  }

  async #consume(batches: readonly RecordBatch[]): Promise<void> {
    if (batches.length === 0) return;
    const partitions = batches.map((batch) => this.#take(batch)).filter((each) => each.count > 0);
    const count = batches.reduce((sum, { recordCount }) => sum + recordCount, 0);
    this.#print('records_consumed', { count, partitions });
    // Nothing is committed, and no more is taken, before its lines are out: a process that is killed has told of what it committed.
    await this.#printed;
    const offsets = partitions.map(({ topic, partition, maxOffset }) => ({ topic, partition, offset: maxOffset + 1 }));
    if (!this.#arguments.usesAutoCommit) await this.#commit(offsets);
    else if (this.#left === 0) await this.#consumer.commit(offsets); // no more than was asked for
  }

  /** Prints what is to be printed of a batch, and counts it. */
  #take(batch: RecordBatch): Consumed {
    const { topic, partition } = batch;
    const consumed = { topic, partition, count: 0, minOffset: -1, maxOffset: -1 };
    for (const record of batch) {
      if (this.#left === 0) break;
      this.#left -= 1;
      const { offset } = record;
      if (consumed.count === 0) consumed.minOffset = offset;
      consumed.count += 1;
      consumed.maxOffset = offset;
      if (!this.#arguments.verbose) continue;
      const [key, value] = [record.key, record.value].map((bytes) => bytes?.toString() ?? null);
      this.#print('record_data', { key, value, topic, partition, offset });
    }
    return consumed;
  }

  async #commit(offsets: (TopicPartition & { offset: number })[]): Promise<void> {
    try {
      await this.#consumer.commit(offsets);
      this.#print('offsets_committed', { offsets, success: true });
    } catch (error) {
      // Another process has taken this one's place: Java's tool ends, too. Anything else is for the tests to judge.
      const { name, message } = error as Error;
      if (name === 'FENCED_INSTANCE_ID') throw error;
      this.#print('offsets_committed', { offsets, error: message, success: false });
    }
  }

  #print(name: string, fields: object): void {
    const line = Buffer.from(`${JSON.stringify({ timestamp: Date.now(), name, ...fields })}\n`);
    this.#printed = this.#printed.then(async () => {
      // Nobody reads any more, so nobody drives this consumer.
      if (!(await this.#output.write(line))) this.stop();
    });
    this.#printed.catch(() => undefined); // told by whoever waits for it
  }

  async #abandonLater(): Promise<void> {
    await delay(PATIENCE_MS, undefined, { ref: false });
    this.#output.abandon();
  }
}
