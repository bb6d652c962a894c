import { afterEach, describe, expect, it } from 'vitest';
import type { MockCluster } from '../../src/testing/index.ts';
import { type Tool, javaConsoleConsumer, producerPerformance, startTool } from '../harness/kafka-tools.ts';
import { until } from '../harness/waiting.ts';
import { addRecords, filledCluster, numbers, startCluster, upTo } from './rig.ts';

// Kafka's own clients against the mock cluster, with both group protocols.

const tools: Tool[] = [];
afterEach(async () => {
  await Promise.all(tools.splice(0).map((tool) => tool.stop('SIGKILL')));
});

const target = ({ bootstrapServers }: MockCluster): { bootstrapServers: string; containerId: null } => ({
  bootstrapServers,
  containerId: null,
});

const COMMITTED = (each: number): object => ({ t: Object.fromEntries(upTo(6).map((partition) => [partition, each])) });

interface VerifiableEvent {
  readonly name: string;
  readonly count?: number;
  readonly success?: boolean;
  readonly value?: string;
  readonly partitions?: readonly { readonly topic: string; readonly partition: number; readonly offset?: number }[];
}

async function verifiableConsumer(kafka: MockCluster, protocol: string, id: string): Promise<Tool> {
  const classic = ['--assignment-strategy', 'org.apache.kafka.clients.consumer.RangeAssignor'];
  const args = [
    '--topic',
    't',
    '--group-id',
    'g',
    '--group-protocol',
    protocol,
    '--verbose',
    '--reset-policy',
    'earliest',
  ];
  const only = protocol === 'classic' ? [...classic, '--session-timeout', '10000'] : [];
  const name = 'org.apache.kafka.tools.VerifiableConsumer';
  const tool = await startTool(target(kafka), name, [...args, ...only, '--group-instance-id', id]);
  tools.push(tool);
  return tool;
}

function eventsOf(tool: Tool): VerifiableEvent[] {
  return tool.lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as VerifiableEvent);
}

function valuesOf(...all: Tool[]): number[] {
  const events = all.flatMap((tool) => eventsOf(tool));
  return numbers(events.filter(({ name }) => name === 'record_data').map(({ value }) => value ?? ''));
}

function wait(what: string, condition: () => boolean, tool: Tool): Promise<void> {
  const details = (): string => `${tool.lines.slice(-5).join('\n')}\n${tool.stderr.slice(-1500)}`;
  return until(condition, { what, timeoutMs: 40_000, details });
}

describe.each(['classic', 'consumer'])('the %s protocol', (protocol) => {
  it('console consumer: reads everything in a group, commits, leaves', async () => {
    const kafka = await filledCluster(6, 300);
    const properties = { 'group.protocol': protocol, 'auto.offset.reset': 'earliest' };
    const options = { topic: 't', group: 'g', maxMessages: 300, properties, print: { 'print.key': 'true' } };
    const tool = await javaConsoleConsumer(target(kafka), options);
    tools.push(tool);
    await wait('a member', () => kafka.members('g').length === 1, tool);
    expect(kafka.group('g').protocol).toBe(protocol);
    const lines = await tool.untilEnd();
    expect(numbers(lines.map((line) => line.split('\t')[1] ?? ''))).toEqual(upTo(300));
    expect(lines.every((line) => /^k(\d+)\t\1$/.test(line))).toBe(true);
    await kafka.untilGroup('g', ({ members }) => members.length === 0);
    expect(kafka.committed('g')).toEqual(COMMITTED(50));
  });

  it('two VerifiableConsumers share a group, and one takes over when the other has gone', async () => {
    const kafka = await filledCluster(6, 300);
    const first = await verifiableConsumer(kafka, protocol, 'a');
    await wait('all records', () => valuesOf(first).length === 300, first);
    const second = await verifiableConsumer(kafka, protocol, 'b');
    await wait('three partitions each', () => sharesOf(kafka).join() === '3,3', second);
    await wait('its partitions', () => eventsOf(second).some((e) => e.partitions?.length === 3), second);
    await addRecords(kafka, 6, 300, 600);
    await wait('the rest', () => valuesOf(first, second).length === 600, second);
    expect(valuesOf(second)).toHaveLength(150);
    await wait('commits', () => JSON.stringify(kafka.committed('g')) === JSON.stringify(COMMITTED(100)), second);
    const failed = [first, second].flatMap((tool) => eventsOf(tool)).filter(({ success }) => success === false);
    expect(failed).toEqual([]);
    await second.stop();
    expect(eventsOf(second).at(-1)?.name).toBe('shutdown_complete');
    await first.stop();
    expect(valuesOf(first, second)).toEqual(upTo(600));
    expect(eventsOf(first).at(-1)?.name).toBe('shutdown_complete');
  });
});

function sharesOf(kafka: MockCluster): number[] {
  return kafka.members('g').map(({ assignment }) => assignment.length);
}

it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('the producer writes to it, compression %s', async (codec) => {
  const kafka = await startCluster({ brokers: 3, topics: { t: 3 } });
  // The mock has no producer ids, and says so in its docs.
  const properties = { 'enable.idempotence': 'false', 'compression.type': codec, acks: 'all' };
  await producerPerformance(target(kafka), { topic: 't', records: 1000, recordSize: 200, properties });
  const records = upTo(3).flatMap((partition) => kafka.records('t', partition));
  expect(records).toHaveLength(1000);
  expect(records.every(({ value }) => value?.length === 200)).toBe(true);
});
