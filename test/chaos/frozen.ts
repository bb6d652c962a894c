import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer, type ConsumerOptions } from '../../src/index.ts';
import { TestAdmin } from '../harness/admin.ts';
import { moveLeader } from '../harness/cluster-admin.ts';
import type { JvmCluster } from '../harness/jvm-cluster.ts';
import { startTool } from '../harness/kafka-tools.ts';
import { until } from '../harness/waiting.ts';

// A broker whose process stands still (SIGSTOP): its sockets stay open, and nothing is answered.

const PARTITIONS = 6;
const MEMBERS = 3;
const RECORDS_A_SECOND = 200;
/** A line of Kafka's VerifiableProducer. */
interface Acknowledgement {
  name?: string;
  partition?: number;
  offset?: number;
}

export interface FrozenReport {
  produced: number;
  delivered: number;
  /** Records that were delivered more than once. */
  twice: number;
  /** Records that were acknowledged and never delivered. */
  lost: number;
  /** The longest time that a partition had acknowledged records and delivered none, in milliseconds. */
  longestGapMs: number;
  /** The longest time between two acknowledgements of a partition: what the cluster and its producer themselves stood still. */
  longestPauseOfProducerMs: number;
}

/** A group of three on three brokers, one of which is frozen for so long while 200 records a second are produced. */
export async function frozenBroker(
  cluster: JvmCluster,
  groupProtocol: 'classic' | 'consumer',
  seconds: number,
): Promise<FrozenReport> {
  const topic = `frozen-${groupProtocol}-${seconds}-${Date.now()}`;
  const admin = await TestAdmin.connect(cluster.bootstrapServers);
  await admin.createTopic(topic, PARTITIONS, { replicationFactor: 3, configs: { 'min.insync.replicas': '2' } });
  for (let partition = 0; partition < PARTITIONS; partition++)
    await moveLeader(admin, topic, partition, 1 + (partition % 3));
  const deliveries = new Map<string, number[]>();
  const consumers = Array.from({ length: MEMBERS }, () => reader(cluster, topic, { groupProtocol }, deliveries));
  const isShared = (): boolean => consumers.every(({ consumer }) => consumer.assignment().length === 2);
  await until(isShared, { what: 'a share for each member', timeoutMs: 60_000 });
  const producer = await startTool(cluster, 'org.apache.kafka.tools.VerifiableProducer', [
    ...['--topic', topic, '--throughput', String(RECORDS_A_SECOND), '--repeating-keys', '120'],
    ...['--command-config', join(import.meta.dirname, 'frozen-producer.properties')],
  ]);
  const acknowledgements = new Map<string, number>();
  let read = 0;
  const watching = setInterval(() => {
    const now = performance.now();
    const { lines } = producer;
    for (; read < lines.length; read++) {
      const line = lines[read] ?? '';
      const said = (line.startsWith('{') ? JSON.parse(line) : {}) as Acknowledgement;
      if (said.name === 'producer_send_success') acknowledgements.set(`${said.partition}/${said.offset}`, now);
    }
  }, 50);
  await until(() => deliveries.size > 5 * RECORDS_A_SECOND, { what: 'a steady flow', timeoutMs: 60_000 });
  await cluster.broker(1).pause();
  await sleep(seconds * 1000);
  await cluster.broker(1).resume();
  await sleep(20_000); // what a broker does that wakes up: it speaks as the coordinator and leader that it was
  await producer.stop('SIGTERM');
  const isAllThere = (): boolean => [...acknowledgements.keys()].every((key) => deliveries.has(key));
  await until(isAllThere, { what: 'every record', timeoutMs: 60_000 }).catch(() => undefined);
  clearInterval(watching);
  await Promise.all(consumers.map(({ close }) => close()));
  admin.close();
  return report(acknowledgements, deliveries);
}

/** Starts consumers that know the frozen broker as the first of their servers. Gives the times to their first record. */
export async function frozenBootstrap(cluster: JvmCluster, groupId: string | null, rounds: number): Promise<number[]> {
  const topic = `bootstrap-${groupId ?? 'alone'}-${Date.now()}`;
  const admin = await TestAdmin.connect(cluster.bootstrapServers);
  await admin.createTopic(topic, 1, { replicationFactor: 3 });
  await moveLeader(admin, topic, 0, 2);
  await admin.fill(topic, 10, (index) => ({ value: `${index}` }));
  admin.close();
  await cluster.broker(1).pause();
  const times: number[] = [];
  try {
    await sleep(15_000); // the cluster knows that the broker is gone
    for (let round = 0; round < rounds; round++) {
      const began = performance.now();
      const consumer = new Consumer({
        bootstrapServers: cluster.bootstrapServers,
        autoOffsetReset: 'earliest',
        logger: null,
        ...(groupId === null ? {} : { groupId: `${groupId}-${round}-${Date.now()}` }),
      });
      if (groupId === null) consumer.assign([{ topic, partition: 0, offset: 0 }]);
      else consumer.subscribe([topic]);
      await consumer.read({ timeoutMs: 90_000 });
      times.push(Math.round(performance.now() - began));
      await consumer.close();
    }
  } finally {
    await cluster.broker(1).resume();
  }
  return times;
}

/** Closes a member of a group while every broker is frozen. Gives how long that took, in milliseconds. */
export async function closeInOutage(cluster: JvmCluster): Promise<number> {
  const topic = `outage-${Date.now()}`;
  const admin = await TestAdmin.connect(cluster.bootstrapServers);
  await admin.createTopic(topic, 1, { replicationFactor: 3 });
  await admin.fill(topic, 10, (index) => ({ value: `${index}` }));
  admin.close();
  const { bootstrapServers } = cluster;
  const consumer = new Consumer({ bootstrapServers, groupId: topic, autoOffsetReset: 'earliest', logger: null });
  consumer.subscribe([topic]);
  await consumer.read();
  await consumer.read();
  for (const broker of cluster.brokers) await broker.pause();
  try {
    const began = performance.now();
    await consumer.close();
    return Math.round(performance.now() - began);
  } finally {
    for (const broker of cluster.brokers) await broker.resume();
  }
}

function reader(
  { bootstrapServers }: JvmCluster,
  topic: string,
  options: Partial<ConsumerOptions>,
  deliveries: Map<string, number[]>,
): { consumer: Consumer; close: () => Promise<void> } {
  const consumer = new Consumer({
    bootstrapServers,
    groupId: topic,
    autoOffsetReset: 'earliest',
    logger: null,
    ...options,
  });
  consumer.subscribe([topic]);
  const reading = (async () => {
    for await (const record of consumer) {
      const key = `${record.partition}/${record.offset}`;
      const times = deliveries.get(key);
      if (times === undefined) deliveries.set(key, [performance.now()]);
      else times.push(performance.now());
    }
  })();
  return {
    consumer,
    close: async () => {
      await consumer.close();
      await reading;
    },
  };
}

function report(acknowledgements: Map<string, number>, deliveries: Map<string, number[]>): FrozenReport {
  let longestGapMs = 0;
  let longestPauseOfProducerMs = 0;
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const acknowledged = [...acknowledgements].filter(([key]) => key.startsWith(`${partition}/`));
    const times = acknowledged.map(([, at]) => at).sort((a, b) => a - b);
    for (const [index, at] of times.entries())
      longestPauseOfProducerMs = Math.max(longestPauseOfProducerMs, at - (times[index - 1] ?? at));
    for (const [key, at] of acknowledged) {
      const [delivered = Infinity] = deliveries.get(key) ?? [];
      if (delivered !== Infinity) longestGapMs = Math.max(longestGapMs, delivered - at);
    }
  }
  return {
    produced: acknowledgements.size,
    delivered: deliveries.size,
    twice: [...deliveries.values()].filter(({ length }) => length > 1).length,
    lost: [...acknowledgements.keys()].filter((key) => !deliveries.has(key)).length,
    longestGapMs: Math.round(longestGapMs),
    longestPauseOfProducerMs: Math.round(longestPauseOfProducerMs),
  };
}
