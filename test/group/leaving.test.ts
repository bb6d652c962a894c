import { describe, expect, it } from 'vitest';
import { AuthenticationError } from '../../src/errors.ts';
import type { Assignor } from '../../src/group/assignors/assignor.ts';
import { range } from '../../src/group/assignors/range.ts';
import type { GroupEvent } from '../../src/group/events.ts';
import { CONNECTION_LOST, OPTIONS, Rig, joined } from './rig.ts';

const LEFT = { throttleTimeMs: 0, errorCode: 0, members: [] };

describe('maxPollIntervalMs', () => {
  it('leaves at once, the partitions lost, and joins again when the application polls and is through', () => {
    const rig = new Rig();
    rig.stable();
    rig.on({ type: 'pollExpired' });
    expect(rig.types).toEqual(['revoke', 'sendLeave']);
    expect(rig.last('revoke').lost).toBe(true);
    expect(rig.last('sendLeave').request.reason).toBe('consumer poll timeout has expired.');
    rig.on({ type: 'leaveAnswered', id: rig.last('sendLeave').id, response: LEFT });
    expect(rig.group.state).toBe('stale');
    expect(rig.group.deadline()).toBe(Infinity);
    rig.on({ type: 'polled' });
    expect(rig.group.state).toBe('revoking');
    rig.on({ type: 'revoked' });
    expect(rig.types).toEqual(['sendJoin']);
    expect(rig.last('sendJoin').request.memberId).toBe('');
  });

  it('while revoking: what was being revoked is lost', () => {
    const rig = new Rig();
    rig.stable();
    rig.on({ type: 'subscribed', topics: ['audit'] });
    rig.on({ type: 'pollExpired' });
    expect(rig.types).toEqual(['revoke', 'sendLeave']);
    expect(rig.last('revoke')).toMatchObject({ lost: true, partitions: [{ partition: 0 }, { partition: 1 }] });
  });

  it('of a static member: no LeaveGroup, no heartbeats any more', () => {
    const rig = new Rig({ groupInstanceId: 'one' });
    rig.stable();
    rig.on({ type: 'pollExpired' });
    expect(rig.types).toEqual(['revoke']);
    expect(rig.group.state).toBe('stale');
    expect(rig.pass(600_000)).toEqual([]);
  });

  it('does nothing outside of the group, and polling does nothing within', () => {
    const rig = new Rig();
    rig.on({ type: 'pollExpired' });
    expect(rig.group.state).toBe('unjoined');
    rig.stable();
    rig.on({ type: 'polled' });
    expect(rig.types).toEqual([]);
  });
});

describe('close', () => {
  it('revokes, leaves, is left; twice is once', () => {
    const rig = new Rig();
    rig.stable();
    rig.on({ type: 'close' });
    expect(rig.types).toEqual(['revoke']);
    rig.on({ type: 'close' });
    expect(rig.types).toEqual([]);
    rig.on({ type: 'revoked' });
    rig.on({ type: 'leaveAnswered', id: rig.last('sendLeave').id, response: LEFT });
    expect(rig.types).toEqual(['left']);
    rig.on({ type: 'close' });
    rig.on({ type: 'subscribed', topics: ['orders'] });
    rig.on({ type: 'coordinatorLost', error: CONNECTION_LOST });
    expect(rig.types).toEqual([]);
    expect(rig.group.deadline()).toBe(Infinity);
  });

  it('of a static member sends no LeaveGroup (KIP-345)', () => {
    const rig = new Rig({ groupInstanceId: 'one' });
    rig.stable();
    rig.on({ type: 'close' });
    rig.on({ type: 'revoked' });
    expect(rig.types).toEqual(['left']);
  });

  it('before anything was done', () => {
    const rig = new Rig();
    rig.on({ type: 'close' });
    expect(rig.types).toEqual(['left']);
  });

  it('while the coordinator is looked for', () => {
    const rig = new Rig();
    rig.on({ type: 'subscribed', topics: ['orders'] });
    const { id } = rig.last('findCoordinator');
    rig.on({ type: 'close' });
    expect(rig.types).toEqual(['left']);
    rig.on({ type: 'coordinatorFound', id, coordinator: '1' });
    expect(rig.types).toEqual([]);
  });

  it('while JoinGroup is pending: leaves on a connection that does not wait for its answer', () => {
    const rig = new Rig();
    const id = rig.joining();
    rig.on({ type: 'joinAnswered', id, response: joined({ errorCode: 79 }) });
    const pending = rig.last('sendJoin').id;
    rig.on({ type: 'close' });
    expect(rig.types).toEqual(['dropConnection', 'sendLeave']);
    const leave = rig.last('sendLeave').id;
    rig.on({ type: 'joinAnswered', id: pending, response: joined() });
    expect(rig.types).toEqual([]);
    rig.on({ type: 'leaveAnswered', id: leave, response: LEFT });
    expect(rig.group.state).toBe('left');
  });

  it('while SyncGroup is pending: likewise', () => {
    const rig = new Rig();
    rig.syncing();
    rig.on({ type: 'close' });
    expect(rig.types).toEqual(['dropConnection', 'sendLeave']);
  });

  it.each([
    { answer: joined({ errorCode: 79, memberId: 'given' }), why: 'MEMBER_ID_REQUIRED' },
    { answer: joined({ memberId: 'given' }), why: 'an old broker' },
  ])('while a first JoinGroup is pending: gives back the member id that it brings ($why)', ({ answer }) => {
    const rig = new Rig();
    const id = rig.joining();
    rig.on({ type: 'close' });
    expect(rig.types).toEqual([]);
    rig.on({ type: 'joinAnswered', id, response: answer });
    expect(rig.last('sendLeave').request.memberId).toBe('given');
  });

  it('while a first JoinGroup is pending and stays so: waits no longer than a back-off', () => {
    const rig = new Rig();
    rig.joining();
    rig.on({ type: 'close' });
    rig.pass(OPTIONS.retryBackoffMaxMs);
    expect(rig.types).toEqual(['left']);
  });

  describe.each([
    { what: 'NOT_COORDINATOR', lose: (rig: Rig, id: number) => rig.on(leaveAnswered(id, 16)) },
    { what: 'COORDINATOR_NOT_AVAILABLE', lose: (rig: Rig, id: number) => rig.on(leaveAnswered(id, 15)) },
    {
      what: 'a broken connection',
      lose: (rig: Rig, id: number) => rig.on({ type: 'leaveFailed', id, error: CONNECTION_LOST }),
    },
    {
      what: 'a broken connection, told first',
      lose: (rig: Rig) => rig.on({ type: 'coordinatorLost', error: CONNECTION_LOST }),
    },
  ])('LeaveGroup met with $what', ({ lose }) => {
    function lost(): Rig {
      const rig = new Rig();
      rig.stable();
      rig.on({ type: 'close' });
      rig.on({ type: 'revoked' });
      lose(rig, rig.last('sendLeave').id);
      expect(rig.types).toEqual(['coordinatorUnknown', 'findCoordinator']);
      return rig;
    }

    it('leaves where the coordinator is now', () => {
      const rig = lost();
      rig.find();
      expect(rig.last('sendLeave').request.memberId).toBe('me');
      rig.on(leaveAnswered(rig.last('sendLeave').id, 0));
      expect(rig.types).toEqual(['left']);
    });

    it('tries that once', () => {
      const rig = lost();
      rig.find();
      lose(rig, rig.last('sendLeave').id);
      expect(rig.types).toContain('left');
      expect(rig.group.deadline()).toBe(Infinity);
    });

    it('looks no longer than a back-off', () => {
      const rig = lost();
      rig.pass(OPTIONS.retryBackoffMaxMs - 1);
      expect(rig.types).toEqual([]);
      rig.pass(1);
      expect(rig.types).toEqual(['left']);
    });
  });
});

describe('a member that has failed for good', () => {
  it('leaves at once, is heard of no more, and has nothing left to do when it is closed', () => {
    const rig = new Rig();
    rig.stable();
    rig.on({ type: 'heartbeatAnswered', id: rig.heartbeat(), response: { throttleTimeMs: 0, errorCode: 30 } });
    expect(rig.types).toEqual(['revoke', 'fail', 'sendLeave']);
    expect(rig.last('revoke').lost).toBe(true);
    expect(rig.last('sendLeave').request).toMatchObject({ memberId: 'me', reason: 'the consumer has failed' });
    rig.on(leaveAnswered(rig.last('sendLeave').id, 0));
    rig.on({ type: 'revoked' });
    rig.on({ type: 'subscribed', topics: ['audit'] });
    rig.on({ type: 'polled' });
    expect(rig.pass(600_000)).toEqual([]);
    expect(rig.group.state).toBe('failed');
    rig.on({ type: 'close' });
    expect(rig.types).toEqual(['left']);
  });

  it('is closed while LeaveGroup is out: waits for its answer', () => {
    const rig = new Rig();
    rig.stable();
    rig.on({ type: 'heartbeatAnswered', id: rig.heartbeat(), response: { throttleTimeMs: 0, errorCode: 30 } });
    const { id } = rig.last('sendLeave');
    rig.on({ type: 'revoked' });
    rig.on({ type: 'close' });
    expect(rig.types).toEqual([]);
    rig.on(leaveAnswered(id, 0));
    expect(rig.types).toEqual(['left']);
  });

  it('of a static member: no LeaveGroup, no heartbeats', () => {
    const rig = new Rig({ groupInstanceId: 'one' });
    rig.stable();
    rig.on({ type: 'heartbeatAnswered', id: rig.heartbeat(), response: { throttleTimeMs: 0, errorCode: 30 } });
    expect(rig.types).toEqual(['revoke', 'fail']);
    expect(rig.pass(600_000)).toEqual([]);
  });

  it.each([30, 82])('while it is being closed (%i): is left when the application is through', (errorCode) => {
    const rig = new Rig({ groupInstanceId: 'one' });
    rig.stable();
    rig.on({ type: 'close' });
    rig.on({ type: 'heartbeatAnswered', id: rig.heartbeat(), response: { throttleTimeMs: 0, errorCode } });
    expect(rig.types).toEqual(['revoke', 'fail']);
    rig.on({ type: 'revoked' });
    expect(rig.types).toEqual(['left']);
  });

  it("for a reason that is not the group's: leaves likewise", () => {
    const rig = new Rig();
    rig.stable();
    const error = new AuthenticationError('wrong password');
    rig.on({ type: 'failed', error });
    expect(rig.types).toEqual(['revoke', 'fail', 'sendLeave']);
    expect(rig.last('fail').error).toBe(error);
  });

  it('for such a reason while it is out of the group already: does not come back', () => {
    const rig = new Rig();
    rig.stable();
    rig.on({ type: 'pollExpired' });
    rig.on(leaveAnswered(rig.last('sendLeave').id, 0));
    rig.on({ type: 'failed', error: CONNECTION_LOST });
    rig.on({ type: 'revoked' });
    rig.on({ type: 'polled' });
    expect(rig.types).toEqual([]);
    expect(rig.group.state).toBe('unjoined');
    expect(rig.pass(600_000)).toEqual([]);
  });
});

it.each([
  { what: 'throws', userData: () => thrown() },
  { what: 'gives what is no user data', userData: () => 'text' as unknown as Buffer },
])('an assignor of the application that $what when it is to join: fatal, named', ({ userData }) => {
  const mine: Assignor = { ...range, name: 'mine', subscriptionUserData: userData };
  const rig = new Rig({ assignors: [mine] });
  rig.on({ type: 'subscribed', topics: ['orders'] });
  rig.find();
  expect(rig.types).toEqual(['fail']);
  expect(rig.last('fail').error.message).toMatch(/^The assignor mine failed: /);
  expect(rig.group.deadline()).toBe(Infinity);
  rig.on({ type: 'close' });
  expect(rig.types).toEqual(['left']);
});

function thrown(): Buffer {
  throw new Error('no rack file');
}

function leaveAnswered(id: number, errorCode: number): GroupEvent {
  return { type: 'leaveAnswered', id, response: { ...LEFT, errorCode } };
}
