import { describe, expect, test } from 'vitest';
import { run, runPiped, start } from '../cli/run.ts';
import { until } from '../harness/waiting.ts';
import { useRig } from './rig.ts';

const BOUND_MS = 30_000;

interface JsonLine {
  topic: string;
  partition: number;
  offset: number;
  key: string | null;
  value: string | null;
}

describe('samsa consume', () => {
  const rig = useRig();
  const consume = (topic: string, ...args: string[]) =>
    run('consume', '-b', rig.bootstrapServers, '-t', topic, ...args);
  const linesOf = (stdout: string): string[] => stdout.split('\n').slice(0, -1);
  const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index));
  const byNumber = (a: string, b: string): number => Number(a) - Number(b);

  test('-e prints every record once and ends', async () => {
    const topic = await rig.filled(1000, { partitions: 3 });
    const { code, stdout, errors, ms } = await consume(topic, '-e');
    expect({ code, errors }).toEqual({ code: 0, errors: [] });
    expect(linesOf(stdout).sort(byNumber)).toEqual(numbers(1000));
    expect(ms).toBeLessThan(BOUND_MS);
  });

  test('-e on an empty topic ends at once, with and without a group', async () => {
    const topic = await rig.filled(0, { partitions: 2 });
    expect(await consume(topic, '-e')).toMatchObject({ code: 0, stdout: '', errors: [] });
    expect(await consume(topic, '-e', '-g', rig.name('group'))).toMatchObject({ code: 0, stdout: '', errors: [] });
  });

  test('several topics, -p, -f and every -o', async () => {
    const [one, two] = await Promise.all([rig.filled(10, { partitions: 2 }), rig.filled(4)]);
    const both = await consume(one, two, '-e', '-f', '%t/%p/%o=%s\\n');
    const expected = [
      ...numbers(10).map((value) => `${one}/${Number(value) % 2}/${Math.floor(Number(value) / 2)}=${value}`),
      ...numbers(4).map((value) => `${two}/0/${value}=${value}`),
    ];
    expect(linesOf(both.stdout).sort()).toEqual(expected.sort());

    const offsets = async (...args: string[]): Promise<string> =>
      (await consume(one, '-p', '1', '-e', '-f', '%o ', ...args)).stdout.trim();
    expect(await offsets()).toBe('0 1 2 3 4');
    expect(await offsets('-o', '3')).toBe('3 4');
    expect(await offsets('-o', '-2')).toBe('3 4');
    expect(await offsets('-o', 'end')).toBe('');
    expect(await offsets('-o', 's@0')).toBe('0 1 2 3 4');
    expect(await offsets('-o', `s@${Date.now() + 3_600_000}`)).toBe('');
  });

  test('-o s@MS begins at the first record that is not older', async () => {
    const topic = await rig.filled(10, {
      recordAt: (index) => ({ value: String(index), timestamp: 1000 + index * 10 }),
    });
    expect((await consume(topic, '-e', '-o', 's@1035', '-f', '%s@%T ')).stdout).toMatch(/^4@1040 5@1050 /);
  });

  test('json: one object a line', async () => {
    const topic = await rig.filled(5, { recordAt: (index) => ({ key: `k${index}`, value: `v"${index}` }) });
    const { stdout } = await consume(topic, '-e', '-f', 'json');
    const records = linesOf(stdout).map((line) => JSON.parse(line) as JsonLine);
    expect(records.map(({ key, value, offset }) => [key, value, offset])).toEqual(
      numbers(5).map((n) => [`k${n}`, `v"${n}`, Number(n)]),
    );
    expect(records[0]).toMatchObject({ topic, partition: 0, headers: [] });
  });

  test('-c prints so many, and the group goes on right behind them', async () => {
    const topic = await rig.filled(1000, { partitions: 2 });
    const group = ['-g', rig.name('group'), '-o', 'beginning'];
    const first = await consume(topic, ...group, '-c', '7');
    const second = await consume(topic, ...group, '-c', '600');
    const rest = await consume(topic, ...group, '-e');
    expect([first, second, rest].map(({ code, errors }) => [code, errors])).toEqual([
      [0, []],
      [0, []],
      [0, []],
    ]);
    expect([first, second, rest].map(({ stdout }) => linesOf(stdout).length)).toEqual([7, 600, 393]);
    const all = [first, second, rest].flatMap(({ stdout }) => linesOf(stdout));
    expect(all.sort(byNumber)).toEqual(numbers(1000));
  });

  test('a group without -o begins at the end, and with enable.auto.commit=false commits nothing', async () => {
    const topic = await rig.filled(10);
    const group = ['-g', rig.name('group')];
    expect(await consume(topic, ...group, '-e', '-X', 'enable.auto.commit=false')).toMatchObject({
      stdout: '',
      code: 0,
    });
    const fromStart = [...group, '-e', '-o', 'beginning', '-X', 'enable.auto.commit=false'];
    for (let i = 0; i < 2; i++) expect(linesOf((await consume(topic, ...fromStart)).stdout)).toHaveLength(10);
  });

  test('-g with -p: stored offsets without being a member', async () => {
    const topic = await rig.filled(10, { partitions: 2 });
    const args = ['-g', rig.name('group'), '-p', '1', '-X', 'auto.offset.reset=earliest', '-f', '%o '];
    expect((await consume(topic, ...args, '-c', '2')).stdout).toBe('0 1 ');
    expect((await consume(topic, ...args, '-e')).stdout).toBe('2 3 4 ');
    expect((await consume(topic, ...args, '-e', '-o', '1')).stdout).toBe('1 2 3 4 ');
  });

  test('what is not there is an error of one line, and is not made', async () => {
    const missing = rig.name('missing');
    for (const group of [[], ['-g', rig.name('group')]]) {
      const result = await consume(missing, ...group);
      expect(result).toMatchObject({ code: 1, stdout: '' });
      expect(result.errors).toEqual([expect.stringContaining(`topic '${missing}' is not there`)]);
    }
    await expect(rig.consumer({ allowAutoCreateTopics: false }).partitionsFor(missing)).rejects.toMatchObject({
      name: 'UNKNOWN_TOPIC_OR_PARTITION',
    });
    const topic = await rig.filled(0, { partitions: 2 });
    const { code, errors } = await consume(topic, '-p', '2');
    expect({ code, errors }).toEqual({
      code: 1,
      errors: [`samsa: topic '${topic}' has no partition 2: it has 2, from 0 on`],
    });
  });

  test.each([
    ['many records', 20_000],
    ['few records, and more never come', 20],
  ])('| head -1: a quiet end (%s)', async (_, count) => {
    const topic = await rig.filled(count, { recordAt: (index) => ({ value: `${index}`.padEnd(100, '.') }) });
    const result = await runPiped('head -1', 'consume', '-b', rig.bootstrapServers, '-t', topic);
    expect(result).toMatchObject({ code: 0, errors: [], stdout: `${'0'.padEnd(100, '.')}\n` });
    expect(result.ms).toBeLessThan(BOUND_MS);
  });

  test('a reader that never reads does not hold up SIGTERM', async () => {
    const topic = await rig.filled(20_000, { recordAt: (index) => ({ value: `${index}`.padEnd(100, '.') }) });
    const running = start('consume', '-b', rig.bootstrapServers, '-t', topic, '--progress');
    running.process.stdout.pause();
    await new Promise<void>((resolve) => running.process.stderr.once('data', () => resolve()));
    const stoppedAt = performance.now();
    running.process.kill('SIGTERM');
    const exited = new Promise<number | null>((resolve) => running.process.once('exit', resolve));
    expect(await exited).toBe(0);
    expect(performance.now() - stoppedAt).toBeLessThan(10_000);
    running.process.stdout.resume();
    await running.ended;
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('%s commits what was printed', async (signal) => {
    const topic = await rig.filled(100);
    const args = ['-b', rig.bootstrapServers, '-t', topic, '-g', rig.name('group'), '-o', 'beginning'];
    const running = start('consume', ...args);
    let printed = '';
    running.process.stdout.on('data', (text: string) => (printed += text));
    await until(() => linesOf(printed).length === 100, { what: 'printed records', timeoutMs: BOUND_MS });
    running.process.kill(signal);
    expect(await running.ended).toMatchObject({ code: 0, signal: null, errors: [] });
    await rig.admin.produce(topic, 0, [{ value: 'after' }]);
    expect((await run('consume', ...args, '-e')).stdout).toBe('after\n');
  });

  test('--progress on standard error', async () => {
    const topic = await rig.filled(1000);
    const { errors, stdout } = await consume(topic, '-e', '--progress');
    expect(linesOf(stdout)).toHaveLength(1000);
    expect(errors.at(-1)).toMatch(/^[\d,]+ records\/s, [\d.]+ MB\/s on average, 1,000 records in [\d.]+ s$/);
  });
});
