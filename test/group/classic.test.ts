import { describe, expect, it } from 'vitest';
import { AuthenticationError, ConnectionError } from '../../src/errors.ts';
import { decodeSubscription } from '../../src/protocol/consumer-protocol.ts';
import { CONNECTION_LOST, OPTIONS, Rig, joined, synced } from './rig.ts';

const ALIVE = { throttleTimeMs: 0, errorCode: 0 };
const LEFT = { throttleTimeMs: 0, errorCode: 0, members: [] };

describe('a healthy member', () => {
  it('joins, syncs and is assigned without any wait', () => {
    const rig = new Rig({ clientRack: 'rack-a' });
    rig.on({ type: 'subscribed', topics: ['orders', 'audit', 'orders'] });
    expect(rig.types).toEqual(['findCoordinator']);
    rig.find();
    const { request, timeoutMs } = rig.last('sendJoin');
    expect(timeoutMs).toBe(OPTIONS.rebalanceTimeoutMs + 5_000);
    expect(request).toMatchObject({ memberId: '', groupId: 'billing', protocolType: 'consumer', reason: 'subscribed' });
    expect(request.protocols.map(({ name }) => name)).toEqual(['range', 'roundrobin']);
    expect(decodeSubscription(request.protocols[0]?.metadata ?? Buffer.alloc(0))).toEqual({
      topics: ['audit', 'orders'],
      userData: null,
      ownedPartitions: [],
      generationId: -1,
      rackId: 'rack-a',
    });
    rig.on({ type: 'joinAnswered', id: rig.last('sendJoin').id, response: joined({ errorCode: 79, memberId: 'me' }) });
    rig.on({ type: 'joinAnswered', id: rig.last('sendJoin').id, response: joined({ generationId: 7 }) });
    expect(rig.last('sendSync').request).toMatchObject({
      memberId: 'me',
      generationId: 7,
      protocolName: 'range',
      assignments: [],
    });
    rig.on({ type: 'syncAnswered', id: rig.last('sendSync').id, response: synced([['orders', [1]]]) });
    expect(rig.actions).toEqual([
      {
        type: 'assign',
        partitions: [{ topic: 'orders', partition: 1 }],
        added: [{ topic: 'orders', partition: 1 }],
        isSettled: true,
        generation: 7,
        memberId: 'me',
      },
    ]);
    expect(rig.now).toBe(0);
    expect(rig.group.describe()).toBe(
      "group 'billing': stable, member 'me', generation 7, assignor range, 1 partitions, coordinator known",
    );
  });

  it('logs each change of state once, with old state, new state and cause', () => {
    const rig = new Rig();
    rig.stable();
    expect(rig.log.filter((line) => line.includes('→'))).toEqual([
      "info: group 'billing': unjoined → preparing-rebalance: subscribed (member '', generation -1)",
      "info: group 'billing': preparing-rebalance → completing-rebalance: joined; leader is 'other' (member 'me', generation 1)",
      "info: group 'billing': completing-rebalance → stable: assigned 2 partitions by range (member 'me', generation 1)",
    ]);
  });

  it('takes an assignment of nothing, also as no bytes at all', () => {
    const rig = new Rig();
    rig.on({ type: 'syncAnswered', id: rig.syncing(), response: synced([], { assignment: Buffer.alloc(0) }) });
    expect(rig.last('assign').partitions).toEqual([]);
    rig.on({ type: 'heartbeatAnswered', id: rig.heartbeat(), response: { throttleTimeMs: 0, errorCode: 27 } });
    expect(rig.types).toEqual(['sendJoin']); // nothing to revoke
  });

  it('does not take partitions of topics that it has not subscribed to', () => {
    const rig = new Rig();
    rig.on({ type: 'syncAnswered', id: rig.syncing(), response: synced([['foreign', [0]]]) });
    expect(rig.types).toEqual([]);
    rig.pass(100);
    expect(rig.types).toEqual(['sendJoin']);
  });
});

describe('heartbeats', () => {
  it('go out every interval, for hours, whatever the application does', () => {
    const rig = new Rig();
    rig.stable();
    for (let i = 0; i < 3_600; i++) {
      rig.pass(OPTIONS.heartbeatIntervalMs);
      expect(rig.types).toEqual(['sendHeartbeat']);
      rig.on({ type: 'heartbeatAnswered', id: rig.heartbeatId, response: ALIVE });
    }
    expect(rig.now).toBe(3 * 3_600_000);
  });

  it('are never two in flight, and a silent coordinator is looked for anew when the session ends', () => {
    const rig = new Rig();
    rig.stable();
    rig.pass(OPTIONS.sessionTimeoutMs - 1);
    expect(rig.types).toEqual(['sendHeartbeat']);
    rig.pass(1);
    expect(rig.types).toEqual(['coordinatorUnknown', 'findCoordinator']);
    expect(rig.group.state).toBe('stable');
    rig.find();
    expect(rig.types).toEqual(['sendHeartbeat']);
    rig.on({
      type: 'heartbeatAnswered',
      id: rig.last('sendHeartbeat').id,
      response: { throttleTimeMs: 0, errorCode: 25 },
    });
    expect(rig.last('revoke').lost).toBe(true);
  });

  it('go on while partitions are being revoked, and stop while JoinGroup is pending', () => {
    const rig = new Rig();
    rig.stable();
    rig.on({ type: 'heartbeatAnswered', id: rig.heartbeat(), response: { throttleTimeMs: 0, errorCode: 27 } });
    for (let i = 0; i < 10; i++) {
      rig.on({ type: 'heartbeatAnswered', id: rig.heartbeat(), response: { throttleTimeMs: 0, errorCode: 27 } });
      expect(rig.types).toEqual([]);
    }
    rig.on({ type: 'revoked' });
    expect(rig.types).toEqual(['sendJoin']);
    expect(rig.pass(600_000)).toEqual([]);
  });

  it('go on while SyncGroup is pending, without an end of the session', () => {
    const rig = new Rig();
    rig.syncing();
    rig.pass(OPTIONS.sessionTimeoutMs / 5 - 1);
    expect(rig.types).toEqual(['sendHeartbeat']);
    expect(rig.group.state).toBe('completing-rebalance');
  });

  it('answered for an older generation change nothing', () => {
    const rig = new Rig();
    rig.stable();
    const id = rig.heartbeat();
    rig.on({ type: 'subscribed', topics: ['orders', 'audit'] });
    rig.on({ type: 'revoked' });
    rig.on({ type: 'joinAnswered', id: rig.last('sendJoin').id, response: joined({ generationId: 2 }) });
    rig.on({ type: 'heartbeatAnswered', id, response: { throttleTimeMs: 0, errorCode: 22 } });
    expect(rig.types).toEqual([]);
    expect(rig.group.state).toBe('completing-rebalance');
    expect(rig.group.generation).toBe(2);
  });

  it('fail with the connection: the member stays, the coordinator is looked for with growing waits', () => {
    const rig = new Rig();
    rig.stable();
    const waits: number[] = [];
    rig.on({ type: 'heartbeatFailed', id: rig.heartbeat(), error: CONNECTION_LOST });
    for (let i = 0; i < 7; i++) {
      const since = rig.now;
      if (!rig.types.includes('findCoordinator')) rig.pass(1_000 - 1);
      if (!rig.types.includes('findCoordinator')) rig.pass(1);
      waits.push(rig.findAt - since);
      rig.find();
      rig.on({ type: 'heartbeatFailed', id: rig.last('sendHeartbeat').id, error: CONNECTION_LOST });
    }
    expect(waits).toEqual([0, 100, 200, 400, 800, 1_000, 1_000]);
    expect(rig.group.owned).toHaveLength(2);
  });
});

describe('the subscription', () => {
  it('changed: revokes all, then joins with the new topics; the same set again does nothing', () => {
    const rig = new Rig();
    rig.stable(['orders', 'audit']);
    rig.on({ type: 'subscribed', topics: ['audit', 'orders', 'audit'] });
    expect(rig.types).toEqual([]);
    rig.on({ type: 'subscribed', topics: ['audit'] });
    expect(rig.types).toEqual(['revoke']);
    expect(rig.group.owned).toEqual([]);
    rig.on({ type: 'revoked' });
    const { request } = rig.last('sendJoin');
    expect(request.reason).toBe('the subscription has changed');
    expect(decodeSubscription(request.protocols[0]?.metadata ?? Buffer.alloc(0)).topics).toEqual(['audit']);
  });

  it('changed while JoinGroup or SyncGroup is out: joins again when that is answered', () => {
    const rig = new Rig();
    const id = rig.joining();
    rig.on({ type: 'subscribed', topics: ['audit'] });
    expect(rig.types).toEqual([]);
    rig.on({ type: 'joinAnswered', id, response: joined() });
    expect(rig.types).toEqual(['sendJoin']);
    rig.on({ type: 'joinAnswered', id: rig.last('sendJoin').id, response: joined({ generationId: 2 }) });
    const syncId = rig.last('sendSync').id;
    rig.on({ type: 'subscribed', topics: ['orders'] });
    rig.on({ type: 'syncAnswered', id: syncId, response: synced([['audit', [0]]]) });
    expect(rig.types).toEqual(['sendJoin']); // and no assign
  });

  it('ended: revokes, leaves, and may begin again', () => {
    const rig = new Rig();
    rig.stable();
    rig.on({ type: 'unsubscribed' });
    rig.on({ type: 'revoked' });
    expect(rig.last('sendLeave').request).toEqual({
      groupId: 'billing',
      memberId: 'me',
      groupInstanceId: null,
      reason: 'the consumer unsubscribed from all topics',
    });
    rig.on({ type: 'leaveAnswered', id: rig.last('sendLeave').id, response: LEFT });
    expect(rig.group.state).toBe('unjoined');
    expect(rig.group.deadline()).toBe(Infinity);
    rig.on({ type: 'subscribed', topics: ['orders'] });
    expect(rig.last('sendJoin').request.memberId).toBe('');
  });

  it('ended and begun again before the application is through: stays a member', () => {
    const rig = new Rig();
    rig.stable();
    rig.on({ type: 'unsubscribed' });
    rig.on({ type: 'subscribed', topics: ['orders'] });
    rig.on({ type: 'revoked' });
    expect(rig.types).toEqual(['sendJoin']);
    expect(rig.last('sendJoin').request.memberId).toBe('me');
  });
});

describe('without an answer', () => {
  it('JoinGroup is sent again to the coordinator found anew', () => {
    const rig = new Rig();
    rig.on({ type: 'joinFailed', id: rig.joining(), error: CONNECTION_LOST });
    expect(rig.types).toEqual(['coordinatorUnknown', 'findCoordinator']);
    rig.find();
    expect(rig.types).toEqual(['sendJoin']);
  });

  it('SyncGroup means another JoinGroup', () => {
    const rig = new Rig();
    rig.on({ type: 'syncFailed', id: rig.syncing(), error: CONNECTION_LOST });
    rig.find();
    expect(rig.types).toEqual(['sendJoin']);
  });

  it('the loss of the connection counts for all that was out on it, once', () => {
    const rig = new Rig();
    const id = rig.joining();
    rig.on({ type: 'coordinatorLost', error: CONNECTION_LOST });
    expect(rig.types).toEqual(['coordinatorUnknown', 'findCoordinator']);
    rig.on({ type: 'joinFailed', id, error: CONNECTION_LOST });
    rig.on({ type: 'coordinatorLost', error: CONNECTION_LOST });
    expect(rig.types).toEqual([]);
  });

  it('and without hope: fatal', () => {
    const rig = new Rig();
    const error = new AuthenticationError('wrong password');
    rig.on({ type: 'joinFailed', id: rig.joining(), error });
    expect(rig.last('fail').error).toBe(error);
  });

  it.each([
    { error: new ConnectionError('refused'), isFatal: false },
    { error: new AuthenticationError('wrong password'), isFatal: true },
  ])('a look-up that failed by $error.name: fatal $isFatal', ({ error, isFatal }) => {
    const rig = new Rig();
    rig.on({ type: 'subscribed', topics: ['orders'] });
    rig.on({ type: 'coordinatorFailed', id: rig.last('findCoordinator').id, errorCode: null, error });
    expect(rig.group.state).toBe(isFatal ? 'failed' : 'preparing-rebalance');
    expect(rig.pass(100).map(({ type }) => type)).toEqual(isFatal ? [] : ['findCoordinator']);
  });
});

it('a look-up refused for the credentials keeps the error that says so', () => {
  const rig = new Rig();
  rig.on({ type: 'subscribed', topics: ['orders'] });
  const error = new AuthenticationError('wrong password');
  rig.on({ type: 'coordinatorFailed', id: rig.last('findCoordinator').id, errorCode: null, error });
  expect(rig.last('fail').error).toBe(error);
});

it('a rebalance timeout near the limit of a timer does not overflow', () => {
  const rig = new Rig({ rebalanceTimeoutMs: 2 ** 31 - 1 });
  rig.joining();
  expect(rig.last('sendJoin').timeoutMs).toBe(2 ** 31 - 1);
});
