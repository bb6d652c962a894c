import { describe, expect, it } from 'vitest';
import type { Consumer } from '../../src/index.ts';
import { offsetsByPartition, take, upTo, useRig, waitFor } from './rig.ts';

describe('positions', () => {
  const rig = useRig();
  const offsetsOf = async (consumer: Consumer, count: number): Promise<number[]> =>
    (await take(consumer, count)).map(({ offset }) => offset);

  it('seek in onAssigned decides where reading begins; it may look at the committed offset', async () => {
    const topic = await rig.filled(40, { partitions: 2 });
    const groupId = rig.name('group');
    const before = rig.consumer({ groupId, enableAutoCommit: false });
    before.assign([{ topic, partition: 0 }]);
    await before.commit([{ topic, partition: 0, offset: 5 }]);
    const consumer = rig.consumer({ groupId });
    consumer.subscribe([topic], {
      onAssigned: async (partitions) => {
        const [first] = await consumer.committed([{ topic, partition: 0 }]);
        expect(partitions).toHaveLength(2);
        consumer.seek({ topic, partition: 0 }, (first?.offset ?? 0) + 10);
        consumer.seekToEnd([{ topic, partition: 1 }]);
      },
    });
    expect(await offsetsOf(consumer, 5)).toEqual(upTo(5, 15));
    // Where the end is has to be known before there is more behind it.
    expect(await consumer.position({ topic, partition: 1 })).toBe(20);
    await rig.admin.produce(topic, 1, [{ value: 'new' }]);
    const [again, last] = await take(consumer, 2);
    expect(again).toMatchObject({ partition: 0, offset: 19 }); // was in hand
    expect(last).toMatchObject({ partition: 1, offset: 20 });
  });

  it('seek while iterating: the next record is the one asked for, forwards and back', async () => {
    const topic = await rig.filled(5000);
    const partition = { topic, partition: 0 };
    const consumer = rig.consumer();
    consumer.assign([partition]);
    const offsets: number[] = [];
    for await (const record of consumer) {
      offsets.push(record.offset);
      if (offsets.length === 3) consumer.seek(partition, 4000);
      if (offsets.length === 6) consumer.seek({ ...partition, offset: 10 });
      if (offsets.length === 8) {
        consumer.seek(partition, 4999);
        consumer.seek(partition, 20);
      }
      if (offsets.length === 10) break;
    }
    expect(offsets).toEqual([0, 1, 2, 4000, 4001, 4002, 10, 11, 20, 21]);
  });

  it('a hundred seeks at random: never a record of before the seek', async () => {
    const topic = await rig.filled(4000, { partitions: 2, batchRecords: 50 });
    const consumer = rig.consumer({ maxPollRecords: 7, maxPartitionFetchBytes: 4000 });
    consumer.assign([0, 1].map((partition) => ({ topic, partition })));
    const expected = [0, 0];
    let seeks = 0;
    let random = 12345;
    const upToBut = (limit: number): number => (random = (random * 48271) % 0x7fffffff) % limit;
    for await (const record of consumer) {
      expect(record.offset).toBe(expected[record.partition]);
      expected[record.partition] = record.offset + 1;
      if (upToBut(5) !== 0 && expected.every((offset) => offset < 2000)) continue;
      if (++seeks > 100) break;
      const partition = upToBut(2);
      for (const each of [partition, ...upTo(2).filter((other) => (expected[other] ?? 0) >= 2000)]) {
        expected[each] = upToBut(1990);
        consumer.seek({ topic, partition: each }, expected[each]);
      }
    }
    expect(seeks).toBe(101);
  });

  it('seek decides what is committed next, also when that is back', async () => {
    const topic = await rig.filled(50);
    const partition = { topic, partition: 0 };
    const groupId = rig.name('group');
    const consumer = rig.consumer({ groupId });
    consumer.assign([partition]);
    await take(consumer, 30);
    await consumer.commit();
    consumer.seek(partition, 12);
    await consumer.close();
    const next = rig.consumer({ groupId });
    next.assign([partition]);
    expect(await offsetsOf(next, 2)).toEqual([12, 13]);
  });

  it('seekToBeginning and seekToEnd, of all or of some', async () => {
    const topic = await rig.filled(20, { partitions: 2 });
    const consumer = rig.consumer();
    consumer.assign([0, 1].map((partition) => ({ topic, partition })));
    await take(consumer, 20);
    consumer.seekToBeginning();
    const again = offsetsByPartition(await take(consumer, 20));
    expect([again.get(0), again.get(1)]).toEqual([upTo(10), upTo(10)]);
    consumer.seekToBeginning([{ topic, partition: 0 }]);
    consumer.seekToEnd([{ topic, partition: 1 }]);
    expect(await consumer.position({ topic, partition: 1 })).toBe(10);
    const half = await take(consumer, 10);
    expect(half.map(({ partition, offset }) => [partition, offset])).toEqual(upTo(10).map((offset) => [0, offset]));
    consumer.markConsumed(half);
    expect(await consumer.poll({ timeoutMs: 300 })).toEqual([]);
  });

  it('position() is the next offset to hand out, whatever is buffered', async () => {
    const topic = await rig.filled(100);
    const partition = { topic, partition: 0 };
    const consumer = rig.consumer({ groupId: rig.name('group') });
    consumer.assign([partition]);
    expect(await consumer.position(partition)).toBe(0);
    await take(consumer, 7);
    expect(await consumer.position(partition)).toBe(6); // the seventh was in hand, and comes again
    consumer.seek(partition, 50);
    expect(await consumer.position(partition)).toBe(50);
    await expect(consumer.position({ topic, partition: 9 })).rejects.toThrow(/not assigned/);
    expect(() => consumer.seek({ topic, partition: 9 }, 0)).toThrow(/not assigned/);
  });

  it('pause in the middle of what is buffered, resume: nothing lost, nothing twice, no waiting', async () => {
    const topic = await rig.filled(2000, { partitions: 2 });
    const consumer = rig.consumer({ groupId: rig.name('group'), maxPollRecords: 100 });
    consumer.subscribe([topic]);
    const offsets: [number[], number[]] = [[], []];
    let paused = -1;
    let whilePaused = 0;
    for await (const { partition, offset } of consumer) {
      offsets[partition === 0 ? 0 : 1].push(offset);
      if (offset === 42 && paused < 0) {
        paused = partition; // whichever comes first: the other has more than 300 left
        consumer.pause([{ topic, partition }]);
      } else if (consumer.paused().length > 0) {
        expect(partition).not.toBe(paused);
        if (++whilePaused === 300) consumer.resume();
      }
      if (offsets[0].length + offsets[1].length === 2000) break;
    }
    expect(offsets).toEqual([upTo(1000), upTo(1000)]);
    expect(consumer.paused()).toEqual([]);
  });

  it('a paused consumer gets nothing, stays in its group, and goes on where it was', async () => {
    const topic = await rig.filled(50);
    const consumer = rig.consumer({
      groupId: rig.name('group'),
      sessionTimeoutMs: rig.sessionTimeoutMs,
      maxPollRecords: 10,
    });
    const events: string[] = [];
    for (const name of ['assigned', 'revoked', 'lost'] as const) consumer.on(name, () => events.push(name));
    consumer.subscribe([topic]);
    await consumer.poll({ timeoutMs: 10_000 });
    consumer.pause();
    expect(consumer.paused()).toEqual([{ topic, partition: 0 }]);
    expect(await consumer.poll({ timeoutMs: rig.sessionTimeoutMs + 500 })).toEqual([]);
    consumer.resume();
    const [batch] = await consumer.poll({ timeoutMs: 10_000 });
    expect(batch?.firstOffset).toBe(10);
    expect(events).toEqual(['assigned']);
  });

  it('a pause outlives a seek', async () => {
    const topic = await rig.filled(50);
    const partition = { topic, partition: 0 };
    const consumer = rig.consumer();
    consumer.assign([partition]);
    await take(consumer, 5);
    consumer.pause([partition]);
    consumer.seek(partition, 30);
    expect(await consumer.poll({ timeoutMs: 300 })).toEqual([]);
    consumer.resume([partition]);
    expect(await offsetsOf(consumer, 2)).toEqual([30, 31]);
  });

  it.each([
    ['batches smaller than the buffers', 20],
    ['a batch larger than all buffers', 1000],
  ])('a partition that is paused does not keep the others from being fetched: %s', async (_, batchRecords) => {
    const recordAt = (index: number) => ({ value: `${index} ${'x'.repeat(500)}` });
    const topic = await rig.filled(6000, { partitions: 3, batchRecords, recordAt });
    const consumer = rig.consumer({ maxPartitionFetchBytes: 20_000, fetchMaxBytes: 60_000 });
    consumer.assign(upTo(3).map((partition) => ({ topic, partition })));
    const counts = [0, 0, 0];
    const reading = (async () => {
      for await (const { partition, offset } of consumer) {
        expect(offset).toBe(counts[partition]);
        counts[partition] = offset + 1;
        if (partition === 1 && offset === 10) consumer.pause([{ topic, partition: 1 }]);
        if (counts.every((count) => count === 2000)) break;
      }
    })();
    const areRead = (): boolean => counts[0] === 2000 && counts[2] === 2000;
    await waitFor('end of the other partitions', areRead, 5000);
    expect(counts[1]).toBe(11);
    consumer.resume();
    await reading;
  });
});
