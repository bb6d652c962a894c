import { expect, it } from 'vitest';
import { Program } from './program.ts';
import { addRecords, filledCluster, numbers, startCluster, upTo, valuesIn } from './rig.ts';
import { kcatCommand } from './tools.ts';

// librdkafka against the mock cluster.
const KCAT = kcatCommand() ?? 'kcat';

it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('kcat produces, compression %s', async (codec) => {
  const kafka = await startCluster({ brokers: 3, topics: { t: 3 } });
  const lines = upTo(500).map((index) => `key-${index % 10}:${index}\n`);
  const args = ['-P', '-b', kafka.bootstrapServers, '-t', 't', '-K', ':', '-z', codec, '-H', 'h=x'];
  await new Program(KCAT, args).write(lines.join('')).untilEnd();
  expect(valuesIn(kafka, 't')).toEqual(upTo(500));
  const all = [0, 1, 2].flatMap((partition) => kafka.records('t', partition));
  for (const { key, value, headers } of all) {
    expect(String(key)).toBe(`key-${Number(String(value)) % 10}`);
    expect(headers).toEqual([['h', Buffer.from('x')]]);
  }
});

it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
  'kcat reads all to the end, compression %s',
  async (codec) => {
    const kafka = await startCluster({ brokers: 3, topics: { t: 1 } });
    await kafka.append(
      't',
      0,
      upTo(500).map((value) => ({ key: 'k', value: `${value}` })),
      { compression: codec },
    );
    const args = ['-C', '-b', kafka.bootstrapServers, '-t', 't', '-e', '-q', '-o', 'beginning', '-f', '%o %k %s\\n'];
    const lines = await new Program(KCAT, args).untilEnd();
    expect(lines).toEqual(upTo(500).map((value) => `${value} k ${value}`));
  },
);

it('two kcats share a group: each gets its part, together everything, and what one leaves the other takes', async () => {
  const kafka = await filledCluster(6, 300);
  const args = [
    '-b',
    kafka.bootstrapServers,
    '-X',
    'auto.offset.reset=earliest',
    '-u',
    '-f',
    '%p %s\\n',
    '-G',
    'g',
    't',
  ];
  const first = new Program(KCAT, args);
  await first.untilLines(300);
  const second = new Program(KCAT, args);
  await kafka.untilStable('g', 2, { timeoutMs: 20_000 });
  expect(kafka.group('g')).toMatchObject({ protocol: 'classic', assignor: 'range' });
  expect(kafka.members('g').map(({ assignment }) => assignment.length)).toEqual([3, 3]);
  // As long as a member has not heard of its share it reads nothing: what comes now goes to its new owner.
  await addRecords(kafka, 6, 300, 600);
  await second.untilLines(150);
  await first.untilLines(450);
  await second.stop();
  await kafka.untilStable('g', 1, { timeoutMs: 20_000 });
  await addRecords(kafka, 6, 600, 660);
  await first.untilLines(510);
  const seen = [...(await first.stop()), ...second.lines];
  expect(numbers(seen.map((line) => line.split(' ')[1] ?? ''))).toEqual(upTo(660));
  await kafka.untilGroup('g', ({ members }) => members.length === 0);
  expect(kafka.committed('g')).toEqual({ t: Object.fromEntries(upTo(6).map((partition) => [partition, 110])) });
});

it('kcat -L shows brokers and topics', async () => {
  const kafka = await startCluster({ brokers: 3, topics: { orders: 6 } });
  const text = (await new Program(KCAT, ['-L', '-b', kafka.bootstrapServers]).untilEnd()).join('\n');
  expect(text).toContain(' 3 brokers:');
  expect(text).toContain('topic "orders" with 6 partitions:');
});
