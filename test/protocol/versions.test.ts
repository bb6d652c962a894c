import { describe, expect, test } from 'vitest';
import { UnsupportedVersionError } from '../../src/errors.ts';
import { apiByName } from '../../src/protocol/apis.ts';
import { codecFor } from '../conformance/messages.ts';
import { difference, messageOf } from '../conformance/fields.ts';
import { SHAPES } from '../conformance/shapes.ts';

// A value that a version cannot carry: dropped where Kafka's schema says "ignorable", refused elsewhere.

const TOPIC_ID = 'FSWOSxYlPIlexhkUjp_ueA';

/** `from`-`to`: the versions that carry the value; `to` is the newest where it is left out. */
interface Row {
  api: string;
  kind: 'request' | 'response';
  json: Record<string, unknown>;
  from?: number;
  to?: number;
}

const REFUSED: Row[] = [
  { api: 'Metadata', kind: 'request', json: { topics: null }, from: 1 },
  { api: 'Metadata', kind: 'request', json: { topics: [{ name: null, topicId: TOPIC_ID }] }, from: 10 },
  { api: 'Metadata', kind: 'request', json: { allowAutoTopicCreation: false }, from: 4 },
  { api: 'Metadata', kind: 'request', json: { includeClusterAuthorizedOperations: true }, from: 8, to: 10 },
  { api: 'Metadata', kind: 'request', json: { includeTopicAuthorizedOperations: true }, from: 8 },
  { api: 'Metadata', kind: 'response', json: { clusterAuthorizedOperations: 1 }, from: 8, to: 10 },
  { api: 'Metadata', kind: 'response', json: { topics: [{ name: null }] }, from: 12 },
  { api: 'Metadata', kind: 'response', json: { topics: [{ topicAuthorizedOperations: 1 }] }, from: 8 },
  { api: 'FindCoordinator', kind: 'request', json: { key: 'g' }, to: 3 },
  { api: 'FindCoordinator', kind: 'request', json: { keyType: 1 }, from: 1 },
  { api: 'FindCoordinator', kind: 'request', json: { coordinatorKeys: ['g'] }, from: 4 },
  { api: 'FindCoordinator', kind: 'response', json: { errorCode: 15 }, to: 3 },
  { api: 'FindCoordinator', kind: 'response', json: { nodeId: 1 }, to: 3 },
  { api: 'FindCoordinator', kind: 'response', json: { host: 'h' }, to: 3 },
  { api: 'FindCoordinator', kind: 'response', json: { port: 9092 }, to: 3 },
  { api: 'FindCoordinator', kind: 'response', json: { coordinators: [{ key: 'g' }] }, from: 4 },
  { api: 'JoinGroup', kind: 'request', json: { groupInstanceId: 'i' }, from: 5 },
  { api: 'JoinGroup', kind: 'response', json: { protocolName: null }, from: 7 },
  { api: 'JoinGroup', kind: 'response', json: { skipAssignment: true }, from: 9 },
  { api: 'SyncGroup', kind: 'request', json: { groupInstanceId: 'i' }, from: 3 },
  { api: 'Heartbeat', kind: 'request', json: { groupInstanceId: 'i' }, from: 3 },
  { api: 'LeaveGroup', kind: 'request', json: { memberId: 'm' }, to: 2 },
  { api: 'LeaveGroup', kind: 'request', json: { members: [{ memberId: 'm' }] }, from: 3 },
  { api: 'LeaveGroup', kind: 'response', json: { members: [{ memberId: 'm' }] }, from: 3 },
  { api: 'OffsetCommit', kind: 'request', json: { groupInstanceId: 'i' }, from: 7 },
  { api: 'OffsetFetch', kind: 'request', json: { groupId: 'g' }, to: 7 },
  { api: 'OffsetFetch', kind: 'request', json: { topics: null }, from: 2, to: 7 },
  { api: 'OffsetFetch', kind: 'request', json: { topics: [{ name: 't' }] }, to: 7 },
  { api: 'OffsetFetch', kind: 'request', json: { groups: [{ groupId: 'g' }] }, from: 8 },
  { api: 'OffsetFetch', kind: 'request', json: { requireStable: true }, from: 7 },
  { api: 'OffsetFetch', kind: 'response', json: { topics: [{ name: 't' }] }, to: 7 },
  { api: 'OffsetFetch', kind: 'response', json: { groups: [{ groupId: 'g' }] }, from: 8 },
  { api: 'ListOffsets', kind: 'request', json: { isolationLevel: 1 }, from: 2 },
  { api: 'ListOffsets', kind: 'response', json: { topics: [{ partitions: [{ leaderEpoch: 3 }] }] }, from: 4 },
  { api: 'Fetch', kind: 'request', json: { replicaId: 1 }, to: 14 },
  { api: 'Fetch', kind: 'request', json: { replicaState: { replicaId: 1 } }, from: 15 },
  { api: 'Fetch', kind: 'request', json: { topics: [{ partitions: [{ lastFetchedEpoch: 3 }] }] }, from: 12 },
  { api: 'Fetch', kind: 'request', json: { forgottenTopicsData: [{ partitions: [1] }] }, from: 7 },
  { api: 'Fetch', kind: 'response', json: { sessionId: 1 }, from: 7 },
  { api: 'Fetch', kind: 'response', json: fetched({ divergingEpoch: { epoch: 1, endOffset: '2' } }), from: 12 },
  { api: 'Fetch', kind: 'response', json: fetched({ currentLeader: { leaderId: 1, leaderEpoch: 2 } }), from: 12 },
  { api: 'Fetch', kind: 'response', json: fetched({ snapshotId: { epoch: 1, endOffset: '2' } }), from: 12 },
  { api: 'Fetch', kind: 'response', json: fetched({ preferredReadReplica: 1 }), from: 11 },
  { api: 'Fetch', kind: 'response', json: { nodeEndpoints: [{ nodeId: 1 }] }, from: 16 },
  { api: 'Produce', kind: 'response', json: { nodeEndpoints: [{ nodeId: 1 }] }, from: 10 },
  { api: 'DescribeGroups', kind: 'request', json: { includeAuthorizedOperations: true }, from: 3 },
  { api: 'DescribeGroups', kind: 'response', json: { groups: [{ errorMessage: 'e' }] }, from: 6 },
  { api: 'DescribeGroups', kind: 'response', json: { groups: [{ authorizedOperations: 1 }] }, from: 3 },
  { api: 'ListGroups', kind: 'request', json: { statesFilter: ['Stable'] }, from: 4 },
  { api: 'ListGroups', kind: 'request', json: { typesFilter: ['share'] }, from: 5 },
  { api: 'ConsumerGroupHeartbeat', kind: 'request', json: { subscribedTopicRegex: 'a.*' }, from: 1 },
  { api: 'DescribeCluster', kind: 'request', json: { endpointType: 2 }, from: 1 },
  { api: 'DescribeCluster', kind: 'request', json: { includeFencedBrokers: true }, from: 2 },
  { api: 'DescribeCluster', kind: 'response', json: { endpointType: 2 }, from: 1 },
  { api: 'DescribeCluster', kind: 'response', json: { brokers: [{ isFenced: true }] }, from: 2 },
  { api: 'ShareFetch', kind: 'request', json: { isRenewAck: true }, from: 2 },
  { api: 'ShareAcknowledge', kind: 'request', json: { isRenewAck: true }, from: 2 },
  { api: 'Produce', kind: 'response', json: produced({ currentLeader: { leaderId: 1, leaderEpoch: 2 } }), from: 10 },
];

const DROPPED: Row[] = [
  { api: 'ApiVersions', kind: 'request', json: { clientSoftwareName: 'a', clientSoftwareVersion: 'b' }, from: 3 },
  { api: 'ApiVersions', kind: 'response', json: { throttleTimeMs: 1 }, from: 1 },
  { api: 'ApiVersions', kind: 'response', json: { supportedFeatures: [{ name: 'f' }] }, from: 3 },
  { api: 'ApiVersions', kind: 'response', json: { finalizedFeaturesEpoch: '3' }, from: 3 },
  { api: 'ApiVersions', kind: 'response', json: { finalizedFeatures: [{ name: 'f' }] }, from: 3 },
  { api: 'ApiVersions', kind: 'response', json: { zkMigrationReady: true }, from: 3 },
  { api: 'Metadata', kind: 'request', json: { topics: [{ topicId: TOPIC_ID }] }, from: 10 },
  { api: 'Metadata', kind: 'response', json: { brokers: [{ rack: 'r' }] }, from: 1 },
  { api: 'Metadata', kind: 'response', json: { throttleTimeMs: 1 }, from: 3 },
  { api: 'Metadata', kind: 'response', json: { clusterId: 'c' }, from: 2 },
  { api: 'Metadata', kind: 'response', json: { controllerId: 1 }, from: 1 },
  { api: 'Metadata', kind: 'response', json: { errorCode: 129 }, from: 13 },
  { api: 'Metadata', kind: 'response', json: { topics: [{ topicId: TOPIC_ID }] }, from: 10 },
  { api: 'Metadata', kind: 'response', json: { topics: [{ isInternal: true }] }, from: 1 },
  { api: 'Metadata', kind: 'response', json: { topics: [{ partitions: [{ leaderEpoch: 1 }] }] }, from: 7 },
  { api: 'Metadata', kind: 'response', json: { topics: [{ partitions: [{ offlineReplicas: [1] }] }] }, from: 5 },
  { api: 'FindCoordinator', kind: 'response', json: { throttleTimeMs: 1 }, from: 1 },
  { api: 'FindCoordinator', kind: 'response', json: { errorMessage: 'e' }, from: 1, to: 3 },
  { api: 'JoinGroup', kind: 'request', json: { rebalanceTimeoutMs: 1 }, from: 1 },
  { api: 'JoinGroup', kind: 'request', json: { reason: 'r' }, from: 8 },
  { api: 'JoinGroup', kind: 'response', json: { throttleTimeMs: 1 }, from: 2 },
  { api: 'JoinGroup', kind: 'response', json: { protocolType: 'p' }, from: 7 },
  { api: 'JoinGroup', kind: 'response', json: { members: [{ groupInstanceId: 'i' }] }, from: 5 },
  { api: 'SyncGroup', kind: 'request', json: { protocolType: 'p', protocolName: 'n' }, from: 5 },
  { api: 'SyncGroup', kind: 'response', json: { throttleTimeMs: 1 }, from: 1 },
  { api: 'SyncGroup', kind: 'response', json: { protocolType: 'p', protocolName: 'n' }, from: 5 },
  { api: 'Heartbeat', kind: 'response', json: { throttleTimeMs: 1 }, from: 1 },
  { api: 'LeaveGroup', kind: 'response', json: { throttleTimeMs: 1 }, from: 1 },
  { api: 'OffsetCommit', kind: 'request', json: { retentionTimeMs: '1' }, from: 2, to: 4 },
  { api: 'OffsetCommit', kind: 'request', json: { topics: [{ name: 't' }] }, to: 9 },
  { api: 'OffsetCommit', kind: 'request', json: { topics: [{ topicId: TOPIC_ID }] }, from: 10 },
  { api: 'OffsetCommit', kind: 'request', json: { topics: [{ partitions: [{ committedLeaderEpoch: 1 }] }] }, from: 6 },
  { api: 'OffsetCommit', kind: 'response', json: { throttleTimeMs: 1 }, from: 3 },
  { api: 'OffsetFetch', kind: 'response', json: { throttleTimeMs: 1 }, from: 3 },
  { api: 'OffsetFetch', kind: 'response', json: { errorCode: 16 }, from: 2, to: 7 },
  { api: 'ListOffsets', kind: 'request', json: { timeoutMs: 1 }, from: 10 },
  { api: 'ListOffsets', kind: 'request', json: { topics: [{ partitions: [{ currentLeaderEpoch: 1 }] }] }, from: 4 },
  { api: 'ListOffsets', kind: 'response', json: { throttleTimeMs: 1 }, from: 2 },
  { api: 'OffsetForLeaderEpoch', kind: 'request', json: { replicaId: -1 }, from: 3 },
  { api: 'Fetch', kind: 'request', json: { clusterId: 'c' }, from: 12 },
  { api: 'Fetch', kind: 'request', json: { sessionId: 1 }, from: 7 },
  { api: 'Fetch', kind: 'request', json: { sessionEpoch: 1 }, from: 7 },
  { api: 'Fetch', kind: 'request', json: { rackId: 'r' }, from: 11 },
  { api: 'Fetch', kind: 'request', json: { topics: [{ topic: 't' }] }, to: 12 },
  { api: 'Fetch', kind: 'request', json: { topics: [{ topicId: TOPIC_ID }] }, from: 13 },
  { api: 'Fetch', kind: 'request', json: { topics: [{ partitions: [{ currentLeaderEpoch: 1 }] }] }, from: 9 },
  { api: 'Fetch', kind: 'request', json: { topics: [{ partitions: [{ logStartOffset: '1' }] }] }, from: 5 },
  { api: 'Fetch', kind: 'request', json: { topics: [{ partitions: [{ replicaDirectoryId: TOPIC_ID }] }] }, from: 17 },
  { api: 'Fetch', kind: 'request', json: { topics: [{ partitions: [{ highWatermark: '1' }] }] }, from: 18 },
  { api: 'Fetch', kind: 'response', json: { errorCode: 70 }, from: 7 },
  { api: 'Fetch', kind: 'response', json: fetched({ logStartOffset: '1' }), from: 5 },
  { api: 'Produce', kind: 'response', json: produced({ logStartOffset: '1' }), from: 5 },
  { api: 'Produce', kind: 'response', json: produced({ recordErrors: [{ batchIndex: 1 }] }), from: 8 },
  { api: 'Produce', kind: 'response', json: produced({ errorMessage: 'e' }), from: 8 },
  { api: 'Produce', kind: 'request', json: { topicData: [{ topicId: TOPIC_ID }] }, from: 13 },
  { api: 'CreateTopics', kind: 'response', json: { topics: [{ topicId: TOPIC_ID }] }, from: 7 },
  { api: 'DescribeGroups', kind: 'response', json: { throttleTimeMs: 1 }, from: 1 },
  { api: 'DescribeGroups', kind: 'response', json: { groups: [{ members: [{ groupInstanceId: 'i' }] }] }, from: 4 },
  { api: 'ListGroups', kind: 'response', json: { throttleTimeMs: 1 }, from: 1 },
  { api: 'ListGroups', kind: 'response', json: { groups: [{ groupState: 'Stable' }] }, from: 4 },
  { api: 'ListGroups', kind: 'response', json: { groups: [{ groupType: 'share' }] }, from: 5 },
  { api: 'SaslAuthenticate', kind: 'response', json: { sessionLifetimeMs: '1' }, from: 1 },
  { api: 'ConsumerGroupDescribe', kind: 'response', json: described({ memberType: 1 }), from: 1 },
  { api: 'ShareFetch', kind: 'request', json: { shareAcquireMode: 1 }, from: 2 },
  { api: 'ShareAcknowledge', kind: 'response', json: { acquisitionLockTimeoutMs: 1 }, from: 2 },
  { api: 'CreateTopics', kind: 'response', json: { topics: [{ topicConfigErrorCode: 1 }] }, from: 5 },
  { api: 'CreateTopics', kind: 'response', json: { topics: [{ numPartitions: 1 }] }, from: 5 },
  { api: 'CreateTopics', kind: 'response', json: { topics: [{ replicationFactor: 1 }] }, from: 5 },
  { api: 'CreateTopics', kind: 'response', json: { topics: [{ configs: [{ name: 'c' }] }] }, from: 5 },
];

function fetched(partition: Record<string, unknown>): Record<string, unknown> {
  return { responses: [{ partitions: [partition] }] };
}
function described(member: Record<string, unknown>): Record<string, unknown> {
  return { groups: [{ members: [member] }] };
}
function produced(partition: Record<string, unknown>): Record<string, unknown> {
  return { responses: [{ partitionResponses: [partition] }] };
}

function versionsOf({ api: name, from, to }: Row): { version: number; carries: boolean }[] {
  const api = apiByName(name);
  if (api === undefined) throw new Error(name);
  const versions = [];
  for (let version = api.minVersion; version <= api.maxVersion; version++) {
    versions.push({ version, carries: version >= (from ?? 0) && version <= (to ?? Infinity) });
  }
  return versions;
}

const titled = (rows: Row[]): { title: string; row: Row }[] =>
  rows.map((row) => ({ title: `${row.api} ${row.kind} ${JSON.stringify(row.json)}`, row }));

describe('a value that a version cannot carry', () => {
  test.each(titled(REFUSED))('is refused: $title', ({ row }) => {
    const seen = new Set<boolean>();
    for (const { version, carries } of versionsOf(row)) {
      seen.add(carries);
      const codec = codecFor(row.api, row.kind, version);
      const message = messageOf(codec.shape, row.json);
      if (carries) {
        expect(difference(codec.decode(codec.encode(message)), message), `v${version}`).toBeNull();
      } else {
        expect(() => codec.encode(message), `v${version}`).toThrow(UnsupportedVersionError);
        expect(() => codec.encode(message), `v${version}`).toThrow(`${row.api} v${version} cannot carry`);
      }
    }
    expect(seen).toEqual(new Set([false, true]));
  });

  test.each(titled(DROPPED))('is dropped where Kafka ignores it: $title', ({ row }) => {
    for (const { version, carries } of versionsOf(row)) {
      const codec = codecFor(row.api, row.kind, version);
      const message = messageOf(codec.shape, row.json);
      const lost = difference(codec.decode(codec.encode(message)), message);
      if (carries) expect(lost, `v${version}`).toBeNull();
      else expect(lost, `v${version}`).not.toBeNull();
    }
  });
});

test.each(Object.keys(SHAPES).filter((name) => !name.endsWith(' data')))(
  'the defaults of %s pass every version unchanged',
  (name) => {
    const [api = '', kind] = name.split(' ');
    if (kind !== 'request' && kind !== 'response') throw new Error(name);
    for (const { version } of versionsOf({ api, kind, json: {} })) {
      const codec = codecFor(api, kind, version);
      const defaults = messageOf(codec.shape, {});
      expect(difference(codec.decode(codec.encode(defaults)), defaults), `v${version}`).toBeNull();
    }
  },
);
