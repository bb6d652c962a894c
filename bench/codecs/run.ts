/*
 * Decompression and checksums alone, on the batches that Kafka's ProducerPerformance has written for `npm run bench`, by Node.js version and
 * by whose code does it: samsa's, samsa's without native packages, native packages as they come, WebAssembly, the pure package.
 *
 *   npx tsx bench/codecs/run.ts [--rounds 11] [--write]
 *
 * Megabytes per second of what comes out (of what goes in for checksums), CPU time, medians. `--write`: bench/results/codecs.json.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { installPeers, NODE_24 } from '../consume/clients.ts';
import { KAFKA, PACKAGE, PEERS } from '../consume/places.ts';
import { writeResult } from '../consume/report.ts';
import type { Speed } from './process.ts';

const { values: flags } = parseArgs({
  options: { rounds: { type: 'string', default: '11' }, write: { type: 'boolean', default: false } },
});
installPeers();
const data = join(KAFKA, 'data');
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
if (flags.write) writeResult('codecs', { rounds: Number(flags.rounds), rows });
