import { describe, expect, it } from 'vitest';
import { ClassicRig, REBALANCE_MS, SESSION_MS } from './classic-rig.ts';

describe('joining', () => {
  it('a new member joins twice from version 4 on, and once before', () => {
    const rig = new ClassicRig();
    const first = rig.join({ requiresKnownMemberId: true });
    expect(first.result).toMatchObject({ errorCode: 79, memberId: 'c-1', generationId: -1 });
    expect(rig.group.state).toBe('Empty');
    expect(rig.join({ memberId: 'c-1' }).result).toMatchObject({
      errorCode: 0,
      generationId: 1,
      leader: 'c-1',
      memberId: 'c-1',
    });
    expect(new ClassicRig().join().result).toMatchObject({ errorCode: 0, memberId: 'c-1' });
  });

  it('who has been given an id is waited for, until it would have expired', () => {
    const rig = new ClassicRig();
    rig.join({ requiresKnownMemberId: true });
    const other = rig.join();
    expect(other.result).toBeNull();
    rig.pass(SESSION_MS - 1);
    expect(other.result).toBeNull();
    rig.pass(1);
    expect(other.result).toMatchObject({ errorCode: 0, generationId: 1 });
    expect(rig.join({ memberId: 'c-1' }).result?.errorCode).toBe(25);
  });

  it('the leader is told all members, the others none', () => {
    const rig = new ClassicRig();
    const [leader = ''] = rig.stable(1);
    const second = rig.join({ metadata: 'other' });
    const again = rig.join({ memberId: leader });
    expect(again.result?.members.map(({ memberId, metadata }) => `${memberId} ${metadata.toString()}`)).toEqual([
      'c-1 m',
      'c-2 other',
    ]);
    expect(second.result).toMatchObject({ leader, members: [], generationId: 2, protocolName: 'range' });
  });

  it('the protocol is one that all have, by majority', () => {
    const rig = new ClassicRig();
    rig.stable(1, { names: ['range', 'sticky', 'own'] });
    expect(rig.join({ names: ['other'] }).result?.errorCode).toBe(23);
    expect(rig.join({ protocolType: 'connect', names: ['range'] }).result?.errorCode).toBe(23);
    expect(rig.join({ names: [] }).result?.errorCode).toBe(23);
    rig.join({ names: ['sticky', 'range'] });
    rig.join({ names: ['sticky', 'range'] });
    rig.join({ memberId: 'c-1', names: ['range', 'sticky', 'own'] });
    expect(rig.group.generation.protocolName).toBe('sticky');
  });

  it('what has not changed starts no rebalance, unless the leader asks for one', () => {
    const rig = new ClassicRig();
    const [leader = '', follower = ''] = rig.stable(2);
    const generation = rig.group.generation.id;
    expect(rig.join({ memberId: follower }).result).toMatchObject({ generationId: generation, members: [] });
    expect(rig.group.state).toBe('Stable');
    expect(rig.join({ memberId: follower, metadata: 'new' }).result).toBeNull();
    expect(rig.group.state).toBe('PreparingRebalance');
    rig.join({ memberId: leader });
    rig.join({ memberId: leader }); // CompletingRebalance: again what it was told
    expect(rig.group.generation.id).toBe(generation + 1);
    rig.sync(leader, generation + 1, { all: [leader, follower] });
    expect(rig.join({ memberId: leader }).result).toBeNull();
    expect(rig.group.state).toBe('PreparingRebalance');
  });

  it('unknown members and too many are refused', () => {
    const rig = new ClassicRig({ maxSize: 1 });
    expect(rig.join({ memberId: 'stranger' }).result?.errorCode).toBe(25);
    rig.stable(1);
    expect(rig.join().result?.errorCode).toBe(81);
  });

  it('the first members may be waited for', () => {
    const rig = new ClassicRig({ initialRebalanceDelayMs: 300 });
    const first = rig.join();
    rig.pass(200);
    const second = rig.join();
    rig.pass(150);
    expect([first.result, second.result]).toEqual([null, null]); // one came meanwhile: 300 ms more
    rig.pass(250);
    expect([first.result?.generationId, second.result?.generationId]).toEqual([1, 1]);
    const rig2 = new ClassicRig({ initialRebalanceDelayMs: 300 });
    const alone = rig2.join();
    rig2.pass(300);
    expect(alone.result?.generationId).toBe(1);
  });
});

describe('a rebalance', () => {
  it('waits for all, who learn of it by their heartbeats', () => {
    const rig = new ClassicRig();
    const [a = '', b = ''] = rig.stable(2);
    const c = rig.join();
    expect([rig.beat(a), rig.beat(b)]).toEqual([27, 27]);
    const againA = rig.join({ memberId: a });
    expect(againA.result).toBeNull();
    const againB = rig.join({ memberId: b });
    expect([againA, againB, c].map(({ result }) => result?.generationId)).toEqual([3, 3, 3]);
    expect(rig.group.state).toBe('CompletingRebalance');
    expect(rig.beat(a)).toBe(0);
    expect(rig.beat(a, 2)).toBe(22);
  });

  it('goes on without who does not rejoin in time', () => {
    const rig = new ClassicRig();
    const [a = '', b = ''] = rig.stable(2, { sessionTimeoutMs: 60_000 });
    const again = rig.join({ memberId: a, metadata: 'new' });
    rig.pass(REBALANCE_MS - 1);
    expect(again.result).toBeNull();
    rig.pass(1);
    expect(again.result?.members.map(({ memberId }) => memberId)).toEqual([a]);
    expect(rig.beat(b)).toBe(25);
  });

  it('hands out assignments when the leader has sent them', () => {
    const rig = new ClassicRig();
    const [a = '', b = ''] = rig.stable(2);
    rig.join({ memberId: b, metadata: 'new' });
    rig.join({ memberId: a });
    const syncB = rig.sync(b, 3);
    expect(syncB.result).toBeNull();
    const syncA = rig.sync(a, 3, { all: [a] });
    expect(syncA.result?.assignment.toString()).toBe(`for ${a}`);
    expect(syncB.result).toMatchObject({ errorCode: 0, assignment: Buffer.alloc(0) });
    expect(rig.sync(a, 3).result?.assignment.toString()).toBe(`for ${a}`);
    expect(rig.group.state).toBe('Stable');
  });

  it('refuses a SyncGroup that does not fit', () => {
    const rig = new ClassicRig();
    const [a = ''] = rig.stable(1);
    expect(rig.sync('stranger', 1).result?.errorCode).toBe(25);
    expect(rig.sync(a, 7).result?.errorCode).toBe(22);
    expect(rig.sync(a, 1, { protocolName: 'other' }).result?.errorCode).toBe(23);
    rig.join();
    expect(rig.sync(a, 1).result?.errorCode).toBe(27);
  });

  it('starts again when a member leaves or dies in the middle of it', () => {
    const rig = new ClassicRig();
    const [a = '', b = ''] = rig.stable(2);
    rig.join({ memberId: b, metadata: 'new' });
    rig.join({ memberId: a });
    const waiting = rig.sync(b, 3);
    expect(rig.leave(a)).toBe(0);
    expect(waiting.result?.errorCode).toBe(27);
    expect(rig.join({ memberId: b }).result).toMatchObject({ generationId: 4, leader: b });
  });

  it('throws out who does not come for its assignment', () => {
    const rig = new ClassicRig();
    const [a = '', b = ''] = rig.stable(2, { sessionTimeoutMs: 60_000 });
    rig.join({ memberId: b, metadata: 'new', sessionTimeoutMs: 60_000 });
    rig.join({ memberId: a, sessionTimeoutMs: 60_000 });
    const waiting = rig.sync(b, 3);
    rig.pass(REBALANCE_MS);
    expect(waiting.result?.errorCode).toBe(27);
    expect(rig.beat(a)).toBe(25);
  });
});

describe('members that are not heard of', () => {
  it('are thrown out after their session, and the others rebalance', () => {
    const rig = new ClassicRig();
    const [a = '', b = ''] = rig.stable(2);
    rig.pass(SESSION_MS / 2);
    expect(rig.beat(a)).toBe(0);
    rig.pass(SESSION_MS / 2);
    expect(rig.group.members.map(({ id }) => id)).toEqual([a]);
    expect(rig.beat(a)).toBe(27);
    expect(rig.beat(b)).toBe(25);
    rig.pass(SESSION_MS);
    expect(rig.group.state).toBe('Empty');
    expect(rig.group.deadline()).toBe(Infinity);
  });

  it('are alive while their JoinGroup waits', () => {
    const rig = new ClassicRig();
    const [a = '', b = ''] = rig.stable(2, { sessionTimeoutMs: 60_000 });
    const waiting = rig.join({ memberId: a, metadata: 'new' });
    rig.pass(REBALANCE_MS - 1);
    expect(waiting.result).toBeNull();
    rig.join({ memberId: b });
    expect(waiting.result?.errorCode).toBe(0);
  });
});

describe('new members', () => {
  it('that wait for their first rebalance for five minutes are given up', () => {
    const rig = new ClassicRig();
    const patient = { sessionTimeoutMs: 1_000_000, rebalanceTimeoutMs: 1_000_000 };
    rig.stable(1, patient);
    const waiting = rig.join(patient);
    rig.pass(5 * 60_000 - 1);
    expect(waiting.result).toBeNull();
    rig.pass(1);
    expect(waiting.result?.errorCode).toBe(25);
    expect(rig.group.members).toHaveLength(1);
  });
});

describe('commits', () => {
  it('count from members of this generation, also while it rebalances, not while it is being assigned', () => {
    const rig = new ClassicRig();
    expect([rig.commit('', -1), rig.commit('x', -1), rig.commit('x', 3)]).toEqual([0, 0, 25]);
    const [a = ''] = rig.stable(1);
    expect([rig.commit(a), rig.commit(a, 9), rig.commit('x'), rig.commit('', -1), rig.commit('x', -1)]).toEqual([
      0, 22, 25, 25, 25,
    ]);
    rig.join();
    expect(rig.commit(a)).toBe(0);
    rig.join({ memberId: a });
    expect(rig.commit(a)).toBe(27);
  });
});

describe('static members', () => {
  const groupInstanceId = 'one';

  it('come back under another id without a rebalance; who was there before is fenced', () => {
    const rig = new ClassicRig();
    const [leader = ''] = rig.stable(1, { groupInstanceId });
    const back = rig.join({ groupInstanceId });
    expect(back.result).toMatchObject({
      errorCode: 0,
      generationId: 1,
      leader: 'one-2',
      memberId: 'one-2',
      skipAssignment: true,
    });
    expect(rig.group.state).toBe('Stable');
    expect(rig.sync('one-2', 1, { groupInstanceId }).result?.assignment.toString()).toBe(`for ${leader}`);
    expect(rig.beat(leader, 1, groupInstanceId)).toBe(82);
    expect(rig.beat(leader, 1)).toBe(25);
    expect(rig.beat('one-2', 1, 'two')).toBe(25);
    expect(rig.join({ memberId: leader, groupInstanceId }).result?.errorCode).toBe(82);
  });

  it('are told of the leader that was, if they are too old to skip the assignment', () => {
    const rig = new ClassicRig();
    const [leader = ''] = rig.stable(1, { groupInstanceId });
    const back = rig.join({ groupInstanceId, canSkipAssignment: false });
    expect(back.result).toMatchObject({ leader, memberId: 'one-2', skipAssignment: false, members: [] });
  });

  it('take the place of their former self that still waits', () => {
    const rig = new ClassicRig();
    const [a = ''] = rig.stable(1);
    const former = rig.join({ groupInstanceId });
    const back = rig.join({ groupInstanceId });
    expect(former.result?.errorCode).toBe(82);
    rig.join({ memberId: a });
    expect(back.result?.errorCode).toBe(0);
  });

  it('stay when they do not rejoin in time, until their session ends', () => {
    const rig = new ClassicRig();
    const [a = ''] = rig.stable(1, { sessionTimeoutMs: 60_000 });
    const other = rig.join({ groupInstanceId, sessionTimeoutMs: 9000 });
    rig.join({ memberId: a, sessionTimeoutMs: 60_000 });
    rig.sync(a, 2, { all: [a] });
    rig.sync(other.result?.memberId ?? '', 2, { groupInstanceId });
    const again = rig.join({ memberId: a, metadata: 'new', sessionTimeoutMs: 60_000 });
    rig.pass(REBALANCE_MS);
    expect(again.result?.members).toHaveLength(2);
  });

  it('are removed by their instance id', () => {
    const rig = new ClassicRig();
    rig.stable(1, { groupInstanceId });
    expect(rig.leave('', 'two')).toBe(25);
    expect(rig.leave('', groupInstanceId)).toBe(0);
    expect(rig.group.state).toBe('Empty');
  });
});

describe('leaving', () => {
  it('is for members, also those that have only an id', () => {
    const rig = new ClassicRig();
    expect(rig.leave('x')).toBe(25);
    rig.join({ requiresKnownMemberId: true });
    const waiting = rig.join();
    expect(rig.leave('c-1')).toBe(0);
    expect(waiting.result?.errorCode).toBe(0);
    expect(rig.leave('c-2')).toBe(0);
    expect(rig.group.state).toBe('Empty');
    expect(rig.group.generation).toMatchObject({ id: 2, protocolName: null, leader: null });
  });
});

describe('another coordinator', () => {
  it('knows the last generation that was complete, and nothing of what came after', () => {
    const rig = new ClassicRig();
    const [a = '', b = ''] = rig.stable(2);
    const waiting = rig.join({ memberId: a, metadata: 'new' });
    rig.join({ requiresKnownMemberId: true });
    rig.group.move(rig.now);
    rig.settle();
    expect(waiting.result?.errorCode).toBe(16);
    expect(rig.group).toMatchObject({ state: 'Stable' });
    expect([rig.beat(a, 2), rig.beat(b, 2)]).toEqual([0, 0]);
    expect(rig.join({ memberId: 'c-3' }).result?.errorCode).toBe(25);
    expect(rig.sync(b, 2).result?.assignment.toString()).toBe(`for ${b}`);
    rig.pass(SESSION_MS);
    expect(rig.group.state).toBe('Empty');
  });

  it('knows nothing of a group that was never complete', () => {
    const rig = new ClassicRig();
    expect(rig.join().result?.errorCode).toBe(0);
    rig.group.move(rig.now);
    expect(rig.group).toMatchObject({ state: 'Empty', members: [] });
    expect(rig.sync('c-1', 1).result?.errorCode).toBe(25);
  });
});
