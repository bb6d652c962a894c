import { describe, expect, it } from 'vitest';
import { ConfigError, KafkaError, type Consumer, type TopicPartition } from '../../src/index.ts';
import { failureOf, take, upTo, useRig, waitFor } from './rig.ts';

describe('commits', () => {
  const rig = useRig();

  /** As a stranger to the group sees it: not what the consumer believes, but what the broker has. */
  async function committed(groupId: string, partition: TopicPartition): Promise<number | null> {
    const [found] = await onlooker(groupId).committed([partition]);
    return found?.offset ?? null;
  }

  const onlookers = new Map<string, Consumer>();
  function onlooker(groupId: string): Consumer {
    const known = onlookers.get(groupId) ?? rig.consumer({ groupId, enableAutoCommit: false });
    onlookers.set(groupId, known);
    return known;
  }

  async function start(count: number, options = {}) {
    const topic = await rig.filled(count);
    const groupId = rig.name('group');
    const first = { topic, partition: 0 };
    const consumer = rig.consumer({ groupId, ...options });
    consumer.subscribe([topic]);
    return { topic, groupId, first, consumer, partition: first };
  }

  it('the automatic commit covers what is finished, not what is in hand', async () => {
    const { consumer, groupId, partition } = await start(100, { autoCommitIntervalMs: 100 });
    const events: number[] = [];
    consumer.on('committed', (offsets) => events.push(...offsets.map(({ offset }) => offset)));
    const reading = consumer[Symbol.asyncIterator]();
    for (let index = 0; index < 11; index++) await reading.next();
    await waitFor('automatic commit', () => events.includes(10));
    expect(await committed(groupId, partition)).toBe(10);
    await reading.next();
    await waitFor('next automatic commit', () => events.includes(11));
    expect(await committed(groupId, partition)).toBe(11);
    await reading.return?.();
  });

  it('a batch in hand is not finished either', async () => {
    const { consumer, groupId, partition } = await start(100, { autoCommitIntervalMs: 100, maxPollRecords: 10 });
    const reading = consumer.batches();
    await reading.next();
    const second = await reading.next();
    expect(second.value?.firstOffset).toBe(10);
    await waitFor('automatic commit', async () => (await committed(groupId, partition)) === 10);
    await reading.return?.();
  });

  it('what the loop was left with is delivered again; what was finished is not', async () => {
    const { consumer, topic, groupId, partition } = await start(50);
    expect((await take(consumer, 20)).at(-1)?.offset).toBe(19);
    await consumer.close();
    expect(await committed(groupId, partition)).toBe(19);
    const next = rig.consumer({ groupId });
    next.subscribe([topic]);
    expect((await take(next, 31)).map(({ offset }) => offset)).toEqual(upTo(31, 19));
  });

  it('a loop that ends because the topic is read commits all of it on close', async () => {
    const { consumer, groupId, partition } = await start(50);
    consumer.on('partitionEnd', () => void consumer.close());
    let count = 0;
    for await (const record of consumer) count += record.value === null ? 0 : 1;
    expect(count).toBe(50);
    await consumer.close();
    expect(await committed(groupId, partition)).toBe(50);
  });

  it('commit() of a record, a batch, offsets with metadata', async () => {
    const { consumer, groupId, partition, topic } = await start(100, { enableAutoCommit: false, maxPollRecords: 30 });
    const [, , third] = await take(consumer, 3);
    if (third === undefined) throw new Error('no record');
    await consumer.commit(third);
    expect(await committed(groupId, partition)).toBe(3);
    for await (const batch of consumer.batches()) {
      await consumer.commit(batch);
      expect(await committed(groupId, partition)).toBe(batch.lastOffset + 1);
      break;
    }
    await consumer.commit([{ topic, partition: 0, offset: 77, metadata: 'by hand' }]);
    expect(await onlooker(groupId).committed([partition, { topic, partition: 0 }])).toEqual(
      upTo(2).map(() => ({ topic, partition: 0, offset: 77, leaderEpoch: -1, metadata: 'by hand' })),
    );
    await consumer.commit({ topic, partition: 0, offset: 5 });
    expect(await committed(groupId, partition)).toBe(5);
  });

  it('commit() without arguments: all that is finished, and of poll() also what is in hand', async () => {
    const { consumer, groupId, partition } = await start(100, { enableAutoCommit: false, maxPollRecords: 10 });
    await consumer.commit(); // not yet assigned: nothing to do
    const reading = consumer[Symbol.asyncIterator]();
    for (let index = 0; index < 5; index++) await reading.next();
    await consumer.commit();
    expect(await committed(groupId, partition)).toBe(4);
    await reading.return?.();
    const [batch] = await consumer.poll({ timeoutMs: 10_000 });
    await consumer.commit();
    expect(await committed(groupId, partition)).toBe((batch?.lastOffset ?? 0) + 1);
    await consumer.commit(); // nothing new
  });

  it('without automatic commits close() commits nothing', async () => {
    const { consumer, groupId, partition } = await start(10, { enableAutoCommit: false });
    consumer.on('partitionEnd', () => void consumer.close());
    for await (const record of consumer) expect(record.partition).toBe(0);
    await consumer.close();
    expect(await committed(groupId, partition)).toBeNull();
  });

  it('a record that was committed by hand stays committed: neither the timer nor close() goes back behind it', async () => {
    const { consumer, groupId, partition } = await start(20, { autoCommitIntervalMs: 100 });
    const events: number[] = [];
    consumer.on('committed', (offsets) => events.push(...offsets.map(({ offset }) => offset)));
    const reading = consumer[Symbol.asyncIterator]();
    for (let index = 0; index < 9; index++) await reading.next();
    const tenth = await reading.next();
    if (tenth.value === undefined) throw new Error('no record');
    await waitFor('automatic commit of the nine', () => events.includes(9));
    await consumer.commit(tenth.value);
    await reading.return?.();
    await consumer.close();
    expect(events).toEqual(events.toSorted((a, b) => a - b));
    expect(await committed(groupId, partition)).toBe(10);
  });

  it('many commits at once end with the last one', async () => {
    const { consumer, groupId, partition } = await start(10, { enableAutoCommit: false });
    await take(consumer, 1);
    await Promise.all(upTo(50, 1).map((offset) => consumer.commit({ ...partition, offset })));
    expect(await committed(groupId, partition)).toBe(50);
  });

  it('a manual assignment commits by time, on close, and begins there again', async () => {
    const topic = await rig.filled(30);
    const groupId = rig.name('group');
    const first = rig.consumer({ groupId, autoCommitIntervalMs: 100 });
    first.assign([{ topic, partition: 0 }]);
    const reading = first[Symbol.asyncIterator]();
    for (let index = 0; index < 6; index++) await reading.next();
    await waitFor('automatic commit', async () => (await committed(groupId, { topic, partition: 0 })) === 5);
    await reading.next();
    await reading.return?.();
    await first.close();
    expect(await committed(groupId, { topic, partition: 0 })).toBe(6);
  });

  it('what cannot be committed rejects, with the reason, and reading goes on', async () => {
    const { consumer, partition, topic } = await start(30, { enableAutoCommit: false, defaultApiTimeoutMs: 1500 });
    await take(consumer, 1);
    const tooLarge = await failureOf(consumer.commit({ ...partition, offset: 1, metadata: 'x'.repeat(20_000) }));
    expect(tooLarge).toBeInstanceOf(KafkaError);
    expect(tooLarge).toMatchObject({ name: 'OFFSET_METADATA_TOO_LARGE', code: 12, api: 'OffsetCommit' });
    expect((tooLarge as Error).message).toContain(topic);
    const unknown = await failureOf(consumer.commit({ topic: rig.name('nowhere'), partition: 3, offset: 1 }));
    expect(unknown).toBeInstanceOf(KafkaError);
    expect((await take(consumer, 5)).length).toBe(5);
  });

  it('without a group it is a ConfigError', async () => {
    const topic = await rig.filled(3);
    const consumer = rig.consumer();
    consumer.assign([{ topic, partition: 0 }]);
    const [record] = await take(consumer, 1);
    expect(await failureOf(consumer.commit(record))).toBeInstanceOf(ConfigError);
    expect(await failureOf(consumer.committed([{ topic, partition: 0 }]))).toBeInstanceOf(ConfigError);
  });

  it('committed() of what was never committed is null', async () => {
    const { consumer, topic } = await start(3);
    const nowhere = { topic: rig.name('nowhere'), partition: 0 };
    const none = { offset: null, leaderEpoch: -1, metadata: null };
    expect(await consumer.committed([{ topic, partition: 0 }, nowhere])).toEqual([
      { topic, partition: 0, ...none },
      { ...nowhere, ...none },
    ]);
    expect(await consumer.committed([])).toEqual([]);
  });
});
