import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runMessageCase, type Vector } from './messages.ts';
import { runVectors } from './run.ts';

const VECTORS = path.join(import.meta.dirname, '../vectors');

const HEARTBEAT = {
  api: 'Heartbeat',
  apiKey: 12,
  kind: 'response',
  version: 0,
  flexible: false,
  case: 'own',
  json: {},
};

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'samsa-conformance-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function failuresOf(only: string[] = []): string[] {
  return [...runVectors(dir, { only })].flatMap(({ name, failures }) =>
    failures.map(({ message }) => `${name}: ${message}`),
  );
}

/** A directory with one vector, changed by `change`. */
function withHeartbeat(change: (vector: Record<string, unknown>) => void): void {
  const lines = readFileSync(path.join(VECTORS, 'Heartbeat.jsonl'), 'utf8').split('\n');
  const line = lines.find((text) => text.includes('"kind":"response","version":4') && text.includes('"typical"'));
  const vector = JSON.parse(line ?? '') as Record<string, unknown>; // one line, our own file
  change(vector);
  writeFileSync(path.join(dir, 'Heartbeat.jsonl'), `${JSON.stringify(vector)}\n`);
}

describe('runVectors', () => {
  test('a good vector passes', () => {
    withHeartbeat(() => undefined);
    expect([...runVectors(dir)]).toEqual([
      { name: 'Heartbeat.jsonl:1 response v4 typical', row: 'Heartbeat', version: 4, failures: [] },
    ]);
  });

  test('a wrong byte fails all three steps and is named with its field', () => {
    withHeartbeat((vector) => {
      vector['hex'] = `0000000100${String(vector['hex']).slice(10)}`;
    });
    const [encode = '', decode = '', ...more] = failuresOf();
    expect(encode).toMatch(
      /^Heartbeat\.jsonl:1 response v4 typical: encode: byte \d is 0x.., expected 0x..; throttleTimeMs: \d+, expected 1$/,
    );
    expect(decode).toContain('decode: byte 0; throttleTimeMs: 1, expected');
    expect(more).toEqual([]);
  });

  test.each([
    ['generationId', 6, [6, 6]],
    ['members[0].memberId', 49, [49, 48]], // the decoder's field begins with its length
    ['members[1].metadata', 96, [96, 97]], // a length that is too large
  ])('%s, spoilt at byte %i, is named', (field, at, bytes) => {
    const lines = readFileSync(path.join(VECTORS, 'JoinGroup.jsonl'), 'utf8').split('\n');
    const line = lines.find((text) => text.includes('"kind":"response","version":9') && text.includes('"typical"'));
    const vector = JSON.parse(line ?? '') as Vector; // one line, our own file
    const spoilt = Buffer.from(vector.hex, 'hex');
    spoilt[at] = (spoilt[at] ?? 0) ^ 0x7f;
    const failures = runMessageCase({ ...vector, hex: spoilt.toString('hex') });
    expect(failures.slice(0, 2)).toMatchObject(bytes.map((byte) => ({ field, byte })));
  });

  test('bytes that cannot be decoded: the byte of the error, and the field that must be there', () => {
    withHeartbeat((vector) => {
      vector['hex'] = String(vector['hex']).slice(0, 10); // in the middle of errorCode
    });
    const failures = [...runVectors(dir)].flatMap((result) => result.failures);
    expect(failures.map(({ byte, field }) => [byte, field])).toEqual([
      [5, 'errorCode'],
      [4, 'errorCode'],
      [4, 'errorCode'],
    ]);
    expect(failures[1]?.message).toMatch(/^decode: .*\(at byte 4\) in errorCode$/);
  });

  test.each([
    ['an api', { api: 'Nope' }, 'no codec for Nope response'],
    ['a version', { version: 5 }, 'no codec for version 5'],
    ['a field', { json: { throttleTimeMs: 1, errorCode: 2, novel: 3 } }, 'field novel is not in the shape'],
    ['an api key', { apiKey: 13 }, 'key 12, expected 13'],
    ['a flexible flag', { flexible: false }, 'flexible is true, expected false'],
  ])('%s that we do not have is a failure', (_, changes, message) => {
    withHeartbeat((vector) => Object.assign(vector, changes));
    expect(failuresOf()[0]).toContain(message);
  });

  test('a line that is no JSON, an assignor and records without a runner are failures', () => {
    writeFileSync(path.join(dir, 'Fetch.jsonl'), 'null\n{\n');
    mkdirSync(path.join(dir, 'assignors'));
    writeFileSync(path.join(dir, 'assignors', 'nope.jsonl'), '{}\n');
    mkdirSync(path.join(dir, 'records'));
    writeFileSync(path.join(dir, 'records', 'lonely.bin'), '');
    writeFileSync(path.join(dir, 'Empty.jsonl'), '\n');
    writeFileSync(path.join(dir, 'Odd.jsonl'), `${JSON.stringify({ ...HEARTBEAT, hex: '0' })}\n`);
    for (const name of ['Fetch.jsonl:1', 'Fetch.jsonl:2', 'assignors/nope.jsonl:1', 'records/lonely', 'Empty', 'Odd']) {
      expect(failuresOf().filter((failure) => failure.startsWith(name))).toHaveLength(1);
    }
  });

  test('an empty directory is a failure, and a name that matches nothing is one', () => {
    expect(failuresOf()).toEqual([`${dir}: no vectors`]);
    withHeartbeat(() => undefined);
    expect(failuresOf(['Heartbeat'])).toEqual([]);
    expect(failuresOf(['Heartbeat', 'Nope'])).toEqual([`Nope: nothing of that name in ${dir}`]);
    const rest = [...runVectors(dir, { except: ['Heartbeat', 'range'] })];
    expect(rest.map(({ failures }) => failures[0]?.message)).toEqual([`nothing of that name in ${dir}`]);
  });
});

describe('npm run conformance', () => {
  function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
    const main = path.join(import.meta.dirname, 'main.ts');
    return spawnSync(process.execPath, ['--import', 'tsx', main, ...args], { encoding: 'utf8' });
  }

  test('exits 0 with the counts where all pass', () => {
    const { status, stdout } = run('--only', 'Heartbeat,SyncGroup');
    expect(status).toBe(0);
    expect(stdout.trimStart().split('\n')).toEqual([
      'all v0 v1 v2 v3 v4 v5',
      'Heartbeat 102 20 20 20 20 22',
      'SyncGroup 124 20 20 20 20 22 22',
      '',
      '226 passed, 0 failed',
      '',
    ]);
  });

  test('exits 1 with a line for each failure', () => {
    withHeartbeat((vector) => Object.assign(vector, { version: 5 }));
    const file = path.join(dir, 'report.json');
    const { status, stdout } = run('--vectors', dir, '--json', file);
    expect(status).toBe(1);
    const name = 'Heartbeat.jsonl:1 response v5 typical';
    const message = 'Error: no codec for version 5';
    const table = '          all  v5\nHeartbeat 0!1 0!1';
    expect(stdout).toBe(`${name}: ${message}\n\n${table}\n\n0 passed, 1 failed\n`);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      vectors: dir,
      passed: 0,
      failed: 1,
      counts: { Heartbeat: { 5: { passed: 0, failed: 1 } } },
      failures: [{ case: name, name: 'Heartbeat', version: 5, message }],
    });
  });

  test('tells how it is used', () => {
    expect(run('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('--vectors DIR') as string });
  });

  test.each([
    [['--nope'], '--nope'],
    [['--vectors', '/does/not/exist'], 'no such directory'],
    [['--vectors'], '--vectors'],
    [['--only', ','], 'an empty name'],
    [['--except', ''], 'an empty name'],
    [['stray'], 'stray'],
  ])('exits 2 with one line for %o', (args, message) => {
    const { status, stdout, stderr } = run(...args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toContain(message);
  });
});
