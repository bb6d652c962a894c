import { afterEach, describe, expect, test } from 'vitest';
import { freePort } from '../harness/ports.ts';
import { run, start, type Run } from './run.ts';
import { httpServer, misadvertisedBroker, silentServer, type TestServer } from './servers.ts';

// Wherever there is no Kafka, the command ends by itself with one line that says so. The bound is generous: starting the
// command from its source takes a second or two on a busy machine.
const BOUND_MS = 15_000;

let server: TestServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

function expectOneLine(result: Run, code: number, line: RegExp): void {
  expect(result.errors.join('\n')).toMatch(line);
  expect(result.errors).toHaveLength(1);
  expect(result).toMatchObject({ code, stdout: '' });
  expect(result.ms).toBeLessThan(BOUND_MS);
}

describe.each([
  ['without a group', []],
  ['with a group', ['-g', 'g']],
])('no Kafka, %s', (_, group) => {
  const consume = (...args: string[]): Promise<Run> => run('consume', '-t', 'orders', ...group, ...args);

  test('a closed port', { timeout: 30_000 }, async () => {
    const address = `127.0.0.1:${await freePort()}`;
    expectOneLine(await consume('-b', address), 1, /^samsa: 127\.0\.0\.1:\d+: connection refused: .*; check -b/);
  });

  test('a host that is not there', { timeout: 30_000 }, async () => {
    const result = await consume('-b', 'nonexistent.invalid:9092');
    expectOneLine(result, 1, /^samsa: nonexistent\.invalid:9092: host name not found; check -b/);
  });

  test('an HTTP server', { timeout: 30_000 }, async () => {
    server = await httpServer();
    const result = await consume('-b', server.address);
    expectOneLine(result, 1, /^samsa: 127\.0\.0\.1:\d+: .*HTTP server, not a Kafka broker; check host and port$/);
  });

  test('a server that does not answer', { timeout: 30_000 }, async () => {
    server = await silentServer();
    const result = await consume('-b', server.address, '-X', 'request.timeout.ms=300');
    expectOneLine(result, 1, /^samsa: ApiVersions to 127\.0\.0\.1:\d+ was not answered within 300 ms; check that -b/);
  });

  test('several, all of them dead', { timeout: 30_000 }, async () => {
    const result = await consume('-b', `127.0.0.1:${await freePort()},nonexistent.invalid:1`);
    expectOneLine(result, 1, /^samsa: 127\.0\.0\.1:\d+: connection refused.*; nonexistent\.invalid:1: host name/);
  });
});

test.each([[[]], [['-o', '-3']], [['-o', 'end', '-e']]])(
  'a broker that gives a wrong address of itself %j',
  { timeout: 30_000 },
  async (args) => {
    server = await misadvertisedBroker('nonexistent.invalid', 9092, ['orders']);
    const result = await run('consume', '-t', 'orders', '-b', server.address, ...args);
    expectOneLine(result, 1, /^samsa: nonexistent\.invalid:9092: host name not found/);
  },
);

test.each(['SIGTERM', 'SIGHUP'] as const)(
  '%s while nobody answers is a quiet end',
  { timeout: 30_000 },
  async (signal) => {
    server = await silentServer();
    const running = start('consume', '-t', 'orders', '-b', server.address, '--progress');
    await new Promise<void>((resolve) => running.process.stderr.once('data', () => resolve())); // it has begun
    running.process.kill(signal);
    const result = await running.ended;
    expect(result).toMatchObject({ code: 0, signal: null, stdout: '' });
    expect(result.errors.every((line) => line.includes('0 records'))).toBe(true);
    expect(result.ms).toBeLessThan(BOUND_MS);
  },
);

describe('wrong arguments', () => {
  test.each([
    [['consume', '-b', 'a:1', '-t', 'x', '--nope'], /^samsa: unknown option '--nope'/],
    [['consume', '-b', 'a:1', '-t', 'x', '-X', 'nope=1'], /^samsa: unknown option 'nope'/],
    [['consume', '-b', 'a:b:c', '-t', 'x'], /^samsa: bootstrapServers takes 'host:port'.*not 'a:b:c'$/],
    [['consum'], /^samsa: unknown command 'consum' \(see samsa --help\)$/],
    [[], /^samsa: no command given: consume/],
  ])('%j', { timeout: 30_000 }, async (args, line) => {
    expectOneLine(await run(...args), 2, line);
  });
});

describe('help and version', () => {
  test('say what there is', { timeout: 60_000 }, async () => {
    const [help, ofConsume, version] = await Promise.all([run('--help'), run('consume', '--help'), run('--version')]);
    expect(help.stdout).toMatch(/^samsa \d+\.\d+\.\d+: a Kafka consumer\n\nUsage: samsa COMMAND .*\n\n {2}consume /);
    expect(ofConsume.stdout).toMatch(/^samsa consume: .*\n\nUsage: samsa consume -b HOST:PORT -t TOPIC/);
    expect(version.stdout).toMatch(
      /^samsa [\d.]+\nnode v[\d.]+\ncrc32c (native|pure)\ngzip node:zlib\nsnappy (native|pure)\nlz4 pure\nzstd (node:zlib|pure)\n$/,
    );
    for (const { code, errors } of [help, ofConsume, version])
      expect({ code, errors }).toEqual({ code: 0, errors: [] });
  });
});
