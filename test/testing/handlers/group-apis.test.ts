import { describe, expect, it } from 'vitest';
import type { ConsumerGroupHeartbeatRequest } from '../../../src/protocol/api/consumer-group-heartbeat.ts';
import { consumerGroupHeartbeatHandler as heartbeats } from '../../../src/testing/handlers/consumer-group-heartbeat.ts';
import { describeGroupsHandler as descriptions } from '../../../src/testing/handlers/describe-groups.ts';
import { listGroupsHandler as lists } from '../../../src/testing/handlers/list-groups.ts';
import { HandlerRig } from './rig.ts';

function beat(options: Partial<ConsumerGroupHeartbeatRequest> = {}): ConsumerGroupHeartbeatRequest {
  return {
    groupId: 'new',
    memberId: 'm',
    memberEpoch: 0,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: 1000,
    subscribedTopicNames: ['t'],
    subscribedTopicRegex: null,
    serverAssignor: null,
    topicPartitions: [],
    ...options,
  };
}

/** A cluster with a classic group, `old`, that is stable. */
async function started(): Promise<{ rig: HandlerRig; memberId: string }> {
  const rig = await HandlerRig.start({ brokers: 2 });
  rig.cluster.createTopic('t', 2);
  for (const group of ['old', 'new']) rig.cluster.moveCoordinator(group, 1);
  const { coordinator } = rig.cluster;
  const { memberId } = await coordinator.join('old', {
    memberId: '',
    groupInstanceId: 'i',
    clientId: 'c',
    clientHost: '/h',
    sessionTimeoutMs: 60_000,
    rebalanceTimeoutMs: 60_000,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('meta') }],
    requiresKnownMemberId: false,
    canSkipAssignment: true,
  });
  const assignments = [{ memberId, assignment: Buffer.from('mine') }];
  const sync = { memberId, groupInstanceId: 'i', generationId: 1, protocolType: null, protocolName: null, assignments };
  await coordinator.sync(coordinator.findOrCreate('old'), sync);
  return { rig, memberId };
}

describe('ConsumerGroupHeartbeat', () => {
  it('brings members in, and tells what they have got by topic id', async () => {
    const { rig } = await started();
    const id = rig.cluster.topics.byName('t')?.id;
    const joined = await heartbeats.handle(beat(), rig.context(1));
    expect(joined).toEqual({
      throttleTimeMs: 0,
      errorCode: 0,
      errorMessage: null,
      memberId: 'm',
      memberEpoch: 1,
      heartbeatIntervalMs: 100,
      assignment: { topicPartitions: [{ topicId: id, partitions: [0, 1] }] },
    });
    const again = beat({ memberEpoch: 1, subscribedTopicNames: null, topicPartitions: null, rebalanceTimeoutMs: -1 });
    expect(await heartbeats.handle(again, rig.context(1))).toMatchObject({ errorCode: 0, assignment: null });
    expect(rig.cluster.coordinator.find('new')?.consumer.members[0]).toMatchObject({
      clientId: 'client',
      clientHost: '/1.2.3.4',
    });
  });

  it.each([
    [beat({ groupId: '' }), 1, 1, 24],
    [beat(), 1, 2, 16],
    [beat({ memberId: '' }), 1, 1, 42],
    [beat({ memberId: '' }), 0, 1, 0],
    [beat({ memberEpoch: 4 }), 1, 1, 69],
    [beat({ groupId: 'old' }), 1, 1, 69],
  ])('%j in version %i at broker %i gives %i', async (request, version, nodeId, errorCode) => {
    const { rig } = await started();
    expect(await heartbeats.handle(request, rig.context(version, nodeId))).toMatchObject({ errorCode });
  });

  it('keeps classic members out of a consumer group', async () => {
    const { rig } = await started();
    await heartbeats.handle(beat(), rig.context(1));
    const joining = { memberId: '', groupInstanceId: null, clientId: 'c', clientHost: '/h', sessionTimeoutMs: 9000 };
    const protocols = [{ name: 'range', metadata: Buffer.alloc(0) }];
    const more = {
      rebalanceTimeoutMs: 9000,
      protocolType: 'consumer',
      protocols,
      requiresKnownMemberId: false,
      canSkipAssignment: false,
    };
    expect(await rig.cluster.coordinator.join('new', { ...joining, ...more })).toMatchObject({ errorCode: 23 });
  });
});

describe('DescribeGroups', () => {
  it('tells of classic groups', async () => {
    const { rig, memberId } = await started();
    const answer = await descriptions.handle({ groups: ['old'], includeAuthorizedOperations: false }, rig.context(5));
    expect(answer?.groups).toEqual([
      {
        errorCode: 0,
        errorMessage: null,
        groupId: 'old',
        groupState: 'Stable',
        protocolType: 'consumer',
        protocolData: 'range',
        members: [
          {
            memberId,
            groupInstanceId: 'i',
            clientId: 'c',
            clientHost: '/h',
            memberMetadata: Buffer.from('meta'),
            memberAssignment: Buffer.from('mine'),
          },
        ],
        authorizedOperations: -2147483648,
      },
    ]);
  });

  it('of those that are not there, or at another broker', async () => {
    const { rig } = await started();
    await heartbeats.handle(beat(), rig.context(1));
    const request = { groups: ['none', 'new'], includeAuthorizedOperations: true };
    for (const group of request.groups) rig.cluster.moveCoordinator(group, 1);
    const before = await descriptions.handle(request, rig.context(5));
    expect(before?.groups.map(({ errorCode, groupState }) => [errorCode, groupState])).toEqual([
      [0, 'Dead'],
      [0, 'Dead'],
    ]);
    const since = await descriptions.handle(request, rig.context(6));
    expect(since?.groups.map(({ errorCode, groupState }) => [errorCode, groupState])).toEqual([
      [69, 'Dead'],
      [69, 'Dead'],
    ]);
    expect((await descriptions.handle(request, rig.context(5, 2)))?.groups.map(({ errorCode }) => errorCode)).toEqual([
      16, 16,
    ]);
  });
});

describe('ListGroups', () => {
  it('lists what a broker coordinates, by state and type', async () => {
    const { rig } = await started();
    await heartbeats.handle(beat(), rig.context(1));
    const list = async (statesFilter: string[], typesFilter: string[], version = 5, nodeId = 1): Promise<string[]> => {
      const answer = await lists.handle({ statesFilter, typesFilter }, rig.context(version, nodeId));
      return (answer?.groups ?? [])
        .map((each) => `${each.groupId} ${each.protocolType} ${each.groupState} ${each.groupType}`)
        .sort();
    };
    expect(await list([], [])).toEqual(['new consumer Stable consumer', 'old consumer Stable classic']);
    expect(await list(['stable'], ['Classic'])).toEqual(['old consumer Stable classic']);
    expect(await list(['empty'], [])).toEqual([]);
    expect(await list([], [], 3)).toEqual(['new consumer  ', 'old consumer  ']);
    expect(await list([], [], 5, 2)).toEqual([]);
  });
});
