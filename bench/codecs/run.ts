/*
 * Decompression and checksums alone, on the batches that Kafka's ProducerPerformance has written for `npm run bench`, by Node.js version and
 * by whose code does it: samsa's, samsa's without native packages, native packages as they come, WebAssembly, the pure package.
 *
 *   npx tsx bench/codecs/run.ts [--rounds 11] [--write]
 *
 * Megabytes per second of what comes out (of what goes in for checksums), CPU time, medians. `--write`: bench/results/codecs.json.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BUILD, PACKAGE, PEERS, RESULTS } from '../consume/places.ts';
import { machine } from '../consume/report.ts';
import type { Speed } from './process.ts';

const { values: flags } = parseArgs({
  options: { rounds: { type: 'string', default: '11' }, write: { type: 'boolean', default: false } },
});
const NODE_24 = join(PEERS, 'node_modules', 'node', 'bin', 'node');
if (!existsSync(NODE_24))
  execFileSync('npm', ['ci', '--prefix', PEERS, '--no-audit', '--no-fund'], { stdio: 'inherit' });
const data = join(BUILD, 'kafka', 'data');
if (!existsSync(join(data, 'lz4-0')))
  throw new Error('no topics yet: npm run bench -- --rounds 1 --clients null fills them');

const rows: (Speed & { node: string })[] = [];
for (const node of [process.execPath, NODE_24]) {
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  for (const pure of ['0', '1']) {
    const program = join(import.meta.dirname, 'process.ts');
    const output = execFileSync(node, ['--import', 'tsx', program, data, flags.rounds, PEERS], {
      cwd: PACKAGE,
      encoding: 'utf8',
      env: { ...process.env, SAMSA_PURE: pure },
    });
    for (const speed of JSON.parse(output) as Speed[])
      // our own program prints exactly this
      if (!rows.some(({ node: of, what, by }) => of === version && what === speed.what && by === speed.by))
        rows.push({ ...speed, node: version }); // what has no native package is the same in both
  }
}
console.table(
  rows.sort(
    (a, b) =>
      a.what.localeCompare(b.what) || a.node.localeCompare(b.node) || b.megabytesPerSecond - a.megabytesPerSecond,
  ),
);
if (flags.write) {
  const result = {
    date: new Date().toISOString().slice(0, 10),
    machine: machine(),
    rounds: Number(flags.rounds),
    rows,
  };
  writeFileSync(join(RESULTS, 'codecs.json'), `${JSON.stringify(result, null, 2)}\n`);
}
