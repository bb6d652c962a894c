import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runVectors } from './run.ts';

const VECTORS = path.join(import.meta.dirname, '../vectors');

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'samsa-conformance-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function failuresOf(only: string[] = []): string[] {
  return [...runVectors(dir, only)].flatMap(({ name, failures }) => failures.map((failure) => `${name}: ${failure}`));
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
    expect([...runVectors(dir)]).toEqual([{ name: 'Heartbeat.jsonl:1 response v4 typical', failures: [] }]);
  });

  test('a wrong byte fails all three steps and is named with its field', () => {
    withHeartbeat((vector) => {
      vector['hex'] = `0000000100${String(vector['hex']).slice(10)}`;
    });
    const [encode = '', decode = '', ...more] = failuresOf();
    expect(encode).toMatch(
      /^Heartbeat\.jsonl:1 response v4 typical: encode: byte \d is 0x.., expected 0x..; throttleTimeMs: \d+, expected 1$/,
    );
    expect(decode).toContain('decode: throttleTimeMs: 1, expected');
    expect(more).toEqual([]);
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
    const failures = failuresOf().join('\n');
    for (const name of ['Fetch.jsonl:1', 'Fetch.jsonl:2', 'assignors/nope.jsonl:1', 'records/lonely']) {
      expect(failures).toContain(name);
    }
  });

  test('an empty directory is a failure, and a name that matches nothing is one', () => {
    expect(failuresOf()).toEqual([`${dir}: no vectors`]);
    withHeartbeat(() => undefined);
    expect(failuresOf(['Heartbeat'])).toEqual([]);
    expect(failuresOf(['Heartbeat', 'Nope'])).toEqual([`Nope: nothing of that name in ${dir}`]);
  });
});

describe('npm run conformance', () => {
  function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
    const main = path.join(import.meta.dirname, 'main.ts');
    return spawnSync(process.execPath, ['--import', 'tsx', main, ...args], { encoding: 'utf8' });
  }

  test('exits 0 with the counts where all pass', () => {
    expect(run('--only', 'Heartbeat,SyncGroup')).toMatchObject({ status: 0, stdout: '226 passed, 0 failed\n' });
  });

  test('exits 1 with a line for each failure', () => {
    withHeartbeat((vector) => Object.assign(vector, { version: 5 }));
    const { status, stdout } = run('--vectors', dir);
    expect(status).toBe(1);
    expect(stdout).toBe('Heartbeat.jsonl:1 response v5 typical: Error: no codec for version 5\n0 passed, 1 failed\n');
  });

  test.each([
    [['--nope'], '--nope'],
    [['--vectors', '/does/not/exist'], 'no such directory'],
    [['--vectors'], '--vectors'],
    [['--only', ','], 'an empty name'],
    [['stray'], 'stray'],
  ])('exits 2 with one line for %o', (args, message) => {
    const { status, stdout, stderr } = run(...args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toContain(message);
  });
});
