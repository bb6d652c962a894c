/**
 * Random histories of the whole API, many of them: `npx tsx test/promises/run.ts --histories 2000`. New seeds every time; `--seed N` begins with that
 * one, and `--seed N --histories 1 --repeat 50` plays one again and again: the seed decides what is done, not how it interleaves.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { history } from './history.ts';

const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '200' },
    seed: { type: 'string' },
    repeat: { type: 'string', default: '1' },
    parallel: { type: 'string', default: '6' },
    lines: { type: 'string', default: '150' },
    'go-on': { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
const first = values.seed === undefined ? Math.floor(Math.random() * 1_000_000_000) : Number(values.seed);
const histories = Number(values.histories);
const repeat = Number(values.repeat);
const beganAt = performance.now();
let failed = 0;
let done = 0;
let records = 0;
let isOver = false;
process.on('unhandledRejection', (error) => {
  console.log(`UNHANDLED REJECTION (around seed ${first + done}):`, error);
  failed++;
});
console.log(`${histories} histories from seed ${first} on`);
const seeds = Array.from({ length: histories * repeat }, (_, index) => first + Math.floor(index / repeat));
await Promise.all(
  Array.from({ length: Number(values.parallel) }, async () => {
    for (let seed = seeds.shift(); seed !== undefined && !isOver; seed = seeds.shift()) {
      const outcome = await history(seed);
      done++;
      records += outcome.records;
      if (outcome.violations.length > 0) {
        failed++;
        if (!values['go-on']) isOver = true;
        if (values.out !== undefined) {
          mkdirSync(values.out, { recursive: true });
          writeFileSync(`${values.out}/${seed}.txt`, `${outcome.timeline.text()}\n`);
        }
        const lines = values['go-on'] ? 0 : Number(values.lines);
        if (lines > 0) console.log(outcome.timeline.text(lines));
        console.log(`FAILED seed ${seed} (${outcome.ms.toFixed(0)} ms): ${outcome.violations[0] ?? ''}`);
      }
    }
  }),
);
const seconds = ((performance.now() - beganAt) / 1000).toFixed(1);
console.log(`${done} histories, ${records} records, ${seconds} s, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
// All is closed: whatever keeps the process alive now is a leak.
setTimeout(() => {
  console.log(`STILL OPEN: ${process.getActiveResourcesInfo().join(', ')}`);
  process.exit(1);
}, 10_000).unref();
