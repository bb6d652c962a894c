import { describe, expect, it } from 'vitest';
import { requestFailed } from '../../src/fetch/answers.ts';
import { ConnectionError, FrameTooLargeError, ProtocolError } from '../../src/errors.ts';
import { matching } from '../harness/matching.ts';
import { batch, Rig, types } from './rig.ts';

const T = 't';
const p = (partition: number): { topic: string; partition: number } => ({ topic: T, partition });

describe('who is asked', () => {
  it('one fetch per broker with all its partitions, and one more only after the answer', () => {
    const rig = new Rig();
    rig.lead(2, 2);
    rig.start(0, 0, 1, 2);
    const actions = rig.plan();
    expect(actions).toMatchObject([
      { type: 'fetch', nodeId: 1, maxWaitMs: 500, partitions: [p(0), p(1)] },
      { type: 'fetch', nodeId: 2, partitions: [p(2)] },
    ]);
    rig.start(0, 3);
    expect(rig.plan()).toEqual([]);
    rig.fetched((actions[0] as { id: number }).id, { partition: 0 }, { partition: 1 });
    expect(rig.one('fetch').partitions).toHaveLength(3);
  });

  it('an unknown leader is asked for; metadata without it back off and ask again; then it goes on', () => {
    const rig = new Rig();
    rig.lead(0, -1);
    rig.start(0, 0);
    expect(rig.plan()).toEqual([{ type: 'refreshMetadata', topics: [T] }]);
    rig.metadata();
    for (const wait of [100, 200, 400]) {
      expect(rig.plan()).toEqual([{ type: 'refreshMetadata', topics: [T] }]);
      expect(rig.plan()).toEqual([]); // it is on its way
      rig.metadata();
      expect(rig.plan()).toEqual([]);
      expect(rig.pass()).toBe(wait);
    }
    rig.lead(0, 4);
    expect(rig.one('fetch').nodeId).toBe(4);
  });

  it('who got records goes to the end of the line', () => {
    const rig = new Rig();
    rig.start(0, 0, 1, 2);
    const { id } = rig.one('fetch');
    rig.fetched(
      id,
      { partition: 0, records: batch(0), highWatermark: 9 },
      { partition: 1, highWatermark: 9 },
      { partition: 2, highWatermark: 9 },
    );
    expect(rig.one('fetch').partitions.map(({ partition }) => partition)).toEqual([1, 2, 0]);
  });
});

describe('budget', () => {
  const size = batch(0, 1, 300).length;

  it('a full partition is left out, the others of its broker are asked without a long poll and at a pace', () => {
    const rig = new Rig({ maxPartitionFetchBytes: size });
    rig.start(0, 0, 1);
    rig.fetched(rig.one('fetch').id, { partition: 0, records: batch(0, 1, 300), highWatermark: 1 }, { partition: 1 });
    const short = rig.one('fetch');
    expect(short).toMatchObject({ maxWaitMs: 0, partitions: [p(1)] });
    rig.fetched(short.id, { partition: 1 });
    expect(rig.plan()).toEqual([]);
    expect(rig.pass()).toBe(50);
    const again = rig.one('fetch');
    expect(again.maxWaitMs).toBe(25);
    rig.fetcher.release(T, 0, 1, size);
    expect(rig.plan()).toEqual([]);
    rig.fetched(again.id, { partition: 1 });
    expect(rig.one('fetch')).toMatchObject({ maxWaitMs: 500, partitions: [p(1), p(0)] });
  });

  it('the longer a full one stands still, the longer the others may wait at the broker, up to fetchMaxWaitMs', () => {
    const rig = new Rig({ maxPartitionFetchBytes: size, fetchMaxWaitMs: 5000 });
    rig.start(0, 0, 1);
    rig.fetched(rig.one('fetch').id, { partition: 0, records: batch(0, 1, 300), highWatermark: 1 }, { partition: 1 });
    const waits: number[] = [];
    for (let answers = 0; rig.now < 60_000; answers++) {
      let [action] = rig.plan();
      if (action === undefined) {
        rig.pass();
        [action] = rig.plan();
      }
      if (action?.type !== 'fetch') throw new Error('no fetch');
      waits.push(action.maxWaitMs);
      rig.now += action.maxWaitMs;
      rig.fetched(action.id, { partition: 1 });
    }
    expect(waits.length).toBeLessThan(30);
    expect(waits.at(-1)).toBe(5000);
  });

  it('buffers that nobody takes from starve nobody: who has nothing gets a little', () => {
    const rig = new Rig({ fetchMaxBytes: 2 * size, maxPartitionFetchBytes: size });
    rig.start(0, 0, 1, 2);
    const full = (partition: number): object => ({ partition, records: batch(0, 1, 300), highWatermark: 1 });
    rig.fetched(rig.one('fetch').id, full(0), full(1), { partition: 2 });
    expect(rig.plan()).toEqual([]);
    rig.pass();
    const little = rig.one('fetch');
    expect(rig.now).toBe(1000);
    expect(little.partitions).toMatchObject([{ partition: 2, partitionMaxBytes: size }]);
    rig.fetched(little.id, { partition: 2, records: batch(0), highWatermark: 9 });
    expect(rig.plan()).toEqual([]); // it has something now
    rig.fetcher.release(T, 2, 3, batch(0).length);
    expect(rig.one('fetch').partitions).toMatchObject([{ partition: 2 }]);
  });

  it('as long as something is taken from every buffer, the bound is the bound', () => {
    const rig = new Rig({ fetchMaxBytes: 2 * size, maxPartitionFetchBytes: size });
    rig.start(0, 0, 1, 2);
    const full = (partition: number): object => ({ partition, records: batch(0, 1, 300), highWatermark: 1 });
    rig.fetched(rig.one('fetch').id, full(0), full(1), { partition: 2 });
    for (let i = 0; i < 10; i++) {
      expect(rig.plan()).toEqual([]);
      rig.now += 900;
      rig.plan();
      for (const partition of [0, 1]) rig.fetcher.release(T, partition, partition + 1, 1);
    }
  });

  it('each broker gets its share of fetchMaxBytes: one that has nothing to give holds on to no more', () => {
    const rig = new Rig({ fetchMaxBytes: 1000, maxPartitionFetchBytes: 400 });
    for (const partition of [3, 4, 5]) rig.lead(partition, 2);
    rig.start(0, 0, 1, 2, 3, 4, 5);
    expect(rig.plan()).toMatchObject([
      { nodeId: 1, maxBytes: 500 },
      { nodeId: 2, maxBytes: 500 },
    ]);
  });

  it('with nothing left nobody is asked, until bytes are given back', () => {
    const rig = new Rig({ fetchMaxBytes: size, maxPartitionFetchBytes: 10 * size });
    rig.start(0, 0);
    rig.fetched(rig.one('fetch').id, { records: batch(0, 1, 300), highWatermark: 9 });
    expect(rig.fetcher.bufferedBytes).toBe(size);
    expect(rig.plan()).toEqual([]);
    expect(rig.fetcher.deadline()).toBe(Infinity);
    rig.fetcher.release(T, 0, 1, size);
    expect(rig.one('fetch').maxBytes).toBe(size);
  });

  it('bytes of a partition that was stopped or sought count until they are given back', () => {
    const rig = new Rig({ fetchMaxBytes: size });
    rig.start(0, 0, 1);
    rig.fetched(rig.one('fetch').id, { partition: 0, records: batch(0, 1, 300), highWatermark: 9 }, { partition: 1 });
    rig.fetcher.stop([p(0)]);
    expect(rig.plan()).toEqual([]);
    rig.start(0, 0);
    expect(rig.fetcher.get(T, 0)?.buffered).toBe(0);
    rig.fetcher.release(T, 0, 1, size); // of the old epoch
    expect(rig.fetcher.bufferedBytes).toBe(0);
    expect(rig.fetcher.get(T, 0)?.buffered).toBe(0);
    expect(rig.one('fetch').partitions).toHaveLength(2);
  });
});

describe('a newer leader', () => {
  it('frees the partition, and its room, from what the old one was asked', () => {
    const rig = new Rig({ fetchMaxBytes: 400 });
    rig.start(0, 0);
    const old = rig.one('fetch');
    rig.lead(0, 2, 4);
    rig.metadata();
    expect(rig.one('fetch')).toMatchObject({ nodeId: 2, partitions: [p(0)], maxBytes: 400 });
    expect(rig.fetched(old.id, { records: batch(0), highWatermark: 1 })).toEqual([]);
    expect(rig.fetcher.bufferedBytes).toBe(0);
  });

  it('leaves the others of the old one waiting for it', () => {
    const rig = new Rig();
    rig.start(0, 0, 1);
    const old = rig.one('fetch');
    rig.lead(0, 2, 4);
    rig.metadata();
    const next = rig.one('fetch');
    expect(next).toMatchObject({ nodeId: 2, partitions: [p(0)] });
    const answers = [0, 1].map((partition) => ({ partition, records: batch(0), highWatermark: 1 }));
    expect(rig.fetched(old.id, ...answers)).toMatchObject([{ type: 'records', partition: 1 }]);
    expect(rig.fetched(next.id, ...answers.slice(0, 1))).toMatchObject([{ type: 'records', partition: 0 }]);
  });

  it('is asked for positions, too', () => {
    const rig = new Rig();
    rig.start('earliest', 0);
    const old = rig.one('listOffsets');
    rig.lead(0, 2, 4);
    rig.metadata();
    expect(rig.one('listOffsets')).toMatchObject({ nodeId: 2 });
    expect(rig.listed(old.id, 5)).toEqual([]);
  });

  it('does not end what a follower, or a leader of the same epoch, was asked', () => {
    const rig = new Rig();
    rig.start(0, 0);
    rig.fetched(rig.one('fetch').id, { preferredReadReplica: 2 });
    rig.one('fetch');
    rig.lead(0, 3, 4);
    rig.metadata();
    expect(rig.plan()).toEqual([]);
    const other = new Rig();
    other.start(0, 0);
    other.one('fetch');
    other.lead(0, 2, 3);
    other.metadata();
    expect(other.plan()).toEqual([]);
  });
});

describe('an answer that is too large', () => {
  const cause = new FrameTooLargeError('frame of 9 bytes, expected 4 to 8; raise receiveMessageMaxBytes');
  const tooLarge = new ProtocolError(`kafka:9092: ${cause.message}`, { retriable: true, cause });

  it('is asked for partition by partition; the one whose records it were fails, the others go on', () => {
    const rig = new Rig();
    rig.start(0, 0, 1, 2);
    const asked: number[][] = [];
    const failed: unknown[] = [];
    for (let i = 0; i < 40; i++) {
      rig.now += 100;
      rig.metadata();
      const [action] = rig.plan();
      if (action?.type !== 'fetch') continue;
      asked.push(action.partitions.map(({ partition }) => partition));
      const hasCulprit = action.partitions.some(({ partition }) => partition === 1);
      const actions = hasCulprit
        ? requestFailed(rig.fetcher, action.id, tooLarge, rig.now)
        : rig.fetched(action.id, ...action.partitions.map(({ partition }) => ({ partition })));
      failed.push(...actions.filter(({ type }) => type === 'partitionFailed'));
    }
    expect(asked.filter((each) => each.includes(1))).toEqual([[0, 1, 2], [1], [1]]);
    expect(asked.slice(1, 4).map(({ length }) => length)).toEqual([1, 1, 1]);
    expect(asked.at(-1)).toEqual([0, 2]);
    expect(failed).toMatchObject([
      { partition: 1, error: { name: 'RecordTooLargeError', offset: 0, message: matching(/receiveMessageMaxBytes/) } },
    ]);
  });
});

it('a partition that its topic does not have is told once, and asked for all the same', () => {
  const rig = new Rig();
  rig.partitionCount = 1;
  rig.lead(1, -1);
  rig.lead(2, -1);
  rig.start(0, 1, 2);
  expect(rig.plan()).toMatchObject([
    {
      type: 'trouble',
      error: { code: 3, message: matching(/t-1 and 1 more do not exist: topic 't' has 1 partitions/) },
    },
    { type: 'refreshMetadata' },
  ]);
  rig.metadata();
  expect(types(rig.plan())).toEqual(['refreshMetadata']);
  rig.metadata();
  rig.lead(1, 1);
  rig.plan();
  rig.pass();
  expect(rig.plan()).toMatchObject([{ type: 'fetch', partitions: [p(1)] }, { type: 'refreshMetadata' }]);
});

describe('pause, seek, stop', () => {
  it('a paused partition is left out, but its position is looked up', () => {
    const rig = new Rig();
    rig.start('committed', 0);
    rig.start(0, 1);
    rig.fetcher.setPaused([p(0), p(1)], true);
    const { id } = rig.one('fetchOffsets');
    rig.committed(id, 5);
    expect(rig.plan()).toEqual([]);
    rig.fetcher.setPaused([p(0)], false);
    expect(rig.one('fetch').partitions).toMatchObject([{ partition: 0, fetchOffset: 5 }]);
  });

  it('what is in flight when a pause comes is handed on: the buffer is kept', () => {
    const rig = new Rig();
    rig.start(0, 0);
    const { id } = rig.one('fetch');
    rig.fetcher.setPaused([p(0)], true);
    expect(types(rig.fetched(id, { records: batch(0), highWatermark: 1 }))).toEqual(['records']);
    expect(rig.plan()).toEqual([]);
  });

  it('a pause outlives a seek', () => {
    const rig = new Rig();
    rig.start(0, 0);
    rig.fetcher.setPaused([p(0)], true);
    rig.start(7, 0);
    expect(rig.plan()).toEqual([]);
  });

  it.each([
    ['a seek', (rig: Rig) => rig.start(7, 0)],
    ['a stop', (rig: Rig) => rig.fetcher.stop([p(0)])],
  ])('late answers after %s are nobody’s', (_, act) => {
    for (const errorCode of [0, 1, 6, 29]) {
      const rig = new Rig();
      rig.start(0, 0);
      const { id } = rig.one('fetch');
      act(rig);
      expect(rig.fetched(id, { errorCode, records: batch(0), highWatermark: 1 })).toEqual([]);
      expect(rig.fetcher.bufferedBytes).toBe(0);
      const state = rig.fetcher.get(T, 0);
      if (state !== undefined) expect(rig.one('fetch').partitions).toMatchObject([{ fetchOffset: 7 }]);
    }
  });

  it('a seek in the middle of a look-up', () => {
    const rig = new Rig();
    rig.start('committed', 0);
    const { id } = rig.one('fetchOffsets');
    rig.start('latest', 0);
    const list = rig.one('listOffsets');
    expect(rig.committed(id, 5)).toEqual([]);
    rig.start(9, 0);
    expect(rig.one('fetch').partitions).toMatchObject([{ fetchOffset: 9 }]);
    expect(rig.listed(list.id, 100)).toEqual([]);
  });

  it('an answer or a failure is taken once', () => {
    const rig = new Rig();
    rig.start(0, 0);
    const { id } = rig.one('fetch');
    rig.fetched(id, { records: batch(0), highWatermark: 1 });
    const next = rig.one('fetch');
    expect(rig.fetched(id, { records: batch(1), highWatermark: 1 })).toEqual([]);
    expect(requestFailed(rig.fetcher, id, new ConnectionError('late'), rig.now)).toEqual([]);
    expect(rig.plan()).toEqual([]);
    expect(types(rig.fetched(next.id, { records: batch(1), highWatermark: 2 }))).toEqual(['records']);
  });
});
