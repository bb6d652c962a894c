import fc from 'fast-check';
import Long from 'long';
import { describe, expect, it } from 'vitest';
import { fetchRequest } from '../../src/client/requests.ts';
import type { FetchedAnswer } from '../../src/fetch/answers.ts';
import type { AskedPartition } from '../../src/fetch/partition.ts';
import { FetchSession, type SessionOptions } from '../../src/fetch/session.ts';
import { fetch, type FetchRequest } from '../../src/protocol/api/fetch.ts';
import { NO_UUID } from '../../src/protocol/codec.ts';
import { encodeRequestFrame } from '../../src/protocol/header.ts';
import { FetchSessions } from '../../src/testing/fetch-sessions.ts';
import { Random } from '../../src/testing/random.ts';

const WIRE = {
  minBytes: 1,
  maxBytes: 52428800,
  maxWaitMs: 500,
  rackId: '',
  isolationLevel: 'read_uncommitted',
} as const;
const ID = 'AAAAAAAAAAAAAAAAAAAAAQ';
const OTHER_ID = 'AAAAAAAAAAAAAAAAAAAAAg';
const BY_ID: SessionOptions = { hasSessions: true, topicId: () => ID };
const BY_NAME: SessionOptions = { hasSessions: true, topicId: () => null };

function asked(partition: number, fetchOffset = 0, topic = 't'): AskedPartition {
  return {
    topic,
    partition,
    key: `${topic}/${partition}`,
    fetchOffset,
    currentLeaderEpoch: 3,
    partitionMaxBytes: 1048576,
  };
}

function answer(partition: number, part: Partial<FetchedAnswer> = {}): FetchedAnswer {
  const base = { topic: 't', partition, errorCode: 0, highWatermark: 9, endOffset: 8 };
  return { ...base, abortedTransactions: [], records: null, preferredReadReplica: -1, divergingEpoch: null, ...part };
}

/** In the order of the partitions, as the order of answers says nothing. */
function sorted(answers: ReadonlyMap<string, FetchedAnswer>): FetchedAnswer[] {
  return [...answers.values()].sort((a, b) => a.partition - b.partition);
}

/** One that is open, with these partitions. */
function open(options: SessionOptions, ...partitions: number[]): FetchSession {
  const session = new FetchSession();
  session.next(
    partitions.map((partition) => asked(partition)),
    options,
  );
  session.answered(
    0,
    77,
    partitions.map((partition) => answer(partition)),
  );
  return session;
}

describe.each([
  ['by id', BY_ID, ID],
  ['by name', BY_NAME, null],
])('a session, topics %s', (_, options, topicId) => {
  it('opens with all, then names what has changed, what is new and what is gone', () => {
    const session = new FetchSession();
    expect(session.next([asked(0), asked(1), asked(2)], options)).toEqual({
      sessionId: 0,
      sessionEpoch: 0,
      partitions: [0, 1, 2].map((partition) => ({ ...asked(partition), topicId })),
      forgotten: [],
    });
    session.answered(0, 77, [answer(0), answer(1), answer(2)]);
    expect(session.next([asked(0, 5), asked(1), asked(3)], options)).toEqual({
      sessionId: 77,
      sessionEpoch: 1,
      partitions: [
        { ...asked(0, 5), topicId },
        { ...asked(3), topicId },
      ],
      forgotten: [{ topic: 't', partition: 2, topicId }],
    });
    session.answered(0, 77, [answer(3)]);
    expect(session.next([asked(0, 5), asked(1), asked(3)], options)).toEqual({
      sessionId: 77,
      sessionEpoch: 2,
      partitions: [],
      forgotten: [],
    });
  });

  it('who is left out of an incremental answer is as before, and said so; one in error is not', () => {
    const session = open(options, 0, 1, 2);
    session.next([asked(0, 9), asked(1), asked(2)], options);
    const first = sorted(
      session.answered(0, 77, [
        answer(0, { highWatermark: 12, endOffset: 11 }),
        answer(1, { errorCode: 6, highWatermark: -1 }),
      ]),
    );
    expect(first.map(({ partition, errorCode, endOffset }) => [partition, errorCode, endOffset])).toEqual([
      [0, 0, 11],
      [1, 6, 8],
      [2, 0, 8],
    ]);
    session.next([asked(0, 9), asked(1), asked(2)], options);
    expect(sorted(session.answered(0, 77, [])).map(({ partition, endOffset }) => [partition, endOffset])).toEqual([
      [0, 11],
      [2, 8],
    ]);
  });

  it.each([
    [70, 0],
    [71, 77],
    [106, 77],
    [-1, 77],
  ])('error %i: opens a new one; the id %i goes along', (errorCode, sessionId) => {
    const session = open(options, 0, 1);
    session.next([asked(0, 5), asked(1)], options);
    expect(session.answered(errorCode, 0, []).size).toBe(0);
    const again = session.next([asked(0, 5), asked(1)], options);
    expect(again).toMatchObject({ sessionId, sessionEpoch: 0, forgotten: [] });
    expect(again.partitions).toHaveLength(2);
  });

  it.each([
    ['the broker has no room for one more (id 0)', 0, [answer(0), answer(1)]],
    ['an opening answer leaves one out', 77, [answer(0)]],
    ['one that was not asked for is answered', 77, [answer(0), answer(1), answer(9)]],
  ])('%s: the next request opens again', (_name, sessionId, answers) => {
    const session = new FetchSession();
    session.next([asked(0), asked(1)], options);
    expect(sorted(session.answered(0, sessionId, answers))).toEqual(answers.slice(0, 2));
    expect(session.next([asked(0), asked(1)], options)).toMatchObject({ sessionId, sessionEpoch: 0 });
  });

  it('another session id in an incremental answer ends it', () => {
    const session = open(options, 0);
    session.next([asked(0)], options);
    session.answered(0, 78, []);
    expect(session.next([asked(0)], options)).toMatchObject({ sessionId: 78, sessionEpoch: 0 });
  });
});

it('a topic that was made again is forgotten under its old id and asked for under its new one', () => {
  const session = open(BY_ID, 0);
  const next = session.next([asked(0)], { hasSessions: true, topicId: () => OTHER_ID });
  expect(next).toMatchObject({ sessionId: 77, sessionEpoch: 1 });
  expect(next.partitions).toEqual([{ ...asked(0), topicId: OTHER_ID }]);
  expect(next.forgotten).toEqual([{ topic: 't', partition: 0, topicId: ID }]);
  expect(session.topicName(OTHER_ID)).toBe('t');
});

it('ids and names never mix: one topic without an id, and all are spoken of by name, in a new session', () => {
  const session = open(BY_ID, 0);
  const mixed: SessionOptions = { hasSessions: true, topicId: (topic) => (topic === 't' ? ID : null) };
  const next = session.next([asked(0), asked(0, 0, 'old')], mixed);
  expect(next).toMatchObject({ sessionId: 77, sessionEpoch: 0, forgotten: [] });
  expect(next.partitions.map(({ topicId }) => topicId)).toEqual([null, null]);
  expect(session.usesTopicIds).toBe(false);
});

it('a broker without sessions gets everything every time', () => {
  const session = new FetchSession();
  for (let i = 0; i < 3; i++) {
    const next = session.next([asked(0), asked(1)], { hasSessions: false, topicId: () => null });
    expect(next).toMatchObject({ sessionId: 0, sessionEpoch: -1, forgotten: [] });
    expect(next.partitions).toHaveLength(2);
    expect(session.answered(0, 0, [answer(0), answer(1)]).size).toBe(2);
  }
});

type Step =
  | { do: 'fetch'; partitions: number[]; offsets: number[]; topicId: string | null; silent: boolean }
  | { do: 'error'; code: number }
  | { do: 'evict' }
  | { do: 'reconnect' };

/** The mock cluster's side of sessions, written without a look at the client's. */
class Broker {
  sessions = new FetchSessions(new Random(1));

  /** What the broker thinks that it is asked for; or an error code. */
  serve(request: FetchRequest, version: number): { id: number; wanted: string[]; isIncremental: boolean } | number {
    const plan = this.sessions.plan(request, version);
    if (typeof plan === 'number') return plan;
    const wanted = plan.partitions.map(
      ({ topic, topicId, partition, fetchOffset }) =>
        `${topicId === NO_UUID ? topic : topicId}/${partition}@${fetchOffset}`,
    );
    return { id: plan.sessionId, wanted: wanted.sort(), isIncremental: plan.isIncremental };
  }
}

it(
  'whatever changes, fails or is forgotten on either side, the broker reads exactly what is asked for',
  { timeout: 60_000 },
  () => {
    const step: fc.Arbitrary<Step> = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          do: fc.constant('fetch' as const),
          partitions: fc.uniqueArray(fc.nat(5), { minLength: 1 }),
          offsets: fc.array(fc.nat(3), { minLength: 6, maxLength: 6 }),
          topicId: fc.constantFrom<string | null>(ID, ID, ID, OTHER_ID, null),
          silent: fc.boolean(),
        }),
      },
      fc.record({ do: fc.constant('error' as const), code: fc.constantFrom(70, 71, 106, -1) }),
      fc.constantFrom<Step>({ do: 'evict' }, { do: 'reconnect' }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const broker = new Broker();
        let session = new FetchSession();
        let error = 0;
        for (const each of steps) {
          if (each.do === 'error') error = each.code;
          else if (each.do === 'evict') broker.sessions = new FetchSessions(new Random(2));
          else if (each.do === 'reconnect') session = new FetchSession();
          else {
            const wanted = each.partitions.map((partition) => asked(partition, each.offsets[partition]));
            const options: SessionOptions = { hasSessions: true, topicId: () => each.topicId };
            for (let attempt = 0; ; attempt++) {
              expect(attempt).toBeLessThan(3);
              const request = fetchRequest(session.next(wanted, options), WIRE);
              const version = session.usesTopicIds ? 17 : 12;
              const served = error !== 0 ? error : broker.serve(request, version);
              error = 0;
              if (typeof served === 'number') {
                expect(session.answered(served, 0, []).size).toBe(0);
                continue;
              }
              const names = wanted.map(
                ({ partition, fetchOffset }) => `${each.topicId ?? 't'}/${partition}@${fetchOffset}`,
              );
              expect(served.wanted).toEqual(names.sort());
              const answers =
                served.isIncremental && each.silent ? [] : wanted.map(({ partition }) => answer(partition));
              session.answered(0, served.id, answers);
              break;
            }
          }
        }
      }),
      { numRuns: 1000 },
    );
  },
);

it('1,000 partitions, one of them active: what a request takes with a session and without', () => {
  const all = (offset: number): AskedPartition[] =>
    Array.from({ length: 1000 }, (_, partition) => asked(partition, partition === 7 ? offset : 100));
  const bytesOf = (session: FetchSession, offset: number, options: SessionOptions): number => {
    const request = fetchRequest(session.next(all(offset), options), WIRE);
    session.answered(
      0,
      options.hasSessions ? 77 : 0,
      all(offset).map(({ partition }) => answer(partition)),
    );
    expect(request.topics.flatMap(({ partitions }) => partitions)[0]?.fetchOffset).toEqual(
      Long.fromNumber(request.sessionEpoch > 0 ? offset : 100),
    );
    return encodeRequestFrame(fetch, 17, 1, 'samsa', request).length;
  };
  const session = new FetchSession();
  const opening = bytesOf(session, 100, BY_ID);
  const incremental = bytesOf(session, 101, BY_ID);
  const without = bytesOf(new FetchSession(), 101, { ...BY_ID, hasSessions: false });
  expect([without, opening]).toEqual([33064, 33064]);
  expect(incremental).toBe(96);
});
