import { describe, expect, it, vi } from 'vitest';
import type { Assignor } from '../../../src/group/assignors/assignor.ts';
import { sticky } from '../../../src/group/assignors/sticky.ts';
import { decodePreviousAssignment } from '../../../src/group/assignors/sticky-user-data.ts';
import { decodeAssignment, decodeSubscription } from '../../../src/protocol/consumer-protocol.ts';
import { Rig, asMember, joined, metadata, synced } from '../rig.ts';

function userDataOf(rig: Rig): Buffer | null {
  const [protocol] = rig.last('sendJoin').request.protocols;
  return decodeSubscription(protocol?.metadata ?? Buffer.alloc(0)).userData;
}

describe('what an assignor puts into JoinGroup', () => {
  it("'sticky': what it was assigned last, though that is revoked before it joins", () => {
    const rig = new Rig({ assignors: [sticky] });
    const id = rig.joining();
    expect(userDataOf(rig)).toBeNull();
    rig.on({ type: 'joinAnswered', id, response: joined({ generationId: 4, protocolName: 'sticky' }) });
    const response = synced([['orders', [2, 5]]], { protocolName: 'sticky' });
    rig.on({ type: 'syncAnswered', id: rig.last('sendSync').id, response });
    rig.on({ type: 'subscribed', topics: ['audit', 'orders'] });
    expect(rig.last('revoke').partitions).toHaveLength(2);
    rig.on({ type: 'revoked' });
    expect(decodePreviousAssignment(userDataOf(rig))).toEqual({
      partitions: [{ topic: 'orders', partitions: [2, 5] }],
      generation: 4,
    });
  });

  it('one of the application: its bytes, and its assignment at the leader', () => {
    const assign = vi.fn<Assignor['assign']>(() => new Map([['other', [{ topic: 'orders', partitions: [0, 1] }]]]));
    const mine: Assignor = {
      name: 'mine',
      supportedProtocols: ['eager'],
      subscriptionUserData: (topics, last) => Buffer.from(`${topics.join()} ${last?.generationId ?? 'never'}`),
      assign,
    };
    const rig = new Rig({ assignors: [mine] });
    const id = rig.joining();
    expect(userDataOf(rig)?.toString()).toBe('orders never');
    const members = [asMember('me', ['orders']), asMember('other', ['orders'])];
    rig.on({ type: 'joinAnswered', id, response: joined({ leader: 'me', protocolName: 'mine', members }) });
    rig.on(metadata({ orders: 2 }));
    expect(assign.mock.calls[0]?.[1].map(({ memberId }) => memberId)).toEqual(['me', 'other']);
    const shares = rig
      .last('sendSync')
      .request.assignments.map(({ memberId, assignment }) => [
        memberId,
        decodeAssignment(assignment).assignedPartitions,
      ]);
    expect(shares).toEqual([
      ['me', []],
      ['other', [{ topic: 'orders', partitions: [0, 1] }]],
    ]);
  });
});
