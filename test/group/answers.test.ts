import { describe, expect, it } from 'vitest';
import { AuthenticationError, FencedError, KafkaError } from '../../src/errors.ts';
import { kafkaErrorOf } from '../../src/protocol/error-codes.ts';
import { Rig, joined, synced } from './rig.ts';

// What follows from each code, seen from outside. `fatal` also checks that the error carries the broker's number.
const LOAD = 14;
const NOT_AVAILABLE = 15;
const NOT_COORDINATOR = 16;
const ILLEGAL_GENERATION = 22;
const UNKNOWN_MEMBER = 25;
const REBALANCE = 27;
const FENCED = 82;
const NEWER_THAN_US = 999;

function expectFatal(rig: Rig, code: number): void {
  const { error } = rig.last('fail');
  expect(error).toBeInstanceOf(KafkaError);
  expect(error.code).toBe(code);
  expect(error.message).toContain(String(code));
  expect(rig.group.state).toBe('failed');
  expect(rig.group.deadline()).toBe(Infinity);
}

/** Fatal whatever was asked: a person has to mend something. */
const FATAL_ANYWHERE = [24, 30, 31, 35, 42];

/** All codes that Kafka knows, and one that it does not know yet, without those that the table lists for the API. */
function unlisted(listed: number[]): number[] {
  const codes = Array.from({ length: 135 }, (_, i) => i - 1);
  return [...codes, NEWER_THAN_US].filter(
    (code) => code !== 0 && !listed.includes(code) && !FATAL_ANYWHERE.includes(code),
  );
}

/** Told as an error that carries the broker's number, and asked again after the first back-off. */
function expectAnotherTry(rig: Rig, code: number, request: string): void {
  expect(rig.types).toEqual(['trouble']);
  expect(rig.last('trouble').error.code).toBe(code);
  expect(rig.last('trouble').error.message).toContain(String(code));
  rig.pass(99);
  expect(rig.types).toEqual([]);
  rig.pass(1);
  expect(rig.types).toEqual([request]);
}

describe('FindCoordinator answered', () => {
  function failed(code: number): Rig {
    const rig = new Rig();
    rig.on({ type: 'subscribed', topics: ['orders'] });
    const { id } = rig.last('findCoordinator');
    rig.on({ type: 'coordinatorFailed', id, errorCode: code, error: kafkaErrorOf(code, { api: 'FindCoordinator' }) });
    return rig;
  }

  it.each([LOAD, NOT_AVAILABLE, NOT_COORDINATOR])('%i: backs off, then again', (code) => {
    const rig = failed(code);
    expect(rig.types).toEqual([]);
    rig.pass(99);
    expect(rig.types).toEqual([]);
    rig.pass(1);
    expect(rig.types).toEqual(['findCoordinator']);
  });

  it('7, which is also said where no broker answered in time: again, untold', () => {
    const rig = failed(7);
    expect(rig.types).toEqual([]);
    rig.pass(100);
    expect(rig.types).toEqual(['findCoordinator']);
  });

  it.each(FATAL_ANYWHERE)('%i: fatal', (code) => expectFatal(failed(code), code));

  it.each(unlisted([7, 14, 15, 16]))('%i: told, backs off, then again', (code) => {
    expectAnotherTry(failed(code), code, 'findCoordinator');
  });

  it.each([
    {
      what: 'wrong credentials',
      error: new AuthenticationError('no such user', { code: 58, api: 'SaslAuthenticate' }),
    },
    { what: 'a bug of ours', error: new KafkaError('x is not a function') },
  ])('$what, as no answer to this request: fatal', ({ error }) => {
    const rig = new Rig();
    rig.on({ type: 'subscribed', topics: ['orders'] });
    rig.on({ type: 'coordinatorFailed', id: rig.last('findCoordinator').id, errorCode: null, error });
    expect(rig.last('fail').error).toBe(error);
  });
});

describe('JoinGroup answered', () => {
  function answered(code: number, memberId = ''): Rig {
    const rig = new Rig();
    rig.on({
      type: 'joinAnswered',
      id: rig.joining(),
      response: joined({ errorCode: code, memberId, generationId: -1 }),
    });
    return rig;
  }

  it.each([LOAD, REBALANCE])('%i: backs off, then again', (code) => {
    const rig = answered(code);
    expect(rig.types).toEqual([]);
    rig.pass(100);
    expect(rig.types).toEqual(['sendJoin']);
    expect(rig.group.state).toBe('preparing-rebalance');
  });

  it.each([NOT_AVAILABLE, NOT_COORDINATOR])('%i: finds the coordinator, rejoins', (code) => {
    const rig = answered(code);
    expect(rig.types).toEqual(['coordinatorUnknown', 'findCoordinator']);
    rig.find();
    expect(rig.types).toEqual(['sendJoin']);
  });

  it('25: forgets the member id, rejoins', () => {
    const rig = answered(79, 'old');
    expect(rig.last('sendJoin').request.memberId).toBe('old');
    rig.on({ type: 'joinAnswered', id: rig.last('sendJoin').id, response: joined({ errorCode: UNKNOWN_MEMBER }) });
    rig.pass(1_000);
    expect(rig.last('sendJoin').request.memberId).toBe('');
  });

  it('79: joins again at once with the member id', () => {
    const rig = answered(79, 'given');
    expect(rig.types).toEqual(['sendJoin']);
    expect(rig.last('sendJoin').request.memberId).toBe('given');
  });

  it.each([23, 26, 81, FENCED, ...FATAL_ANYWHERE])('%i: fatal', (code) => expectFatal(answered(code), code));

  it('82: fatal as FencedError, 23 names the assignors', () => {
    expect(answered(FENCED).last('fail').error).toBeInstanceOf(FencedError);
    expect(answered(23).last('fail').error.message).toContain('range, roundrobin');
  });

  it.each(unlisted([14, 15, 16, 23, 25, 26, 27, 79, 81, 82]))('%i: told, backs off, then again', (code) => {
    expectAnotherTry(answered(code), code, 'sendJoin');
  });

  it('-1 again and again: told once, with growing waits; told again after a join that worked', () => {
    const rig = answered(-1);
    for (const waitMs of [100, 200, 400, 800, 1_000, 1_000]) {
      rig.pass(waitMs - 1);
      expect(rig.types).toEqual([]);
      rig.pass(1);
      const { id } = rig.last('sendJoin');
      expect(rig.on({ type: 'joinAnswered', id, response: joined({ errorCode: -1 }) })).not.toContainEqual(
        expect.objectContaining({ type: 'trouble' }),
      );
    }
    rig.pass(1_000);
    rig.on({ type: 'joinAnswered', id: rig.last('sendJoin').id, response: joined() });
    rig.on({ type: 'syncAnswered', id: rig.last('sendSync').id, response: synced([], { errorCode: REBALANCE }) });
    rig.on({ type: 'joinAnswered', id: rig.last('sendJoin').id, response: joined({ errorCode: -1 }) });
    expect(rig.types).toEqual(['trouble']);
  });

  it.each([
    { why: 'an assignor that was not offered', response: joined({ protocolName: 'sticky' }) },
    { why: 'no assignor', response: joined({ protocolName: null }) },
    { why: 'another type of group', response: joined({ protocolType: 'connect' }) },
  ])('0 with $why: fatal', ({ response }) => {
    const rig = new Rig();
    rig.on({ type: 'joinAnswered', id: rig.joining(), response });
    expectFatal(rig, 23);
  });
});

describe('SyncGroup answered', () => {
  function answered(code: number): Rig {
    const rig = new Rig();
    rig.on({ type: 'syncAnswered', id: rig.syncing(), response: synced([], { errorCode: code }) });
    return rig;
  }

  it.each([NOT_AVAILABLE, NOT_COORDINATOR])('%i: finds the coordinator, rejoins', (code) => {
    const rig = answered(code);
    expect(rig.types).toEqual(['coordinatorUnknown', 'findCoordinator']);
    rig.find();
    expect(rig.types).toEqual(['sendJoin']);
    expect(rig.last('sendJoin').request.memberId).toBe('me');
  });

  it('22: keeps the member id, rejoins', () => {
    const rig = answered(ILLEGAL_GENERATION);
    expect(rig.group.generation).toBe(-1);
    expect(rig.last('sendJoin').request.memberId).toBe('me');
  });

  it('25: forgets the member id, rejoins', () => {
    expect(answered(UNKNOWN_MEMBER).last('sendJoin').request.memberId).toBe('');
  });

  it('27: rejoins at once, however often', () => {
    const rig = new Rig();
    rig.joining();
    for (let generationId = 1; generationId < 10; generationId++) {
      rig.on({ type: 'joinAnswered', id: rig.last('sendJoin').id, response: joined({ generationId }) });
      rig.on({ type: 'syncAnswered', id: rig.last('sendSync').id, response: synced([], { errorCode: REBALANCE }) });
      expect(rig.last('sendJoin').request.memberId).toBe('me');
    }
    expect(rig.now).toBe(0);
  });

  it('14: backs off, then joins again', () => {
    const rig = answered(LOAD);
    expect(rig.types).toEqual([]);
    rig.pass(100);
    expect(rig.types).toEqual(['sendJoin']);
  });

  it.each([23, FENCED, ...FATAL_ANYWHERE])('%i: fatal', (code) => expectFatal(answered(code), code));

  it.each(unlisted([14, 15, 16, 22, 23, 25, 27, 82]))('%i: told, backs off, then joins again', (code) => {
    const rig = answered(code);
    expectAnotherTry(rig, code, 'sendJoin');
    expect(rig.last('sendJoin').request.memberId).toBe('me');
  });

  it.each([
    { why: 'another assignor', changes: { protocolName: 'roundrobin' } },
    { why: 'another type', changes: { protocolType: 'connect' } },
  ])('0 for $why: fatal', ({ changes }) => {
    const rig = new Rig();
    rig.on({ type: 'syncAnswered', id: rig.syncing(), response: synced([], changes) });
    expectFatal(rig, 23);
  });

  it('0 with bytes that make no sense: fatal', () => {
    const rig = new Rig();
    const response = synced([], { assignment: Buffer.from([0, 0, 0, 0, 0, 9]) });
    rig.on({ type: 'syncAnswered', id: rig.syncing(), response });
    expect(rig.last('fail').error.name).toBe('ProtocolError');
  });
});

/** Heartbeat and OffsetCommit say the same about the membership. */
describe.each(['Heartbeat', 'OffsetCommit'] as const)('%s answered', (api) => {
  function answered(code: number, prepared = new Rig()): Rig {
    const rig = prepared;
    rig.stable();
    if (api === 'Heartbeat') {
      rig.on({ type: 'heartbeatAnswered', id: rig.heartbeat(), response: { throttleTimeMs: 0, errorCode: code } });
    } else {
      rig.on({ type: 'commitFenced', errorCode: code, generation: 1, memberId: 'me' });
    }
    return rig;
  }

  it.each([NOT_AVAILABLE, NOT_COORDINATOR])('%i: finds the coordinator, goes on heartbeating there', (code) => {
    const rig = answered(code);
    expect(rig.types).toEqual(['coordinatorUnknown', 'findCoordinator']);
    rig.find();
    expect(rig.types).toEqual(['sendHeartbeat']);
    expect(rig.group.state).toBe('stable');
    expect(rig.group.owned).toHaveLength(2);
  });

  it('22: lost, keeps the member id, rejoins when the application is through', () => {
    const rig = answered(ILLEGAL_GENERATION);
    expect(rig.types).toEqual(['revoke']);
    expect(rig.last('revoke').lost).toBe(true);
    rig.on({ type: 'revoked' });
    expect(rig.last('sendJoin').request.memberId).toBe('me');
  });

  it('25: lost, forgets the member id, rejoins when the application is through', () => {
    const rig = answered(UNKNOWN_MEMBER);
    expect(rig.last('revoke').lost).toBe(true);
    expect(rig.pass(60_000)).toEqual([]);
    rig.on({ type: 'revoked' });
    expect(rig.last('sendJoin').request.memberId).toBe('');
  });

  it('27: revokes, then rejoins', () => {
    const rig = answered(REBALANCE);
    expect(rig.types).toEqual(['revoke']);
    expect(rig.last('revoke').lost).toBe(false);
    expect(rig.group.state).toBe('revoking');
    rig.on({ type: 'revoked' });
    expect(rig.types).toEqual(['sendJoin']);
    expect(rig.last('sendJoin').request.reason).toBe(`${api} was answered REBALANCE_IN_PROGRESS 27`);
  });

  it('82: lost, fatal', () => {
    const rig = answered(FENCED, new Rig({ groupInstanceId: 'one' }));
    expect(rig.types).toEqual(['revoke', 'fail']);
    expect(rig.last('revoke').lost).toBe(true);
    expectFatal(rig, FENCED);
  });

  if (api === 'Heartbeat') {
    it('14: backs off, then again', () => {
      const rig = answered(LOAD);
      expect(rig.types).toEqual([]);
      rig.pass(100);
      expect(rig.types).toEqual(['sendHeartbeat']);
    });

    it.each(FATAL_ANYWHERE)('%i: fatal', (code) => expectFatal(answered(code), code));

    it.each(unlisted([14, 15, 16, 22, 25, 27, 82]))('%i: told, backs off, then again; owns what it had', (code) => {
      const rig = answered(code);
      expectAnotherTry(rig, code, 'sendHeartbeat');
      expect(rig.group.owned).toHaveLength(2);
    });

    it('-1 for as long as the session: the coordinator is looked for again', () => {
      const rig = answered(-1);
      const asked: string[] = [];
      while (rig.now < 60_000 && !asked.includes('coordinatorUnknown')) {
        asked.push(...rig.pass(Math.max(1, rig.group.deadline() - rig.now)).map(({ type }) => type));
        if (rig.types.includes('sendHeartbeat'))
          rig.on({ type: 'heartbeatAnswered', id: rig.heartbeatId, response: { throttleTimeMs: 0, errorCode: -1 } });
      }
      expect(asked).toContain('coordinatorUnknown');
      expect(rig.group.owned).toHaveLength(2);
    });
  } else {
    it.each([...FATAL_ANYWHERE, ...unlisted([15, 16, 22, 25, 27, 82])])("%i: the committer's own matter", (code) => {
      const rig = answered(code);
      expect(rig.types).toEqual([]);
      expect(rig.group.state).toBe('stable');
    });

    it.each([
      { generation: 0, memberId: 'me' },
      { generation: 1, memberId: 'former' },
    ])('for generation $generation of $memberId: stale, ignored', (sent) => {
      const rig = new Rig();
      rig.stable();
      for (const errorCode of [15, 16, 22, 25, 27, 82]) rig.on({ type: 'commitFenced', errorCode, ...sent });
      expect(rig.types).toEqual([]);
      expect(rig.group.state).toBe('stable');
    });
  }
});

describe('LeaveGroup answered', () => {
  // 15 and 16: leaving.test.ts
  it.each([0, 14, 25, 30, -1, NEWER_THAN_US])('%i: done', (errorCode) => {
    const rig = new Rig();
    rig.stable();
    rig.on({ type: 'close' });
    rig.on({ type: 'revoked' });
    const { id } = rig.last('sendLeave');
    rig.on({ type: 'leaveAnswered', id, response: { throttleTimeMs: 0, errorCode, members: [] } });
    expect(rig.types).toEqual(['left']);
    expect(rig.group.state).toBe('left');
    if (errorCode !== 0) expect(rig.log.at(-1)).toContain(String(errorCode));
  });
});
