/*
 * This checkout beside another one of samsa, both built: every reading style in turns on the same broker, CPU per million
 * records. The order of the two changes from round to round. Medians over the rounds, and the median of the rounds' own ratios.
 *
 *   npx tsx bench/ratio/beside.ts OTHER_CHECKOUT [--rounds 7] [--write]
 */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startJvmBroker } from '../../test/harness/jvm-broker.ts';
import type { Client } from '../consume/clients.ts';
import { measure } from '../consume/measure.ts';
import { median, writeResult } from '../consume/report.ts';
import { provideTopics, TOPICS } from '../consume/topics.ts';

const STYLES = ['batches', 'scan', 'records', 'each'];
const HERE = join(import.meta.dirname, '..', '..');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '7' }, write: { type: 'boolean', default: false } },
});
const other = resolve(positionals[0] ?? '.');
const topics = TOPICS.filter(({ name }) => ['small', 'kv'].includes(name));

function clientOf(checkout: string, style: string): Client {
  return {
    name: `${checkout} ${style}`,
    about: style,
    prepare: () => undefined,
    version: () => '',
    command: ({ bootstrapServers, topic, records, groupId }) => [
      ...[process.execPath, join(checkout, 'bench', 'consume', 'samsa.mjs')],
      ...[bootstrapServers, topic, String(records), groupId, style],
    ],
  };
}

const rows: { topic: string; style: string; other: number; here: number; ratio: number }[] = [];
const broker = await startJvmBroker({ heap: '1g' });
try {
  await provideTopics({ bootstrapServers: broker.bootstrapServers, containerId: null }, topics);
  for (const { name: topic, records } of topics) {
    for (const style of STYLES) {
      const seconds: Record<'here' | 'other', number[]> = { here: [], other: [] };
      const ratios: number[] = [];
      for (let round = 0; round <= Number(values.rounds); round++) {
        const found = { here: 0, other: 0 };
        for (const side of round % 2 === 0 ? (['here', 'other'] as const) : (['other', 'here'] as const)) {
          const client = clientOf(side === 'here' ? HERE : other, style);
          const groupId = `${topic}-${style}-${side}-${round}`;
          const task = { bootstrapServers: broker.bootstrapServers, topic, records, groupId };
          found[side] = (await measure(client, task)).cpuSeconds / (records / 1e6);
        }
        if (round === 0) continue; // the broker reads the topic from its disk
        seconds.here.push(found.here);
        seconds.other.push(found.other);
        ratios.push(found.here / found.other);
      }
      const row = { topic, style, other: median(seconds.other), here: median(seconds.here), ratio: median(ratios) };
      rows.push({ ...row, other: rounded(row.other), here: rounded(row.here), ratio: rounded(row.ratio) });
      console.log(rows.at(-1));
    }
  }
} finally {
  await broker.stop();
}
console.table(rows);
if (values.write) writeResult('beside', { rounds: Number(values.rounds), cpuSecondsPerMillionRecords: rows });

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
