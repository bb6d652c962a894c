import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAdmin } from '../../harness/admin.ts';
import { deleteTopic, electUnclean, moveLeader, partitionsOf } from '../../harness/cluster-admin.ts';
import { type JvmCluster, startJvmCluster } from '../../harness/jvm-cluster.ts';
import { until } from '../../harness/waiting.ts';

describe('three brokers of the harness', () => {
  let cluster: JvmCluster;
  let admin: TestAdmin;
  const records = (from: number, count: number) => Array.from({ length: count }, (_, i) => ({ value: `${from + i}` }));

  beforeAll(async () => {
    cluster = await startJvmCluster();
    admin = await TestAdmin.connect(cluster.bootstrapServers);
  });
  afterAll(async () => {
    admin.close();
    await cluster.stop();
  });

  it('moves leaders, and goes on while one of them is dead', async () => {
    await admin.createTopic('moved', 3, { replicationFactor: 3 });
    await moveLeader(admin, 'moved', 0, 2);
    await moveLeader(admin, 'moved', 0, 3);
    await admin.produce('moved', 0, records(0, 10));
    await cluster.broker(3).kill();
    await admin.produce('moved', 0, records(10, 10));
    expect((await partitionsOf(admin, 'moved'))[0]?.leaderId).not.toBe(3);
    await cluster.broker(3).restart();
    expect(await admin.endOffsets('moved')).toEqual([20, 0, 0]);
  });

  it('deletes a topic, and makes it again with another id', async () => {
    await admin.createTopic('again', 1, { replicationFactor: 3 });
    await admin.produce('again', 0, records(0, 5));
    await deleteTopic(admin, 'again');
    await until(
      () =>
        admin.createTopic('again', 1, { replicationFactor: 3 }).then(
          () => true,
          () => false,
        ),
      {
        what: 'a topic made again',
        timeoutMs: 20_000,
      },
    );
    await until(async () => (await admin.endOffsets('again'))[0] === 0, { what: 'an empty topic', timeoutMs: 20_000 });
  });

  it('loses what only a dead leader had, when another is elected by force', async () => {
    await admin.createTopic('cut', 1, { replicationFactor: 2 });
    const [first] = await partitionsOf(admin, 'cut');
    const [leader = 0, follower = 0] = first?.replicaNodes ?? [];
    await moveLeader(admin, 'cut', 0, leader);
    await admin.produce('cut', 0, records(0, 10));
    await cluster.broker(follower).kill();
    await admin.produce('cut', 0, records(10, 10));
    await until(async () => (await partitionsOf(admin, 'cut'))[0]?.isrNodes.length === 1, {
      what: 'a follower out of sync',
      timeoutMs: 20_000,
    });
    await cluster.broker(leader).kill();
    await cluster.broker(follower).restart();
    await electUnclean(admin, 'cut', 0, follower);
    await until(async () => (await admin.endOffsets('cut'))[0] === 10, { what: 'the shorter log', timeoutMs: 20_000 });
    await cluster.broker(leader).restart();
  });
}, 180_000);
