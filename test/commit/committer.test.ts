import { describe, expect, it } from 'vitest';
import { Committer, type CommitAction, type CommitJob, type OffsetToCommit } from '../../src/commit/committer.ts';
import { ConnectionError, FencedError, ProtocolError } from '../../src/errors.ts';
import { matching } from '../harness/matching.ts';

const MEMBER = { memberId: 'm', generation: 4 };
const NEXT = { memberId: 'm', generation: 5 };

type ActionOf<T extends CommitAction['type']> = Extract<CommitAction, { type: T }>;

function offset(partition: number, value = 10): OffsetToCommit {
  return { topic: 't', partition, offset: value, leaderEpoch: -1, metadata: '' };
}

function made(isMember = true): Committer {
  const committer = new Committer({ retryBackoffMs: 100, retryBackoffMaxMs: 1000, random: () => 0.5 });
  if (isMember) committer.setMembership(MEMBER);
  return committer;
}

function add(committer: Committer, id: number, part: Partial<CommitJob> = {}): void {
  committer.commit({ id, offsets: [offset(0)], deadline: 60_000, purpose: 'call', ...part });
}

const auto = { purpose: 'auto' } as const;
const async = { purpose: 'async' } as const;
const revoke = { purpose: 'revoke' } as const;

/** Plans, and expects a request alone. */
function sent(committer: Committer, now = 0): ActionOf<'sendCommit'> {
  const actions = committer.plan(now);
  expect(actions).toMatchObject([{ type: 'sendCommit' }]);
  return actions[0] as ActionOf<'sendCommit'>;
}

function answer(committer: Committer, requestId: number, codes: Record<number, number>, now = 0): CommitAction[] {
  const answers = Object.entries(codes).map(([partition, errorCode]) => ({
    topic: 't',
    partition: Number(partition),
    errorCode,
  }));
  return committer.answered(requestId, answers, now);
}

describe('the answer of OffsetCommit', () => {
  // code, name, retried, what else is done
  const table: [number, string, boolean, CommitAction['type'] | null][] = [
    [3, 'UNKNOWN_TOPIC_OR_PARTITION', true, null],
    [7, 'REQUEST_TIMED_OUT', true, 'coordinatorLost'],
    [12, 'OFFSET_METADATA_TOO_LARGE', false, null],
    [14, 'COORDINATOR_LOAD_IN_PROGRESS', true, null],
    [15, 'COORDINATOR_NOT_AVAILABLE', true, 'coordinatorLost'],
    [16, 'NOT_COORDINATOR', true, 'coordinatorLost'],
    [22, 'ILLEGAL_GENERATION', false, 'fenced'],
    [25, 'UNKNOWN_MEMBER_ID', false, 'fenced'],
    [27, 'REBALANCE_IN_PROGRESS', true, 'fenced'],
    [28, 'INVALID_COMMIT_OFFSET_SIZE', false, null],
    [29, 'TOPIC_AUTHORIZATION_FAILED', false, null],
    [30, 'GROUP_AUTHORIZATION_FAILED', false, null],
    [113, 'STALE_MEMBER_EPOCH', true, 'fenced'],
    [82, 'FENCED_INSTANCE_ID', false, 'fenced'],
    [56, 'KAFKA_STORAGE_ERROR', true, null],
    [69, 'GROUP_ID_NOT_FOUND', false, null],
    [-1, 'UNKNOWN_SERVER_ERROR', true, null],
    [9999, 'UNKNOWN_ERROR_CODE', true, null],
  ];

  it.each(table)('%i %s: retried %s, %s', (code, name, isRetried, sideEffect) => {
    const committer = made();
    add(committer, 1);
    const { requestId } = sent(committer);
    const actions = answer(committer, requestId, { 0: code });
    const sideEffects = actions.filter(({ type }) => type !== 'commitDone');
    if (sideEffect === null) expect(sideEffects).toEqual([]);
    else expect(sideEffects).toMatchObject([{ type: sideEffect }]);
    if (sideEffect === 'fenced')
      expect(sideEffects[0]).toEqual({ type: 'fenced', errorCode: code, membership: MEMBER });
    const done = actions.filter(({ type }) => type === 'commitDone');
    if (!isRetried) {
      expect(done).toMatchObject([{ id: 1, committed: [], error: { code, name } }]);
      expect((done[0] as ActionOf<'commitDone'>).error?.message).toContain('t-0');
      expect(committer.isIdle).toBe(true);
      return;
    }
    expect(done).toEqual([]);
    expect(committer.plan(99)).toEqual([]);
    expect(committer.deadline()).toBe(100);
    const again = sent(committer, 100);
    expect(answer(committer, again.requestId, { 0: 0 }, 100)).toEqual([
      { type: 'commitDone', id: 1, committed: [offset(0)], error: null },
    ]);
  });

  it.each(table)('%i %s to an automatic commit is final: the next one has newer offsets', (code) => {
    const committer = made();
    add(committer, 1, auto);
    const actions = answer(committer, sent(committer).requestId, { 0: code });
    expect(actions.filter(({ type }) => type === 'commitDone')).toMatchObject([{ id: 1, error: { code } }]);
  });

  it('3 to a commit that a rebalance waits for is final: the topic was deleted, most likely', () => {
    const committer = made();
    add(committer, 1, revoke);
    expect(answer(committer, sent(committer).requestId, { 0: 3 })).toMatchObject([{ id: 1, error: { code: 3 } }]);
  });

  it('113 is tried again in the epoch that has come meanwhile', () => {
    const committer = made();
    add(committer, 1, revoke);
    answer(committer, sent(committer).requestId, { 0: 113 });
    committer.setMembership(NEXT);
    expect(sent(committer, 100).membership).toEqual(NEXT);
  });

  it('22, 25 and 82 are FencedErrors', () => {
    for (const code of [22, 25, 82]) {
      const committer = made();
      add(committer, 1);
      const [, done] = answer(committer, sent(committer).requestId, { 0: code });
      expect((done as ActionOf<'commitDone'>).error).toBeInstanceOf(FencedError);
    }
  });

  it('decides for each partition by itself, and names those that failed', () => {
    const committer = made();
    add(committer, 1, { offsets: [offset(0), offset(1), offset(2)] });
    expect(answer(committer, sent(committer).requestId, { 0: 0, 1: 14, 2: 29 })).toEqual([]);
    const again = sent(committer, 100);
    expect(again.offsets).toEqual([offset(1)]);
    const [done] = answer(committer, again.requestId, { 1: 0 }, 100) as [ActionOf<'commitDone'>];
    expect(done).toMatchObject({
      id: 1,
      committed: [offset(0), offset(1)],
      error: { code: 29, message: matching(/t-2/) },
    });
    expect(done.error?.message).not.toMatch(/t-[01]/);
  });

  it('a partition that the answer leaves out is sent again', () => {
    const committer = made();
    add(committer, 1, { offsets: [offset(0), offset(1)] });
    expect(answer(committer, sent(committer).requestId, { 0: 0 })).toEqual([]);
    expect(sent(committer, 100).offsets).toEqual([offset(1)]);
    const other = made();
    add(other, 2, { ...auto, offsets: [offset(0), offset(1)] });
    const [done] = answer(other, sent(other).requestId, { 0: 0 });
    expect(done).toMatchObject({ committed: [offset(0)], error: { code: -1, message: matching(/t-1/) } });
  });

  it('an error about very many partitions names the first of them', () => {
    const committer = made();
    add(committer, 1, { offsets: Array.from({ length: 100 }, (_, partition) => offset(partition)) });
    const codes = Object.fromEntries(Array.from({ length: 100 }, (_, partition) => [partition, 29]));
    const [done] = answer(committer, sent(committer).requestId, codes) as [ActionOf<'commitDone'>];
    expect(done.error?.message).toMatch(/t-0, t-1, .* t-19 and 80 more/);
  });
});

describe('no answer', () => {
  it('is retried with back-off until the deadline', () => {
    const committer = made();
    add(committer, 1, { deadline: 1000 });
    let now = 0;
    const times: number[] = [];
    for (;;) {
      const actions = committer.plan(now);
      const [action] = actions;
      if (action?.type !== 'sendCommit') {
        expect(actions).toMatchObject([
          { type: 'commitDone', id: 1, error: { name: 'RequestTimeoutError', message: matching(/t-0/) } },
        ]);
        break;
      }
      times.push(now);
      expect(committer.failed(action.requestId, new ConnectionError('reset'), now)).toEqual([]);
      now = committer.deadline();
    }
    expect(times).toEqual([0, 100, 300, 700]);
    expect(now).toBe(1000);
    expect(committer.deadline()).toBe(Infinity);
  });

  it('and no hope: the error is the call’s', () => {
    const committer = made();
    add(committer, 1);
    const error = new ProtocolError('nonsense');
    expect(committer.failed(sent(committer).requestId, error, 0)).toMatchObject([{ type: 'commitDone', error }]);
  });

  it('a call whose time is up while its request is out ends; the next one waits for that answer', () => {
    const committer = made();
    add(committer, 1, { deadline: 50 });
    const { requestId } = sent(committer);
    add(committer, 2, { offsets: [offset(0, 20)] });
    expect(committer.plan(50)).toMatchObject([{ type: 'commitDone', id: 1, error: { name: 'RequestTimeoutError' } }]);
    expect(committer.plan(51)).toEqual([]);
    expect(answer(committer, requestId, { 0: 0 }, 60)).toEqual([]);
    expect(sent(committer, 60).offsets).toEqual([offset(0, 20)]);
  });
});

describe('membership', () => {
  it('a call waits for one; an automatic commit and that of a revocation do not', () => {
    const committer = made(false);
    add(committer, 1);
    expect(committer.plan(0)).toEqual([]);
    expect(committer.deadline()).toBe(60_000);
    add(committer, 2, auto);
    expect(committer.plan(0)).toMatchObject([{ id: 2, error: { name: 'REBALANCE_IN_PROGRESS' } }]);
    expect(committer.setMembership(MEMBER)).toEqual([]);
    expect(sent(committer)).toMatchObject({ membership: MEMBER });
    const alone = made(false);
    add(alone, 1, auto);
    add(alone, 2, revoke);
    expect(alone.plan(0)).toMatchObject([
      { id: 1, error: { name: 'REBALANCE_IN_PROGRESS' } },
      { id: 2, error: { name: 'REBALANCE_IN_PROGRESS' } },
    ]);
  });

  it('a revocation’s commit never waits behind a call that waits for the rebalance', () => {
    const committer = made();
    add(committer, 1);
    answer(committer, sent(committer).requestId, { 0: 27 });
    add(committer, 2, { ...revoke, offsets: [offset(0, 20)] });
    const again = sent(committer, 10); // not at the end of the call's back-off
    expect(again.offsets).toEqual([offset(0, 20)]);
    expect(answer(committer, again.requestId, { 0: 27 }, 10).slice(1)).toMatchObject([
      { id: 1, error: { code: 27 } },
      { id: 2, error: { code: 27 } },
    ]);
  });

  it('after a rebalance what is still owned is committed in the new generation, the rest fails', () => {
    const committer = made();
    add(committer, 1, { offsets: [offset(0), offset(1)] });
    add(committer, 2, { offsets: [offset(1)] });
    answer(committer, sent(committer).requestId, { 0: 27, 1: 27 });
    committer.setMembership(null);
    expect(committer.plan(100)).toEqual([]);
    const actions = committer.setMembership(NEXT, (_, partition) => partition === 0);
    expect(actions).toMatchObject([
      { type: 'commitDone', id: 2, error: { name: 'ILLEGAL_GENERATION', message: matching(/t-1/) } },
    ]);
    const again = sent(committer, 100);
    expect(again).toMatchObject({ membership: NEXT, offsets: [offset(0)] });
    expect(answer(committer, again.requestId, { 0: 0 })).toMatchObject([
      { id: 1, committed: [offset(0)], error: { name: 'ILLEGAL_GENERATION', message: matching(/t-1/) } },
    ]);
  });

  it('thrown out: what is queued fails, and what comes until the way back begins', () => {
    const committer = made();
    const error = new FencedError('gone', { code: 25 });
    add(committer, 1);
    const { requestId } = sent(committer);
    expect(committer.expel(error)).toMatchObject([{ id: 1, error }]);
    add(committer, 2);
    expect(committer.deadline()).toBeLessThan(Infinity);
    expect(committer.plan(0)).toMatchObject([{ id: 2, error }]);
    expect(answer(committer, requestId, { 0: 25 })).toEqual([]);
    committer.setMembership(null); // JoinGroup is out
    add(committer, 3);
    expect(committer.plan(0)).toEqual([]);
    committer.setMembership(NEXT);
    expect(sent(committer).membership).toEqual(NEXT);
  });

  it('failAll ends everything once', () => {
    const committer = made();
    add(committer, 1);
    add(committer, 2);
    const { requestId } = sent(committer);
    const error = new ConnectionError('closed');
    expect(committer.failAll(error)).toMatchObject([
      { id: 1, error },
      { id: 2, error },
    ]);
    expect(committer.failAll(error)).toEqual([]);
    expect(answer(committer, requestId, { 0: 0 })).toEqual([]);
    expect(committer.deadline()).toBe(Infinity);
  });
});

describe('never an older offset over a newer one', () => {
  it('what is committed already is left out, until the application seeks back', () => {
    const committer = made();
    add(committer, 1, { offsets: [offset(0, 20), offset(1, 5)] });
    answer(committer, sent(committer).requestId, { 0: 0, 1: 0 });
    add(committer, 2, { offsets: [offset(0, 10), offset(1, 6)] });
    const second = sent(committer);
    expect(second.offsets).toEqual([offset(1, 6)]);
    expect(answer(committer, second.requestId, { 1: 0 })).toEqual([
      { type: 'commitDone', id: 2, committed: [offset(1, 6)], error: null },
    ]);
    add(committer, 3, { offsets: [offset(0, 10)] });
    expect(committer.plan(0)).toEqual([{ type: 'commitDone', id: 3, committed: [], error: null }]);
    committer.positioned('t', 0);
    add(committer, 4, { offsets: [offset(0, 10)] });
    expect(sent(committer).offsets).toEqual([offset(0, 10)]);
  });

  it('an answer to what was sent before the seek says nothing about what comes after it', () => {
    const committer = made();
    add(committer, 1, { offsets: [offset(0, 20)] });
    const { requestId } = sent(committer);
    committer.positioned('t', 0);
    answer(committer, requestId, { 0: 0 });
    add(committer, 2, { offsets: [offset(0, 3)] });
    expect(sent(committer).offsets).toEqual([offset(0, 3)]);
  });

  it('nor does one to what was asked for before the seek, and had to be sent again after it', () => {
    const committer = made();
    add(committer, 1, { offsets: [offset(0, 20)] });
    const { requestId } = sent(committer);
    committer.positioned('t', 0);
    committer.failed(requestId, new ConnectionError('reset'), 0);
    answer(committer, sent(committer, 30_000).requestId, { 0: 0 });
    add(committer, 2, { offsets: [offset(0, 3)] });
    expect(sent(committer, 30_000).offsets).toEqual([offset(0, 3)]);
  });

  it('offsets that the application gives itself go as they are', () => {
    const committer = made();
    add(committer, 1, { offsets: [offset(0, 20)] });
    answer(committer, sent(committer).requestId, { 0: 0 });
    add(committer, 2, { offsets: [offset(0, 3)], mayGoBack: true });
    answer(committer, sent(committer).requestId, { 0: 0 });
    add(committer, 3, { offsets: [offset(0, 4)] });
    expect(sent(committer).offsets).toEqual([offset(0, 4)]);
  });
});

it('a commit of nothing ends when all commitAsync() before it have', () => {
  const committer = made();
  add(committer, 1, async);
  add(committer, 2, { offsets: [], ...revoke });
  add(committer, 3, { offsets: [] });
  const { requestId } = sent(committer);
  expect(committer.plan(0)).toEqual([]);
  expect(answer(committer, requestId, { 0: 0 })).toMatchObject([
    { type: 'commitDone', id: 1, committed: [offset(0)] },
    { type: 'commitDone', id: 2, committed: [], error: null },
    { type: 'commitDone', id: 3, committed: [], error: null },
  ]);
  expect(committer.isIdle).toBe(true);
});

describe('many commits at a time', () => {
  it('share a request: of a partition the newest stands for all before it', () => {
    const committer = made();
    add(committer, 1, { ...async, offsets: [offset(0, 1)] });
    const first = sent(committer);
    for (let id = 2; id <= 5; id++) add(committer, id, { ...async, offsets: [offset(id % 2, id)] });
    add(committer, 6, { ...auto, offsets: [offset(2, 6)] });
    add(committer, 7, { offsets: [offset(0, 3)] }); // less than what was asked for before
    answer(committer, first.requestId, { 0: 0 });
    const second = sent(committer);
    expect(second.offsets).toHaveLength(3);
    expect(second.offsets).toEqual(expect.arrayContaining([offset(0, 4), offset(1, 5), offset(2, 6)]));
    expect(answer(committer, second.requestId, { 0: 0, 1: 0, 2: 0 })).toEqual([
      { type: 'commitDone', id: 2, committed: [], error: null },
      { type: 'commitDone', id: 3, committed: [], error: null },
      { type: 'commitDone', id: 4, committed: [offset(0, 4)], error: null },
      { type: 'commitDone', id: 5, committed: [offset(1, 5)], error: null },
      { type: 'commitDone', id: 6, committed: [offset(2, 6)], error: null },
      { type: 'commitDone', id: 7, committed: [], error: null },
    ]);
  });

  it('offsets that go back on purpose are what the calls in their order leave behind', () => {
    const committer = made();
    add(committer, 1, { offsets: [offset(0, 20)] });
    add(committer, 2, { offsets: [offset(0, 3)], mayGoBack: true });
    add(committer, 3, { offsets: [offset(0, 2)] });
    expect(sent(committer).offsets).toEqual([offset(0, 3)]);
  });

  it('end one by one in the order of the calls, commitAsync() before what was called after it', () => {
    const committer = made();
    add(committer, 1, { ...async, offsets: [offset(0, 1)] });
    add(committer, 2, { ...async, offsets: [offset(1, 1)] });
    add(committer, 3, { ...async, offsets: [offset(0, 2)] });
    add(committer, 4, { offsets: [offset(1, 2)] });
    const { requestId } = sent(committer);
    // The metadata of the second one of t-0 are too large: that says nothing about the first.
    const actions = answer(committer, requestId, { 0: 12, 1: 0 });
    expect(actions).toEqual([]);
    const again = sent(committer);
    expect(again.offsets).toEqual([offset(0, 1)]);
    expect(answer(committer, again.requestId, { 0: 0 })).toMatchObject([
      { id: 1, error: null },
      { id: 2, error: null },
      { id: 3, error: { code: 12 } },
      { id: 4, error: null },
    ]);
  });

  it('too large together, are sent in pieces; one that is too large by itself fails', () => {
    const committer = made();
    for (let id = 0; id < 4; id++) add(committer, id, { ...async, offsets: [offset(id, 1)] });
    const all = sent(committer);
    expect(answer(committer, all.requestId, { 0: 28, 1: 28, 2: 28, 3: 28 })).toEqual([]);
    const half = sent(committer);
    expect(half.offsets).toHaveLength(2);
    expect(answer(committer, half.requestId, { 0: 28, 1: 28 })).toEqual([]);
    const ended: unknown[] = [];
    for (const code of [28, 0, 0, 0]) {
      const { requestId, offsets } = sent(committer);
      expect(offsets).toHaveLength(1);
      for (const action of answer(committer, requestId, { [offsets[0]?.partition ?? -1]: code }))
        if (action.type === 'commitDone') ended.push(action.error?.code);
    }
    expect(ended.filter((code) => code === 28)).toHaveLength(1);
    expect(committer.isIdle).toBe(true);
  });

  it('a lost answer: what is sent again is nothing older than what may have arrived', () => {
    const committer = made();
    add(committer, 1, { offsets: [offset(0, 5)] });
    add(committer, 2, { ...async, offsets: [offset(0, 7)] });
    const { requestId } = sent(committer);
    expect(committer.failed(requestId, new ConnectionError('reset'), 0)).toMatchObject([{ id: 2 }]);
    expect(sent(committer, 100).offsets).toEqual([offset(0, 7)]);
  });

  it('end by the thousand without a deep stack when the group begins to rebalance', () => {
    const count = 6000;
    const committer = made();
    for (let id = 0; id < count; id++) add(committer, id, { ...async, offsets: [offset(0, id)] });
    const { requestId } = sent(committer);
    for (let id = count; id < 2 * count; id++) add(committer, id, { ...async, offsets: [offset(0, id)] });
    committer.setMembership(null);
    // What waits fails at once, but is told only after what was called before it.
    expect(committer.plan(1)).toEqual([]);
    const actions = answer(committer, requestId, { 0: 0 }, 1);
    expect(actions).toHaveLength(2 * count);
    expect(actions[count - 1]).toMatchObject({ id: count - 1, error: null });
    expect(actions.at(-1)).toMatchObject({ id: 2 * count - 1, error: { code: 27 } });
  });

  it('cost no walk through all that wait', () => {
    const committer = made();
    add(committer, 0, async);
    sent(committer);
    let walked = 0;
    const counting = (value: number): OffsetToCommit => ({
      ...offset(0),
      get offset() {
        walked++;
        return value;
      },
    });
    for (let id = 1; id <= 1000; id++) {
      add(committer, id, { ...async, offsets: [counting(id)] });
      committer.plan(id);
      committer.deadline();
    }
    expect(walked).toBe(0);
  });
});

describe('an offset that cannot be committed', () => {
  /** t-0 is refused with this code whenever it is sent. */
  function stuck(code: number): Committer {
    const committer = made();
    add(committer, 1);
    answer(committer, sent(committer).requestId, { 0: code });
    return committer;
  }

  it.each([3, 14, 27, -1])('%i holds up no other partition', (code) => {
    const committer = stuck(code);
    add(committer, 2, { ...auto, offsets: [offset(1)] });
    add(committer, 3, { offsets: [offset(2)] });
    add(committer, 4, { ...revoke, offsets: [offset(3)] });
    const { requestId, offsets } = sent(committer, 1);
    expect(offsets.map(({ partition }) => partition)).toEqual(expect.arrayContaining([1, 2, 3]));
    expect(answer(committer, requestId, { 0: code, 1: 0, 2: 0, 3: 0 }, 1)).toEqual(
      expect.arrayContaining([
        { type: 'commitDone', id: 2, committed: [offset(1)], error: null },
        { type: 'commitDone', id: 3, committed: [offset(2)], error: null },
      ]),
    );
  });

  it('nor newer offsets of its own partition: they go out with it', () => {
    const committer = stuck(14);
    add(committer, 2, { ...auto, offsets: [offset(0, 20)] });
    const { requestId, offsets } = sent(committer, 1);
    expect(offsets).toEqual([offset(0, 20)]);
    expect(answer(committer, requestId, { 0: 0 }, 1)).toMatchObject([
      { id: 1, error: null },
      { id: 2, error: null },
    ]);
  });

  it('of an unknown topic fails after five seconds, with a warning, and at once from then on', () => {
    const committer = stuck(3);
    let now = 0;
    const actions: CommitAction[] = [];
    while (actions.every(({ type }) => type !== 'commitDone')) {
      now = committer.deadline();
      actions.push(...answer(committer, sent(committer, now).requestId, { 0: 3 }, now));
    }
    expect(now).toBeGreaterThanOrEqual(5000);
    expect(now).toBeLessThanOrEqual(6000);
    expect(actions).toMatchObject([
      { type: 'log', level: 'warn', message: matching(/t-0.*deleted/) },
      { type: 'commitDone', id: 1, error: { code: 3, message: matching(/t-0/) } },
    ]);
    add(committer, 2, { offsets: [offset(0), offset(1)] });
    const second = sent(committer, now);
    expect(answer(committer, second.requestId, { 0: 3, 1: 0 }, now)).toMatchObject([
      { id: 2, committed: [offset(1)], error: { code: 3 } },
    ]);
    // Assigned anew, as a topic of that name may have been made again.
    committer.positioned('t', 0);
    add(committer, 3);
    expect(answer(committer, sent(committer, now).requestId, { 0: 3 }, now)).toEqual([]);
  });

  it('and is known again is committed, and the patience begins anew', () => {
    const committer = stuck(3);
    answer(committer, sent(committer, 4000).requestId, { 0: 0 }, 4000);
    add(committer, 2);
    answer(committer, sent(committer, 8000).requestId, { 0: 3 }, 8000);
    expect(committer.isIdle).toBe(false);
  });

  it('says why when its time is up', () => {
    const committer = stuck(14);
    expect(committer.plan(60_000)).toMatchObject([
      { id: 1, error: { name: 'RequestTimeoutError', message: matching(/LOAD_IN_PROGRESS/), cause: { code: 14 } } },
    ]);
  });
});

describe('a revocation', () => {
  const T0 = { topic: 't', partition: 0 };

  it('waits for the calls about its partitions, and for no others', () => {
    const committer = made();
    add(committer, 1, { offsets: [offset(0)] });
    add(committer, 2, { offsets: [offset(1)] });
    answer(committer, sent(committer).requestId, { 0: 14, 1: 14 });
    committer.revoking([T0]);
    add(committer, 3, { ...revoke, offsets: [] });
    const { requestId } = sent(committer, 1);
    expect(answer(committer, requestId, { 0: 0 }, 1)).toMatchObject([{ id: 1 }, { id: 3, error: null }]);
    expect(committer.isIdle).toBe(false);
  });

  it.each([3, 27])('makes %i final for them: it would wait for what cannot come', (code) => {
    const committer = made();
    add(committer, 1);
    answer(committer, sent(committer).requestId, { 0: code });
    committer.revoking([T0]);
    add(committer, 2, { ...revoke, offsets: [] });
    expect(answer(committer, sent(committer, 1).requestId, { 0: code }, 1).slice(-2)).toMatchObject([
      { id: 1, error: { code } },
      { id: 2, error: null },
    ]);
    // Also for what a listener commits while the partition is being given up.
    add(committer, 3);
    expect(answer(committer, sent(committer, 2).requestId, { 0: code }, 2).at(-1)).toMatchObject({ id: 3 });
  });

  it('is over: what is left of its partitions never overwrites what the next owner commits', () => {
    const committer = made();
    add(committer, 1, { offsets: [offset(0), offset(1)] });
    answer(committer, sent(committer).requestId, { 0: 14, 1: 14 });
    committer.revoking([T0]);
    add(committer, 2, { ...revoke, offsets: [], deadline: 50 });
    answer(committer, sent(committer, 1).requestId, { 0: 14 }, 1);
    expect(committer.plan(50)).toEqual([{ type: 'commitDone', id: 2, committed: [], error: null }]);
    expect(committer.revoked()).toEqual([]);
    committer.setMembership(NEXT); // an epoch that says nothing about ownership
    const again = sent(committer, 400);
    expect(again.offsets).toEqual([offset(1)]);
    expect(answer(committer, again.requestId, { 1: 0 }, 400)).toMatchObject([
      { id: 1, committed: [offset(1)], error: { name: 'ILLEGAL_GENERATION', message: matching(/t-0$/) } },
    ]);
  });

  it('of nothing, as of a manual assignment that is closed, waits for all calls', () => {
    const committer = made();
    add(committer, 1, { offsets: [offset(1)] });
    add(committer, 2, { ...revoke, offsets: [] });
    const { requestId } = sent(committer);
    expect(committer.plan(0)).toEqual([]);
    expect(answer(committer, requestId, { 1: 0 })).toMatchObject([{ id: 1 }, { id: 2 }]);
  });
});

it('close() waits for a rebalance, but not for a topic that is not there', () => {
  const committer = made(false);
  add(committer, 1, { purpose: 'close', offsets: [offset(0), offset(1)] });
  expect(committer.plan(0)).toEqual([]);
  committer.setMembership(MEMBER);
  expect(answer(committer, sent(committer).requestId, { 0: 3, 1: 0 })).toMatchObject([
    { id: 1, committed: [offset(1)], error: { code: 3 } },
  ]);
});
