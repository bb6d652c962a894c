import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Consumer, type ConsumerOptions } from '../../../src/index.ts';
import { findCoordinator } from '../../../src/protocol/api/find-coordinator.ts';
import { TestAdmin } from '../../harness/admin.ts';
import { type JvmCluster, startJvmCluster } from '../../harness/jvm-cluster.ts';
import { javaConsoleConsumer, type Tool } from '../../harness/kafka-tools.ts';
import { offsetsByPartition, quick, upTo, waitFor } from '../rig.ts';
import { missingIn, recordsIn, repeatedIn, SteadyMember } from '../steady-member.ts';

const WAIT_MS = 60_000;
const PARTITIONS = 6;

describe('groupProtocol consumer on three brokers', () => {
  let cluster: JvmCluster;
  let admin: TestAdmin;
  const members: SteadyMember[] = [];
  let java: Tool | undefined;

  beforeAll(async () => {
    cluster = await startJvmCluster();
    admin = await TestAdmin.connect(cluster.bootstrapServers);
  });
  afterAll(async () => {
    await Promise.all(members.map((member) => member.consumer.close({ timeoutMs: 5000 })));
    await java?.stop();
    admin.close();
    await cluster.stop();
  });

  async function coordinatorOf(groupId: string): Promise<number> {
    const { coordinators } = await admin.send(findCoordinator, { key: '', keyType: 0, coordinatorKeys: [groupId] });
    return coordinators[0]?.nodeId ?? -1;
  }

  it('its coordinator is killed, and killed again: nobody loses a partition, no record is lost or comes twice', async () => {
    const topic = `topic-${randomUUID()}`;
    const groupId = `group-${randomUUID()}`;
    await admin.createTopic(topic, PARTITIONS, { replicationFactor: 3 });
    const bootstrapServers = cluster.bootstrapServers;
    const consumer = (options: Partial<ConsumerOptions> = {}): Consumer =>
      new Consumer(quick({ bootstrapServers, groupProtocol: 'consumer', requestTimeoutMs: 5000, ...options }));
    for (const _ of upTo(2)) members.push(new SteadyMember({ consumer }, [topic], { groupId }));
    java = await javaConsoleConsumer(cluster, {
      topic,
      group: groupId,
      print: { 'print.partition': 'true', 'print.offset': 'true', 'print.value': 'false' },
      properties: { 'group.protocol': 'consumer', 'auto.offset.reset': 'earliest' },
    });
    await waitFor('thirds', () => members.every(({ partitions }) => partitions.length === 2), WAIT_MS);
    const all = (): { partition: number; offset: number }[] => [
      ...members.flatMap(({ records }) => records),
      ...recordsIn(java?.lines ?? []),
    ];
    let count = 0;
    const fill = async (what: string): Promise<void> => {
      await admin.fill(topic, 600, (index) => ({ value: String(index) }));
      count += 600 / PARTITIONS;
      await waitFor(what, () => missingIn(all(), PARTITIONS, count).length === 0, WAIT_MS);
    };
    await fill('records before');
    const events = members.map((member) => member.events.join(' '));
    for (const round of ['first', 'second']) {
      const nodeId = await coordinatorOf(groupId);
      await cluster.broker(nodeId).kill();
      await fill(`records after the ${round} kill`);
      const found = members.map(({ log }) => log.filter((line) => line.includes('coordinator is')).length);
      await cluster.broker(nodeId).restart();
      expect(Math.min(...found)).toBeGreaterThan(round === 'first' ? 1 : 2);
      await waitFor('commits', () => members[0]?.consumer.commit().then(() => true) ?? false, WAIT_MS);
    }
    expect(members.map((member) => member.events.join(' '))).toEqual(events);
    expect(repeatedIn(all())).toEqual([]);
    for (const { records } of members) {
      for (const offsets of offsetsByPartition(records).values()) expect(offsets).toEqual(upTo(count));
    }
    // All that was finished is committed: who comes next begins behind it.
    await members[1]?.close();
    await fill('records after a clean leave');
    expect(repeatedIn(all())).toEqual([]);
  }, 180_000);
});
