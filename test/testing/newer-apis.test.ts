import { describe, expect, it } from 'vitest';
import {
  consumerGroupHeartbeat,
  type ConsumerGroupHeartbeatRequest,
} from '../../src/protocol/api/consumer-group-heartbeat.ts';
import { describeGroups } from '../../src/protocol/api/describe-groups.ts';
import { listGroups } from '../../src/protocol/api/list-groups.ts';
import { metadata } from '../../src/protocol/api/metadata.ts';
import { saslAuthenticate } from '../../src/protocol/api/sasl-authenticate.ts';
import { saslHandshake } from '../../src/protocol/api/sasl-handshake.ts';
import { connect, join, startKafka, sync } from './rig.ts';

// What the handlers decide is tested beside them; here every version of these APIs goes over a socket.

function versionsOf({ minVersion, maxVersion }: { minVersion: number; maxVersion: number }): number[] {
  return Array.from({ length: maxVersion - minVersion + 1 }, (_, i) => minVersion + i);
}

describe('ConsumerGroupHeartbeat', () => {
  it.each(versionsOf(consumerGroupHeartbeat))('v%i: a member joins, owns, stays and leaves', async (version) => {
    const kafka = await startKafka({ topics: { t: 3 } });
    const client = await connect(kafka);
    const beat = (changes: Partial<ConsumerGroupHeartbeatRequest>) =>
      client.send(consumerGroupHeartbeat, version, {
        groupId: 'g',
        memberId: version === 0 ? '' : 'me',
        memberEpoch: 0,
        instanceId: null,
        rackId: null,
        rebalanceTimeoutMs: -1,
        subscribedTopicNames: null,
        subscribedTopicRegex: null,
        serverAssignor: null,
        topicPartitions: null,
        ...changes,
      });
    const subscription = version === 0 ? { subscribedTopicNames: ['t'] } : { subscribedTopicRegex: 't.*' };
    const joined = await beat({ ...subscription, rebalanceTimeoutMs: 60_000, topicPartitions: [] });
    const mine = [{ topicId: kafka.topicId('t'), partitions: [0, 1, 2] }];
    expect(joined).toMatchObject({ errorCode: 0, memberEpoch: 1, assignment: { topicPartitions: mine } });
    const memberId = joined.memberId ?? '';
    expect(memberId).toMatch(version === 0 ? /^.{22}$/ : /^me$/);
    const stayed = await beat({ memberId, memberEpoch: 1, topicPartitions: mine });
    expect(stayed).toMatchObject({ errorCode: 0, memberEpoch: 1, assignment: null });
    expect(kafka.group('g')).toMatchObject({ protocol: 'consumer', state: 'Stable' });
    expect(await beat({ memberId, memberEpoch: -1 })).toMatchObject({ errorCode: 0, memberEpoch: -1 });
    expect(kafka.group('g').members).toEqual([]);
  });

  it('is struck by the faults of its group', async () => {
    const kafka = await startKafka();
    const client = await connect(kafka);
    kafka.fail('ConsumerGroupHeartbeat', { group: 'g', errorCode: 'NOT_COORDINATOR' });
    const answer = await client.send(consumerGroupHeartbeat, 1, {
      groupId: 'g',
      memberId: 'm',
      memberEpoch: 0,
      instanceId: null,
      rackId: null,
      rebalanceTimeoutMs: 1000,
      subscribedTopicNames: ['t'],
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: [],
    });
    expect(answer.errorCode).toBe(16);
  });
});

describe('DescribeGroups and ListGroups', () => {
  it('tell of a classic group in every version', async () => {
    const kafka = await startKafka();
    const client = await connect(kafka);
    const joined = await join(client);
    await sync(client, joined);
    for (const version of versionsOf(describeGroups)) {
      const answer = await client.send(describeGroups, version, {
        groups: ['g', 'none'],
        includeAuthorizedOperations: version >= 3,
      });
      const [group, none] = answer.groups;
      expect(group, `v${version}`).toMatchObject({ errorCode: 0, groupState: 'Stable', protocolData: 'range' });
      expect(group?.members.map(({ memberId, clientId }) => [memberId, clientId])).toEqual([[joined.memberId, 'raw']]);
      expect(group?.members[0]?.memberAssignment.toString()).toBe(joined.memberId);
      expect([none?.errorCode, none?.groupState]).toEqual(version >= 6 ? [69, 'Dead'] : [0, 'Dead']);
      expect(group?.authorizedOperations).toBe(version >= 3 ? 0x0148 : -2147483648);
    }
    for (const version of versionsOf(listGroups)) {
      const { groups } = await client.send(listGroups, version, {
        statesFilter: version >= 4 ? ['Stable'] : [],
        typesFilter: version >= 5 ? ['classic'] : [],
      });
      const groupState = version >= 4 ? 'Stable' : '';
      const groupType = version >= 5 ? 'classic' : '';
      expect(groups, `v${version}`).toEqual([{ groupId: 'g', protocolType: 'consumer', groupState, groupType }]);
    }
  });
});

describe('SASL', () => {
  const token = (password: string): Buffer => Buffer.from(`\0alice\0${password}`);
  const sasl = { users: { alice: 'secret' }, sessionLifetimeMs: 60_000 };
  const ask = {
    topics: null,
    allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  };

  it.each(versionsOf(saslAuthenticate))('v%i: PLAIN lets in who knows the password', async (version) => {
    const kafka = await startKafka({ topics: { t: 1 }, sasl });
    const client = await connect(kafka);
    const handshake = await client.send(saslHandshake, 1, { mechanism: 'PLAIN' });
    expect(handshake).toEqual({ errorCode: 0, mechanisms: ['PLAIN'] });
    const answer = await client.send(saslAuthenticate, version, { authBytes: token('secret') });
    expect([answer.errorCode, answer.sessionLifetimeMs.toNumber()]).toEqual([0, version >= 1 ? 60_000 : 0]);
    expect((await client.send(metadata, 12, ask)).topics).toHaveLength(1);
  });

  it('a wrong password is told, then the connection ends; without any login it ends at once', async () => {
    const kafka = await startKafka({ sasl });
    const client = await connect(kafka);
    await client.send(saslHandshake, 1, { mechanism: 'PLAIN' });
    expect((await client.send(saslAuthenticate, 2, { authBytes: token('wrong') })).errorCode).toBe(58);
    expect(await client.next()).toBeNull();
    const other = await connect(kafka);
    other.post(metadata, 12, ask);
    expect(await other.next()).toBeNull();
  });
});
