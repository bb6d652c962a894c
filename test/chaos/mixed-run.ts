/**
 * One group of five members of samsa and two of Java on three real brokers, under a steady producer, while members join, leave
 * and are killed and the coordinator's broker is killed. Every record is accounted for by what `verifiable-consumer` and Java's
 * VerifiableConsumer print. One group after the other for each assignor and for the protocol `consumer` (KIP-848).
 *
 *   npx tsx test/chaos/mixed-run.ts [--seconds 120] [--strategy range,roundrobin,sticky,cooperative-sticky,consumer] [--autocommit]
 *
 * Members commit after every poll and tell of it; with --autocommit every five seconds, so that a kill leaves much uncommitted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { TestAdmin } from '../harness/admin.ts';
import { partitionsOf } from '../harness/cluster-admin.ts';
import { type JvmCluster, startJvmCluster } from '../harness/jvm-cluster.ts';
import { fetchJars } from '../harness/kafka-jars.ts';
import { until } from '../harness/waiting.ts';
import { CommitWatch } from './mixed-commits.ts';
import { GroupMember, JAVA_VERSION, type Client } from './mixed-member.ts';
import { type Acknowledged, verifyMixed } from './mixed.ts';

const PARTITIONS = 12;
const BATCH_RECORDS = 10;
/** With 12 partitions: 480 records in a second. */
const EVERY_MS = 250;
const SETTLED_WITHIN_MS = 90_000;
/** Between two events, once all partitions have an owner. */
const PAUSE_MS = 4_000;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    strategy: { type: 'string', default: 'range,roundrobin,sticky,cooperative-sticky,consumer' },
    autocommit: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const log = (line: string): void => console.log(`  ${new Date().toISOString().slice(11, 23)} ${line}`);

/** A steady producer; a connection for each partition, so that one without a leader does not hold up the others. */
class Load {
  readonly acknowledged: Acknowledged[] = [];
  #isStopping = false;
  readonly #done: Promise<unknown>;

  constructor(bootstrapServers: string, topic: string) {
    const loops = Array.from({ length: PARTITIONS }, (_, partition) => this.#fill(bootstrapServers, topic, partition));
    this.#done = Promise.all(loops);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#done;
  }

  async #fill(bootstrapServers: string, topic: string, partition: number): Promise<void> {
    const producer = await TestAdmin.connect(bootstrapServers);
    for (let round = 0; !this.#isStopping; round++) {
      const batch = Array.from({ length: BATCH_RECORDS }, (_, i) => ({ value: `${partition}/${round}/${i}` }));
      const baseOffset = await producer.produce(topic, partition, batch);
      const atMs = Date.now();
      for (const [i, { value }] of batch.entries())
        this.acknowledged.push({ partition, offset: baseOffset + i, value, atMs });
      await sleep(EVERY_MS);
    }
    producer.close();
  }
}

class Mixture {
  readonly members: GroupMember[] = [];
  readonly problems: string[] = [];
  readonly #cluster: JvmCluster;
  readonly #strategy: string;
  readonly #topic: string;

  constructor(cluster: JvmCluster, strategy: string, topic: string) {
    this.#cluster = cluster;
    this.#strategy = strategy;
    this.#topic = topic;
  }

  add(client: Client): void {
    const name = `${client}-${this.members.length + 1}`;
    const { bootstrapServers } = this.#cluster;
    const [topic, strategy, commitsByItself] = [this.#topic, this.#strategy, values.autocommit];
    const where = { bootstrapServers, topic, groupId: topic };
    this.members.push(new GroupMember({ client, name, ...where, strategy, commitsByItself }));
  }

  /** The member of this client that has been there longest. */
  oldest(client: Client): GroupMember {
    const found = this.#running.find((member) => member.client === client);
    if (found === undefined) throw new Error(`no member of ${client} is left`);
    return found;
  }

  /** Waits until every partition has one owner, and everybody a partition. */
  async settled(what: string): Promise<void> {
    const since = performance.now();
    const among = this.#running.length;
    const isSettled = (): boolean => {
      const owned = this.#running.map((member) => [...member.owned]);
      return owned.every((each) => each.length > 0) && owned.flat().sort().join() === ALL_PARTITIONS;
    };
    const details = (): string =>
      this.members.map(({ name, state, owned }) => `${name} (${state}): ${[...owned].join(' ')}`).join('; ');
    await until(isSettled, { what: `shared among ${among}`, timeoutMs: SETTLED_WITHIN_MS, details }).catch(
      (error: unknown) => this.problems.push(`${what}: ${String(error)}`),
    );
    log(`${what}: shared among ${among} after ${Math.round(performance.now() - since)} ms`);
    await sleep(PAUSE_MS);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.map((member) => member.end('SIGTERM')));
  }

  get #running(): GroupMember[] {
    return this.members.filter(({ state }) => state === 'running');
  }
}

const ALL_PARTITIONS = Array.from({ length: PARTITIONS }, (_, partition) => partition)
  .sort()
  .join();

async function killCoordinator(cluster: JvmCluster, admin: TestAdmin, topic: string, group: Mixture): Promise<void> {
  // There is one partition of offsets: its leader coordinates.
  const [offsets] = await partitionsOf(admin, '__consumer_offsets');
  const coordinator = offsets?.leaderId ?? 1;
  await cluster.broker(coordinator).kill('SIGKILL');
  await sleep(12_000);
  await cluster.broker(coordinator).restart();
  const isInSync = async (): Promise<boolean> =>
    [...(await partitionsOf(admin, topic)), ...(await partitionsOf(admin, '__consumer_offsets'))].every(
      ({ isrNodes }) => isrNodes.length === 3,
    );
  await until(isInSync, { what: 'all replicas in sync', timeoutMs: 60_000 });
  await group.settled(`coordinator's broker ${coordinator} killed and restarted`);
}

/** @returns whether all was well */
async function mix(cluster: JvmCluster, admin: TestAdmin, strategy: string): Promise<boolean> {
  const topic = `mixed-${strategy}`;
  await admin.createTopic(topic, PARTITIONS, { replicationFactor: 3 });
  const load = new Load(cluster.bootstrapServers, topic);
  const watch = new CommitWatch(cluster.bootstrapServers, topic);
  const group = new Mixture(cluster, strategy, topic);
  for (const client of ['java', 'java', 'samsa', 'samsa', 'samsa', 'samsa', 'samsa'] as const) group.add(client);
  await group.settled(`${strategy}: five of samsa, two of Java`);
  const started = performance.now();
  const events: (() => Promise<void>)[] = [
    async () => {
      group.add('samsa');
      await group.settled('one more joins');
    },
    async () => {
      await group.oldest('samsa').end('SIGKILL');
      group.add('samsa');
      await group.settled('samsa killed and replaced');
    },
    async () => {
      await group.oldest('java').end('SIGTERM');
      group.add('java');
      await group.settled('Java stopped and started');
    },
    () => killCoordinator(cluster, admin, topic, group),
    async () => {
      await group.oldest('samsa').end('SIGTERM');
      await group.settled('one leaves');
    },
    async () => {
      await group.oldest('samsa').end('SIGTERM');
      group.add('samsa');
      await group.settled('samsa stopped and replaced');
    },
    async () => {
      await group.oldest('java').end('SIGKILL');
      group.add('java');
      await group.settled('Java killed and replaced');
    },
  ];
  let done = 0;
  // All of them once, however long that takes; then on until the time is up.
  for (; done < events.length || performance.now() - started < seconds * 1000; done++)
    await events[done % events.length]?.();
  const ranFor = Math.round((performance.now() - started) / 1000);
  await load.stop();
  const ends = await admin.endOffsets(topic);
  const isDrained = (): boolean =>
    ends.every((end, partition) => group.members.some((member) => (member.next.get(partition) ?? 0) >= end));
  await until(isDrained, { what: 'all delivered', timeoutMs: 60_000 }).catch((error: unknown) =>
    group.problems.push(String(error)),
  );
  await group.stop();
  await watch.stop();
  if (watch.commits.length === 0) group.problems.push('no commit was seen');
  const { problems, ...figures } = verifyMixed(group.members, load.acknowledged, watch.commits);
  for (const { name, state, stderr } of group.members)
    if (state === 'ended by itself') group.problems.push(`${name} ended by itself: ${stderr.slice(-1000)}`);
  const all = [...group.problems, ...problems];
  const { acknowledged, delivered, duplicates, duplicatesOfKilled, tenures, failedCommits, longestStallMs } = figures;
  console.log(
    `${strategy.padEnd(18)} ${ranFor} s, ${done} events: ${acknowledged} records acknowledged, ${delivered} delivered in ${tenures} tenures; ` +
      `${duplicates} duplicates (${duplicatesOfKilled} of killed members), ${failedCommits} commits failed; longest stall ${longestStallMs} ms: ` +
      (all.length === 0 ? 'all is well' : `${all.length} PROBLEMS`),
  );
  for (const problem of all.slice(0, 30)) console.log(`  ${problem}`);
  return all.length === 0;
}

await fetchJars(JAVA_VERSION);
const cluster = await startJvmCluster({
  properties: {
    // A commit that was acknowledged outlives its broker.
    'min.insync.replicas': '2',
    'offsets.topic.num.partitions': '1',
    'group.consumer.session.timeout.ms': '10000',
  },
});
try {
  const admin = await TestAdmin.connect(cluster.bootstrapServers);
  for (const strategy of values.strategy.split(',')) if (!(await mix(cluster, admin, strategy))) process.exitCode = 1;
  admin.close();
} finally {
  await cluster.stop();
}
process.exit();
