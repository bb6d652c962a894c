import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type ConsumeArguments, parseConsumeArguments } from '../../src/cli/consume-arguments.ts';
import { UsageError } from '../../src/cli/usage-error.ts';
import { ConfigError } from '../../src/index.ts';

function parse(line: string): ConsumeArguments {
  const parsed = parseConsumeArguments(line.split(' '));
  if (parsed === null) throw new Error('help was asked for');
  return parsed;
}

const folder = mkdtempSync(join(tmpdir(), 'samsa-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('samsa consume: arguments', () => {
  test('the defaults: no group, all partitions, from the beginning', () => {
    const { format, ...rest } = parse('-b a:9092 -t orders');
    expect(format).toBeTypeOf('function');
    expect(rest).toEqual({
      topics: ['orders'],
      partitions: [],
      start: { kind: 'beginning' },
      exitsAtEnd: false,
      count: Infinity,
      progress: false,
      options: { bootstrapServers: 'a:9092', allowAutoCreateTopics: false, autoOffsetReset: 'earliest' },
    });
  });

  test("kcat's letters and the long names", () => {
    const short = parse('-b a:1 -t x -t y -p 1 -p 2 -o 5 -e -c 7 --progress');
    const long = parse(
      '--bootstrap-servers a:1 --topic x y --partition=1 --partition 2 --offset 5 --exit --count 7 --progress',
    );
    expect({ ...short, format: null }).toEqual({ ...long, format: null });
    expect(short).toMatchObject({ topics: ['x', 'y'], partitions: [1, 2], exitsAtEnd: true, count: 7, progress: true });
    expect(short.start).toEqual({ kind: 'offset', offset: 5 });
  });

  test.each([
    ['-o beginning', { kind: 'beginning' }],
    ['-o end', { kind: 'end' }],
    ['-o 0', { kind: 'offset', offset: 0 }],
    ['-o -5', { kind: 'last', count: 5 }],
    ['-o-5', { kind: 'last', count: 5 }],
    ['--offset -5', { kind: 'last', count: 5 }],
    ['--offset=-5', { kind: 'last', count: 5 }],
    ['-o s@1700000000000', { kind: 'time', timestamp: 1_700_000_000_000 }],
    ['-g g -o stored', { kind: 'stored' }],
    ['-g g -p 0 -o -5', { kind: 'last', count: 5 }],
    ['-g g', { kind: 'stored' }],
  ])('%s', (line, start) => expect(parse(`-b a:1 -t x ${line}`).start).toEqual(start));

  test('with a group, beginning and end are what happens where nothing is committed', () => {
    const reset = (line: string): unknown => parse(`-b a:1 -t x -g g ${line}`).options.autoOffsetReset;
    expect(reset('-e')).toBeUndefined(); // the library's own default
    expect(reset('-o beginning')).toBe('earliest');
    expect(reset('-o end')).toBe('latest');
    expect(reset('-X auto.offset.reset=smallest')).toBe('earliest');
    expect(reset('-X auto.offset.reset=smallest -o end')).toBe('latest');
  });

  test('-b and -g go before -X, and -X before --config', () => {
    const file = join(folder, 'consumer.properties');
    writeFileSync(file, '# mine\nbootstrap.servers=c:1\ngroup.id=c\nclient.id=c\nfetch.max.wait.ms=100\n');
    expect(parse(`--config ${file} -t x`).options).toMatchObject({ bootstrapServers: 'c:1', groupId: 'c' });
    const { options } = parse(`-b b:1 -g g -X client.id=x -X bootstrap.servers=x:1 --config ${file} -t x`);
    expect(options).toMatchObject({ bootstrapServers: 'b:1', groupId: 'g', clientId: 'x', fetchMaxWaitMs: 100 });
  });

  test('a --config made for a group serves without one', () => {
    expect(parse('-b a:1 -t x -X enable.auto.commit=true -X group.instance.id=i').options).toEqual({
      bootstrapServers: 'a:1',
      allowAutoCreateTopics: false,
      autoOffsetReset: 'earliest',
    });
  });

  test('help', () => expect(parseConsumeArguments(['--help', '-t', 'x'])).toBeNull());

  test.each([
    ['-t x', /^no broker given: -b /],
    ['-b a:1', /^no topic given: -t /],
    ['-b a:1 -t x/y', /^-t takes .* not 'x\/y'$/],
    ['-b a:1 -t ^x(', /^-t \^x\( is not a regular expression: /],
    ['-b a:1 -t x --unknown', /^unknown option '--unknown' \(see samsa consume --help\)$/],
    ['-b a:1 -t x -z', /^unknown option '-z'/],
    ['-b a:1 -t', /^option '-t' takes a value/],
    ['-b a:1 -t x -o -x', /^option '-o' takes a value/],
    ['-b a:1 -t x --exit=1', /takes no value/],
    ['-b a:1 -t x -o middle', /^-o takes .* not 'middle'$/],
    ['-b a:1 -t x -o s@', /^-o takes /],
    ['-b a:1 -t x -o 99999999999999999999', /^-o takes /],
    ['-b a:1 -t x -o stored', /^-o stored needs -g/],
    ['-b a:1 -t x -g g -o 5', /^-o 5 with -g needs -p/],
    ['-b a:1 -t x -g g -o -5', /^-o -5 with -g needs -p/],
    ['-b a:1 -t x -c 0', /^-c takes a whole number from 1 on, not '0'$/],
    ['-b a:1 -t x -c many', /^-c takes /],
    ['-b a:1 -t x -p one', /^-p takes /],
    ['-b a:1 -t x -f %z', /^-f: there is no %z/],
    ['-b a:1 -t x -X novalue', /^-X takes NAME=VALUE, not 'novalue'$/],
    ['-t x --config /does/not/exist', /^--config: .*\/does\/not\/exist/],
  ])('refuses %s', (line, message) => {
    expect(() => parse(line)).toThrow(UsageError);
    expect(() => parse(line)).toThrow(message);
  });

  test('names the option of -X, and the file of --config', () => {
    expect(() => parse('-b a:1 -t x -X fetch.max.wait.m=1')).toThrow(ConfigError);
    const file = join(folder, 'wrong.properties');
    writeFileSync(file, 'check.crcs=maybe\n');
    expect(() => parse(`-b a:1 -t x --config ${file}`)).toThrow(`--config ${file}: check.crcs takes true or false`);
  });
});
