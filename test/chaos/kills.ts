import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Consumer } from '../../src/index.ts';
import { TestAdmin } from '../harness/admin.ts';
import { until } from '../harness/waiting.ts';
import { readHandled } from './handled-log.ts';
import { MemberProcess } from './member-process.ts';
import { type HandledVerdict, verifyHandled } from './verify-handled.ts';

const MEMBER = fileURLToPath(new URL('handler-member.ts', import.meta.url));
const MEMBERS = 3;
const KEYS_PER_PARTITION = 500;
const ENTRY_BYTES = 12;
const PROGRESS_TIMEOUT_MS = 120_000;
/** Of a process in order, from the end of its last handler on. */
const EXIT_WITHIN_MS = 1000;

export interface KillsOptions {
  bootstrapServers: string;
  records: number;
  partitions: number;
  kills: number;
  signal: 'SIGKILL' | 'SIGTERM';
  sessionTimeoutMs: number;
  autoCommitIntervalMs: number;
  /** One of the classic protocol, or `consumer-protocol` (KIP-848). */
  assignor: string;
  say?: (text: string) => void;
}

export interface KillsMember extends KillsOptions {
  topic: string;
  groupId: string;
  file: string;
}

export interface KillsVerdict extends HandledVerdict {
  kills: number;
  seconds: number;
  /** Of processes that were stopped in order: milliseconds from the last handler's end (or the signal, if that came later) to the exit. */
  exitMs: { median: number; slowest: number } | null;
}

/**
 * Three processes handle a topic, 64 records at a time each, in the order of the keys. At random moments of the way one of them is
 * ended by `signal` and another one takes its place; in the end all are stopped in order. Then every record must have been handled, every
 * key in order; with SIGTERM none of them twice, and each process gone within a second of its last handler.
 */
export async function runKills(options: KillsOptions): Promise<KillsVerdict> {
  const { bootstrapServers, records, partitions, kills, signal, say = () => undefined } = options;
  const keys = partitions * KEYS_PER_PARTITION;
  const topic = `kills-${randomUUID()}`;
  const folder = mkdtempSync(join(tmpdir(), 'samsa-kills-'));
  const settings: KillsMember = { ...options, topic, groupId: `${topic}-group`, file: '' };
  const all: MemberProcess[] = [];
  const admin = await TestAdmin.connect(bootstrapServers);
  const start = (): MemberProcess => {
    const name = `member-${all.length}`;
    const member = new MemberProcess(name, MEMBER, { ...settings, file: join(folder, name) });
    all.push(member);
    return member;
  };
  const handled = (): number => all.reduce((sum, { file }) => sum + Math.floor(statSync(file).size / ENTRY_BYTES), 0);
  const untilHandled = (count: number): Promise<void> =>
    until(() => handled() >= count, { what: `${count} handled`, timeoutMs: PROGRESS_TIMEOUT_MS, details: report });
  try {
    await admin.createTopic(topic, partitions);
    await admin.fill(topic, records, (index) => ({ key: `${index % keys}`, value: `${index}` }));
    say(`${records} records in ${partitions} partitions, ${keys} keys`);
    const alive = Array.from({ length: MEMBERS }, start);
    const startedAt = performance.now();
    // Random moments, spread over the whole way; what comes again moves the later ones back a little.
    const moments = Array.from({ length: kills }, (_, i) => ((i + Math.random()) * records * 0.97) / kills + 1);
    for (const [index, moment] of moments.entries()) {
      await untilHandled(moment);
      // One that has not begun to work has nothing to lose.
      await until(() => alive.some(({ file }) => statSync(file).size > 0), { what: 'one at work', timeoutMs: 60_000 });
      const busy = alive.filter(({ file }) => statSync(file).size > 0);
      const victim = busy[Math.floor(Math.random() * busy.length)] as MemberProcess; // there is one
      victim.kill(signal);
      alive.splice(alive.indexOf(victim), 1, start());
      if ((index + 1) % 10 === 0) say(`${index + 1} × ${signal} after ${seconds(startedAt)} s, ${handled()} handled`);
    }
    await until(async () => (await lag(settings)) === 0, {
      what: 'end',
      timeoutMs: 240_000,
      intervalMs: 500,
      details: report,
    });
    const took = seconds(startedAt);
    const areReady = (): boolean => alive.every(({ stdout }) => stdout.includes('ready'));
    await until(areReady, { what: 'start of all', timeoutMs: 60_000, details: report });
    for (const member of alive) member.kill('SIGTERM');
    await Promise.all(all.map(({ ended }) => ended));

    const logs = all.map(({ file }) => readHandled(file));
    const verdict: KillsVerdict = { ...verifyHandled(logs, { records, keys }), kills, seconds: took, exitMs: null };
    const inOrder = signal === 'SIGTERM' ? all : alive;
    const times = await Promise.all(inOrder.map((member) => exitMs(member, verdict.faults)));
    times.sort((a, b) => a - b);
    verdict.exitMs = { median: times[times.length >> 1] ?? NaN, slowest: times.at(-1) ?? NaN };
    if (verdict.exitMs.slowest > EXIT_WITHIN_MS) verdict.faults.push(`an exit took ${verdict.exitMs.slowest} ms`);
    if (signal === 'SIGTERM' && verdict.duplicates > 0) verdict.faults.push(`${verdict.duplicates} came twice`);
    for (const { name, stderr } of all) {
      for (const line of stderr.split('\n'))
        if (line.startsWith('complaint: ')) verdict.faults.push(`${name}: ${line}`);
    }
    return verdict;
  } finally {
    admin.close();
    for (const member of all) member.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }

  function report(): string {
    return `${handled()} handled\n${all.map(({ name, stderr }) => `${name}: ${stderr.slice(-500)}`).join('\n')}`;
  }
}

async function exitMs(member: MemberProcess, faults: string[]): Promise<number> {
  const result = await member.ended;
  if (result !== '0') faults.push(`${member.name} ended with ${result}: ${member.stderr.slice(-500)}`);
  const toldAtUs = Number(/^t (\d+)$/m.exec(member.stdout)?.[1] ?? 0);
  const lastUs = Math.max(toldAtUs, readHandled(member.file).at(-1)?.atUs ?? 0);
  return Math.round((member.endedAtUs - lastUs) / 1000);
}

/** What is not committed. */
async function lag({ bootstrapServers, groupId, topic, partitions }: KillsMember): Promise<number> {
  await using onlooker = new Consumer({ bootstrapServers, groupId, logger: null });
  const list = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const [committed, ends] = await Promise.all([onlooker.committed(list), onlooker.endOffsets(list)]);
  return ends.reduce((sum, { offset }, i) => sum + offset - (committed[i]?.offset ?? 0), 0);
}

function seconds(sinceMs: number): number {
  return Math.round((performance.now() - sinceMs) / 100) / 10;
}
