import { afterAll, beforeAll, expect, it } from 'vitest';
import { Consumer, type KafkaError } from '../../../src/index.ts';
import { TestAdmin } from '../../harness/admin.ts';
import { moveLeader, partitionsOf } from '../../harness/cluster-admin.ts';
import { type JvmCluster, startJvmCluster } from '../../harness/jvm-cluster.ts';
import { quick, upTo, waitFor } from '../rig.ts';

// One of three brokers stops answering and keeps its connections: what a half-open connection looks like from here.

const BROKERS = 3;
const EACH = 100;
const BACK_MS = 60_000;

let cluster: JvmCluster;
let admin: TestAdmin;

beforeAll(async () => {
  cluster = await startJvmCluster({ brokers: BROKERS });
  admin = await TestAdmin.connect(cluster.bootstrapServers);
});
afterAll(async () => {
  admin.close();
  await cluster.stop();
});

const records = (from: number) => upTo(EACH, from).map((index) => ({ value: `${index}` }));

it('a leader that is frozen: the others are read meanwhile, its own partition at its new leader, nothing lost or twice', async () => {
  const topic = 'frozen';
  await admin.createTopic(topic, BROKERS, { replicationFactor: BROKERS });
  for (const partition of upTo(BROKERS)) {
    await moveLeader(admin, topic, partition, partition + 1);
    await admin.produce(topic, partition, records(0));
  }
  // The frozen one comes first, so that the consumer talks to it about the cluster, too.
  const frozen = 3;
  const others = [1, 2].map((nodeId) => cluster.broker(nodeId).bootstrapServers);
  const offsets = upTo(BROKERS).map((): number[] => []);
  const errors: KafkaError[] = [];
  const consumer = new Consumer(
    quick({
      bootstrapServers: [cluster.broker(frozen).bootstrapServers, ...others],
      groupId: 'g',
      requestTimeoutMs: 2000,
      sessionTimeoutMs: 10_000,
      autoCommitIntervalMs: 200,
    }),
  );
  consumer.on('error', (error) => errors.push(error));
  consumer.subscribe([topic]);
  const reading = (async (): Promise<void> => {
    for await (const { partition, offset } of consumer) offsets[partition]?.push(offset);
  })();
  const haveAll = (count: number, partitions: readonly number[]) => (): boolean =>
    partitions.every((partition) => offsets[partition]?.length === count);
  await waitFor('all records', haveAll(EACH, [0, 1, 2]), BACK_MS);

  await cluster.broker(frozen).pause();
  const other = await TestAdmin.connect(others.join(','));
  for (const partition of [0, 1]) await other.produce(topic, partition, records(EACH));
  await waitFor('records of the other brokers', haveAll(2 * EACH, [0, 1]), BACK_MS);
  await waitFor('a new leader', async () => (await partitionsOf(other, topic))[2]?.leaderId !== frozen, BACK_MS);
  await other.produce(topic, 2, records(EACH));
  await waitFor('records of the new leader', haveAll(2 * EACH, [2]), BACK_MS);
  await consumer.commit();

  await cluster.broker(frozen).resume();
  for (const partition of upTo(BROKERS)) await other.produce(topic, partition, records(2 * EACH));
  await waitFor('the rest', haveAll(3 * EACH, [0, 1, 2]), BACK_MS);
  for (const each of offsets) expect(each).toEqual(upTo(3 * EACH));
  expect(errors.filter(({ retriable }) => !retriable)).toEqual([]);
  other.close();
  await consumer.close();
  await reading;
}, 240_000);
