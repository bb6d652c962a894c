/*
 * The same 2 M records of 100 bytes over more and more partitions of one broker, and more and more members of one group:
 *
 *   npx tsx bench/scale/run.ts [--rounds 5] [--partitions 1,10,100,1000] [--members 1,2,4,8] [--write]
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { TestAdmin } from '../../test/harness/admin.ts';
import { startJvmBroker } from '../../test/harness/jvm-broker.ts';
import { CLIENTS, named } from '../consume/clients.ts';
import { measure } from '../consume/measure.ts';
import { median, writeResult } from '../consume/report.ts';

const RECORDS = 2_000_000;
const MEMBERS_PARTITIONS = 24;

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    partitions: { type: 'string', default: '1,10,100,1000' },
    members: { type: 'string', default: '1,2,4,8' },
    write: { type: 'boolean', default: false },
  },
});
const numbers = (text: string): number[] => (text === '' ? [] : text.split(',').map(Number));
const rounds = Number(flags.rounds);
const clients = named(CLIENTS, 'samsa', 'client');
for (const client of clients) client.prepare();

const broker = await startJvmBroker({ heap: '1g' });
const admin = await TestAdmin.connect(broker.bootstrapServers);
const partitionRows: object[] = [];
const memberRows: object[] = [];
try {
  const counts = numbers(flags.partitions);
  for (const partitions of counts) await fill(`p${partitions}`, partitions);
  const runs = new Map<number, { seconds: number; cpuSeconds: number }[]>(counts.map((partitions) => [partitions, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const partitions of counts) {
      for (const client of clients) {
        const topic = `p${partitions}`;
        const groupId = `${topic}-${round}`;
        const run = await measure(client, {
          bootstrapServers: broker.bootstrapServers,
          topic,
          records: RECORDS,
          groupId,
        });
        if (round > 0) runs.get(partitions)?.push(run);
      }
    }
  }
  for (const [partitions, own] of runs) {
    const rate = RECORDS / 1e6 / median(own.map(({ seconds }) => seconds));
    const cpu = median(own.map(({ cpuSeconds }) => cpuSeconds)) / (RECORDS / 1e6);
    partitionRows.push({
      partitions,
      millionRecordsPerSecond: rounded(rate),
      cpuSecondsPerMillionRecords: rounded(cpu),
    });
  }
  if (flags.members !== '') await fill('members', MEMBERS_PARTITIONS);
  for (const members of numbers(flags.members)) {
    const times: number[] = [];
    for (let round = 1; round <= rounds; round++) times.push(await groupOf(members, `m${members}-${round}`));
    memberRows.push({ members, millionRecordsPerSecond: rounded(RECORDS / 1e6 / median(times)) });
  }
} finally {
  admin.close();
  await broker.stop();
}
console.table(partitionRows);
console.table(memberRows);
if (flags.write) writeResult('scale', { records: RECORDS, rounds, partitionRows, memberRows });

async function fill(topic: string, partitions: number): Promise<void> {
  const value = Buffer.alloc(100, 'x');
  await admin.createTopic(topic, partitions);
  await admin.fill(topic, RECORDS, () => ({ value }), { batchRecords: 500 });
}

/** Seconds from the first record of any member to the last one of all, once every member has its partitions. */
async function groupOf(members: number, groupId: string): Promise<number> {
  const program = join(import.meta.dirname, 'member.mjs');
  const children = Array.from({ length: members }, () =>
    spawn(
      process.execPath,
      [program, broker.bootstrapServers, 'members', groupId, String(MEMBERS_PARTITIONS / members)],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    ),
  );
  let total = 0;
  let waiting = members;
  let first = 0;
  const last = await new Promise<number>((resolve) => {
    for (const child of children) {
      let rest = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          if (line === 'ready' && --waiting === 0) {
            first = performance.now();
            for (const each of children) each.stdin.write('go\n');
          } else if (line !== 'ready') total += Number(line);
        }
        if (total >= RECORDS) resolve(performance.now());
      });
    }
  });
  await Promise.all(
    children.map(async (child) => {
      const gone = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGKILL');
      await gone;
    }),
  );
  return (last - first) / 1000;
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
