/**
 * `samsa consume` as a member of a group on real brokers of many releases: the same records from each, or, from one that is too
 * old, one line that says so. Needs Java 17 and Maven (or the jars). `npx tsx test/old-brokers/run.ts [RELEASE…]`
 */
import { createHash } from 'node:crypto';
import { run, type Run } from '../cli/run.ts';
import { TestAdmin } from '../harness/admin.ts';
import { startJvmBroker } from '../harness/jvm-broker.ts';
import { isOlder } from '../harness/kafka-jars.ts';

const RELEASES = ['4.2.0', '3.9.1', '2.8.2', '2.1.1', '1.1.1', '0.11.0.3', '0.10.2.2'];
const OLDEST = '2.1';
const TOPIC = 'orders';
const RECORDS = 3000;
const PARTITIONS = 3;

interface Outcome {
  /** What is wrong; null for nothing. */
  problem: string | null;
  /** The same for the same records. */
  digest: string;
  said: string;
}

async function consume(bootstrapServers: string, ...args: string[]): Promise<Run> {
  const group = ['-g', 'billing', '-o', 'beginning', '-e', '-f', '%p %o %T %k %h %s\\n'];
  return run('consume', '-b', bootstrapServers, '-t', TOPIC, ...group, ...args);
}

async function onRecentBroker(bootstrapServers: string): Promise<Outcome> {
  const admin = await TestAdmin.connect(bootstrapServers);
  try {
    await admin.createTopic(TOPIC, PARTITIONS);
    await admin.fill(
      TOPIC,
      RECORDS,
      (index) => ({
        key: `key ${index % 7}`,
        value: `value ${index}`,
        timestamp: 1_700_000_000_000 + index,
        headers: [['n', String(index)]],
      }),
      { compression: 'gzip', batchRecords: 100 },
    );
  } finally {
    admin.close();
  }
  const first = await consume(bootstrapServers);
  const second = await consume(bootstrapServers);
  const lines = first.stdout.split('\n').slice(0, -1).sort();
  const digest = createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 12);
  const said = `${lines.length} records, then, from the commits, ${second.stdout.split('\n').length - 1}${codes(first, second)}`;
  const isRight = lines.length === RECORDS && second.stdout === '' && first.code === 0 && second.code === 0;
  // A broker that has just started may still say that the group's coordinator is another one: that is warned of.
  const errors = [...first.errors, ...second.errors].filter((line) => !line.startsWith('samsa: warning: '));
  return { digest, said, problem: isRight && errors.length === 0 ? null : `${said} ${errors.join(' | ')}` };
}

async function onOldBroker(bootstrapServers: string): Promise<Outcome> {
  const { code, stdout, errors, ms } = await consume(bootstrapServers);
  const isRight = code === 1 && stdout === '' && errors.length === 1 && /too old/.test(errors[0] ?? '');
  const said = `exit code ${code} after ${(ms / 1000).toFixed(1)} s: ${errors.join(' | ')}`;
  return { digest: '', said, problem: isRight ? null : said };
}

async function on(version: string): Promise<Outcome> {
  const broker = await startJvmBroker({ version, heap: '384m' });
  try {
    return await (isOlder(version, OLDEST) ? onOldBroker : onRecentBroker)(broker.bootstrapServers);
  } finally {
    await broker.stop();
  }
}

const given = process.argv.slice(2);
const digests = new Set<string>();
let failed = 0;
for (const version of given.length > 0 ? given : RELEASES) {
  const { problem, digest, said } = await on(version);
  if (digest !== '') digests.add(digest);
  if (problem !== null) failed++;
  console.log(
    `Kafka ${version.padEnd(8)} ${problem === null ? 'ok' : 'FAILED'}  ${digest.padEnd(12)}  ${problem ?? said}`,
  );
}
if (digests.size > 1) console.log('FAILED: not the same records everywhere');
process.exitCode = failed > 0 || digests.size > 1 ? 1 : 0;
function codes(...runs: Run[]): string {
  return runs
    .map(({ code, signal, ms }) => `, exit ${code ?? signal ?? ''} after ${(ms / 1000).toFixed(1)} s`)
    .join('');
}
