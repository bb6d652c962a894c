import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { MockCluster } from '../../src/testing/index.ts';

const MAIN = fileURLToPath(new URL('../../examples/save-offsets/main.ts', import.meta.url));
const run = promisify(execFile);

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'samsa-positions-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function example(args: string[], servers?: string): Promise<{ stdout: string }> {
  const { KAFKA_BOOTSTRAP_SERVERS: _, ...env } = process.env;
  if (servers !== undefined) env['KAFKA_BOOTSTRAP_SERVERS'] = servers;
  return run(process.execPath, ['--import', 'tsx', MAIN, ...args], { env });
}

it('on the mock cluster: two members, each record once, positions behind all', { timeout: 120_000 }, async () => {
  const file = join(folder(), 'positions.json');
  const { stdout } = await example(['--positions', file, '--records', '400']);
  expect(stdout).toContain('400 records, 0 of them twice');
  const saved = JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>;
  expect(saved).toEqual({ 'clicks-0': 100, 'clicks-1': 100, 'clicks-2': 100, 'clicks-3': 100 });
});

it('the next process goes on where the last one has ended', { timeout: 120_000 }, async () => {
  const kafka = await MockCluster.start({ topics: { clicks: 3 } });
  onTestFinished(() => kafka.close());
  for (let partition = 0; partition < 3; partition++)
    await kafka.append('clicks', partition, Array.from({ length: 100 }, String), { batchRecords: 10 });
  const file = join(folder(), 'positions.json');
  const counts: number[] = [];
  while (counts.reduce((sum, count) => sum + count, 0) < 300) {
    const left = 300 - counts.reduce((sum, count) => sum + count, 0);
    const { stdout } = await example(
      ['--positions', file, '--records', String(Math.min(100, left))],
      kafka.bootstrapServers,
    );
    expect(stdout).toContain(' 0 of them twice');
    counts.push(Number(/^(\d+) records,/m.exec(stdout)?.[1]));
  }
  // Nothing was read a second time, so what all have handled is what there is.
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(300);
  const saved = JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>;
  expect(saved).toEqual({ 'clicks-0': 100, 'clicks-1': 100, 'clicks-2': 100 });
  expect(kafka.committed('counter')).toEqual({});
});
