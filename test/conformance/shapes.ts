import { bytes, list, long, nullableBytes, nullableList, presentStruct, struct, type Shape } from './fields.ts';

// Fields and defaults of every message, of all versions together, as Kafka's schemas have them.
// Written apart from the codecs, so that a wrong default in one of them shows.

const NO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA';
const NOT_ASKED = -2147483648;

const endpoint = { nodeId: 0, host: '', port: 0, rack: null };
const leader = struct({ leaderId: -1, leaderEpoch: -1 });
const epochAndOffset = struct({ epoch: -1, endOffset: long('-1') });
const topicPartitions = { topic: '', partitions: list('plain') };
const topicIdPartitions = { topicId: NO_UUID, partitions: list('plain') };
const acknowledgementBatch = { firstOffset: long(), lastOffset: long(), acknowledgeTypes: list('plain') };
const describedAssignment = {
  topicPartitions: list({ topicId: NO_UUID, topicName: '', partitions: list('plain') }),
};

const offsetFetchTopic = { name: '', topicId: NO_UUID, partitionIndexes: list('plain') };
const offsetFetchTopicResult = {
  name: '',
  topicId: NO_UUID,
  partitions: list({
    partitionIndex: 0,
    committedOffset: long(),
    committedLeaderEpoch: -1,
    metadata: '',
    errorCode: 0,
  }),
};

/** By `api kind`; `data` has no counterpart. */
export const SHAPES: Readonly<Record<string, Shape>> = {
  'RequestHeader data': { requestApiKey: 0, requestApiVersion: 0, correlationId: 0, clientId: '' },
  'ResponseHeader data': { correlationId: 0 },
  'ConsumerProtocolSubscription data': {
    topics: list('plain'),
    userData: nullableBytes,
    ownedPartitions: list(topicPartitions),
    generationId: -1,
    rackId: null,
  },
  'ConsumerProtocolAssignment data': { assignedPartitions: list(topicPartitions), userData: nullableBytes },

  'ApiVersions request': { clientSoftwareName: '', clientSoftwareVersion: '' },
  'ApiVersions response': {
    errorCode: 0,
    apiKeys: list({ apiKey: 0, minVersion: 0, maxVersion: 0 }),
    throttleTimeMs: 0,
    supportedFeatures: list({ name: '', minVersion: 0, maxVersion: 0 }),
    finalizedFeaturesEpoch: long('-1'),
    finalizedFeatures: list({ name: '', maxVersionLevel: 0, minVersionLevel: 0 }),
    zkMigrationReady: false,
  },

  'Metadata request': {
    topics: list({ topicId: NO_UUID, name: '' }),
    allowAutoTopicCreation: true,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  },
  'Metadata response': {
    throttleTimeMs: 0,
    brokers: list(endpoint),
    clusterId: null,
    controllerId: -1,
    topics: list({
      errorCode: 0,
      name: '',
      topicId: NO_UUID,
      isInternal: false,
      partitions: list({
        errorCode: 0,
        partitionIndex: 0,
        leaderId: 0,
        leaderEpoch: -1,
        replicaNodes: list('plain'),
        isrNodes: list('plain'),
        offlineReplicas: list('plain'),
      }),
      topicAuthorizedOperations: NOT_ASKED,
    }),
    clusterAuthorizedOperations: NOT_ASKED,
    errorCode: 0,
  },

  'FindCoordinator request': { key: '', keyType: 0, coordinatorKeys: list('plain') },
  'FindCoordinator response': {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: '',
    nodeId: 0,
    host: '',
    port: 0,
    coordinators: list({ key: '', nodeId: 0, host: '', port: 0, errorCode: 0, errorMessage: '' }),
  },

  'JoinGroup request': {
    groupId: '',
    sessionTimeoutMs: 0,
    rebalanceTimeoutMs: -1,
    memberId: '',
    groupInstanceId: null,
    protocolType: '',
    protocols: list({ name: '', metadata: bytes }),
    reason: null,
  },
  'JoinGroup response': {
    throttleTimeMs: 0,
    errorCode: 0,
    generationId: -1,
    protocolType: null,
    protocolName: '',
    leader: '',
    skipAssignment: false,
    memberId: '',
    members: list({ memberId: '', groupInstanceId: null, metadata: bytes }),
  },

  'SyncGroup request': {
    groupId: '',
    generationId: 0,
    memberId: '',
    groupInstanceId: null,
    protocolType: null,
    protocolName: null,
    assignments: list({ memberId: '', assignment: bytes }),
  },
  'SyncGroup response': {
    throttleTimeMs: 0,
    errorCode: 0,
    protocolType: null,
    protocolName: null,
    assignment: bytes,
  },

  'Heartbeat request': { groupId: '', generationId: 0, memberId: '', groupInstanceId: null },
  'Heartbeat response': { throttleTimeMs: 0, errorCode: 0 },

  'LeaveGroup request': {
    groupId: '',
    memberId: '',
    members: list({ memberId: '', groupInstanceId: null, reason: null }),
  },
  'LeaveGroup response': {
    throttleTimeMs: 0,
    errorCode: 0,
    members: list({ memberId: '', groupInstanceId: '', errorCode: 0 }),
  },

  'OffsetCommit request': {
    groupId: '',
    generationIdOrMemberEpoch: -1,
    memberId: '',
    groupInstanceId: null,
    retentionTimeMs: long('-1'),
    topics: list({
      name: '',
      topicId: NO_UUID,
      partitions: list({
        partitionIndex: 0,
        committedOffset: long(),
        committedLeaderEpoch: -1,
        committedMetadata: '',
      }),
    }),
  },
  'OffsetCommit response': {
    throttleTimeMs: 0,
    topics: list({ name: '', topicId: NO_UUID, partitions: list({ partitionIndex: 0, errorCode: 0 }) }),
  },

  'OffsetFetch request': {
    groupId: '',
    topics: list(offsetFetchTopic),
    groups: list({ groupId: '', memberId: null, memberEpoch: -1, topics: list(offsetFetchTopic) }),
    requireStable: false,
  },
  'OffsetFetch response': {
    throttleTimeMs: 0,
    topics: list(offsetFetchTopicResult),
    errorCode: 0,
    groups: list({ groupId: '', topics: list(offsetFetchTopicResult), errorCode: 0 }),
  },

  'ListOffsets request': {
    replicaId: 0,
    isolationLevel: 0,
    topics: list({
      name: '',
      partitions: list({ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: long() }),
    }),
    timeoutMs: 0,
  },
  'ListOffsets response': {
    throttleTimeMs: 0,
    topics: list({
      name: '',
      partitions: list({
        partitionIndex: 0,
        errorCode: 0,
        timestamp: long('-1'),
        offset: long('-1'),
        leaderEpoch: -1,
      }),
    }),
  },

  'OffsetForLeaderEpoch request': {
    replicaId: -2,
    topics: list({ topic: '', partitions: list({ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }) }),
  },
  'OffsetForLeaderEpoch response': {
    throttleTimeMs: 0,
    topics: list({
      topic: '',
      partitions: list({ errorCode: 0, partition: 0, leaderEpoch: -1, endOffset: long('-1') }),
    }),
  },

  'Fetch request': {
    clusterId: null,
    replicaId: -1,
    replicaState: struct({ replicaId: -1, replicaEpoch: long('-1') }),
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 0x7fffffff,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    topics: list({
      topic: '',
      topicId: NO_UUID,
      partitions: list({
        partition: 0,
        currentLeaderEpoch: -1,
        fetchOffset: long(),
        lastFetchedEpoch: -1,
        logStartOffset: long('-1'),
        partitionMaxBytes: 0,
        replicaDirectoryId: NO_UUID,
        highWatermark: long('9223372036854775807'),
      }),
    }),
    forgottenTopicsData: list({ topic: '', topicId: NO_UUID, partitions: list('plain') }),
    rackId: '',
  },
  'Fetch response': {
    throttleTimeMs: 0,
    errorCode: 0,
    sessionId: 0,
    responses: list({
      topic: '',
      topicId: NO_UUID,
      partitions: list({
        partitionIndex: 0,
        errorCode: 0,
        highWatermark: long(),
        lastStableOffset: long('-1'),
        logStartOffset: long('-1'),
        divergingEpoch: epochAndOffset,
        currentLeader: leader,
        snapshotId: epochAndOffset,
        abortedTransactions: list({ producerId: long(), firstOffset: long() }),
        preferredReadReplica: -1,
        records: nullableBytes,
      }),
    }),
    nodeEndpoints: list(endpoint),
  },

  'Produce request': {
    transactionalId: null,
    acks: 0,
    timeoutMs: 0,
    topicData: list({
      name: '',
      topicId: NO_UUID,
      partitionData: list({ index: 0, records: nullableBytes }),
    }),
  },
  'Produce response': {
    responses: list({
      name: '',
      topicId: NO_UUID,
      partitionResponses: list({
        index: 0,
        errorCode: 0,
        baseOffset: long(),
        logAppendTimeMs: long('-1'),
        logStartOffset: long('-1'),
        recordErrors: list({ batchIndex: 0, batchIndexErrorMessage: null }),
        errorMessage: null,
        currentLeader: leader,
      }),
    }),
    throttleTimeMs: 0,
    nodeEndpoints: list(endpoint),
  },

  'CreateTopics request': {
    topics: list({
      name: '',
      numPartitions: 0,
      replicationFactor: 0,
      assignments: list({ partitionIndex: 0, brokerIds: list('plain') }),
      configs: list({ name: '', value: '' }),
    }),
    timeoutMs: 60000,
    validateOnly: false,
  },
  'CreateTopics response': {
    throttleTimeMs: 0,
    topics: list({
      name: '',
      topicId: NO_UUID,
      errorCode: 0,
      errorMessage: '',
      topicConfigErrorCode: 0,
      numPartitions: -1,
      replicationFactor: -1,
      configs: list({ name: '', value: '', readOnly: false, configSource: -1, isSensitive: false }),
    }),
  },

  'SaslHandshake request': { mechanism: '' },
  'SaslHandshake response': { errorCode: 0, mechanisms: list('plain') },

  'SaslAuthenticate request': { authBytes: bytes },
  'SaslAuthenticate response': { errorCode: 0, errorMessage: '', authBytes: bytes, sessionLifetimeMs: long() },

  'ConsumerGroupHeartbeat request': {
    groupId: '',
    memberId: '',
    memberEpoch: 0,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: -1,
    subscribedTopicNames: nullableList('plain'),
    subscribedTopicRegex: null,
    serverAssignor: null,
    topicPartitions: nullableList(topicIdPartitions),
  },
  'ConsumerGroupHeartbeat response': {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: null,
    memberId: null,
    memberEpoch: 0,
    heartbeatIntervalMs: 0,
    assignment: struct({ topicPartitions: list(topicIdPartitions) }),
  },

  'ConsumerGroupDescribe request': { groupIds: list('plain'), includeAuthorizedOperations: false },
  'ConsumerGroupDescribe response': {
    throttleTimeMs: 0,
    groups: list({
      errorCode: 0,
      errorMessage: null,
      groupId: '',
      groupState: '',
      groupEpoch: 0,
      assignmentEpoch: 0,
      assignorName: '',
      members: list({
        memberId: '',
        instanceId: null,
        rackId: null,
        memberEpoch: 0,
        clientId: '',
        clientHost: '',
        subscribedTopicNames: list('plain'),
        subscribedTopicRegex: null,
        assignment: presentStruct(describedAssignment),
        targetAssignment: presentStruct(describedAssignment),
        memberType: -1,
      }),
      authorizedOperations: NOT_ASKED,
    }),
  },

  'DescribeGroups request': { groups: list('plain'), includeAuthorizedOperations: false },
  'DescribeGroups response': {
    throttleTimeMs: 0,
    groups: list({
      errorCode: 0,
      errorMessage: null,
      groupId: '',
      groupState: '',
      protocolType: '',
      protocolData: '',
      members: list({
        memberId: '',
        groupInstanceId: null,
        clientId: '',
        clientHost: '',
        memberMetadata: bytes,
        memberAssignment: bytes,
      }),
      authorizedOperations: NOT_ASKED,
    }),
  },

  'ListGroups request': { statesFilter: list('plain'), typesFilter: list('plain') },
  'ListGroups response': {
    throttleTimeMs: 0,
    errorCode: 0,
    groups: list({ groupId: '', protocolType: '', groupState: '', groupType: '' }),
  },

  'ShareGroupHeartbeat request': {
    groupId: '',
    memberId: '',
    memberEpoch: 0,
    rackId: null,
    subscribedTopicNames: nullableList('plain'),
  },
  'ShareGroupHeartbeat response': {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: null,
    memberId: null,
    memberEpoch: 0,
    heartbeatIntervalMs: 0,
    assignment: struct({ topicPartitions: list(topicIdPartitions) }),
  },

  'ShareFetch request': {
    groupId: null,
    memberId: '',
    shareSessionEpoch: 0,
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 0x7fffffff,
    maxRecords: 0,
    batchSize: 0,
    shareAcquireMode: 0,
    isRenewAck: false,
    topics: list({
      topicId: NO_UUID,
      partitions: list({ partitionIndex: 0, acknowledgementBatches: list(acknowledgementBatch) }),
    }),
    forgottenTopicsData: list(topicIdPartitions),
  },
  'ShareFetch response': {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: null,
    acquisitionLockTimeoutMs: 0,
    responses: list({
      topicId: NO_UUID,
      partitions: list({
        partitionIndex: 0,
        errorCode: 0,
        errorMessage: null,
        acknowledgeErrorCode: 0,
        acknowledgeErrorMessage: null,
        currentLeader: presentStruct({ leaderId: 0, leaderEpoch: 0 }),
        records: bytes,
        acquiredRecords: list({ firstOffset: long(), lastOffset: long(), deliveryCount: 0 }),
      }),
    }),
    nodeEndpoints: list(endpoint),
  },

  'ShareAcknowledge request': {
    groupId: null,
    memberId: '',
    shareSessionEpoch: 0,
    isRenewAck: false,
    topics: list({
      topicId: NO_UUID,
      partitions: list({ partitionIndex: 0, acknowledgementBatches: list(acknowledgementBatch) }),
    }),
  },
  'ShareAcknowledge response': {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: null,
    acquisitionLockTimeoutMs: 0,
    responses: list({
      topicId: NO_UUID,
      partitions: list({
        partitionIndex: 0,
        errorCode: 0,
        errorMessage: null,
        currentLeader: presentStruct({ leaderId: 0, leaderEpoch: 0 }),
      }),
    }),
    nodeEndpoints: list(endpoint),
  },

  'DescribeCluster request': {
    includeClusterAuthorizedOperations: false,
    endpointType: 1,
    includeFencedBrokers: false,
  },
  'DescribeCluster response': {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: null,
    endpointType: 1,
    clusterId: '',
    controllerId: -1,
    brokers: list({ brokerId: 0, host: '', port: 0, rack: null, isFenced: false }),
    clusterAuthorizedOperations: NOT_ASKED,
  },

  'GetTelemetrySubscriptions request': { clientInstanceId: NO_UUID },
  'GetTelemetrySubscriptions response': {
    throttleTimeMs: 0,
    errorCode: 0,
    clientInstanceId: NO_UUID,
    subscriptionId: 0,
    acceptedCompressionTypes: list('plain'),
    pushIntervalMs: 0,
    telemetryMaxBytes: 0,
    deltaTemporality: false,
    requestedMetrics: list('plain'),
  },

  'PushTelemetry request': {
    clientInstanceId: NO_UUID,
    subscriptionId: 0,
    terminating: false,
    compressionType: 0,
    metrics: bytes,
  },
  'PushTelemetry response': { throttleTimeMs: 0, errorCode: 0 },
};
