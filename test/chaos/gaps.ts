/**
 * How long a partition is not delivered when a member joins, leaves, is killed, and when the coordinator's broker is killed: a
 * group of samsa and one of Java's consumer (both cooperative-sticky, or `--strategy NAME`), on the same topic of the same
 * cluster of three brokers, one after the other, by what `verifiable-consumer` and Java's VerifiableConsumer print.
 *
 *   npx tsx test/chaos/gaps.ts [--strategy cooperative-sticky]
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createTopics } from '../../src/protocol/api/create-topics.ts';
import { TestAdmin } from '../harness/admin.ts';
import { moveLeader, partitionsOf } from '../harness/cluster-admin.ts';
import { startJvmCluster } from '../harness/jvm-cluster.ts';
import { startTool, type ToolTarget } from '../harness/kafka-tools.ts';
import { until } from '../harness/waiting.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const TOPIC = 'gaps';
const PARTITIONS = 6;
/** Over all partitions, so that each has a record every 10 ms. */
const RECORDS_PER_SECOND = 600;
const SESSION_TIMEOUT_MS = 6_000;
const CLIENTS = ['samsa', 'java'] as const;

type Client = (typeof CLIENTS)[number];
type Flags = readonly string[];

interface Member {
  readonly lines: () => readonly string[];
  kill(signal: NodeJS.Signals): void;
}

interface Line {
  timestamp: number;
  name: string;
  partitions?: { partition: number }[];
}

const { values } = parseArgs({
  options: { strategy: { type: 'string', default: 'cooperative-sticky' } },
});
const JAVA_CLASSES: Record<string, string> = {
  range: 'RangeAssignor',
  roundrobin: 'RoundRobinAssignor',
  sticky: 'StickyAssignor',
  'cooperative-sticky': 'CooperativeStickyAssignor',
};
const strategy = `org.apache.kafka.clients.consumer.${JAVA_CLASSES[values.strategy] ?? values.strategy}`;

class Group {
  readonly members: Member[] = [];
  /** Killed: what they had read counts, what they owned does not. */
  readonly killed = new Set<Member>();
  readonly #client: Client;
  readonly #target: ToolTarget;
  readonly #flags: Flags;

  constructor(client: Client, target: ToolTarget, groupId: string) {
    this.#client = client;
    this.#target = target;
    const timeouts = ['--session-timeout', String(SESSION_TIMEOUT_MS), '--assignment-strategy', strategy];
    this.#flags = ['--topic', TOPIC, '--group-id', groupId, ...timeouts, '--enable-autocommit'];
  }

  /** Starts a member and waits until all have their share. */
  async add(): Promise<Member> {
    const member =
      this.#client === 'samsa' ? startSamsa(this.#target, this.#flags) : await startJava(this.#target, this.#flags);
    this.members.push(member);
    return member;
  }

  owners(): Map<number, Member> {
    const owners = new Map<number, Member>();
    for (const member of this.members) {
      if (this.killed.has(member)) continue;
      for (const partition of ownedBy(member)) owners.set(partition, member);
    }
    return owners;
  }

  async untilShared(among: number): Promise<void> {
    await until(() => this.owners().size === PARTITIONS && new Set(this.owners().values()).size === among, {
      what: `${PARTITIONS} partitions among ${among} of ${this.#client}`,
      timeoutMs: 60_000,
    });
  }

  /** When records of a partition arrived, at whichever member. */
  arrivals(partition: number): number[] {
    const times = this.members.flatMap((member) =>
      parsed(member).flatMap(({ name, timestamp, partitions = [] }) =>
        name === 'records_consumed' && partitions.some((each) => each.partition === partition) ? [timestamp] : [],
      ),
    );
    return times.sort((a, b) => a - b);
  }
}

function parsed(member: Member): Line[] {
  return member.lines().map((line) => JSON.parse(line) as Line);
}

function ownedBy(member: Member): Set<number> {
  const owned = new Set<number>();
  for (const { name, partitions = [] } of parsed(member)) {
    if (name === 'partitions_assigned') for (const { partition } of partitions) owned.add(partition);
    if (name === 'partitions_revoked') for (const { partition } of partitions) owned.delete(partition);
  }
  return owned;
}

function startSamsa({ bootstrapServers }: ToolTarget, flags: Flags): Member {
  const args = ['--import', 'tsx', MAIN, 'verifiable-consumer', '--bootstrap-server', bootstrapServers, ...flags];
  const child: ChildProcess = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  return {
    lines: () => text.split('\n').slice(0, -1),
    kill: (signal) => child.kill(signal),
  };
}

async function startJava(target: ToolTarget, flags: Flags): Promise<Member> {
  const tool = await startTool(target, 'org.apache.kafka.tools.VerifiableConsumer', flags);
  return { lines: () => tool.lines, kill: (signal) => void tool.stop(signal) };
}

/** The longest time without a record that overlaps what followed `since`. */
function longestGap(group: Group, partition: number, since: number): number {
  const times = group.arrivals(partition);
  let longest = 0;
  for (let i = 1; i < times.length; i++) {
    const [before = 0, after = 0] = times.slice(i - 1, i + 1);
    if (after >= since) longest = Math.max(longest, after - before);
  }
  return longest;
}

function report(client: Client, what: string, group: Group, before: Map<number, Member>, since: number): void {
  const after = group.owners();
  const gaps = { stayed: [] as number[], moved: [] as number[] };
  for (const [partition, owner] of after) {
    gaps[before.get(partition) === owner ? 'stayed' : 'moved'].push(longestGap(group, partition, since));
  }
  const show = (list: number[]): string =>
    list.length === 0 ? 'none' : `${list.length}, longest gap ${Math.max(...list)} ms`;
  console.log(
    `${client.padEnd(6)} ${what.padEnd(34)} stayed: ${show(gaps.stayed).padEnd(26)} moved: ${show(gaps.moved)}`,
  );
}

const cluster = await startJvmCluster({
  properties: {
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.num.partitions': '3',
  },
});
try {
  const admin = await TestAdmin.connect(cluster.bootstrapServers);
  // Broker 1 has nothing of the topic, and coordinates both groups: when it is killed only the coordinator moves.
  const assignments = Array.from({ length: PARTITIONS }, (_, partitionIndex) => {
    return {
      partitionIndex,
      brokerIds: partitionIndex % 2 === 0 ? [2, 3] : [3, 2],
    };
  });
  const made = {
    name: TOPIC,
    numPartitions: -1,
    replicationFactor: -1,
    assignments,
    configs: [],
  };
  await admin.send(createTopics, {
    topics: [made],
    timeoutMs: 15_000,
    validateOnly: false,
  });
  const load = await startTool(cluster, 'org.apache.kafka.tools.VerifiableProducer', [
    ...['--topic', TOPIC, '--throughput', String(RECORDS_PER_SECOND), '--max-messages', '-1', '--repeating-keys', '96'],
  ]);
  await load.untilLines(100);
  const groups = new Map<Client, Group>(
    CLIENTS.map((client) => [client, new Group(client, cluster, `gaps-${client}`)]),
  );
  for (const group of groups.values()) {
    for (let i = 0; i < 2; i++) await group.add();
    await group.untilShared(2);
  }
  for (let partition = 0; partition < 3; partition++) await moveLeader(admin, '__consumer_offsets', partition, 1);
  await sleep(5_000);
  for (const [client, group] of groups) {
    let before = group.owners();
    let since = Date.now();
    let third = await group.add();
    await group.untilShared(3);
    await sleep(3_000);
    report(client, 'a third member joins', group, before, since);

    before = group.owners();
    since = Date.now();
    third.kill('SIGTERM');
    await group.untilShared(2);
    await sleep(3_000);
    report(client, 'it leaves (SIGTERM)', group, before, since);

    third = await group.add();
    await group.untilShared(3);
    await sleep(3_000);
    before = group.owners();
    since = Date.now();
    third.kill('SIGKILL');
    group.killed.add(third);
    await group.untilShared(2);
    await sleep(3_000);
    report(client, `it is killed (session ${SESSION_TIMEOUT_MS} ms)`, group, before, since);
  }
  const owners = new Map([...groups].map(([client, group]) => [client, group.owners()]));
  const leaders = (await partitionsOf(admin, '__consumer_offsets')).map(({ leaderId }) => leaderId);
  if (leaders.some((leader) => leader !== 1)) throw new Error(`the coordinators are on ${leaders.join(', ')}`);
  const since = Date.now();
  await cluster.broker(1).kill('SIGKILL');
  await sleep(20_000);
  for (const [client, group] of groups) {
    report(client, "the coordinator's broker is killed", group, owners.get(client) ?? new Map<number, Member>(), since);
  }
  for (const group of groups.values()) for (const member of group.members) member.kill('SIGTERM');
  await load.stop('SIGKILL');
  admin.close();
} finally {
  await cluster.stop();
}
process.exit(0);
