import { statSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runVectors } from './run.ts';

// npm run conformance -- [--vectors DIR] [--only NAME[,NAME…]]
// Exit codes: 0 all passed, 1 something failed, 2 wrong arguments.

const USAGE = 'usage: npm run conformance -- [--vectors DIR] [--only NAME[,NAME…]]';

function parse(): { dir: string; only: string[] } {
  const { values } = parseArgs({
    options: { vectors: { type: 'string' }, only: { type: 'string', multiple: true } },
  });
  const dir = values.vectors ?? path.join(import.meta.dirname, '../vectors');
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`--vectors ${dir}: no such directory`);
  const only = (values.only ?? []).flatMap((names) => names.split(',')).map((name) => name.trim());
  if (only.includes('')) throw new Error('--only: an empty name');
  return { dir, only };
}

function main(): number {
  let options: { dir: string; only: string[] };
  try {
    options = parse();
  } catch (error) {
    const [problem] = (error instanceof Error ? error.message : String(error)).split('\n');
    process.stderr.write(`conformance: ${problem}; ${USAGE}\n`);
    return 2;
  }
  let passed = 0;
  let failed = 0;
  for (const { name, failures } of runVectors(options.dir, options.only)) {
    if (failures.length === 0) passed++;
    else failed++;
    for (const failure of failures) process.stdout.write(`${name}: ${failure.replaceAll('\n', ' ')}\n`);
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = main();
