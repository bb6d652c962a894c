import { describe, expect, it } from 'vitest';
import { apiVersions } from '../../src/protocol/api/api-versions.ts';
import { fetch } from '../../src/protocol/api/fetch.ts';
import { findCoordinator } from '../../src/protocol/api/find-coordinator.ts';
import { heartbeat, type HeartbeatResponse } from '../../src/protocol/api/heartbeat.ts';
import { metadata } from '../../src/protocol/api/metadata.ts';
import { offsetCommit } from '../../src/protocol/api/offset-commit.ts';
import { offsetFetch } from '../../src/protocol/api/offset-fetch.ts';
import { ManualClock } from '../../src/testing/index.ts';
import Long from 'long';
import { connect, fetchOne, fetchRequest, join, NO_UUID, partitionIn, startKafka, valuesIn } from './rig.ts';

const BEAT = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null };
const UNKNOWN_MEMBER = 25;

async function started() {
  const kafka = await startKafka({ topics: { t: 2, u: 1 } });
  await kafka.append('t', 0, ['a']);
  const client = await connect(kafka);
  const beat = async (clientId = 'raw'): Promise<number> => (await client.send(heartbeat, 4, BEAT, clientId)).errorCode;
  return { kafka, client, beat };
}

describe('which requests a fault hits', () => {
  it('those of its API, after the first ones, so many times', async () => {
    const { kafka, beat, client } = await started();
    const fault = kafka.fail('Heartbeat', { errorCode: 'REBALANCE_IN_PROGRESS', after: 1, times: 2 });
    await client.send(findCoordinator, 4, { key: '', keyType: 0, coordinatorKeys: ['g'] });
    const codes = [await beat(), await beat(), await beat(), await beat()];
    expect(codes).toEqual([UNKNOWN_MEMBER, 27, 27, UNKNOWN_MEMBER]);
    expect(fault.hits).toBe(2);
    await fault.untilHit(2);
  });

  it('until it is removed', async () => {
    const { kafka, beat } = await started();
    const fault = kafka.fail(['Heartbeat', 'Fetch'], { errorCode: 16, times: Infinity });
    expect([await beat(), await beat()]).toEqual([16, 16]);
    fault.remove();
    expect(await beat()).toBe(UNKNOWN_MEMBER);
    kafka.fail('Heartbeat', { errorCode: 16, times: Infinity });
    kafka.faults.clear();
    expect(await beat()).toBe(UNKNOWN_MEMBER);
  });

  it('by client, group, broker, connection, and anything else', async () => {
    const { kafka, beat } = await started();
    const times = Infinity;
    kafka.faults.add({ api: 'Heartbeat', clientId: 'alice', errorCode: 27, times });
    kafka.faults.add({ api: 'Heartbeat', clientId: /^bob/, errorCode: 22, times });
    kafka.faults.add({ api: 'Heartbeat', group: 'other', errorCode: 1, times });
    kafka.faults.add({ api: 'Heartbeat', broker: 2, errorCode: 2, times });
    kafka.faults.add({ api: 'Heartbeat', connection: 99, errorCode: 3, times });
    kafka.faults.add({ where: ({ api, version }) => api === 'Heartbeat' && version === 3, errorCode: 4, times });
    expect([await beat('alice'), await beat('bobby'), await beat('carol')]).toEqual([27, 22, UNKNOWN_MEMBER]);
    kafka.faults.add({ api: 'Heartbeat', group: 'g', broker: 1, connection: 1, errorCode: 14 });
    expect(await beat('carol')).toBe(14);
  });

  it('by topic: only its partitions get the error, and only requests about it count', async () => {
    const { kafka, client } = await started();
    const fault = kafka.fail('Fetch', { errorCode: 'NOT_LEADER_OR_FOLLOWER', topic: 't', partition: 1 });
    expect((await fetchOne(client, { topic: 'u' })).errorCode).toBe(0);
    expect((await fetchOne(client)).errorCode).toBe(0);
    const request = fetchRequest();
    const [first] = request.topics[0]?.partitions ?? [];
    if (first !== undefined) request.topics[0]?.partitions.push({ ...first, partition: 1 });
    const { responses } = await client.send(fetch, 12, request);
    expect(responses[0]?.partitions.map(({ errorCode }) => errorCode)).toEqual([0, 6]);
    expect(fault.hits).toBe(1);
  });

  it('by topic: of two in one request only that one', async () => {
    const { kafka, client } = await started();
    kafka.fail('Fetch', { errorCode: 'OFFSET_NOT_AVAILABLE', topic: 't' });
    const request = fetchRequest();
    request.topics.push(...fetchRequest({ topic: 'u' }).topics);
    const { responses } = await client.send(fetch, 12, request);
    expect(responses.map(({ topic, partitions }) => [topic, partitions[0]?.errorCode])).toEqual([
      ['t', 78],
      ['u', 0],
    ]);
  });

  it('by topic id and in a fetch session, too', async () => {
    const { kafka, client } = await started();
    const topicId = kafka.topicId('t');
    const { sessionId } = await client.send(fetch, 13, fetchRequest({ topic: '', topicId, sessionEpoch: 0 }));
    kafka.fail('Fetch', { errorCode: 'KAFKA_STORAGE_ERROR', topic: 't' });
    const next = await client.send(fetch, 13, fetchRequest({ sessionId, sessionEpoch: 1, maxWaitMs: 60_000 }, true));
    expect(partitionIn(next).errorCode).toBe(56);
  });

  it('by chance, the same for the same seed', async () => {
    const history = async (seed: number): Promise<number[]> => {
      const kafka = await startKafka({ seed });
      kafka.faults.add({ api: 'Heartbeat', errorCode: 16, times: Infinity, probability: 0.5 });
      const client = await connect(kafka);
      const codes: number[] = [];
      for (let i = 0; i < 40; i++) codes.push((await client.send(heartbeat, 4, BEAT)).errorCode);
      return codes;
    };
    const first = await history(7);
    expect(new Set(first)).toEqual(new Set([16, UNKNOWN_MEMBER]));
    expect(await history(7)).toEqual(first);
    expect(await history(8)).not.toEqual(first);
  });

  it.each([
    [{ api: 'Fetsch', drop: true }, /api 'Fetsch'/],
    [{ api: 'Fetch', errorCode: 'OOPS' }, /errorCode 'OOPS'/],
    [{ partition: 1, drop: true }, /of which topic/],
  ])('%j cannot be', async (fault, message) => {
    const kafka = await startKafka();
    expect(() => kafka.faults.add(fault as never)).toThrow(message);
  });
});

describe('errors', () => {
  it('stand where each API has them', async () => {
    const { kafka, client } = await started();
    const fail = (errorCode: number): void => void kafka.faults.add({ errorCode });
    fail(70);
    expect((await client.send(fetch, 12, fetchRequest())).errorCode).toBe(70);
    fail(15);
    expect(
      (await client.send(findCoordinator, 4, { key: '', keyType: 0, coordinatorKeys: ['g'] })).coordinators[0]
        ?.errorCode,
    ).toBe(15);
    fail(15);
    expect((await client.send(findCoordinator, 2, { key: 'g', keyType: 0, coordinatorKeys: [] })).errorCode).toBe(15);
    fail(81);
    expect((await join(client)).errorCode).toBe(81);
    fail(5);
    const asking = {
      topics: null,
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    };
    expect((await client.send(metadata, 12, asking)).topics.map(({ errorCode }) => errorCode)).toEqual([5, 5]);
    fail(129);
    expect((await client.send(metadata, 13, asking)).errorCode).toBe(129);
    kafka.fail('Metadata', { errorCode: 5, topic: 't', partition: 1 });
    expect((await client.send(metadata, 12, asking)).topics[0]?.partitions.map(({ errorCode }) => errorCode)).toEqual([
      0, 5,
    ]);
    const topics = [{ name: 't', topicId: NO_UUID, partitionIndexes: [0] }];
    fail(88);
    const unstable = await client.send(offsetFetch, 7, { groupId: 'g', topics, groups: [], requireStable: true });
    expect([unstable.errorCode, unstable.topics[0]?.partitions[0]?.errorCode]).toEqual([0, 88]);
    fail(14);
    expect(
      (await client.send(offsetFetch, 7, { groupId: 'g', topics, groups: [], requireStable: true })).errorCode,
    ).toBe(14);
    fail(14);
    const old = await client.send(offsetFetch, 1, { groupId: 'g', topics, groups: [], requireStable: false });
    expect(old.topics[0]?.partitions[0]?.errorCode).toBe(14);
  });

  const commit = {
    groupId: 'g',
    generationIdOrMemberEpoch: -1,
    memberId: '',
    groupInstanceId: null,
    retentionTimeMs: Long.NEG_ONE,
    topics: [
      {
        name: 't',
        topicId: NO_UUID,
        partitions: [0, 1].map((partitionIndex) => ({
          partitionIndex,
          committedOffset: Long.fromNumber(5),
          committedLeaderEpoch: 0,
          committedMetadata: '',
        })),
      },
    ],
  };

  it('come instead of what was asked, or after it was done', async () => {
    const { kafka, client } = await started();
    const codes = async (): Promise<(number | undefined)[]> => {
      const { topics } = await client.send(offsetCommit, 8, commit);
      return topics[0]?.partitions.map(({ errorCode }) => errorCode) ?? [];
    };
    kafka.fail('OffsetCommit', { errorCode: 'COORDINATOR_NOT_AVAILABLE' });
    expect(await codes()).toEqual([15, 15]);
    expect(kafka.committed('g')).toEqual({});
    kafka.fail('OffsetCommit', { errorCode: 'OFFSET_METADATA_TOO_LARGE', topic: 't', partition: 0 });
    expect(await codes()).toEqual([12, 0]);
    expect(kafka.committed('g')).toEqual({ t: { 1: 5 } });
    kafka.fail('OffsetCommit', { errorCode: 'REQUEST_TIMED_OUT', on: 'answer' });
    expect(await codes()).toEqual([7, 7]);
    expect(kafka.committed('g')).toEqual({ t: { 0: 5, 1: 5 } });
  });

  it('a closed connection comes instead of the answer, or instead of the work', async () => {
    const { kafka, client } = await started();
    kafka.drop('OffsetCommit', { on: 'arrival' });
    await expect(client.send(offsetCommit, 8, commit)).rejects.toThrow(/closed/);
    expect(kafka.committed('g')).toEqual({});
    kafka.drop('OffsetCommit');
    await expect((await connect(kafka)).send(offsetCommit, 8, commit)).rejects.toThrow(/closed/);
    expect(kafka.committed('g')).toEqual({ t: { 0: 5, 1: 5 } });
  });
});

describe('answers that come late, in pieces, twice, or never', () => {
  it('late: by the clock of the cluster', async () => {
    const clock = new ManualClock();
    const kafka = await startKafka({ clock });
    const client = await connect(kafka);
    const fault = kafka.delay('Heartbeat', 300);
    const answer = client.send(heartbeat, 4, BEAT);
    await fault.untilHit();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(client.frames).toHaveLength(0);
    clock.advance(300);
    expect((await answer).errorCode).toBe(UNKNOWN_MEMBER);
  });

  it('cut off', async () => {
    const { kafka, client } = await started();
    kafka.cut('Heartbeat', 6);
    let bytes = 0;
    client.socket.on('data', (data) => (bytes += data.length));
    client.post(heartbeat, 4, BEAT);
    expect(await client.next()).toBeNull();
    expect(bytes).toBe(6);
  });

  it('twice', async () => {
    const { kafka, client } = await started();
    kafka.duplicate('Heartbeat');
    client.post(heartbeat, 4, BEAT);
    const [first, second] = [await client.next(), await client.next()];
    expect(first).not.toBeNull();
    expect(second).toEqual(first);
  });

  it('never: the connection is stuck, others are not', async () => {
    const { kafka, client } = await started();
    const fault = kafka.faults.add({ api: 'Heartbeat', silent: true });
    client.post(heartbeat, 4, BEAT);
    client.post(heartbeat, 4, BEAT);
    await fault.untilHit();
    expect((await (await connect(kafka)).send(heartbeat, 4, BEAT)).errorCode).toBe(UNKNOWN_MEMBER);
    expect(client.frames).toHaveLength(0);
  });

  it('throttled: it is said, and the next request waits', async () => {
    const clock = new ManualClock();
    const kafka = await startKafka({ clock });
    const client = await connect(kafka);
    kafka.throttle('Heartbeat', 1000, { times: 1 });
    expect((await client.send(heartbeat, 4, BEAT)).throttleTimeMs).toBe(1000);
    const next = client.send(heartbeat, 4, BEAT);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(client.frames).toHaveLength(0);
    clock.advance(1000);
    expect((await next).throttleTimeMs).toBe(0);
  });

  it('as a test writes them', async () => {
    const { kafka, client } = await started();
    kafka.faults.add({
      api: 'Heartbeat',
      answer: (response: HeartbeatResponse, { clientId }) => ({ ...response, errorCode: clientId.length }),
    });
    expect((await client.send(heartbeat, 4, BEAT, 'seventeen letters')).errorCode).toBe(17);
    kafka.faults.add({ api: 'ApiVersions', answer: () => null });
    client.post(apiVersions, 3, { clientSoftwareName: '', clientSoftwareVersion: '' });
    expect((await client.send(heartbeat, 4, BEAT)).errorCode).toBe(UNKNOWN_MEMBER);
  });

  it('several faults at once', async () => {
    const { kafka, client } = await started();
    kafka.delay('Fetch', 1);
    kafka.throttle('Fetch', 2);
    kafka.fail('Fetch', { errorCode: 'UNKNOWN_SERVER_ERROR' });
    const failed = await client.send(fetch, 12, fetchRequest());
    expect([failed.throttleTimeMs, partitionIn(failed).errorCode]).toEqual([2, -1]);
    expect(valuesIn((await fetchOne(client)).records)).toEqual(['0:a']);
  });

  it('who waits for a fault that never strikes is told when the cluster is closed', async () => {
    const kafka = await startKafka();
    const fault = kafka.drop('Fetch');
    const waiting = expect(fault.untilHit()).rejects.toThrow(/struck 0 times/);
    await kafka.close();
    await waiting;
  });
});
