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
  committer.commit({ id, offsets: [offset(0)], deadline: 60_000, mayWaitForRejoin: true, isRetried: true, ...part });
}

const auto = { mayWaitForRejoin: false, isRetried: false };
const revoke = { mayWaitForRejoin: false, isRetried: true };

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

  it('a partition that the answer leaves out is tried again', () => {
    const committer = made();
    add(committer, 1, { offsets: [offset(0), offset(1)] });
    expect(answer(committer, sent(committer).requestId, { 0: 0 })).toEqual([]);
    const again = sent(committer, 100);
    expect(again.offsets).toEqual([offset(1)]);
    expect(answer(committer, again.requestId, { 1: 0 }, 100)).toMatchObject([
      { committed: [offset(0), offset(1)], error: null },
    ]);
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
    add(committer, 2, { offsets: [offset(0, 20)] });
    const { requestId } = sent(committer);
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
    expect(committer.plan(0)).toEqual([]); // behind the call: it is never sent before an older one
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
    const again = sent(committer, 100);
    expect(answer(committer, again.requestId, { 0: 27 }, 100).at(-1)).toMatchObject({ id: 1, error: { code: 27 } });
    const last = sent(committer, 100);
    expect(last.offsets).toEqual([offset(0, 20)]);
    expect(answer(committer, last.requestId, { 0: 27 }, 100).at(-1)).toMatchObject({ id: 2, error: { code: 27 } });
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
    add(committer, 2, { offsets: [offset(0, 10), offset(1, 6)] });
    answer(committer, sent(committer).requestId, { 0: 0, 1: 0 });
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

it('a commit of nothing ends when all before it have', () => {
  const committer = made();
  add(committer, 1, { ...auto });
  add(committer, 2, { offsets: [], ...revoke });
  const { requestId } = sent(committer);
  expect(committer.plan(0)).toEqual([]);
  expect(answer(committer, requestId, { 0: 0 })).toMatchObject([{ type: 'commitDone', id: 1 }]);
  expect(committer.plan(0)).toEqual([{ type: 'commitDone', id: 2, committed: [], error: null }]);
});
