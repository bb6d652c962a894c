import Long from 'long';
import { describe, expect, it } from 'vitest';
import { fetch } from '../../src/protocol/api/fetch.ts';
import { ManualClock } from '../../src/testing/index.ts';
import { connect, fetchOne, fetchRequest, partitionIn, startKafka, valuesIn } from './rig.ts';

describe('Fetch', () => {
  it('answers in every version', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    await kafka.append('t', 0, ['a', 'b']);
    const client = await connect(kafka);
    for (let version = fetch.minVersion; version <= fetch.maxVersion; version++) {
      const named = version >= 13 ? { topic: '', topicId: kafka.topicId('t') } : {};
      const response = await client.send(
        fetch,
        version,
        fetchRequest({ ...named, sessionEpoch: version >= 7 ? 0 : -1 }),
      );
      const partition = partitionIn(response);
      expect([version, partition.errorCode, ...valuesIn(partition.records)]).toEqual([version, 0, '0:a', '1:b']);
      expect(partition.highWatermark.toNumber()).toBe(2);
      expect(response.sessionId !== 0).toBe(version >= 7);
    }
  });

  it.each([
    [{ topic: 'nope' }, 12, 3],
    [{ partition: 9 }, 12, 3],
    [{ topic: '', topicId: 'AAAAAAAAAAAAAAAAAAAAAQ' }, 13, 100],
    [{ offset: 3 }, 12, 1],
    [{ offset: -1 }, 12, 1],
    [{ leaderEpoch: 1 }, 12, 75],
    [{ offset: 2, lastFetchedEpoch: 5 }, 12, 1],
  ])('%j is an error', async (options, version, errorCode) => {
    const kafka = await startKafka({ topics: { t: 1 } });
    await kafka.append('t', 0, ['a', 'b']);
    const partition = await fetchOne(await connect(kafka), options, version);
    expect([partition.errorCode, partition.highWatermark.toNumber(), partition.records?.length]).toEqual([
      errorCode,
      -1,
      0,
    ]);
    const isRefusedUnread = errorCode === 3 || errorCode === 100;
    expect(partition.abortedTransactions).toEqual(isRefusedUnread ? [] : null);
  });

  it('answers once for a partition that is named twice', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    await kafka.append('t', 0, ['a', 'b']);
    const request = fetchRequest({ offset: 0 });
    const [topic] = request.topics;
    topic?.partitions.push({ ...topic.partitions[0], fetchOffset: Long.fromNumber(1) } as never);
    const { responses } = await (await connect(kafka)).send(fetch, 12, request);
    expect(responses.flatMap(({ partitions }) => partitions)).toHaveLength(1);
  });

  it('waits for bytes: answers with what has come as soon as there is enough', async () => {
    const kafka = await startKafka({ topics: { t: 2 } });
    const client = await connect(kafka);
    const arrived = new Promise((resolve) => kafka.once('request', resolve));
    const waiting = fetchOne(client, { maxWaitMs: 60_000, partition: 1 });
    await arrived;
    await kafka.append('t', 0, ['elsewhere']);
    await kafka.append('t', 1, ['here']);
    expect(valuesIn((await waiting).records)).toEqual(['0:here']);
  });

  it('keeps the requests behind it waiting, on its connection only', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    const client = await connect(kafka);
    const arrived = new Promise((resolve) => kafka.once('request', resolve));
    client.post(fetch, 12, fetchRequest({ maxWaitMs: 60_000 }));
    await arrived;
    const second = client.post(fetch, 12, fetchRequest({ topic: 'nope' }));
    expect((await fetchOne(await connect(kafka), { topic: 'nope' })).errorCode).toBe(3);
    expect(client.frames).toHaveLength(0);
    await kafka.append('t', 0, ['a']);
    expect((await client.next())?.readInt32BE(0)).toBe(second - 1);
    expect((await client.next())?.readInt32BE(0)).toBe(second);
  });

  it('waits no longer than it was told, by the clock of the cluster', async () => {
    const clock = new ManualClock();
    const kafka = await startKafka({ topics: { t: 1 }, clock });
    const client = await connect(kafka);
    await kafka.append('t', 0, ['few']);
    const arrived = new Promise((resolve) => kafka.once('request', resolve));
    const waiting = fetchOne(client, { maxWaitMs: 500, minBytes: 1_000_000 });
    await arrived;
    clock.advance(499);
    let isAnswered = false;
    void waiting.then(() => (isAnswered = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isAnswered).toBe(false);
    clock.advance(1);
    expect(valuesIn((await waiting).records)).toEqual(['0:few']);
  });

  it('does not wait when it has an error to tell, and learns of it while it waits', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { t: { partitions: 1, replicationFactor: 1 } } });
    const client = await connect(kafka);
    expect((await fetchOne(client, { topic: 'nope', maxWaitMs: 60_000 })).errorCode).toBe(3);
    const arrived = new Promise((resolve) => kafka.once('request', resolve));
    const waiting = client.send(fetch, 16, fetchRequest({ topic: '', topicId: kafka.topicId('t'), maxWaitMs: 60_000 }));
    await arrived;
    kafka.moveLeader('t', 0, 2);
    const response = await waiting;
    expect(partitionIn(response).errorCode).toBe(6);
    expect(partitionIn(response).currentLeader).toEqual({ leaderId: 2, leaderEpoch: 1 });
    expect(response.nodeEndpoints.map(({ nodeId }) => nodeId)).toEqual([2]);
  });

  it('keeps to maxBytes, but always gives the first batch whole', async () => {
    const kafka = await startKafka({ topics: { t: 2 } });
    for (const partition of [0, 1])
      for (const value of ['x', 'y']) await kafka.append('t', partition, [value.repeat(1000)]);
    const client = await connect(kafka);
    const request = fetchRequest({ maxBytes: 10 });
    request.topics[0]?.partitions.push(...(fetchRequest({ partition: 1 }).topics[0]?.partitions ?? []));
    const partitions = (await client.send(fetch, 12, request)).responses[0]?.partitions ?? [];
    expect(partitions.map(({ records }) => valuesIn(records).length)).toEqual([1, 0]);
    expect(partitions[1]?.records?.length).toBe(0);
    const cut = await fetchOne(client, { partitionMaxBytes: 1500 });
    expect(cut.records?.length).toBe(1500);
    expect(valuesIn(cut.records)).toHaveLength(1);
  });

  it('is not answered by a broker that has no replica; by a follower from version 11 on', async () => {
    const kafka = await startKafka({ brokers: 3, replicationFactor: 2, topics: { t: 1 } });
    await kafka.append('t', 0, ['a']);
    expect((await fetchOne(await connect(kafka, 3))).errorCode).toBe(6);
    const follower = await connect(kafka, 2);
    expect((await fetchOne(follower, {}, 10)).errorCode).toBe(6);
    expect(valuesIn((await fetchOne(follower, {}, 11)).records)).toEqual(['0:a']);
  });

  it('sends who is in another rack to the replica there', async () => {
    const brokers = [{ rack: 'a' }, { rack: 'b' }];
    const kafka = await startKafka({ brokers, rackAwareFetch: true, topics: { t: 1 } });
    await kafka.append('t', 0, ['a']);
    const there = await fetchOne(await connect(kafka), { rackId: 'b' });
    expect([there.preferredReadReplica, there.records?.length]).toEqual([2, 0]);
    expect((await fetchOne(await connect(kafka), { rackId: 'a' })).preferredReadReplica).toBe(-1);
    const read = await fetchOne(await connect(kafka, 2), { rackId: 'b' });
    expect([read.preferredReadReplica, ...valuesIn(read.records)]).toEqual([-1, '0:a']);
  });

  it('fences old leader epochs and tells where the log diverges', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { t: 1 } });
    await kafka.append('t', 0, ['a', 'b']);
    await kafka.append('t', 0, ['c', 'd']);
    kafka.truncate('t', 0, 2, { leader: 2 });
    await kafka.append('t', 0, ['x']);
    const client = await connect(kafka, 2);
    expect((await fetchOne(client, { offset: 4, leaderEpoch: 0 })).errorCode).toBe(74);
    const diverging = await fetchOne(client, { offset: 4, leaderEpoch: 1, lastFetchedEpoch: 0 });
    expect(diverging.divergingEpoch).toEqual({ epoch: 0, endOffset: Long.fromNumber(2) });
    expect(diverging.records?.length).toBe(0);
    const fine = await fetchOne(client, { offset: 2, leaderEpoch: 1, lastFetchedEpoch: 0 });
    expect(fine.divergingEpoch).toBeNull();
    expect(valuesIn(fine.records)).toEqual(['2:x']);
  });

  it('reads committed transactions only, if asked to', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    await kafka.append('t', 0, ['aborted'], { transaction: 'abort', producerId: 5 });
    await kafka.append('t', 0, ['committed'], { transaction: 'commit', producerId: 5 });
    await kafka.append('t', 0, ['open'], { transaction: 'open', producerId: 6 });
    await kafka.append('t', 0, ['plain']);
    const client = await connect(kafka);
    const uncommitted = await fetchOne(client);
    expect(valuesIn(uncommitted.records)).toEqual(['0:aborted', '2:committed', '4:open', '5:plain']);
    expect(uncommitted.abortedTransactions).toBeNull();
    const committed = await fetchOne(client, { isolationLevel: 1 });
    expect(valuesIn(committed.records)).toEqual(['0:aborted', '2:committed']); // the client drops what was aborted
    expect(committed.abortedTransactions).toEqual([{ producerId: Long.fromNumber(5), firstOffset: Long.ZERO }]);
    expect([committed.lastStableOffset.toNumber(), committed.highWatermark.toNumber()]).toEqual([4, 6]);
    const arrived = new Promise((resolve) => kafka.once('request', resolve));
    const waiting = fetchOne(client, { isolationLevel: 1, offset: 4, maxWaitMs: 60_000 });
    await arrived;
    kafka.endTransaction('t', 0, 'commit', { producerId: 6 });
    expect(valuesIn((await waiting).records)).toEqual(['4:open', '5:plain']);
  });
});

describe('fetch sessions', () => {
  async function opened() {
    const kafka = await startKafka({ topics: { t: 2 } });
    const client = await connect(kafka);
    const request = fetchRequest({ sessionEpoch: 0 });
    request.topics[0]?.partitions.push(...(fetchRequest({ partition: 1 }).topics[0]?.partitions ?? []));
    const first = await client.send(fetch, 12, request);
    const { sessionId } = first;
    const next = (sessionEpoch: number, more: Partial<ReturnType<typeof fetchRequest>> = {}, version = 12) =>
      client.send(fetch, version, { ...fetchRequest({ sessionId, sessionEpoch }, true), ...more });
    return { kafka, client, first, next, sessionId };
  }
  const told = (response: Awaited<ReturnType<Awaited<ReturnType<typeof opened>>['next']>>): number[] =>
    response.responses.flatMap(({ partitions }) => partitions.map(({ partitionIndex }) => partitionIndex));

  it('tell everything at first, then only what has changed', async () => {
    const { kafka, first, next, sessionId } = await opened();
    expect(told(first)).toEqual([0, 1]);
    expect(sessionId).toBeGreaterThan(0);
    expect(told(await next(1))).toEqual([]);
    await kafka.append('t', 1, ['a']);
    expect(told(await next(2))).toEqual([1]);
    // Asked for again from behind the record: nothing new.
    const advanced = fetchRequest({ partition: 1, offset: 1 }).topics;
    expect(told(await next(3, { topics: advanced }))).toEqual([]);
    kafka.deleteRecords('t', 1, 1);
    expect(told(await next(4))).toEqual([1]);
  });

  it('forget partitions, and repeat errors until they are gone', async () => {
    const { kafka, next } = await opened();
    await kafka.append('t', 0, ['a']);
    const forgottenTopicsData = [{ topic: 't', topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partitions: [0] }];
    expect(told(await next(1, { forgottenTopicsData }))).toEqual([]);
    const wrong = fetchRequest({ partition: 1, offset: 7 }).topics;
    expect(told(await next(2, { topics: wrong }))).toEqual([1]);
    expect(told(await next(3))).toEqual([1]);
    expect(told(await next(4, { topics: fetchRequest({ partition: 1 }).topics }))).toEqual([1]);
    expect(told(await next(5))).toEqual([]);
  });

  it('end, and refuse what does not fit', async () => {
    const { next, client, sessionId } = await opened();
    expect((await next(5)).errorCode).toBe(71);
    expect((await next(1, {}, 13)).errorCode).toBe(106);
    const closing = await client.send(fetch, 12, fetchRequest({ sessionId, sessionEpoch: -1 }));
    expect([closing.errorCode, closing.sessionId]).toEqual([0, 0]);
    expect((await next(1)).errorCode).toBe(70);
  });

  it('give every partition its turn', async () => {
    const { kafka, next } = await opened();
    for (const partition of [0, 1]) for (let i = 0; i < 3; i++) await kafka.append('t', partition, ['x'.repeat(500)]);
    const first = await next(1, { maxBytes: 1 });
    expect(told(first).slice(0, 1)).toEqual([0]);
    const second = await next(2, { maxBytes: 1 });
    const withRecords = second.responses.flatMap(({ partitions }) =>
      partitions.filter(({ records }) => (records?.length ?? 0) > 0),
    );
    expect(withRecords.map(({ partitionIndex }) => partitionIndex)).toEqual([1]);
  });

  it('are gone when the broker was restarted', async () => {
    const { kafka, sessionId } = await opened();
    await kafka.broker(1).stop();
    await kafka.broker(1).start();
    const client = await connect(kafka);
    const response = await client.send(fetch, 12, fetchRequest({ sessionId, sessionEpoch: 1 }, true));
    expect(response.errorCode).toBe(70);
  });
});
