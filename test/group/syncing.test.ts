import { describe, expect, it } from 'vitest';
import { OPTIONS, Rig, asMember, joined, metadata, synced } from './rig.ts';

// A SyncGroup that is not answered: was its answer lost, or is the leader slow? Sent again it does no harm in either case.

const WAIT_MS = OPTIONS.sessionTimeoutMs / 5;

/** Lets `ms` pass; the coordinator is found as soon as it is looked for. Returns when SyncGroup went out again. */
function passFinding(rig: Rig, ms: number): number[] {
  const end = rig.now + ms;
  const sent: number[] = [];
  while (rig.group.deadline() <= end) {
    rig.pass(rig.group.deadline() - rig.now);
    if (rig.types.includes('findCoordinator')) rig.find();
    if (rig.types.includes('sendSync')) sent.push(rig.now);
  }
  rig.now = end;
  return sent;
}

describe('a SyncGroup that is not answered', () => {
  it('is sent again, the same, on another connection, to where the coordinator is now', () => {
    const rig = new Rig();
    rig.syncing();
    const { request } = rig.last('sendSync');
    rig.pass(WAIT_MS - 1);
    rig.pass(1);
    expect(rig.types).toEqual(['coordinatorUnknown', 'findCoordinator']);
    rig.find();
    expect(rig.types).toEqual(['sendSync', 'sendHeartbeat']);
    expect(rig.last('sendSync').request).toEqual(request);
    rig.on({ type: 'syncAnswered', id: rig.last('sendSync').id, response: synced([['orders', [0]]]) });
    expect(rig.group.state).toBe('stable');
    expect(rig.group.owned).toEqual([{ topic: 'orders', partition: 0 }]);
  });

  it('of the leader carries the assignments again', () => {
    const rig = new Rig();
    const id = rig.joining();
    rig.on(metadata({ orders: 2 }));
    const members = [asMember('me', ['orders']), asMember('other', ['orders'])];
    rig.on({ type: 'joinAnswered', id, response: joined({ leader: 'me', members }) });
    const { request } = rig.last('sendSync');
    expect(request.assignments).toHaveLength(2);
    rig.pass(WAIT_MS);
    rig.find();
    expect(rig.last('sendSync').request).toEqual(request);
  });

  it('because the leader is slow is sent less and less often, and the generation stands for as long as it takes', () => {
    const rig = new Rig();
    rig.syncing();
    const begin = rig.now;
    const sent = passFinding(rig, 300_000).map((at) => (at - begin) / 1000);
    expect(sent.map(Math.round)).toEqual([9, 27, 63, 109, 155, 201, 247, 293]);
    expect(rig.group.state).toBe('completing-rebalance');
    expect(rig.log.filter((line) => line.includes('JoinGroup'))).toEqual([]);
  });

  it('and whose answer comes late, for the one before: nothing; the next one counts', () => {
    const rig = new Rig();
    const first = rig.syncing();
    rig.pass(WAIT_MS);
    rig.find();
    const { id } = rig.last('sendSync');
    rig.on({ type: 'syncAnswered', id: first, response: synced([['orders', [0]]]) });
    expect(rig.group.state).toBe('completing-rebalance');
    rig.on({ type: 'syncAnswered', id, response: synced([['orders', [1]]]) });
    expect(rig.group.owned).toEqual([{ topic: 'orders', partition: 1 }]);
  });

  it('while its place is looked for, a coordinator that wants a rejoin gets one, and a close ends it', () => {
    for (const event of ['close', 'subscribed'] as const) {
      const rig = new Rig();
      rig.syncing();
      rig.pass(WAIT_MS);
      rig.on(event === 'close' ? { type: 'close' } : { type: 'subscribed', topics: ['orders', 'audit'] });
      if (event === 'close') expect(rig.types).toEqual(['left']);
      else {
        expect(rig.group.state).toBe('preparing-rebalance');
        expect(passFinding(rig, 300_000)).toEqual([]);
      }
    }
  });
});
