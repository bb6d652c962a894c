import { describe, expect, it } from 'vitest';
import { heartbeat } from '../../src/protocol/api/heartbeat.ts';
import { metadata } from '../../src/protocol/api/metadata.ts';
import { connect, fetchOne, join, startKafka, sync } from './rig.ts';
import { RawClient } from './raw-client.ts';

const ALL = {
  topics: null,
  allowAutoTopicCreation: false,
  includeClusterAuthorizedOperations: false,
  includeTopicAuthorizedOperations: false,
};

describe('brokers', () => {
  it('go down: connections are reset, leaders and coordinators move; and come back at the same port', async () => {
    const kafka = await startKafka({ brokers: 3, topics: { t: 3 } });
    kafka.moveCoordinator('g', 2);
    const client = await connect(kafka, 2);
    const { address } = kafka.broker(2);
    await kafka.broker(2).stop();
    expect(await client.next()).toBeNull();
    await expect(RawClient.open(address)).rejects.toThrow(/ECONNREFUSED/);
    expect([0, 1, 2].map((partition) => kafka.leaderOf('t', partition))).toEqual([1, 3, 3]);
    expect(kafka.coordinatorOf('g')).toBe(1);
    const answer = await (await connect(kafka)).send(metadata, 12, ALL);
    expect(answer.brokers.map(({ nodeId }) => nodeId)).toEqual([1, 3]);
    expect(answer.topics[0]?.partitions[1]).toMatchObject({ leaderEpoch: 1, isrNodes: [3, 1], offlineReplicas: [2] });
    await kafka.broker(2).start();
    expect(kafka.broker(2).address).toBe(address);
    expect(kafka.coordinatorOf('g')).toBe(2);
    const back = await (await connect(kafka, 2)).send(metadata, 12, ALL);
    expect(back.topics[0]?.partitions[1]).toMatchObject({ leaderId: 3, isrNodes: [3, 1, 2], offlineReplicas: [] });
    await kafka.broker(2).start();
  });

  it('leave partitions without a leader where nobody else has them', async () => {
    const kafka = await startKafka({ brokers: 2, replicationFactor: 1, topics: { t: 2 } });
    await kafka.broker(2).stop();
    expect([kafka.leaderOf('t', 0), kafka.leaderOf('t', 1)]).toEqual([1, -1]);
    const answer = await (await connect(kafka)).send(metadata, 12, ALL);
    expect(answer.topics[0]?.partitions.map(({ errorCode, leaderId }) => [errorCode, leaderId])).toEqual([
      [0, 1],
      [5, -1],
    ]);
    await kafka.broker(2).start();
    expect(kafka.leaderOf('t', 1)).toBe(2);
  });

  it('go down without anybody noticing', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { t: 2 } });
    await kafka.broker(2).stop({ failover: false });
    expect(kafka.leaderOf('t', 1)).toBe(2);
  });

  it('can all be down', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { t: 1 } });
    await kafka.broker(1).stop();
    await kafka.broker(2).stop();
    expect(kafka.coordinatorOf('g')).toBe(-1);
    expect(kafka.leaderOf('t', 0)).toBe(-1);
    await kafka.broker(1).start();
    expect(kafka.coordinatorOf('g')).toBe(1);
    expect(kafka.leaderOf('t', 0)).toBe(-1); // it was not in sync at last
    await kafka.broker(2).start();
    expect(kafka.leaderOf('t', 0)).toBe(2);
    const answer = await (await connect(kafka)).send(metadata, 12, ALL);
    expect(answer.topics[0]?.partitions[0]).toMatchObject({ isrNodes: [1, 2] });
  });

  it('freeze: nothing is answered until they thaw', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    await kafka.append('t', 0, ['a']);
    const client = await connect(kafka);
    kafka.broker(1).freeze();
    const answer = fetchOne(client);
    const other = await connect(kafka); // it still accepts
    const second = other.send(metadata, 9, ALL);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect([client.frames.length, other.frames.length, client.isClosed]).toEqual([0, 0, false]);
    kafka.broker(1).thaw();
    expect((await answer).errorCode).toBe(0);
    expect((await second).topics).toHaveLength(1);
  });

  it('lose all connections, and go on', async () => {
    const kafka = await startKafka();
    const client = await connect(kafka);
    await client.send(metadata, 9, ALL);
    expect(kafka.broker(1).connections).toBe(1);
    kafka.broker(1).disconnectAll();
    expect(await client.next()).toBeNull();
    expect((await (await connect(kafka)).send(metadata, 9, ALL)).brokers).toHaveLength(1);
  });

  it('there is no other than those that were started', async () => {
    const kafka = await startKafka({ brokers: 2 });
    expect(() => kafka.broker(3)).toThrow(/there are 1, 2/);
    expect(() => kafka.moveCoordinator('g', 0)).toThrow(/there are 1, 2/);
  });
});

describe('moveLeader', () => {
  it('raises the epoch; a broker that had no replica gets one', async () => {
    const kafka = await startKafka({ brokers: 3, replicationFactor: 1, topics: { t: 1 } });
    await kafka.append('t', 0, ['a']);
    kafka.moveLeader('t', 0, 3);
    const answer = await (await connect(kafka)).send(metadata, 12, ALL);
    expect(answer.topics[0]?.partitions[0]).toMatchObject({
      leaderId: 3,
      leaderEpoch: 1,
      replicaNodes: [3],
      isrNodes: [3],
    });
    expect((await fetchOne(await connect(kafka, 1))).errorCode).toBe(6);
    expect((await fetchOne(await connect(kafka, 3))).errorCode).toBe(0);
  });
});

describe('a coordinator that goes down', () => {
  it('is followed by another one, which knows what was in the log', async () => {
    const kafka = await startKafka({ brokers: 2 });
    kafka.moveCoordinator('g', 1);
    const joined = await join(await connect(kafka, 1));
    await sync(await connect(kafka, 1), joined);
    const waiting = join(await connect(kafka, 1)).catch((error: Error) => error.message);
    await kafka.untilGroup('g', ({ state }) => state === 'PreparingRebalance');
    await kafka.broker(1).stop();
    expect(await waiting).toMatch(/closed/);
    expect(kafka.group('g')).toMatchObject({
      state: 'Stable',
      generation: 1,
      members: [{ memberId: joined.memberId }],
    });
    expect(kafka.coordinatorOf('g')).toBe(2);
  });
});

describe('moveCoordinator', () => {
  it('sends members to the new one, which knows the group', async () => {
    const kafka = await startKafka({ brokers: 2 });
    kafka.moveCoordinator('g', 1);
    const before = await connect(kafka, 1);
    const joined = await join(before);
    await sync(before, joined);
    const beat = { groupId: 'g', generationId: joined.generationId, memberId: joined.memberId, groupInstanceId: null };
    expect((await before.send(heartbeat, 4, beat)).errorCode).toBe(0);
    // A second member waits for the first to rejoin.
    const waiting = join(await connect(kafka, 1));
    await kafka.untilGroup('g', ({ state }) => state === 'PreparingRebalance');
    kafka.moveCoordinator('g', 2);
    expect((await waiting).errorCode).toBe(16);
    expect((await before.send(heartbeat, 4, beat)).errorCode).toBe(16);
    expect((await (await connect(kafka, 2)).send(heartbeat, 4, beat)).errorCode).toBe(0);
    expect(kafka.group('g')).toMatchObject({
      state: 'Stable',
      generation: 1,
      members: [{ memberId: joined.memberId }],
    });
  });
});
