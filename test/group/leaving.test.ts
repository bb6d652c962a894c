import { describe, expect, it } from 'vitest';
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
    rig.on({ type: 'leaveFailed', id: rig.last('sendLeave').id, error: CONNECTION_LOST });
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

  it('after a fatal answer: gives the place in the group back', () => {
    const rig = new Rig();
    rig.stable();
    rig.on({ type: 'heartbeatAnswered', id: rig.heartbeat(), response: { throttleTimeMs: 0, errorCode: 30 } });
    expect(rig.types).toEqual(['revoke', 'fail']);
    rig.on({ type: 'revoked' });
    rig.on({ type: 'subscribed', topics: ['audit'] });
    expect(rig.types).toEqual([]);
    rig.on({ type: 'close' });
    rig.on({ type: 'leaveAnswered', id: rig.last('sendLeave').id, response: LEFT });
    expect(rig.types).toEqual(['left']);
  });
});
