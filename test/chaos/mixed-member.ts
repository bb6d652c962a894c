import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type DeathGuard, atDeath } from '../harness/at-death.ts';
import { classPath, javaCommand } from '../harness/kafka-jars.ts';
import type { MixedLine, MixedMember } from './mixed.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
export const JAVA_VERSION = '4.2.0';
const SESSION_TIMEOUT_MS = 10_000;
const JAVA_CLASSES: Record<string, string> = {
  range: 'RangeAssignor',
  roundrobin: 'RoundRobinAssignor',
  sticky: 'StickyAssignor',
  'cooperative-sticky': 'CooperativeStickyAssignor',
};

export type Client = 'samsa' | 'java';

export interface GroupMemberOptions {
  client: Client;
  name: string;
  bootstrapServers: string;
  topic: string;
  groupId: string;
  /** An assignor's name, or `consumer` for KIP-848. */
  strategy: string;
  /** Commits every five seconds and at a revocation, instead of after every poll. */
  commitsByItself: boolean;
}

/** A process of a verifiable consumer that tells of every record. It dies with this one. */
export class GroupMember implements MixedMember {
  readonly client: Client;
  readonly name: string;
  readonly lines: MixedLine[] = [];
  /** By partition: the offset after the last record that was read. */
  readonly next = new Map<number, number>();
  readonly owned = new Set<number>();
  stderr = '';
  isKilled = false;
  state: 'running' | 'ending' | 'ended' | 'ended by itself' = 'running';
  readonly #process: ChildProcess;
  readonly #guard: DeathGuard;
  readonly #ended: Promise<void>;
  #rest = '';

  constructor(options: GroupMemberOptions) {
    this.client = options.client;
    this.name = options.name;
    const flags = flagsOf(options);
    this.#process =
      options.client === 'samsa'
        ? spawn(process.execPath, ['--import', 'tsx', MAIN, 'verifiable-consumer', ...flags])
        : spawn(javaCommand(), [...javaFlags(), 'org.apache.kafka.tools.VerifiableConsumer', ...flags]);
    this.#guard = atDeath('kill -9 "$1"', String(this.#process.pid));
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.#ended = new Promise((resolve) => {
      this.#process.once('close', () => {
        this.#guard.release();
        this.state = this.state === 'running' ? 'ended by itself' : 'ended';
        this.owned.clear();
        resolve();
      });
    });
  }

  /** SIGTERM lets it leave its group. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.state !== 'running') return;
    this.state = 'ending';
    this.isKilled = signal === 'SIGKILL';
    this.#process.kill(signal);
    await this.#ended;
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? ''; // a line that is cut off was not printed
    for (const line of lines) if (line.startsWith('{')) this.#take(JSON.parse(line) as MixedLine);
  }

  #take(line: MixedLine): void {
    this.lines.push(line);
    const { name, partitions = [], partition, offset } = line;
    if (name === 'partitions_assigned') for (const { partition } of partitions) this.owned.add(partition);
    else if (name === 'partitions_revoked') for (const { partition } of partitions) this.owned.delete(partition);
    else if (name === 'record_data' && partition !== undefined && offset !== undefined)
      this.next.set(partition, offset + 1);
  }
}

function flagsOf({ bootstrapServers, topic, groupId, strategy, commitsByItself }: GroupMemberOptions): string[] {
  const common = ['--bootstrap-server', bootstrapServers, '--topic', topic, '--group-id', groupId, '--verbose'];
  if (commitsByItself) common.push('--enable-autocommit');
  if (strategy === 'consumer') return [...common, '--group-protocol', 'consumer'];
  const className = `org.apache.kafka.clients.consumer.${JAVA_CLASSES[strategy] ?? strategy}`;
  return [...common, '--session-timeout', String(SESSION_TIMEOUT_MS), '--assignment-strategy', className];
}

function javaFlags(): string[] {
  const jvm = ['-Xmx128m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
  return [...jvm, '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', classPath(JAVA_VERSION)];
}
