import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Consumer } from '../../src/index.ts';
import { TestAdmin } from '../harness/admin.ts';
import { type DeathGuard, atDeath } from '../harness/at-death.ts';
import { until } from '../harness/waiting.ts';
import { type MemberLog, readMemberLog } from './member-log.ts';
import { type Verdict, verify } from './verify.ts';

const MEMBER = fileURLToPath(new URL('member.ts', import.meta.url));
const TIMEOUT_MS = 240_000;
const EXIT_TIMEOUT_MS = 15_000;

export interface ScenarioOptions {
  bootstrapServers: string;
  records: number;
  partitions: number;
  sessionTimeoutMs: number;
  autoCommitIntervalMs: number;
  /** How long a member takes over each batch of up to 500 records. */
  pauseMs: number;
  /** A little above the session's time-out: how long any process may go without a record. */
  longestGapMs: number;
  say?: (text: string) => void;
}

/** What `member.ts` is started with. */
export interface MemberSettings {
  bootstrapServers: string;
  topic: string;
  groupId: string;
  partitions: number;
  file: string;
  pauseMs: number;
  sessionTimeoutMs: number;
  autoCommitIntervalMs: number;
}

/**
 * Three processes share a topic; half-way one gets SIGKILL, one SIGTERM, and a fourth joins. When all was delivered, the rest
 * is stopped in order and what they wrote is held against what a group promises.
 */
export async function runScenario(options: ScenarioOptions): Promise<Verdict> {
  const { bootstrapServers, records, partitions, say = () => undefined } = options;
  const topic = `chaos-${randomUUID()}`;
  const folder = mkdtempSync(join(tmpdir(), 'samsa-chaos-'));
  const members: Member[] = [];
  const admin = await TestAdmin.connect(bootstrapServers);
  try {
    await admin.createTopic(topic, partitions);
    await admin.fill(topic, records, (index) => ({ value: `${index}` }));
    say(`${records} records in ${partitions} partitions`);

    const settings: MemberSettings = { ...options, topic, groupId: `${topic}-group`, file: '' };
    const start = (name: string): Member => {
      const member = new Member(name, { ...settings, file: join(folder, name) });
      members.push(member);
      return member;
    };
    const logs = (): MemberLog[] => members.map(({ log }) => log);
    const [first, second] = [start('first'), start('second')];
    start('third');
    const startedAt = performance.now();
    await until(() => members.every(hasRecords), { what: 'records for all three', timeoutMs: 30_000, details: report });
    await until(() => highest(logs()) >= records / 2, { what: 'half', timeoutMs: TIMEOUT_MS, details: report });

    first.kill('SIGKILL');
    const leftBy = second.exit('SIGTERM');
    const fourth = start('fourth');
    say(`half-way after ${seconds(startedAt)}: SIGKILL, SIGTERM, and a fourth starts`);
    await leftBy;
    await until(() => highest(logs()) === records, { what: 'end', timeoutMs: TIMEOUT_MS, details: report });
    say(`all delivered after ${seconds(startedAt)}`);
    await Promise.all(members.filter((each) => each !== first && each !== second).map((each) => each.exit('SIGTERM')));

    // `fill` deals them out like cards.
    const shares = Array.from({ length: partitions }, (_, partition) => Math.ceil((records - partition) / partitions));
    const verdict = verify(logs(), { shares, killed: first.name, longestGapMs: options.longestGapMs });
    if (!hasRecords(fourth)) verdict.faults.push('the fourth was given nothing');
    verdict.faults.push(...(await wronglyCommitted(settings, shares)));
    return verdict;
  } finally {
    admin.close();
    for (const member of members) member.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }

  function report(): string {
    return members.map(({ name, stderr }) => `${name}: ${stderr.slice(-2000)}`).join('\n');
  }
}

/** After the last member has gone in order, all of it is committed. */
async function wronglyCommitted(settings: MemberSettings, shares: readonly number[]): Promise<string[]> {
  const { bootstrapServers, groupId, topic } = settings;
  await using onlooker = new Consumer({ bootstrapServers, groupId });
  const committed = await onlooker.committed(shares.map((_, partition) => ({ topic, partition })));
  return committed
    .filter(({ partition, offset }) => offset !== shares[partition])
    .map(({ partition, offset }) => `${partition} is committed at ${offset}, not at ${shares[partition]}`);
}

class Member {
  readonly name: string;
  stderr = '';
  readonly #file: string;
  readonly #process: ChildProcess;
  readonly #guard: DeathGuard;
  readonly #ended: Promise<string>;

  constructor(name: string, settings: MemberSettings) {
    this.name = name;
    this.#file = settings.file;
    writeFileSync(settings.file, '');
    this.#process = spawn(process.execPath, ['--import', 'tsx', MEMBER, JSON.stringify(settings)], {
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    this.#guard = atDeath('kill -9 "$1"', String(this.#process.pid));
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.#ended = new Promise((resolve) => {
      this.#process.once('close', (code, signal) => {
        this.#guard.release();
        resolve(String(signal ?? code));
      });
    });
  }

  get log(): MemberLog {
    return readMemberLog(this.name, this.#file);
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Asks it to end; throws where it does not, or not with 0. */
  async exit(signal: NodeJS.Signals): Promise<void> {
    this.kill(signal);
    const timer = setTimeout(() => this.kill('SIGKILL'), EXIT_TIMEOUT_MS);
    const result = await this.#ended;
    clearTimeout(timer);
    if (result !== '0') throw new Error(`${this.name} ended with ${result} after ${signal}: ${this.stderr}`);
  }
}

function hasRecords({ log }: Member): boolean {
  return log.tenures.some(({ delivered }) => delivered.length > 0);
}

/** How far all partitions have come, in records. */
function highest(logs: readonly MemberLog[]): number {
  const ends = new Map<number, number>();
  for (const { tenures } of logs) {
    for (const { partition, last } of tenures.flatMap(({ delivered }) => delivered)) {
      ends.set(partition, Math.max(ends.get(partition) ?? 0, last + 1));
    }
  }
  return [...ends.values()].reduce((sum, end) => sum + end, 0);
}

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}
