import { MockCluster } from '../testing/index.ts';
import type { Command } from './command.ts';
import { parseArguments } from './common-arguments.ts';
import { onStopSignal } from './signals.ts';
import { CommandError, UsageError } from './usage-error.ts';

const MOCK_HELP = `samsa mock: a Kafka cluster in this process, in memory, for trying things out; ends with Ctrl-C

Usage: samsa mock [OPTIONS]

  -t, --topic NAME[:PARTITIONS[:RECORDS]]
                       a topic, by default with 1 partition and no records; repeatable. Records are JSON with a key
      --file NAME=FILE records for a topic, one JSON object a line: {"key":…,"value":…,"headers":{…},"partition":…}
      --brokers COUNT  default 1
      --port N         of the first broker; the others take the ports after it. Default 9092
      --auto-create    topics that clients ask for are made
  -h, --help           this text

Any Kafka client can talk to it. What it does not do (transactions, ACLs, …) it refuses; see docs/testing.md.
`;

const MAX_RECORDS = 10_000_000;
/** Records of a partition that are appended in one go. */
const STEP = 10_000;

interface TopicArgument {
  readonly name: string;
  readonly partitions: number;
  readonly records: number;
}

export const mock: Command = {
  name: 'mock',
  summary: 'a Kafka cluster in memory, for trying things out',
  async run(args) {
    const { values, positionals } = parseArguments('mock', args, {
      topic: { type: 'string', short: 't', multiple: true },
      file: { type: 'string', multiple: true },
      brokers: { type: 'string' },
      port: { type: 'string' },
      'auto-create': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    });
    if (values.help === true) {
      process.stdout.write(MOCK_HELP);
      return 0;
    }
    const topics = [...(values.topic ?? []), ...positionals].map(parseTopic);
    const files = (values.file ?? []).map(parseFile);
    const cluster = await start({
      brokers: number('--brokers', values.brokers ?? '1', 1, 100),
      port: number('--port', values.port ?? '9092', 0, 65_535),
      autoCreateTopics: values['auto-create'] === true,
      topics: Object.fromEntries(topics.map(({ name, partitions }) => [name, partitions])),
    });
    let stop: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => (stop = resolve));
    const offSignals = onStopSignal(stop);
    try {
      for (const topic of topics) await fill(cluster, topic);
      for (const { topic, file } of files) {
        if (!cluster.topics.includes(topic)) cluster.createTopic(topic);
        await cluster.appendJsonl(file, { topic });
      }
      process.stdout.write(`${cluster.bootstrapServers}\n`);
      for (const name of cluster.topics) {
        const ends = cluster.endOffsets(name);
        const records = ends.reduce((sum, end) => sum + end, 0);
        process.stdout.write(`topic ${name}: ${ends.length} partitions, ${records} records\n`);
      }
      await stopped;
    } finally {
      offSignals();
      await cluster.close();
    }
    return 0;
  },
};

async function start(options: Parameters<typeof MockCluster.start>[0]): Promise<MockCluster> {
  try {
    return await MockCluster.start(options);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
      throw new CommandError(`port ${String(options?.port)} is in use: another --port, or 0 for any that is free`);
    throw error;
  }
}

async function fill(cluster: MockCluster, { name, partitions, records }: TopicArgument): Promise<void> {
  for (let first = 0; first < records; first += STEP * partitions) {
    for (let partition = 0; partition < partitions; partition++) {
      const run: { key: string; value: string }[] = [];
      for (let i = first + partition; i < Math.min(records, first + STEP * partitions); i += partitions)
        run.push({ key: `key-${i % 100}`, value: JSON.stringify({ id: i }) });
      if (run.length > 0) await cluster.append(name, partition, run);
    }
  }
}

function parseTopic(text: string): TopicArgument {
  const [name = '', partitions = '1', records = '0', ...rest] = text.split(':');
  if (name === '' || rest.length > 0) throw new UsageError(`--topic takes NAME:PARTITIONS:RECORDS, not '${text}'`);
  return {
    name,
    partitions: number(`--topic ${name}: partitions`, partitions, 1, 10_000),
    records: number(`--topic ${name}: records`, records, 0, MAX_RECORDS),
  };
}

function parseFile(text: string): { topic: string; file: string } {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) throw new UsageError(`--file takes TOPIC=FILE, not '${text}'`);
  return { topic: text.slice(0, at), file: text.slice(at + 1) };
}

function number(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new UsageError(`${name} takes a number from ${min} to ${max}, not '${text}'`);
}
