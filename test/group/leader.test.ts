import { describe, expect, it } from 'vitest';
import type { Assignor } from '../../src/group/assignors/assignor.ts';
import { decodeAssignment, decodeSubscription, encodeSubscription } from '../../src/protocol/consumer-protocol.ts';
import { OPTIONS, Rig, asMember, joined, metadata, synced } from './rig.ts';

describe('the leader', () => {
  const members = [asMember('me', ['orders']), asMember('other', ['orders', 'audit'])];
  const asLeader = joined({ leader: 'me', members });

  it("assigns over each member's own subscription once it knows every topic of the group", () => {
    const rig = new Rig();
    rig.on({ type: 'joinAnswered', id: rig.joining(), response: asLeader });
    expect(rig.last('refreshMetadata').topics).toEqual(['orders', 'audit']);
    expect(rig.group.watchedTopics).toEqual(['orders', 'audit']);
    rig.on(metadata({ orders: 3 }));
    expect(rig.types).toEqual([]); // that refresh had not asked for audit yet
    rig.on(metadata({ orders: 3, audit: 2 }));
    const shares = rig
      .last('sendSync')
      .request.assignments.map(({ memberId, assignment }) => [
        memberId,
        decodeAssignment(assignment).assignedPartitions,
      ]);
    expect(Object.fromEntries(shares)).toEqual({
      me: [{ topic: 'orders', partitions: [0, 1] }],
      other: [
        { topic: 'audit', partitions: [0, 1] },
        { topic: 'orders', partitions: [2] },
      ],
    });
  });

  it('gives out nothing of topics that do not exist, and heartbeats while it waits', () => {
    const rig = new Rig();
    rig.on({ type: 'joinAnswered', id: rig.joining(), response: asLeader });
    rig.pass(OPTIONS.heartbeatIntervalMs);
    expect(rig.types).toEqual(['sendHeartbeat']);
    rig.on(metadata({ orders: 1, audit: 0 }));
    expect(rig.types).toEqual(['sendSync']);
  });

  function leading(): Rig {
    const rig = new Rig();
    rig.on({ type: 'joinAnswered', id: rig.joining(), response: asLeader });
    rig.on(metadata({ orders: 3, audit: 2 }));
    rig.on({ type: 'syncAnswered', id: rig.last('sendSync').id, response: synced([['orders', [0]]]) });
    return rig;
  }

  it('rejoins when the partitions of a topic of the group change, of no other', () => {
    const rig = leading();
    rig.on(metadata({ orders: 3, audit: 2, elsewhere: 9 }));
    rig.on(metadata({ orders: 3 }));
    expect(rig.types).toEqual([]);
    rig.on(metadata({ orders: 3, audit: 3 }));
    expect(rig.types).toEqual(['revoke']);
    rig.on({ type: 'revoked' });
    expect(rig.last('sendJoin').request.reason).toBe("the partitions of topic 'audit' have changed");
  });

  it('of a group without racks does not care where replicas move', () => {
    const rig = leading();
    const partitions = [0, 1, 2].map((partition) => ({ partition, replicaRacks: ['moved'] }));
    rig.on({ type: 'metadata', partitions: new Map([['orders', partitions]]) });
    expect(rig.types).toEqual([]);
  });

  it('of a group with racks does', () => {
    const rig = new Rig();
    const response = joined({ leader: 'me', members: [asMember('me', ['orders'], 'rack-a')] });
    rig.on({ type: 'joinAnswered', id: rig.joining(), response });
    rig.on(metadata({ orders: 1 }));
    rig.on({ type: 'syncAnswered', id: rig.last('sendSync').id, response: synced([['orders', [0]]]) });
    rig.on({ type: 'metadata', partitions: new Map([['orders', [{ partition: 0, replicaRacks: ['rack-a'] }]]]) });
    expect(rig.types).toEqual(['revoke']);
  });

  it('that a follower became watches nothing any more', () => {
    const rig = leading();
    rig.on({ type: 'heartbeatAnswered', id: rig.heartbeat(), response: { throttleTimeMs: 0, errorCode: 27 } });
    rig.on({ type: 'revoked' });
    rig.on({ type: 'joinAnswered', id: rig.last('sendJoin').id, response: joined({ generationId: 2 }) });
    expect(rig.group.watchedTopics).toEqual(['orders']);
    expect(rig.group.isLeader).toBe(false);
  });

  it('does not assign again where the broker says so (KIP-814), but watches', () => {
    const rig = new Rig({ groupInstanceId: 'one' });
    const response = joined({ leader: 'me', members, skipAssignment: true });
    rig.on({ type: 'joinAnswered', id: rig.joining(), response });
    expect(rig.last('sendSync').request.assignments).toEqual([]);
    const syncId = rig.last('sendSync').id;
    rig.on(metadata({ orders: 3, audit: 2 }));
    rig.on({ type: 'syncAnswered', id: syncId, response: synced([['orders', [0]]]) });
    rig.on(metadata({ orders: 4, audit: 2 }));
    expect(rig.types).toEqual(['revoke']);
  });

  it('gives nothing to a member whose subscription makes no sense, and says which', () => {
    const rig = new Rig();
    const broken = { memberId: 'broken', groupInstanceId: null, metadata: Buffer.from([0, 1, 127]) };
    rig.on({
      type: 'joinAnswered',
      id: rig.joining(),
      response: joined({ leader: 'me', members: [...members, broken] }),
    });
    rig.on(metadata({ orders: 3, audit: 2 }));
    const share = rig.last('sendSync').request.assignments.find(({ memberId }) => memberId === 'broken');
    expect(decodeAssignment(share?.assignment ?? Buffer.alloc(0)).assignedPartitions).toEqual([]);
    expect(rig.log.join('\n')).toContain("error: group 'billing': the subscription of member 'broken' makes no sense");
  });

  it('fails with the error of a custom assignor', () => {
    const custom: Assignor = {
      name: 'custom',
      supportedProtocols: ['eager'],
      subscriptionUserData: () => Buffer.from('weight=2'),
      assign: () => {
        throw new Error('no idea');
      },
    };
    const rig = new Rig({ assignors: [custom] });
    const id = rig.joining();
    const subscription = decodeSubscription(rig.last('sendJoin').request.protocols[0]?.metadata ?? Buffer.alloc(0));
    expect(String(subscription.userData)).toBe('weight=2');
    rig.on({ type: 'joinAnswered', id, response: { ...asLeader, protocolName: 'custom' } });
    rig.on(metadata({ orders: 3, audit: 2 }));
    expect(rig.last('fail').error.message).toBe('The assignor custom failed: Error: no idea');
  });
});

it.each([
  { what: 'gives away what another member still owns: fatal, named', gives: { me: [], other: [0, 1] }, fails: true },
  { what: 'leaves it out until it is given up: in order', gives: { me: [0], other: [] }, fails: false },
])('a cooperative assignor of the application that $what', ({ gives, fails }) => {
  const mine: Assignor = {
    name: 'mine',
    supportedProtocols: ['eager', 'cooperative'],
    assign: () => new Map(Object.entries(gives).map(([id, partitions]) => [id, [{ topic: 'orders', partitions }]])),
  };
  const rig = new Rig({ assignors: [mine] });
  const owner = {
    ...asMember('me', ['orders']),
    metadata: encodeSubscription({
      topics: ['orders'],
      userData: null,
      ownedPartitions: [{ topic: 'orders', partitions: [0, 1] }],
      generationId: 4,
      rackId: null,
    }),
  };
  rig.on({
    type: 'joinAnswered',
    id: rig.joining(),
    response: joined({ leader: 'me', protocolName: 'mine', members: [owner, asMember('other', ['orders'])] }),
  });
  rig.on(metadata({ orders: 2 }));
  if (fails) expect(rig.last('fail').error.message).toMatch(/assignor mine failed: .*orders-0 to 'other' while 'me'/);
  else expect(rig.types).toEqual(['sendSync']);
});
