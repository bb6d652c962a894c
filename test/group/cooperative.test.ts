import { describe, expect, it } from 'vitest';
import { range } from '../../src/group/assignors/range.ts';
import { cooperativeSticky } from '../../src/group/assignors/sticky.ts';
import type { TopicPartition } from '../../src/group/events.ts';
import type { JoinGroupRequest } from '../../src/protocol/api/join-group.ts';
import { decodeSubscription } from '../../src/protocol/consumer-protocol.ts';
import { CONNECTION_LOST, OPTIONS, Rig, joined, synced } from './rig.ts';

const { name: protocolName } = cooperativeSticky;
const REBALANCING = { throttleTimeMs: 0, errorCode: 27 };

function orders(...partitions: number[]): TopicPartition[] {
  return partitions.map((partition) => ({ topic: 'orders', partition }));
}

/** What a JoinGroup claims, and as of which generation. */
function claimOf(request: JoinGroupRequest): [owned: unknown, generation: number] {
  const { ownedPartitions, generationId } = decodeSubscription(request.protocols[0]?.metadata ?? Buffer.alloc(0));
  return [ownedPartitions, generationId];
}

class CooperativeRig extends Rig {
  constructor() {
    super({ assignors: [cooperativeSticky] });
  }

  /** Answers the JoinGroup that is out, and the SyncGroup that follows. */
  given(generationId: number, partitions: number[]): void {
    this.on({
      type: 'joinAnswered',
      id: this.last('sendJoin').id,
      response: joined({ generationId, protocolName }),
    });
    const response = synced(partitions.length === 0 ? [] : [['orders', partitions]], { protocolName });
    this.on({ type: 'syncAnswered', id: this.last('sendSync').id, response });
  }

  /** Owns orders 0, 1 and 2, of generation 1. */
  owning(topics = ['orders']): void {
    this.joining(topics);
    this.given(1, [0, 1, 2]);
    expect(this.group.owned).toEqual(orders(0, 1, 2));
  }

  /** The group begins a new generation. */
  rebalance(): void {
    this.on({ type: 'heartbeatAnswered', id: this.heartbeat(), response: REBALANCING });
  }
}

describe('a cooperative member', () => {
  it('keeps all of it through a rebalance, and claims it', () => {
    const rig = new CooperativeRig();
    rig.owning();
    rig.rebalance();
    expect(rig.types).toEqual(['sendJoin']);
    expect(claimOf(rig.last('sendJoin').request)).toEqual([[{ topic: 'orders', partitions: [0, 1, 2] }], 1]);
    rig.given(2, [0, 1, 2]);
    expect(rig.actions).toEqual([
      { type: 'assign', partitions: orders(0, 1, 2), added: [], isSettled: true, generation: 2, memberId: 'me' },
    ]);
    expect(rig.group.state).toBe('stable');
  });

  it('gives up only what the new assignment takes away, takes what it adds, and joins again at once', () => {
    const rig = new CooperativeRig();
    rig.owning();
    rig.rebalance();
    rig.given(2, [0, 5]);
    expect(rig.actions).toEqual([
      { type: 'revoke', partitions: orders(1, 2), lost: false, generation: 2, memberId: 'me' },
      { type: 'assign', partitions: orders(0, 5), added: orders(5), isSettled: false, generation: 2, memberId: 'me' },
    ]);
    expect(rig.group.state).toBe('revoking');
    const begin = rig.now;
    expect(rig.pass(OPTIONS.heartbeatIntervalMs).map(({ type }) => type)).toEqual(['sendHeartbeat']);
    rig.on({ type: 'heartbeatAnswered', id: rig.heartbeatId, response: REBALANCING });
    expect(rig.types).toEqual([]);
    rig.on({ type: 'revoked' });
    expect(rig.types).toEqual(['sendJoin']);
    expect(rig.now).toBe(begin + OPTIONS.heartbeatIntervalMs);
    const { request } = rig.last('sendJoin');
    expect(request.reason).toBe('gives up 2 partitions for other members');
    expect(claimOf(request)).toEqual([[{ topic: 'orders', partitions: [0, 5] }], 2]);
  });

  it('claims as of the newest generation that it has joined, also where SyncGroup failed', () => {
    const rig = new CooperativeRig();
    rig.owning();
    rig.rebalance();
    rig.on({
      type: 'joinAnswered',
      id: rig.last('sendJoin').id,
      response: joined({ generationId: 2, protocolName }),
    });
    rig.on({ type: 'syncAnswered', id: rig.last('sendSync').id, response: synced([], { errorCode: 27 }) });
    expect(claimOf(rig.last('sendJoin').request)).toEqual([[{ topic: 'orders', partitions: [0, 1, 2] }], 2]);
  });

  it('gives up the partitions of a topic that it does not subscribe to any more before it joins', () => {
    const rig = new CooperativeRig();
    rig.joining(['audit', 'orders']);
    rig.on({ type: 'joinAnswered', id: rig.last('sendJoin').id, response: joined({ protocolName }) });
    const response = synced([['audit', [7]], ['orders', [0]]], { protocolName }); // prettier-ignore
    rig.on({ type: 'syncAnswered', id: rig.last('sendSync').id, response });
    rig.on({ type: 'subscribed', topics: ['orders'] });
    expect(rig.last('revoke').partitions).toEqual([{ topic: 'audit', partition: 7 }]);
    rig.on({ type: 'subscribed', topics: ['other'] }); // and while that goes on: the other one, too
    expect(rig.types).toEqual([]);
    rig.on({ type: 'revoked' });
    expect(rig.last('revoke').partitions).toEqual(orders(0));
    rig.on({ type: 'revoked' });
    expect(rig.types).toEqual(['sendJoin']);
    expect(claimOf(rig.last('sendJoin').request)).toEqual([[], 1]);
  });

  it('unknown to the coordinator when it joins: all is lost, and a new member joins', () => {
    const rig = new CooperativeRig();
    rig.owning();
    rig.rebalance();
    const id = rig.last('sendJoin').id;
    rig.on({ type: 'joinAnswered', id, response: joined({ errorCode: 25, memberId: '' }) });
    expect(rig.last('revoke')).toMatchObject({ partitions: orders(0, 1, 2), lost: true });
    rig.on({ type: 'revoked' });
    const { request } = rig.last('sendJoin');
    expect(request.memberId).toBe('');
    expect(claimOf(request)).toEqual([[], -1]);
  });

  it('thrown out while it gives up a part: the rest is lost with it, one `revoked` for both', () => {
    const rig = new CooperativeRig();
    rig.owning();
    rig.rebalance();
    rig.given(2, [0]);
    const id = rig.heartbeat();
    rig.on({ type: 'heartbeatAnswered', id, response: { throttleTimeMs: 0, errorCode: 22 } });
    expect(rig.last('revoke')).toMatchObject({ partitions: orders(1, 2, 0), lost: true });
    expect(rig.group.owned).toEqual([]);
    rig.on({ type: 'revoked' });
    expect(rig.types).toEqual(['sendJoin']);
  });

  it.each(['unsubscribed', 'close'] as const)(
    '%s while JoinGroup is out: does not wait for its answer, commits as of the generation it is in, then leaves',
    (type) => {
      const rig = new CooperativeRig();
      rig.owning();
      rig.rebalance();
      rig.on({ type });
      expect(rig.types).toEqual(['dropConnection', 'revoke', 'sendHeartbeat']);
      expect(rig.last('revoke')).toMatchObject({ partitions: orders(0, 1, 2), lost: false, generation: 1 });
      rig.on({ type: 'revoked' });
      expect(rig.last('sendLeave').request.memberId).toBe('me');
    },
  );

  it('keeps everything while the coordinator is away, and claims it from the next one', () => {
    const rig = new CooperativeRig();
    rig.owning();
    rig.rebalance();
    rig.on({ type: 'coordinatorLost', error: CONNECTION_LOST });
    rig.find();
    expect(claimOf(rig.last('sendJoin').request)).toEqual([[{ topic: 'orders', partitions: [0, 1, 2] }], 1]);
    expect(rig.group.owned).toEqual(orders(0, 1, 2));
  });
});

it('a list with one eager assignor in it is eager, as in Java, whichever the group then chooses', () => {
  const rig = new Rig({ assignors: [range, cooperativeSticky] });
  rig.joining();
  rig.on({ type: 'joinAnswered', id: rig.last('sendJoin').id, response: joined({ protocolName }) });
  rig.on({ type: 'syncAnswered', id: rig.last('sendSync').id, response: synced([['orders', [0]]], { protocolName }) });
  rig.on({ type: 'heartbeatAnswered', id: rig.heartbeat(), response: REBALANCING });
  expect(rig.types).toEqual(['revoke']);
  rig.on({ type: 'revoked' });
  expect(claimOf(rig.last('sendJoin').request)).toEqual([[], 1]);
});
