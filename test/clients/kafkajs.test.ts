import { createRequire } from 'node:module';
import { expect, it, onTestFinished } from 'vitest';
import { until } from '../harness/waiting.ts';
import { addRecords, filledCluster, numbers, startCluster, upTo, valuesIn } from './rig.ts';

// Loaded when it is there: see tools.ts.
const { CompressionTypes, Kafka, logLevel } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs');

const clientOf = (bootstrapServers: string): InstanceType<typeof Kafka> =>
  new Kafka({ clientId: 'js', brokers: bootstrapServers.split(','), logLevel: logLevel.NOTHING });

it.each(['None', 'GZIP'] as const)('kafkajs produces, compression %s', async (codec) => {
  const kafka = await startCluster({ brokers: 3, topics: { t: 3 } });
  const producer = clientOf(kafka.bootstrapServers).producer();
  onTestFinished(() => producer.disconnect());
  await producer.connect();
  const messages = upTo(500).map((index) => ({ key: `k${index}`, value: `${index}`, headers: { h: 'x' } }));
  await producer.send({ topic: 't', messages, compression: CompressionTypes[codec] });
  expect(valuesIn(kafka, 't')).toEqual(upTo(500));
  expect(kafka.records('t', 0)[0]?.headers).toEqual([['h', Buffer.from('x')]]);
});

it('two kafkajs consumers share a group, and commit', async () => {
  const kafka = await filledCluster(6, 300);
  const seen: string[][] = [[], []];
  const start = async (index: number): Promise<() => Promise<void>> => {
    const consumer = clientOf(kafka.bootstrapServers).consumer({ groupId: 'g', heartbeatInterval: 100 });
    const stop = (): Promise<void> => consumer.disconnect();
    onTestFinished(stop);
    await consumer.connect();
    await consumer.subscribe({ topics: ['t'], fromBeginning: true });
    await consumer.run({
      eachMessage: ({ message }) => Promise.resolve(void seen[index]?.push(String(message.value))),
    });
    return stop;
  };
  const wait = (what: string, condition: () => boolean): Promise<void> => until(condition, { what, timeoutMs: 20_000 });
  const stopFirst = await start(0);
  await wait('all records', () => seen[0]?.length === 300);
  const stopSecond = await start(1);
  await kafka.untilGroup('g', ({ state, members }) => state === 'Stable' && members.length === 2, {
    timeoutMs: 20_000,
  });
  await wait('shares', () => kafka.members('g').every(({ assignment }) => assignment.length === 3));
  await addRecords(kafka, 6, 300, 600);
  await wait('the rest', () => seen.flat().length >= 600);
  expect(numbers(seen.flat())).toEqual(upTo(600));
  expect(seen[1]).toHaveLength(150);
  await stopFirst();
  await stopSecond();
  expect(kafka.members('g')).toEqual([]);
  expect(kafka.committed('g')).toEqual({ t: Object.fromEntries(upTo(6).map((partition) => [partition, 100])) });
});
