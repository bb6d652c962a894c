import { describe, expect, it } from 'vitest';
import { ConsumerRig, owned, REBALANCE_MS, SESSION_MS } from './consumer-rig.ts';

const NONE = { errorCode: 0, assignment: null };

describe('the consumer group protocol', () => {
  it('gives a single member everything at once', () => {
    const rig = new ConsumerRig();
    expect(rig.join('a')).toMatchObject({
      errorCode: 0,
      memberId: 'a',
      memberEpoch: 1,
      heartbeatIntervalMs: 100,
      assignment: owned(0, 1, 2, 3),
    });
    expect(rig.beat('a', 1, { topicPartitions: owned(0, 1, 2, 3) })).toMatchObject({ ...NONE, memberEpoch: 1 });
    expect(rig.group).toMatchObject({ state: 'Stable', epoch: 1, assignmentEpoch: 1 });
  });

  it('gives a partition to its next owner only when the last one has given it back', () => {
    const rig = new ConsumerRig();
    rig.join('a');
    rig.beat('a', 1, { topicPartitions: owned(0, 1, 2, 3) });
    const b = rig.join('b');
    expect(b).toMatchObject({ memberEpoch: 2, assignment: [] });
    const revoke = rig.beat('a', 1);
    expect(revoke.memberEpoch).toBe(1); // it stays in its epoch until it has given back
    expect(revoke.assignment?.[0]?.partitions).toHaveLength(2);
    expect(rig.group.state).toBe('Reconciling');
    expect(rig.beat('b', 2)).toMatchObject(NONE);
    expect(rig.beat('a', 1)).toMatchObject({ ...NONE, memberEpoch: 1 }); // still busy
    expect(rig.beat('a', 1, { topicPartitions: owned(0, 1, 2, 3) }).memberEpoch).toBe(1);
    expect(rig.beat('b', 2)).toMatchObject(NONE);
    expect(rig.beat('a', 1, { topicPartitions: revoke.assignment })).toMatchObject({ errorCode: 0, memberEpoch: 2 });
    const given = rig.beat('b', 2);
    const partitions = [...(revoke.assignment?.[0]?.partitions ?? []), ...(given.assignment?.[0]?.partitions ?? [])];
    expect(partitions.sort()).toEqual([0, 1, 2, 3]);
    expect(rig.group.state).toBe('Stable');
  });

  it('throws out who does not give back in time, or is not heard of', () => {
    const rig = new ConsumerRig({ sessionTimeoutMs: 60_000 });
    rig.join('a');
    rig.beat('a', 1, { topicPartitions: owned(0, 1, 2, 3) });
    rig.join('b');
    rig.beat('a', 1);
    rig.pass(REBALANCE_MS);
    expect(rig.beat('a', 1).errorCode).toBe(25);
    expect(rig.beat('b', 2)).toMatchObject({ memberEpoch: 3, assignment: owned(0, 1, 2, 3) });
    const other = new ConsumerRig();
    other.join('a');
    other.pass(SESSION_MS);
    expect(other.group.state).toBe('Empty');
    expect(other.group.deadline()).toBe(Infinity);
  });

  it('fences what does not fit, and forgives a lost answer', () => {
    const rig = new ConsumerRig();
    rig.join('a');
    expect(rig.beat('a', 5).errorCode).toBe(110);
    expect(rig.beat('nobody', 1).errorCode).toBe(25);
    rig.join('b');
    rig.beat('a', 1, { topicPartitions: [] }); // gives back all, gets two, epoch 2
    expect(rig.beat('a', 1, { topicPartitions: [] })).toMatchObject({ errorCode: 0, memberEpoch: 2 });
    expect(rig.beat('a', 1, { topicPartitions: owned(0, 1, 2, 3) }).errorCode).toBe(110);
    expect(rig.beat('a', 1).errorCode).toBe(110);
  });

  it('lets a member that was fenced join again under its id', () => {
    const rig = new ConsumerRig();
    rig.join('a');
    expect(rig.join('a')).toMatchObject({ errorCode: 0, memberEpoch: 1, assignment: owned(0, 1, 2, 3) });
    expect(rig.group.members).toHaveLength(1);
  });

  it('takes back partitions at once from who leaves', () => {
    const rig = new ConsumerRig();
    rig.join('a');
    rig.join('b');
    expect(rig.beat('a', -1)).toMatchObject({ errorCode: 0, memberEpoch: -1 });
    expect(rig.beat('b', 2)).toMatchObject({ memberEpoch: 3, assignment: owned(0, 1, 2, 3) });
    expect(rig.beat('a', -1).errorCode).toBe(25);
  });

  it('keeps the place of a static member that is away for a while', () => {
    const rig = new ConsumerRig();
    rig.join('a', { instanceId: 'one' });
    expect(rig.join('a2', { instanceId: 'one' }).errorCode).toBe(111);
    expect(rig.beat('a2', -2, { instanceId: 'one' }).errorCode).toBe(82);
    expect(rig.beat('a', -2, { instanceId: 'one' })).toMatchObject({ errorCode: 0, memberEpoch: -2 });
    expect(rig.join('b')).toMatchObject({ assignment: [] });
    expect(rig.join('a2', { instanceId: 'one' }).errorCode).toBe(0);
    expect(rig.beat('a', 1, { instanceId: 'one' }).errorCode).toBe(82);
    expect(rig.group.members.map(({ id }) => id).sort()).toEqual(['a2', 'b']);
  });

  it('follows the topics, and subscriptions by name and by pattern', () => {
    const rig = new ConsumerRig();
    rig.join('a', { subscribedTopicNames: [], subscribedTopicRegex: 't|audit\\..*' });
    rig.topics.push({ id: 'U', name: 'audit.x', partitions: 1 }, { id: 'V', name: 'not.audit.x', partitions: 1 });
    expect(rig.beat('a', 1)).toMatchObject({
      memberEpoch: 2,
      assignment: [...owned(0, 1, 2, 3), { topicId: 'U', partitions: [0] }],
    });
    rig.topics.splice(0, 1);
    const smaller = rig.beat('a', 2, { topicPartitions: owned(0) });
    expect(smaller.assignment).toEqual([{ topicId: 'U', partitions: [0] }]);
    rig.beat('a', 2, { topicPartitions: smaller.assignment });
    expect(rig.beat('a', 3, { subscribedTopicRegex: '', subscribedTopicNames: ['not.audit.x'] }).assignment).toEqual(
      [],
    );
    expect(rig.beat('a', 3, { topicPartitions: [] })).toMatchObject({
      memberEpoch: 4,
      assignment: [{ topicId: 'V', partitions: [0] }],
    });
  });

  it('assigns as the members ask', () => {
    const rig = new ConsumerRig();
    rig.join('b', { serverAssignor: 'range' });
    expect(rig.group.assignor).toBe('range');
    rig.join('a', { serverAssignor: 'range' });
    expect(rig.beat('b', 1).assignment).toEqual(owned(2, 3));
  });

  it.each([
    [{ serverAssignor: 'mine' }, 112],
    [{ subscribedTopicRegex: '(' }, 128],
    [{ subscribedTopicRegex: '(?!x)y' }, 128],
    [{ subscribedTopicRegex: '(a)\\1' }, 128],
    [{ topicPartitions: null }, 42],
    [{ topicPartitions: owned(1) }, 42],
    [{ rebalanceTimeoutMs: -1 }, 42],
    [{ subscribedTopicNames: null }, 42],
    [{ instanceId: '' }, 42],
    [{ memberEpoch: -2 }, 42],
    [{ memberEpoch: -3 }, 42],
  ])('refuses to let in %j', (options, errorCode) => {
    const rig = new ConsumerRig();
    expect(rig.join('a', options).errorCode).toBe(errorCode);
    expect(rig.group.members).toHaveLength(0);
  });

  it('names members that have no id, and lets in no more than it may', () => {
    const rig = new ConsumerRig({ maxSize: 1 });
    expect(rig.join('')).toMatchObject({ errorCode: 0, memberId: 'made' });
    expect(rig.join('b').errorCode).toBe(81);
  });

  it('commits count in the member epoch only', () => {
    const rig = new ConsumerRig();
    expect([rig.group.checkEpoch('', -1), rig.group.checkEpoch(null, -1)]).toEqual([0, 0]);
    rig.join('a');
    expect([
      rig.group.checkEpoch('a', 1),
      rig.group.checkEpoch('a', 0),
      rig.group.checkEpoch('b', 1),
      rig.group.checkEpoch('', -1),
    ]).toEqual([0, 113, 25, 25]);
  });
});
