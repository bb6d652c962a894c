import { describe, expect, it } from 'vitest';
import { AuthenticationError, ConnectionError, KafkaError, ProtocolError } from '../../src/errors.ts';
import { offsetsFetched, requestFailed } from '../../src/fetch/answers.ts';
import * as fates from '../../src/fetch/fates.ts';
import { ERROR_CODES } from '../../src/protocol/error-codes.ts';
import { fateOf } from '../../src/protocol/error-fates.ts';
import type { FetchAction, StartAt } from '../../src/fetch/partition.ts';
import { batch, Rig, types, type ActionOf } from './rig.ts';
import { matching } from '../harness/matching.ts';

type Outcome =
  | 'fails'
  | 'at once'
  | 'backs off'
  | 'is told and backs off'
  | 'is refused and backs off'
  | 'asks for metadata and backs off'
  | 'resets';

/** What became of partition 0 of topic t. */
function outcomeOf(rig: Rig, actions: readonly FetchAction[]): Outcome {
  const state = rig.fetcher.get('t', 0);
  if (state?.stage === 'failed') {
    expect(types(actions)).toContain('partitionFailed');
    return 'fails';
  }
  if (state?.stage === 'reset' && state.retryAt <= rig.now && !types(actions).includes('refreshMetadata'))
    return 'resets';
  expect(types(actions)).not.toContain('partitionFailed');
  if (actions.length === 0 && state?.retryAt === 0 && !state.needsMetadata) return 'at once';
  expect(state?.retryAt).toBe(rig.now + 100);
  if (types(actions).includes('refused')) {
    expect(types(actions)).toEqual(['log', 'partitionRefused', 'refused']);
    expect(state?.needsMetadata).toBe(false);
    return 'is refused and backs off';
  }
  if (types(actions).includes('trouble')) {
    expect(types(actions)).toEqual(['trouble']);
    expect(state?.needsMetadata).toBe(false);
    return 'is told and backs off';
  }
  const asksForMetadata = types(actions).includes('refreshMetadata');
  // Waiting for metadata that are not on their way would be waiting for ever.
  expect(state?.needsMetadata).toBe(asksForMetadata);
  return asksForMetadata ? 'asks for metadata and backs off' : 'backs off';
}

function fetching(settings = {}): { rig: Rig; id: number } {
  const rig = new Rig(settings);
  rig.start(40, 0);
  return { rig, id: rig.one('fetch').id };
}

describe('Fetch', () => {
  const table: [number, string, Outcome][] = [
    [-1, 'UNKNOWN_SERVER_ERROR', 'is told and backs off'],
    [1, 'OFFSET_OUT_OF_RANGE', 'resets'],
    [2, 'CORRUPT_MESSAGE', 'backs off'],
    [3, 'UNKNOWN_TOPIC_OR_PARTITION', 'asks for metadata and backs off'],
    [5, 'LEADER_NOT_AVAILABLE', 'asks for metadata and backs off'],
    [6, 'NOT_LEADER_OR_FOLLOWER', 'asks for metadata and backs off'],
    [7, 'REQUEST_TIMED_OUT', 'backs off'],
    [9, 'REPLICA_NOT_AVAILABLE', 'asks for metadata and backs off'],
    [29, 'TOPIC_AUTHORIZATION_FAILED', 'is refused and backs off'],
    [56, 'KAFKA_STORAGE_ERROR', 'asks for metadata and backs off'],
    [74, 'FENCED_LEADER_EPOCH', 'asks for metadata and backs off'],
    [75, 'UNKNOWN_LEADER_EPOCH', 'backs off'],
    [76, 'UNSUPPORTED_COMPRESSION_TYPE', 'is refused and backs off'],
    [78, 'OFFSET_NOT_AVAILABLE', 'asks for metadata and backs off'],
    [100, 'UNKNOWN_TOPIC_ID', 'asks for metadata and backs off'],
    [103, 'INCONSISTENT_TOPIC_ID', 'asks for metadata and backs off'],
    [9999, 'UNKNOWN_ERROR_CODE', 'is told and backs off'],
  ];

  it.each(table)('%i %s %s', (code, name, outcome) => {
    const { rig, id } = fetching();
    const actions = rig.failed(id, code);
    expect(outcomeOf(rig, actions)).toBe(outcome);
    for (const action of actions) {
      if (action.type !== 'refused' && action.type !== 'trouble') continue;
      expect(action.error).toMatchObject({ code, name, message: matching(/Fetch, t-0: /) });
    }
  });

  it.each<[number, Outcome]>([
    [70, 'at once'],
    [71, 'at once'],
    [106, 'at once'],
    [-1, 'is told and backs off'],
    [29, 'is told and backs off'],
    [9999, 'is told and backs off'],
  ])('%i as the error of the whole answer: %s', (code, outcome) => {
    const { rig, id } = fetching();
    expect(outcomeOf(rig, rig.topFailed(id, code))).toBe(outcome);
  });

  it('an error of the whole answer is everybody’s; a session that is gone is opened again at once, the second time after a back-off', () => {
    const rig = new Rig();
    rig.start(0, 0, 1);
    rig.topFailed(rig.one('fetch').id, 70);
    const again = rig.one('fetch');
    expect(again.partitions).toHaveLength(2);
    rig.topFailed(again.id, 70);
    expect(rig.plan()).toEqual([]);
    expect(rig.pass()).toBe(200);
    expect(rig.one('fetch').partitions).toHaveLength(2);
  });

  it('a missing topic warns once, until it was there again', () => {
    const { rig, id } = fetching();
    expect(types(rig.failed(id, 3))).toEqual(['log', 'refreshMetadata']);
    const again = (): number => {
      rig.metadata();
      rig.plan();
      rig.pass();
      return rig.one('fetch').id;
    };
    expect(types(rig.failed(again(), 3))).toEqual(['refreshMetadata']);
    rig.fetched(again(), { highWatermark: 40 });
    expect(types(rig.failed(rig.one('fetch').id, 3))).toEqual(['log', 'refreshMetadata']);
  });

  it('CORRUPT_MESSAGE is fetched again three times; then it is thrown, says where, and is fetched again all the same', () => {
    const { rig, id } = fetching();
    const waits: number[] = [];
    let last = id;
    const again = (): number => {
      rig.plan();
      waits.push(rig.pass());
      return rig.one('fetch').id;
    };
    for (let i = 0; i < 3; i++) {
      expect(rig.failed(last, 2)).toEqual([]);
      last = again();
    }
    const actions = rig.failed(last, 2);
    expect(types(actions)).toEqual(['log', 'partitionRefused', 'refused']);
    const { error, what } = actions[2] as ActionOf<'refused'>;
    expect(error).toMatchObject({ name: 'CorruptRecordError', topic: 't', partition: 0, offset: 40 });
    expect(rig.fetched(again(), { highWatermark: 50, records: batch(40) })).toMatchObject([
      { type: 'records' },
      { type: 'partitionRefused', error: null },
      { type: 'refused', what, error: null },
    ]);
    expect(waits).toEqual([100, 200, 400, 100]);
  });

  it('what is refused is thrown for each answer that says so, logged once, and taken back by a good one', () => {
    const { rig, id } = fetching();
    rig.failed(id, 29);
    const again = (): number => {
      rig.plan();
      rig.pass();
      return rig.one('fetch').id;
    };
    expect(types(rig.failed(again(), 29))).toEqual(['partitionRefused', 'refused']);
    expect(types(rig.failed(again(), 6))).toEqual(['refreshMetadata']);
    rig.metadata();
    expect(rig.fetched(again(), { highWatermark: 40 })).toMatchObject([
      { type: 'records' },
      { type: 'partitionRefused', error: null },
      { type: 'refused', error: null },
    ]);
    expect(rig.fetched(rig.one('fetch').id, { highWatermark: 40 })).toEqual([]);
  });

  it('of many partitions it is told once what they have in common, and metadata is asked for once', () => {
    const partitions = Array.from({ length: 50 }, (_, partition) => partition);
    const all = (code: number): FetchAction[] => {
      const rig = new Rig();
      rig.start(0, ...partitions);
      return rig.fetched(rig.one('fetch').id, ...partitions.map((partition) => ({ partition, errorCode: code })));
    };
    expect(all(6)).toEqual([{ type: 'refreshMetadata', topics: ['t'] }]);
    expect(all(3)).toMatchObject([{ type: 'log', message: matching(/t-0 and 49 more/) }, { type: 'refreshMetadata' }]);
    expect(all(-1)).toMatchObject([{ type: 'trouble', error: { message: matching(/t-0 and 49 more/) } }]);
    expect(all(29).filter(({ type }) => type !== 'partitionRefused')).toMatchObject([
      { type: 'log' },
      { type: 'refused' },
    ]);
  });

  it('what usually passes within moments is told when it does not', () => {
    const rig = new Rig();
    rig.start(40, 0);
    const troubles: number[] = [];
    for (let i = 1; i <= 30; i++) {
      const actions = rig.failed(rig.one('fetch').id, 6);
      if (types(actions).includes('trouble')) troubles.push(i);
      rig.metadata();
      rig.plan();
      rig.pass();
    }
    expect(troubles).toEqual([10]);
  });

  it('a quota that is used up leaves all out of an answer that opens a session: asked again after its time, no failure', () => {
    const { rig, id } = fetching();
    for (let i = 0, last = id; i < 5; i++) {
      expect(rig.topFailed(last, 0, 200)).toEqual([]);
      expect(rig.plan()).toEqual([]);
      expect(rig.pass()).toBe(200);
      last = rig.one('fetch').id;
    }
    expect(rig.fetcher.get('t', 0)?.failures).toBe(0);
  });

  it('an answer that leaves a partition out is asked again, but not at once', () => {
    const { rig, id } = fetching();
    expect(outcomeOf(rig, rig.fetched(id))).toBe('backs off');
  });
});

describe('OFFSET_OUT_OF_RANGE', () => {
  it.each([
    ['earliest' as const, -2],
    ['latest' as const, -1],
  ])('%s: tells, looks the end up, goes on there', (autoOffsetReset, timestamp) => {
    const { rig, id } = fetching({ autoOffsetReset });
    expect(rig.failed(id, 1)).toMatchObject([{ type: 'log', level: 'warn', message: matching(/offset 40/) }]);
    const list = rig.one('listOffsets');
    expect(list.partitions).toEqual([{ topic: 't', partition: 0, currentLeaderEpoch: 3, timestamp }]);
    expect(rig.listed(list.id, 77)).toMatchObject([{ type: 'positioned', offset: 77, isReset: true }]);
    expect(rig.one('fetch').partitions[0]).toMatchObject({ fetchOffset: 77 });
  });

  it('none: an error with the offset, until a seek', () => {
    const { rig, id } = fetching({ autoOffsetReset: 'none' });
    const [action] = rig.failed(id, 1);
    const error = (action as ActionOf<'partitionFailed'>).error;
    expect(error).toMatchObject({ name: 'OffsetOutOfRangeError', topic: 't', partition: 0, offset: 40 });
    expect(rig.plan()).toEqual([]);
    expect(rig.fetcher.deadline()).toBe(Infinity);
    rig.start(50, 0);
    expect(rig.one('fetch').partitions[0]).toMatchObject({ fetchOffset: 50 });
  });

  it('again and again backs off', () => {
    const { rig, id } = fetching();
    rig.failed(id, 1);
    rig.listed(rig.one('listOffsets').id, 77);
    const waits: number[] = [];
    for (let i = 0; i < 5; i++) {
      rig.failed(rig.one('fetch').id, 1);
      expect(rig.plan()).toEqual([]);
      waits.push(rig.pass());
      rig.listed(rig.one('listOffsets').id, 77);
    }
    expect(waits).toEqual([100, 200, 400, 800, 1000]);
    rig.fetched(rig.one('fetch').id, { highWatermark: 78, records: batch(77) });
    rig.failed(rig.one('fetch').id, 1);
    rig.one('listOffsets');
  });
});

describe('ListOffsets', () => {
  const table: [number, string, Outcome][] = [
    [3, 'UNKNOWN_TOPIC_OR_PARTITION', 'asks for metadata and backs off'],
    [6, 'NOT_LEADER_OR_FOLLOWER', 'asks for metadata and backs off'],
    [29, 'TOPIC_AUTHORIZATION_FAILED', 'is refused and backs off'],
    [43, 'UNSUPPORTED_FOR_MESSAGE_FORMAT', 'asks for metadata and backs off'],
    [74, 'FENCED_LEADER_EPOCH', 'asks for metadata and backs off'],
    [75, 'UNKNOWN_LEADER_EPOCH', 'backs off'],
    [78, 'OFFSET_NOT_AVAILABLE', 'asks for metadata and backs off'],
    [-1, 'UNKNOWN_SERVER_ERROR', 'is told and backs off'],
  ];
  it.each(table)('%i %s %s', (code, _, outcome) => {
    const rig = new Rig();
    rig.start('latest', 0);
    expect(outcomeOf(rig, rig.listed(rig.one('listOffsets').id, -1, code))).toBe(outcome);
  });

  it.each([
    ['an offset of -1', -1, 0],
    ['another partition only', 5, 9],
  ])('%s is no offset', (_, offset, partition) => {
    const rig = new Rig();
    rig.start('latest', 0);
    const actions = rig.listed(rig.one('listOffsets').id, offset, 0, partition);
    expect(outcomeOf(rig, actions)).toBe('asks for metadata and backs off');
  });

  it('earliest and latest as the application names them, whatever the policy', () => {
    const rig = new Rig({ autoOffsetReset: 'none' });
    rig.start('latest', 0);
    rig.start('earliest', 1);
    expect(rig.one('listOffsets').partitions.map(({ timestamp }) => timestamp)).toEqual([-1, -2]);
  });
});

describe('OffsetFetch', () => {
  const table: [number, string, Outcome][] = [
    [14, 'COORDINATOR_LOAD_IN_PROGRESS', 'backs off'],
    [15, 'COORDINATOR_NOT_AVAILABLE', 'backs off'],
    [16, 'NOT_COORDINATOR', 'backs off'],
    [3, 'UNKNOWN_TOPIC_OR_PARTITION', 'asks for metadata and backs off'],
    [29, 'TOPIC_AUTHORIZATION_FAILED', 'is refused and backs off'],
    [30, 'GROUP_AUTHORIZATION_FAILED', 'is refused and backs off'],
    [88, 'UNSTABLE_OFFSET_COMMIT', 'backs off'],
    [-1, 'UNKNOWN_SERVER_ERROR', 'is told and backs off'],
    [9999, 'UNKNOWN_ERROR_CODE', 'is told and backs off'],
  ];
  it.each(table)('%i %s %s', (code, _, outcome) => {
    const rig = new Rig();
    rig.start('committed', 0);
    expect(outcomeOf(rig, rig.committed(rig.one('fetchOffsets').id, -1, code))).toBe(outcome);
  });

  it('a committed offset is where reading begins', () => {
    const rig = new Rig();
    rig.start('committed', 0);
    const [action] = rig.committed(rig.one('fetchOffsets').id, 12);
    expect(action).toMatchObject({ type: 'positioned', offset: 12, isReset: false });
    expect(rig.one('fetch').partitions[0]).toMatchObject({ fetchOffset: 12, currentLeaderEpoch: 3 });
  });

  it('none is committed: reset by policy', () => {
    const rig = new Rig({ autoOffsetReset: 'latest' });
    rig.start('committed', 0);
    expect(rig.committed(rig.one('fetchOffsets').id, -1)).toEqual([]);
    expect(rig.one('listOffsets').partitions[0]?.timestamp).toBe(-1);
  });

  it('a partition that is not known there (3) is no reason to reset: it is asked again, with metadata', () => {
    const rig = new Rig({ autoOffsetReset: 'latest' });
    rig.start('committed', 0);
    rig.committed(rig.one('fetchOffsets').id, -1, 3);
    rig.metadata();
    rig.plan();
    rig.pass();
    expect(rig.committed(rig.one('fetchOffsets').id, 12)).toMatchObject([{ type: 'positioned', offset: 12 }]);
  });

  it('an offset beyond 2^53 is that partition’s affair: out of range, reset by policy', () => {
    const rig = new Rig();
    rig.start('committed', 0, 1);
    const { id } = rig.one('fetchOffsets');
    const answers = [0, 1].map((partition) => ({
      topic: 't',
      partition,
      offset: partition === 0 ? Infinity : 12,
      leaderEpoch: -1,
      errorCode: 0,
    }));
    expect(offsetsFetched(rig.fetcher, id, answers, rig.now)).toMatchObject([
      { type: 'log', level: 'warn', message: matching(/t-0.*beyond 2\^53/) },
      { type: 'positioned', partition: 1, offset: 12 },
    ]);
    const list = rig.plan().find(({ type }) => type === 'listOffsets') as ActionOf<'listOffsets'>;
    expect(list.partitions).toMatchObject([{ partition: 0, timestamp: -2 }]);
    const [failure] = rig.listed(list.id, Infinity);
    expect(failure).toMatchObject({ type: 'partitionFailed', partition: 0, error: { name: 'OffsetOutOfRangeError' } });
  });

  it('… and an error without a policy', () => {
    const rig = new Rig({ autoOffsetReset: 'none' });
    rig.start('committed', 0);
    expect(rig.committed(rig.one('fetchOffsets').id, Infinity)).toMatchObject([
      { type: 'partitionFailed', error: { name: 'OffsetOutOfRangeError' } },
    ]);
  });

  it('none committed and policy none: NoOffsetError', () => {
    const rig = new Rig({ autoOffsetReset: 'none' });
    rig.start('committed', 0);
    const [action] = rig.committed(rig.one('fetchOffsets').id, -1);
    expect((action as ActionOf<'partitionFailed'>).error).toMatchObject({
      name: 'NoOffsetError',
      topic: 't',
      partition: 0,
    });
  });

  it('left out of the answer: asked again', () => {
    const rig = new Rig();
    rig.start('committed', 0);
    expect(outcomeOf(rig, rig.committed(rig.one('fetchOffsets').id, 5, 0, 9))).toBe('backs off');
  });
});

describe('every code', () => {
  const codes = [...Object.values(ERROR_CODES).filter((code) => code !== 0), 222];
  const asking: [string, typeof fates.FETCH_FATES, StartAt, (rig: Rig, code: number) => FetchAction[]][] = [
    ['Fetch', fates.FETCH_FATES, 40, (rig, code) => rig.failed(rig.one('fetch').id, code)],
    ['Fetch, at the top', fates.FETCH_TOP_FATES, 40, (rig, code) => rig.topFailed(rig.one('fetch').id, code)],
    [
      'ListOffsets',
      fates.LIST_OFFSETS_FATES,
      'earliest',
      (rig, code) => rig.listed(rig.one('listOffsets').id, -1, code),
    ],
    [
      'OffsetFetch',
      fates.OFFSET_FETCH_FATES,
      'committed',
      (rig, code) => rig.committed(rig.one('fetchOffsets').id, -1, code),
    ],
  ];

  it.each(asking)('%s: by the table, and records come once it has passed', (_, table, startAt, fail) => {
    for (const code of codes) {
      const rig = new Rig();
      rig.start(startAt, 0);
      const actions = fail(rig, code);
      const said = types(actions);
      expect(said.includes('refused'), `${code}`).toBe(fateOf(table, code) === 'refuse');
      expect(said.includes('trouble'), `${code}`).toBe(fateOf(table, code) === 'warn');
      expect(said).not.toContain('partitionFailed');
      rig.metadata();
      for (let i = 0; i < 8 && rig.fetcher.get('t', 0)?.isCaughtUp !== true; i++) goOn(rig);
      expect(rig.fetcher.get('t', 0)?.isCaughtUp, `${code}`).toBe(true);
    }
  });

  /** Answers what is asked, or lets the back-off pass. */
  function goOn(rig: Rig): void {
    const [action] = rig.plan();
    if (action?.type === 'fetchOffsets') rig.committed(action.id, 7);
    else if (action?.type === 'listOffsets') rig.listed(action.id, 7);
    else if (action?.type === 'fetch')
      rig.fetched(action.id, { highWatermark: action.partitions[0]?.fetchOffset ?? 0 });
    else if (rig.fetcher.deadline() < Infinity) rig.pass();
  }
});

describe('no answer', () => {
  const gone = new ConnectionError('kafka:9092: host name not found');

  it('to a fetch: metadata, back-off, again; what goes on is told once', () => {
    const rig = new Rig();
    rig.start(0, 0, 1);
    const troubles: unknown[] = [];
    const waits: number[] = [];
    for (let i = 0; i < 6; i++) {
      const actions = requestFailed(rig.fetcher, rig.one('fetch').id, gone, rig.now);
      expect(actions.at(-1)).toEqual({ type: 'refreshMetadata', topics: ['t'] });
      for (const action of actions) if (action.type === 'trouble') troubles.push(action.error);
      rig.metadata();
      expect(rig.plan()).toEqual([]);
      waits.push(rig.pass());
    }
    expect(waits).toEqual([100, 200, 400, 800, 1000, 1000]);
    expect(troubles).toEqual([gone]);
  });

  it('to an OffsetFetch: the coordinator is looked for, not the metadata', () => {
    const rig = new Rig();
    rig.start('committed', 0);
    expect(requestFailed(rig.fetcher, rig.one('fetchOffsets').id, gone, rig.now)).toEqual([]);
    rig.plan();
    expect(rig.pass()).toBe(100);
    rig.one('fetchOffsets');
  });

  it('bytes that make no sense are tried again, and told at once', () => {
    const { rig, id } = fetching();
    const actions = requestFailed(
      rig.fetcher,
      id,
      new ProtocolError('frame of -2 bytes', { retriable: true }),
      rig.now,
    );
    expect(types(actions)).toEqual(['trouble', 'refreshMetadata']);
  });

  it('a broker that is too old is thrown to a read, and asked again: it may be upgraded', () => {
    const { rig, id } = fetching();
    const error = new KafkaError('no version in common', { code: 35 });
    const actions = requestFailed(rig.fetcher, id, error, rig.now);
    expect(types(actions)).toEqual(['log', 'partitionRefused', 'refused', 'refreshMetadata']);
    expect(actions[2]).toMatchObject({ error });
    rig.metadata();
    rig.plan();
    expect(rig.pass()).toBe(100);
    rig.one('fetch');
  });

  it('refused credentials are final', () => {
    const { rig, id } = fetching();
    const error = new AuthenticationError('no');
    expect(requestFailed(rig.fetcher, id, error, rig.now)).toMatchObject([{ type: 'partitionFailed', error }]);
  });
});

describe('records', () => {
  it('whole batches are handed on, one that is cut off is left', () => {
    const { rig, id } = fetching();
    const bytes = Buffer.concat([batch(40, 3), batch(43, 2), batch(45).subarray(0, 70)]);
    const [action] = rig.fetched(id, { highWatermark: 90, records: bytes });
    expect(action).toMatchObject({ type: 'records', fetchOffset: 40, nextOffset: 45, highWatermark: 90 });
    expect((action as ActionOf<'records'>).bytes).toEqual(bytes.subarray(0, -70));
    expect(rig.one('fetch').partitions[0]).toMatchObject({ fetchOffset: 45 });
  });

  it('good batches before a corrupt one are handed on first', () => {
    const { rig, id } = fetching();
    const bad = batch(41);
    bad.writeInt8(9, 16); // magic
    const actions = rig.fetched(id, { highWatermark: 90, records: Buffer.concat([batch(40), bad]) });
    expect(types(actions)).toEqual(['records']);
    expect(actions[0]).toMatchObject({ nextOffset: 41 });
    for (let i = 0; i < 3; i++) {
      rig.plan();
      rig.pass();
      const { id: again, partitions } = rig.one('fetch');
      expect(partitions).toMatchObject([{ fetchOffset: 41 }]);
      const [, , refusal] = rig.fetched(again, { highWatermark: 90, records: bad });
      if (i < 2) expect(refusal).toBeUndefined();
      else expect(refusal).toMatchObject({ type: 'refused', error: { name: 'CorruptRecordError', topic: 't' } });
    }
  });

  it('nothing but the beginning of a batch, for ever, is RecordTooLarge and no endless loop', () => {
    const rig = new Rig();
    rig.start(40, 0);
    for (let i = 0; i < 1000; i++) {
      const actions = rig.fetched(rig.one('fetch').id, { highWatermark: 90, records: batch(40).subarray(0, 70) });
      if (actions.length === 0) continue;
      expect(actions).toMatchObject([
        { type: 'partitionFailed', error: { name: 'RecordTooLargeError', code: 10, partition: 0, offset: 40 } },
      ]);
      return;
    }
    expect.unreachable();
  });

  it('that the end is reached is told without records, once', () => {
    const { rig, id } = fetching();
    expect(rig.fetched(id, { highWatermark: 40 })).toMatchObject([
      { type: 'records', nextOffset: 40, highWatermark: 40 },
    ]);
    expect(rig.fetched(rig.one('fetch').id, { highWatermark: 40 })).toEqual([]);
    expect(rig.fetched(rig.one('fetch').id, { highWatermark: 44 })).toMatchObject([{ highWatermark: 44 }]);
    expect(rig.fetched(rig.one('fetch').id, { highWatermark: 44 })).toEqual([]);
  });
});
