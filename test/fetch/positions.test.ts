import { describe, expect, it } from 'vitest';
import { LogTruncationError, OffsetOutOfRangeError } from '../../src/errors.ts';
import { cannotValidate } from '../../src/fetch/answers.ts';
import { isAutoOffsetReset, parseDuration } from '../../src/fetch/reset-policy.ts';
import { batch, Rig, types, type ActionOf } from './rig.ts';
import { matching } from '../harness/matching.ts';

const P0 = { topic: 't', partition: 0 };

/** At offset 41, after a record of epoch 3, the leader's epoch being 3. */
function reading(settings = {}): Rig {
  const rig = new Rig(settings);
  rig.start(40, 0);
  rig.fetched(rig.one('fetch').id, { records: batch(40), highWatermark: 50 });
  return rig;
}

describe('validation (KIP-320)', () => {
  it('after a leader change: where does the epoch of the record before the position end?', () => {
    const rig = reading();
    rig.lead(0, 2, 4);
    const ask = rig.one('validate');
    expect(ask).toMatchObject({ nodeId: 2, partitions: [{ ...P0, currentLeaderEpoch: 4, leaderEpoch: 3 }] });
    expect(rig.validated(ask.id, 3, 45)).toEqual([]);
    expect(rig.one('fetch')).toMatchObject({ nodeId: 2, partitions: [{ fetchOffset: 41, currentLeaderEpoch: 4 }] });
  });

  it('once per epoch', () => {
    const rig = reading();
    rig.lead(0, 2, 4);
    rig.validated(rig.one('validate').id, 3, 41);
    rig.fetched(rig.one('fetch').id, { highWatermark: 41 });
    rig.fetched(rig.one('fetch').id, { highWatermark: 41 });
    rig.lead(0, 1, 5);
    rig.one('validate');
  });

  it('not without an epoch: after a seek, or before message format 2', () => {
    const rig = new Rig();
    rig.start(40, 0);
    rig.fetched(rig.one('fetch').id, { highWatermark: 40 });
    rig.lead(0, 2, 4);
    rig.one('fetch');
  });

  it('a committed offset with an epoch', () => {
    const rig = new Rig();
    rig.start('committed', 0);
    rig.committed(rig.one('fetchOffsets').id, 12, 0, 0, 2);
    const ask = rig.one('validate');
    expect(ask.partitions).toEqual([{ ...P0, currentLeaderEpoch: 3, leaderEpoch: 2 }]);
    rig.validated(ask.id, 2, 12);
    expect(rig.one('fetch').partitions[0]).toMatchObject({ fetchOffset: 12 });
  });

  it('an offset that ListOffsets has given is valid', () => {
    const rig = new Rig();
    rig.start('latest', 0);
    rig.listed(rig.one('listOffsets').id, 50);
    rig.one('fetch');
  });

  it('an epoch newer than the leader’s: metadata is asked for, and in the end the epoch is taken for a mistake', () => {
    const rig = new Rig();
    rig.start('committed', 0);
    rig.committed(rig.one('fetchOffsets').id, 12, 0, 0, 9);
    expect(rig.one('refreshMetadata').topics).toEqual(['t']);
    rig.metadata();
    for (let i = 0; i < 2; i++) {
      rig.one('refreshMetadata');
      rig.metadata();
      rig.plan();
      rig.pass();
    }
    expect(rig.one('fetch').partitions[0]).toMatchObject({ fetchOffset: 12, currentLeaderEpoch: 3 });
  });

  it('an epoch newer than the leader’s: once metadata has it, it is validated', () => {
    const rig = new Rig();
    rig.start('committed', 0);
    rig.committed(rig.one('fetchOffsets').id, 12, 0, 0, 9);
    rig.one('refreshMetadata');
    rig.lead(0, 2, 9);
    rig.metadata();
    expect(rig.one('validate').partitions[0]).toMatchObject({ currentLeaderEpoch: 9, leaderEpoch: 9 });
  });

  it('a broker too old to be asked: the position is taken as it is', () => {
    const rig = reading();
    rig.lead(0, 2, 4);
    expect(cannotValidate(rig.fetcher, rig.one('validate').id)).toEqual([]);
    rig.one('fetch');
  });

  it.each([
    [6, 'refreshMetadata'],
    [74, 'refreshMetadata'],
    [75, null],
    [78, 'refreshMetadata'],
    [-1, 'trouble'],
    [29, 'refused'],
  ])('error %i: %s', (errorCode, action) => {
    const rig = reading();
    rig.lead(0, 2, 4);
    const said = types(rig.validated(rig.one('validate').id, -1, -1, { errorCode }));
    expect(said.at(-1) ?? null).toBe(action);
    rig.metadata();
    expect(rig.plan()).toEqual([]);
    rig.pass();
    rig.one('validate');
  });

  it('a seek in the middle of it wins', () => {
    const rig = reading();
    rig.lead(0, 2, 4);
    const ask = rig.one('validate');
    rig.start(7, 0);
    expect(rig.validated(ask.id, 3, 10)).toEqual([]);
    expect(rig.one('fetch').partitions[0]).toMatchObject({ fetchOffset: 7 });
  });
});

describe('truncation', () => {
  const cut = (settings: object, leaderEpoch = 2, endOffset = 30): [Rig, ReturnType<Rig['plan']>] => {
    const rig = reading(settings);
    rig.lead(0, 2, 4);
    return [rig, rig.validated(rig.one('validate').id, leaderEpoch, endOffset)];
  };

  it('goes back to where the log was cut off, and says from where to where', () => {
    const [rig, actions] = cut({});
    expect(actions).toMatchObject([
      { type: 'log', level: 'warn', message: matching(/from offset 30 on.*position 41/) },
      { type: 'positioned', offset: 30, isReset: true, reset: { reason: 'truncated', from: 41 } },
    ]);
    expect(rig.one('fetch').partitions[0]).toMatchObject({ fetchOffset: 30, currentLeaderEpoch: 4 });
  });

  it('policy none: LogTruncationError with both offsets, which is an OffsetOutOfRangeError', () => {
    const [rig, actions] = cut({ autoOffsetReset: 'none' });
    const { error } = actions[0] as ActionOf<'partitionFailed'>;
    expect(error).toBeInstanceOf(LogTruncationError);
    expect(error).toBeInstanceOf(OffsetOutOfRangeError);
    expect(error).toMatchObject({ ...P0, offset: 41, divergentOffset: 30, name: 'LogTruncationError' });
    expect(rig.plan()).toEqual([]);
  });

  it('the broker knows nothing of the epoch: reset by policy', () => {
    const [rig, actions] = cut({ autoOffsetReset: 'latest' }, -1, -1);
    expect(types(actions)).toEqual(['log']);
    const list = rig.one('listOffsets');
    expect(list.partitions[0]).toMatchObject({ timestamp: -1 });
    expect(rig.listed(list.id, 20)).toMatchObject([{ offset: 20, reset: { reason: 'truncated', from: 41 } }]);
  });

  it('… and an error without one', () => {
    const [, actions] = cut({ autoOffsetReset: 'none' }, -1, -1);
    expect((actions[0] as ActionOf<'partitionFailed'>).error).toMatchObject({ offset: 41, divergentOffset: -1 });
  });

  it('a Fetch’s divergingEpoch says the same', () => {
    const rig = reading();
    const divergingEpoch = { leaderEpoch: 2, endOffset: 30 };
    const actions = rig.fetched(rig.one('fetch').id, { highWatermark: 30, divergingEpoch });
    expect(types(actions)).toEqual(['log', 'positioned']);
    expect(rig.one('fetch').partitions[0]).toMatchObject({ fetchOffset: 30 });
  });

  it('a divergingEpoch that ends behind the position is no reason to ask at the speed of the network', () => {
    const rig = reading();
    const divergingEpoch = { leaderEpoch: 2, endOffset: 60 };
    expect(rig.fetched(rig.one('fetch').id, { highWatermark: 60, divergingEpoch })).toEqual([]);
    expect(rig.plan()).toEqual([]);
    expect(rig.pass()).toBe(100);
  });
});

describe('followers (KIP-392)', () => {
  /** The leader has named broker 2. */
  function following(settings = {}): Rig {
    const rig = new Rig(settings);
    rig.start(40, 0);
    expect(rig.fetched(rig.one('fetch').id, { highWatermark: 50, preferredReadReplica: 2 })).toEqual([]);
    return rig;
  }

  it('are read from at once, until metadata is of age', () => {
    const rig = following({ metadataMaxAgeMs: 1000 });
    rig.fetched(rig.one('fetch').id, { records: batch(40), highWatermark: 50 });
    const second = rig.one('fetch');
    expect(second).toMatchObject({ nodeId: 2, partitions: [{ fetchOffset: 41 }] });
    rig.now += 1000;
    rig.fetched(second.id, { records: batch(41), highWatermark: 50 });
    expect(rig.one('fetch')).toMatchObject({ nodeId: 1, partitions: [{ fetchOffset: 42 }] });
  });

  it('offsets are asked of the leader', () => {
    const rig = following();
    rig.start('latest', 0);
    expect(rig.one('listOffsets').nodeId).toBe(1);
  });

  it.each([1, 6, 9, 56, 74, 75, 78, 3, 100, 7])('error %i: back to the leader, no reset', (errorCode) => {
    const rig = following();
    const ask = rig.one('fetch');
    expect(ask.nodeId).toBe(2);
    rig.failed(ask.id, errorCode);
    rig.metadata();
    expect(rig.plan()).toEqual([]); // leader and follower must not send us to and fro at the speed of the network
    rig.pass();
    expect(rig.one('fetch')).toMatchObject({ nodeId: 1, partitions: [{ fetchOffset: 40 }] });
  });

  it('to and fro takes longer each time', () => {
    const rig = following();
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      rig.failed(rig.one('fetch').id, 1);
      rig.plan();
      waits.push(rig.pass());
      rig.fetched(rig.one('fetch').id, { highWatermark: 50, preferredReadReplica: 2 });
    }
    expect(waits).toEqual([100, 200, 400, 800]);
  });

  it('one without an address is not read from; the leader goes on', () => {
    const rig = new Rig();
    rig.unknownBrokers.add(2);
    rig.start(40, 0);
    const actions = rig.fetched(rig.one('fetch').id, { highWatermark: 50, preferredReadReplica: 2 });
    expect(types(actions)).toEqual(['refreshMetadata']);
    rig.metadata();
    rig.plan();
    rig.pass();
    expect(rig.one('fetch').nodeId).toBe(1);
  });

  it('out of range on the leader resets', () => {
    const rig = following();
    rig.failed(rig.one('fetch').id, 1);
    rig.plan();
    rig.pass();
    rig.failed(rig.one('fetch').id, 1);
    rig.one('listOffsets');
  });
});

describe('leader hints (KIP-951)', () => {
  it.each([6, 74])('error %i with a newer leader known: asked at once', (errorCode) => {
    const rig = new Rig();
    rig.start(40, 0);
    const { id } = rig.one('fetch');
    rig.lead(0, 2, 4); // the driver has taken in what the answer says before it comes here
    expect(types(rig.failed(id, errorCode))).toEqual(['refreshMetadata']);
    expect(rig.one('fetch')).toMatchObject({ nodeId: 2, partitions: [{ currentLeaderEpoch: 4 }] });
  });

  it('the same epoch as asked with is no news', () => {
    const rig = new Rig();
    rig.start(40, 0);
    const { id } = rig.one('fetch');
    rig.lead(0, 2, 3);
    rig.failed(id, 6);
    expect(rig.plan()).toEqual([]);
  });
});

describe('a topic that was made again', () => {
  it('resets by policy; what is in flight is not taken for the new topic’s', () => {
    const rig = new Rig();
    rig.topicId = 'old';
    rig.start(40, 0);
    const { id } = rig.one('fetch');
    rig.topicId = 'new';
    rig.lead(0, 1, 5);
    expect(rig.metadata()).toMatchObject([{ type: 'log', message: matching(/deleted and made again/) }]);
    expect(rig.fetched(id, { records: batch(40), highWatermark: 50 })).toEqual([]);
    const list = rig.one('listOffsets');
    expect(list.partitions).toEqual([{ ...P0, currentLeaderEpoch: 5, timestamp: -2 }]);
    expect(rig.listed(list.id, 0)).toMatchObject([{ offset: 0, reset: { reason: 'topicRecreated', from: 40 } }]);
    expect(rig.one('fetch').partitions[0]).toMatchObject({ fetchOffset: 0 });
    expect(rig.metadata()).toEqual([]);
  });

  it('is noticed whoever asked for the metadata, and the request names the id that the position belongs to', () => {
    const rig = new Rig();
    rig.topicId = 'old';
    rig.start(40, 0);
    rig.fetcher.setPaused([P0], true);
    expect(rig.plan()).toEqual([]);
    rig.topicId = 'new'; // a look-up of the application's has brought it
    rig.fetcher.setPaused([P0], false);
    const [log, list] = rig.plan();
    expect(log).toMatchObject({ type: 'log', message: matching(/deleted and made again/) });
    rig.listed((list as ActionOf<'listOffsets'>).id, 0);
    const fetch = rig.one('fetch');
    expect(fetch.partitions).toMatchObject([{ fetchOffset: 0 }]);
    expect([...fetch.topicIds]).toEqual([['t', 'new']]);
  });

  it('policy none: an error', () => {
    const rig = new Rig({ autoOffsetReset: 'none' });
    rig.topicId = 'old';
    rig.start(40, 0);
    rig.one('fetch');
    rig.topicId = 'new';
    expect(rig.metadata()).toMatchObject([{ type: 'partitionFailed', error: { offset: 40 } }]);
  });

  it('an id that was not known before is no other topic', () => {
    const rig = new Rig();
    rig.start(40, 0);
    rig.topicId = 'id';
    expect(rig.metadata()).toEqual([]);
    rig.topicId = null; // a broker that has just started
    expect(rig.metadata()).toEqual([]);
    rig.topicId = 'id';
    expect(rig.metadata()).toEqual([]);
    rig.one('fetch');
  });
});

describe('by_duration (KIP-1106)', () => {
  it.each([
    ['PT1H', 3_600_000],
    ['P1DT12H30M5.5S', 131_405_500],
    ['PT0S', 0],
    ['P2D', 172_800_000],
    ['pt15m', 900_000],
    ['P', null],
    ['PT', null],
    ['P1DT', null],
    ['PT-1H', null],
    ['1H', null],
    ['P1W', null],
    ['', null],
  ])('%s is %s ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
    expect(isAutoOffsetReset(`by_duration:${text}`)).toBe(ms !== null);
  });

  it('begins with the first record since then', () => {
    const rig = new Rig({ autoOffsetReset: 'by_duration:PT1H' });
    rig.start('committed', 0);
    rig.committed(rig.one('fetchOffsets').id, -1);
    const list = rig.one('listOffsets');
    expect(list.partitions[0]?.timestamp).toBe(1_000_000_000 - 3_600_000);
    expect(rig.listed(list.id, 33)).toMatchObject([{ offset: 33 }]);
  });

  it('with no record since then, with the next that comes', () => {
    const rig = new Rig({ autoOffsetReset: 'by_duration:PT1H' });
    rig.start('reset', 0);
    expect(rig.listed(rig.one('listOffsets').id, -1)).toEqual([]);
    expect(rig.one('listOffsets').partitions[0]?.timestamp).toBe(-1);
  });
});

describe('room', () => {
  const size = batch(0, 1, 300).length;

  it('bytes given back matter only while somebody waits for room', () => {
    const rig = new Rig({ maxPartitionFetchBytes: size });
    rig.start(0, 0);
    const first = rig.one('fetch');
    rig.fetched(first.id, { records: batch(0, 1, 300), highWatermark: 5 });
    expect(rig.plan()).toEqual([]);
    expect(rig.fetcher.release('t', 0, 1, 10)).toBe(true);
    const second = rig.one('fetch');
    expect(rig.fetcher.release('t', 0, 1, 10)).toBe(false);
    rig.fetched(second.id, { highWatermark: 5 });
    rig.one('fetch');
  });

  it('a trickle is not asked for: a partition’s worth is', () => {
    const rig = new Rig({ fetchMaxBytes: 2 * size, maxPartitionFetchBytes: size });
    rig.start(0, 0, 1, 2);
    rig.fetched(
      rig.one('fetch').id,
      { partition: 0, records: batch(0, 1, 300), highWatermark: 5 },
      { partition: 1, records: batch(0, 1, 300), highWatermark: 5 },
      { partition: 2, highWatermark: 5 },
    );
    expect(rig.plan()).toEqual([]);
    rig.fetcher.release('t', 0, 1, size - 1);
    expect(rig.plan()).toEqual([]);
    rig.fetcher.release('t', 0, 1, 1);
    expect(rig.one('fetch')).toMatchObject({ maxBytes: size, partitions: [{ partition: 2 }, { partition: 0 }] });
  });
});

it('where batches are all of a size, as many whole ones are asked for as fit', () => {
  const size = batch(0, 1, 30).length;
  const rig = new Rig({ maxPartitionFetchBytes: 4 * size - 1 });
  rig.start(0, 0);
  const first = rig.one('fetch');
  expect(first.partitions[0]?.partitionMaxBytes).toBe(4 * size - 1);
  rig.fetched(first.id, { records: batch(0, 1, 30), highWatermark: 5 });
  expect(rig.one('fetch').partitions[0]?.partitionMaxBytes).toBe(3 * size);
});
