import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer, type PositionReset } from '../../src/index.ts';
import { TestAdmin } from '../harness/admin.ts';
import { deleteTopic, electUnclean, moveLeader, partitionsOf } from '../harness/cluster-admin.ts';
import type { JvmCluster } from '../harness/jvm-cluster.ts';
import { until } from '../harness/waiting.ts';

// A consumer on three real brokers while its partitions are taken from under it, every record accounted for.

const PARTITIONS = 3;
const BATCH_RECORDS = 10;
const EVERY_MS = 50;

export interface LeaderChaosOptions {
  seconds: number;
  moveEveryMs?: number;
  /** Kill one broker after the other, each back before the next. */
  isKilling?: boolean;
  log?: (line: string) => void;
}

export interface LeaderChaosReport {
  produced: number;
  delivered: number;
  moves: number;
  kills: number;
  /** What is wrong; empty where every record that was acknowledged came, in order and once. */
  problems: string[];
  /** Milliseconds from the producer's acknowledgement to the application. */
  longestDelayMs: number;
  p50DelayMs: number;
  p99DelayMs: number;
  resets: PositionReset[];
}

/** A steady producer, and leaders that move; with `isKilling`, brokers that die as well. */
export async function leaderChaos(cluster: JvmCluster, options: LeaderChaosOptions): Promise<LeaderChaosReport> {
  const { seconds, moveEveryMs = 5000, isKilling = false, log = () => undefined } = options;
  const topic = `chaos-${Date.now()}`;
  const admin = await TestAdmin.connect(cluster.bootstrapServers);
  await admin.createTopic(topic, PARTITIONS, { replicationFactor: 3, configs: { 'min.insync.replicas': '2' } });
  const acknowledged = new Map<string, number>();
  const delays: number[] = [];
  const problems: string[] = [];
  const resets: PositionReset[] = [];
  const seen = new Set<string>();
  const next = new Array<number>(PARTITIONS).fill(0);
  const arrivals = new Map<string, number>();

  await using consumer = new Consumer({
    bootstrapServers: cluster.bootstrapServers,
    autoOffsetReset: 'none',
    logger: null,
  });
  consumer.on('positionReset', (reset) => resets.push(reset));
  consumer.on('log', ({ level, message }) => level === 'warn' && log(message));
  consumer.assign(Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition, offset: 0 })));
  const reading = (async () => {
    for await (const record of consumer) {
      const id = record.text() ?? '';
      if (record.offset !== next[record.partition])
        problems.push(`partition ${record.partition}: offset ${record.offset} where ${next[record.partition]} was due`);
      next[record.partition] = record.offset + 1;
      seen.add(id);
      const acknowledgedAt = acknowledged.get(id);
      if (acknowledgedAt !== undefined) delays.push(performance.now() - acknowledgedAt);
      else arrivals.set(id, performance.now());
    }
  })();
  reading.catch((error: unknown) => problems.push(`the loop ended: ${String(error)}`));

  const end = performance.now() + seconds * 1000;
  const producing = Array.from({ length: PARTITIONS }, async (_, partition) => {
    // A connection of its own: one partition that has no leader must not hold up the others.
    const producer = await TestAdmin.connect(cluster.bootstrapServers);
    for (let round = 0; performance.now() < end; round++) {
      const ids = Array.from({ length: BATCH_RECORDS }, (_unused, i) => `${partition}/${round * BATCH_RECORDS + i}`);
      await producer.produce(
        topic,
        partition,
        ids.map((value) => ({ value })),
      );
      const now = performance.now();
      for (const id of ids) {
        acknowledged.set(id, now);
        // Came before the acknowledgement did.
        if (arrivals.delete(id)) delays.push(0);
      }
      await sleep(EVERY_MS);
    }
    producer.close();
  });
  let moves = 0;
  let kills = 0;
  const moving = (async () => {
    for (; performance.now() < end - 1000; moves++) {
      await sleep(moveEveryMs);
      const partition = moves % PARTITIONS;
      const found = (await partitionsOf(admin, topic).catch(() => []))[partition];
      const candidates = found?.isrNodes.filter((node) => node !== found.leaderId) ?? [];
      const target = candidates[moves % Math.max(1, candidates.length)];
      if (target !== undefined) await moveLeader(admin, topic, partition, target).catch((error) => log(String(error)));
    }
  })();
  const killing = (async () => {
    for (; isKilling && performance.now() < end - 15_000; kills++) {
      await sleep(3000);
      const broker = cluster.broker(1 + (kills % 3));
      log(`kill ${1 + (kills % 3)}`);
      await broker.kill();
      await sleep(3000);
      await broker.restart();
      await until(async () => (await partitionsOf(admin, topic)).every(({ isrNodes }) => isrNodes.length === 3), {
        what: 'all in sync',
        timeoutMs: 60_000,
      }).catch((error) => log(String(error)));
    }
  })();
  await Promise.all([...producing, moving, killing]);
  const ends = await admin.endOffsets(topic);
  await until(() => ends.every((offset, partition) => (next[partition] ?? 0) >= offset), {
    what: `all ${ends.join(', ')} delivered, now ${next.join(', ')}`,
    timeoutMs: 30_000,
  }).catch((error) => problems.push(String(error)));
  const lost = [...acknowledged.keys()].filter((id) => !seen.has(id));
  if (lost.length > 0) problems.push(`${lost.length} acknowledged records never came: ${lost.slice(0, 5).join(', ')}`);
  await deleteTopic(admin, topic);
  admin.close();
  delays.sort((a, b) => a - b);
  const at = (share: number): number => Math.round(delays[Math.floor(delays.length * share)] ?? 0);
  return {
    produced: acknowledged.size,
    delivered: next.reduce((sum, offset) => sum + offset, 0),
    moves,
    kills,
    problems,
    longestDelayMs: Math.round(delays.at(-1) ?? 0),
    p50DelayMs: at(0.5),
    p99DelayMs: at(0.99),
    resets,
  };
}

/** An unclean election cuts the log off: the consumer goes back to the cut, says so, and reads what the new leader has. */
export async function truncationChaos(cluster: JvmCluster): Promise<{ values: string[]; resets: PositionReset[] }> {
  const topic = `cut-${Date.now()}`;
  const admin = await TestAdmin.connect(cluster.bootstrapServers);
  const records = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, i) => ({ value: `${prefix}${i}` }));
  const configs = { 'min.insync.replicas': '1' };
  await admin.createTopic(topic, 1, { replicationFactor: 2, configs });
  const [first] = await partitionsOf(admin, topic);
  const [leader = 0, follower = 0] = first?.replicaNodes ?? [];
  await moveLeader(admin, topic, 0, leader);
  const values: string[] = [];
  const resets: PositionReset[] = [];
  await using consumer = new Consumer({
    bootstrapServers: cluster.bootstrapServers,
    autoOffsetReset: 'earliest',
    logger: null,
  });
  consumer.on('positionReset', (reset) => resets.push(reset));
  consumer.assign([{ topic, partition: 0, offset: 0 }]);
  void (async () => {
    for await (const record of consumer) values.push(`${record.offset}=${record.text() ?? ''}`);
  })().catch(() => undefined);
  const have = (count: number, timeoutMs = 60_000) =>
    until(() => values.length >= count, { what: `${count} records, now ${values.length}`, timeoutMs });
  await admin.produce(topic, 0, records('a', 10));
  await have(10);
  await cluster.broker(follower).kill();
  await admin.produce(topic, 0, records('lost', 10));
  await have(20);
  await until(async () => (await partitionsOf(admin, topic))[0]?.isrNodes.length === 1, {
    what: 'a follower out of sync',
    timeoutMs: 30_000,
  });
  await cluster.broker(leader).kill();
  await cluster.broker(follower).restart();
  await electUnclean(admin, topic, 0, follower);
  await admin.produce(topic, 0, records('b', 10));
  await have(30);
  await cluster.broker(leader).restart();
  await admin.produce(topic, 0, records('c', 5));
  await have(35);
  admin.close();
  return { values, resets };
}

/** The topic is deleted and made again while it is read. */
export async function recreationChaos(cluster: JvmCluster): Promise<{ values: string[]; resets: PositionReset[] }> {
  const topic = `again-${Date.now()}`;
  const admin = await TestAdmin.connect(cluster.bootstrapServers);
  const records = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, i) => ({ value: `${prefix}${i}` }));
  await admin.createTopic(topic, 1, { replicationFactor: 3 });
  const values: string[] = [];
  const resets: PositionReset[] = [];
  await using consumer = new Consumer({
    bootstrapServers: cluster.bootstrapServers,
    autoOffsetReset: 'earliest',
    allowAutoCreateTopics: false,
    logger: null,
  });
  consumer.on('positionReset', (reset) => resets.push(reset));
  consumer.assign([{ topic, partition: 0, offset: 0 }]);
  void (async () => {
    for await (const record of consumer) values.push(`${record.offset}=${record.text() ?? ''}`);
  })().catch(() => undefined);
  await admin.produce(topic, 0, records('old', 10));
  await until(() => values.length === 10, { what: 'the old topic', timeoutMs: 30_000 });
  await deleteTopic(admin, topic);
  const made = () =>
    admin.createTopic(topic, 1, { replicationFactor: 3 }).then(
      () => true,
      () => false,
    );
  await until(made, { what: 'the topic made again', timeoutMs: 30_000 });
  await admin.produce(topic, 0, records('new', 12));
  await until(() => values.length >= 22, { what: `the new topic, now ${values.length}`, timeoutMs: 30_000 });
  admin.close();
  return { values, resets };
}
