/**
 * Do the random histories have teeth? Each mutant is a mended place, broken again in a copy of the sources: `npx tsx test/promises/mutants.ts` plays
 * histories on each until one fails. `--only NAME`, `--histories 400` as many as a mutant may survive, `--seed N` to begin with.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { MUTANTS, type Mutant } from './mutant-list.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    histories: { type: 'string', default: '600' },
    seed: { type: 'string', default: `${Math.floor(Math.random() * 1_000_000_000)}` },
    parallel: { type: 'string', default: '6' },
  },
});
const root = resolve(import.meta.dirname, '../..');

/** The sources and these tests in a folder of their own, with one thing changed. */
function copyWith({ file, from, to }: Mutant): string {
  const copy = mkdtempSync(join(tmpdir(), 'samsa-mutant-'));
  for (const each of ['src', 'test/promises', 'package.json', 'tsconfig.json'])
    cpSync(join(root, each), join(copy, each), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const path = join(copy, file);
  const text = readFileSync(path, 'utf8');
  const places = text.split(from).length - 1;
  if (places !== 1) throw new Error(`${file} has ${places} places like this one: ${from}`);
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
  return copy;
}

/** What the histories say of it; `null` where it survives them all. */
async function foundBy(copy: string): Promise<string | null> {
  const { histories, seed, parallel } = values;
  const options = ['--histories', histories, '--seed', seed, '--parallel', parallel, '--lines', '0'];
  const tsx = join(root, 'node_modules/.bin/tsx');
  const child = spawn(tsx, ['test/promises/run.ts', ...options], {
    cwd: copy,
    env: { ...process.env, SAMSA_LIMIT_MS: process.env['SAMSA_LIMIT_MS'] ?? '15000' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
  const code = await new Promise<number | null>((done) => child.on('close', done));
  if (code === 0) return null;
  return output.split('\n').find((line) => /FAILED|UNHANDLED|STILL OPEN/.test(line)) ?? `exit code ${code}`;
}

let survivors = 0;
for (const mutant of MUTANTS) {
  if (values.only !== undefined && mutant.name !== values.only) continue;
  const copy = copyWith(mutant);
  const found = await foundBy(copy);
  rmSync(copy, { recursive: true });
  if (found === null) survivors++;
  console.log(`${found === null ? 'SURVIVES' : 'found   '} ${mutant.name}: ${found ?? mutant.what}`);
}
process.exitCode = survivors === 0 ? 0 : 1;
