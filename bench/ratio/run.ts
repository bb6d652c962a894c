/*
 * A guard against getting slower: samsa's CPU beside the null consumer's, in turns on the same broker. Absolute times differ from
 * machine to machine, this ratio much less; it may not be more than a quarter above the one in bench/results/ratio.json.
 *
 *   npx tsx bench/ratio/run.ts [--write]
 *
 * The least of several rounds counts, for what else the machine does only ever adds; more rounds follow while the ratio is too high.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestAdmin } from '../../test/harness/admin.ts';
import { startJvmBroker } from '../../test/harness/jvm-broker.ts';
import { CLIENTS, named } from '../consume/clients.ts';
import { measure } from '../consume/measure.ts';
import { RESULTS } from '../consume/places.ts';
import { writeResult } from '../consume/report.ts';

const RECORDS = 3_000_000;
const VALUE_BYTES = 100;
const ROUNDS = 5;
const MOST_ROUNDS = 15;
const ALLOWED = 1.25;
const BASELINE = join(RESULTS, 'ratio.json');

const clients = named(CLIENTS, 'null,samsa', 'client');
for (const client of clients) client.prepare();
const baseline = (JSON.parse(readFileSync(BASELINE, 'utf8')) as { ratio: number }).ratio;
const least = new Map<string, number>();
const broker = await startJvmBroker({ heap: '1g' });
try {
  const admin = await TestAdmin.connect(broker.bootstrapServers);
  await admin.createTopic('ratio');
  const value = Buffer.alloc(VALUE_BYTES, 'x');
  await admin.fill('ratio', RECORDS, () => ({ value }), { batchRecords: 600 });
  admin.close();
  for (let round = 0; round <= ROUNDS || (round <= MOST_ROUNDS && ratio() > baseline * ALLOWED); round++) {
    for (const client of clients) {
      const groupId = `${client.name}-${round}`;
      const task = { bootstrapServers: broker.bootstrapServers, topic: 'ratio', records: RECORDS, groupId };
      const { cpuSeconds } = await measure(client, task);
      if (round > 0) least.set(client.name, Math.min(cpuSeconds, least.get(client.name) ?? Infinity));
    }
  }
} finally {
  await broker.stop();
}
const found = Math.round(ratio() * 100) / 100;
console.log(
  `CPU of samsa: ${found} x the null consumer's; on record: ${baseline}, allowed: ${Math.round(baseline * ALLOWED * 100) / 100}`,
);
if (process.argv.includes('--write')) {
  writeResult('ratio', { records: RECORDS, ratio: found });
} else if (found > baseline * ALLOWED) {
  console.log(
    'samsa has become slower: profile before you go on, or say why and put the new figure on record with --write',
  );
  process.exitCode = 1;
}

function ratio(): number {
  return (least.get('samsa') ?? Infinity) / (least.get('null') ?? Number.NaN);
}
