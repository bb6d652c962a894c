import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestAdmin } from '../../test/harness/admin.ts';
import { producerPerformance, startTool, type ToolTarget } from '../../test/harness/kafka-tools.ts';
import type { TestRecord } from '../../src/testing/record-batch-writer.ts';
import { BUILD } from './places.ts';

export interface BenchTopic {
  readonly name: string;
  readonly about: string;
  readonly records: number;
  readonly partitions: number;
  fill(admin: TestAdmin, target: ToolTarget, topic: BenchTopic): Promise<void>;
}

const PRODUCER = { 'linger.ms': '20', 'batch.size': '65536', 'buffer.memory': '134217728' };
const JSON_BYTES = 300;
const JSON_LINES = 20_000;

/** By Kafka's own ProducerPerformance, random letters. */
const byProducerPerformance: BenchTopic['fill'] = async (_admin, target, { name, records }) => {
  await producerPerformance(target, { topic: name, records, recordSize: 100, properties: PRODUCER });
};

/** By Kafka's own ProducerPerformance as well, JSON events from a file. */
function jsonBy(compression: string): BenchTopic['fill'] {
  return async (_admin, target, { name, records }) => {
    const file = join(BUILD, 'events.jsonl');
    mkdirSync(BUILD, { recursive: true });
    writeFileSync(file, Array.from({ length: JSON_LINES }, (_, index) => event(index)).join('\n'));
    const settings = Object.entries({ ...PRODUCER, 'compression.type': compression }).map((each) => each.join('='));
    const args = ['--topic', name, '--num-records', String(records), '--payload-file', file, '--throughput', '-1'];
    const program = 'org.apache.kafka.tools.ProducerPerformance';
    const tool = await startTool(target, program, [...args, '--command-property', ...settings], { heap: '512m' });
    await tool.untilEnd(600_000);
  };
}

/** ProducerPerformance has neither keys nor headers: these come from the project's own writer, in batches of 64 KiB. */
function byOurselves(batchRecords: number, recordAt: (index: number) => TestRecord): BenchTopic['fill'] {
  return (admin, _target, { name, records }) => admin.fill(name, records, recordAt, { batchRecords });
}

const NOISE = randomBytes(1 << 20);
const noise = (index: number, length: number): Buffer => {
  const at = (index * 131) % (NOISE.length - length);
  return NOISE.subarray(at, at + length);
};

function event(index: number): string {
  const word = (salt: number): string => noise(index * 7 + salt, 4).toString('hex');
  const tags = [word(1), word(2)];
  const user = { id: `u-${index % 10_000}`, name: word(3), country: word(4).slice(0, 2) };
  const page = {
    event: 'page_view',
    url: `https://shop.example.com/products/${word(5)}/${index % 997}`,
    session: word(6),
  };
  const text = JSON.stringify({
    id: 1_000_000 + index,
    ts: 1_790_000_000_000 + index,
    user,
    ...page,
    price: index % 9973,
    tags,
  });
  return text.padEnd(JSON_BYTES, ' ').slice(0, JSON_BYTES);
}

const json = (compression: string): BenchTopic => ({
  name: compression,
  about: `1 M JSON events of ${JSON_BYTES} B, ${compression}`,
  records: 1_000_000,
  partitions: 1,
  fill: jsonBy(compression),
});

export const TOPICS: readonly BenchTopic[] = [
  { name: 'small', about: '5 M records of 100 B', records: 5_000_000, partitions: 1, fill: byProducerPerformance },
  {
    name: 'kv',
    about: '1 M records of 1 KiB with keys of 16 B, 6 partitions',
    records: 1_000_000,
    partitions: 6,
    fill: byOurselves(60, (index) => ({ key: noise(index, 8).toString('hex'), value: noise(index, 1024) })),
  },
  {
    name: 'headers',
    about: '1 M records of 100 B with 3 headers',
    records: 1_000_000,
    partitions: 1,
    fill: byOurselves(400, (index) => ({
      value: noise(index, 100),
      headers: [
        ['trace-id', noise(index, 8).toString('hex')],
        ['content-type', 'application/json'],
        ['n', String(index % 10)],
      ],
    })),
  },
  json('lz4'),
  json('zstd'),
  json('gzip'),
  json('snappy'),
];

/** Makes and fills what is not there yet: a broker that keeps its data is filled once. */
export async function provideTopics(target: ToolTarget, topics: readonly BenchTopic[]): Promise<void> {
  const admin = await TestAdmin.connect(target.bootstrapServers);
  try {
    for (const topic of topics) {
      const { name, records, partitions } = topic;
      if ((await recordsIn(admin, name)) === records) continue;
      console.log(`filling ${name}: ${topic.about}`);
      await admin.createTopic(name, partitions);
      await topic.fill(admin, target, topic);
      const found = await recordsIn(admin, name);
      if (found !== records) throw new Error(`topic ${name} has ${found} records, expected ${records}`);
    }
  } finally {
    admin.close();
  }
}

async function recordsIn(admin: TestAdmin, name: string): Promise<number> {
  try {
    return (await admin.endOffsets(name)).reduce((sum, end) => sum + end, 0);
  } catch (error) {
    if (error instanceof Error && error.name === 'UNKNOWN_TOPIC_OR_PARTITION') return 0;
    throw error;
  }
}
