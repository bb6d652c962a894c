/** Mock clusters and connections to them that are closed after each test, and the requests that tests send. */
import Long from 'long';
import { afterEach } from 'vitest';
import { fetch, type FetchablePartition, type FetchRequest, type FetchResponse } from '../../src/protocol/api/fetch.ts';
import { joinGroup, type JoinGroupRequest, type JoinGroupResponse } from '../../src/protocol/api/join-group.ts';
import type { ProduceRequest } from '../../src/protocol/api/produce.ts';
import { syncGroup, type SyncGroupResponse } from '../../src/protocol/api/sync-group.ts';
import { RecordCursor } from '../../src/protocol/record-cursor.ts';
import { WireBatchReader } from '../../src/protocol/record-batch.ts';
import { openBatch } from '../../src/protocol/open-batch.ts';
import { MockCluster, type MockClusterOptions } from '../../src/testing/index.ts';
import { RawClient } from './raw-client.ts';

export const NO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export async function startKafka(options: MockClusterOptions = {}): Promise<MockCluster> {
  const kafka = await MockCluster.start(options);
  cleanups.push(() => kafka.close());
  return kafka;
}

export async function connect(kafka: MockCluster, nodeId = 1): Promise<RawClient> {
  const client = await RawClient.open(kafka.broker(nodeId).address);
  cleanups.push(() => client.close());
  return client;
}

export interface FetchOptions extends Partial<Omit<FetchRequest, 'topics'>> {
  topic?: string;
  topicId?: string;
  partition?: number;
  offset?: number;
  leaderEpoch?: number;
  lastFetchedEpoch?: number;
  partitionMaxBytes?: number;
}

/** Of one partition; `isEmpty` without any. */
export function fetchRequest(options: FetchOptions = {}, isEmpty = false): FetchRequest {
  const {
    topic = 't',
    topicId = NO_UUID,
    partition = 0,
    offset = 0,
    leaderEpoch = -1,
    lastFetchedEpoch = -1,
    partitionMaxBytes = 1 << 20,
    ...rest
  } = options;
  const wanted = {
    partition,
    currentLeaderEpoch: leaderEpoch,
    fetchOffset: Long.fromNumber(offset),
    lastFetchedEpoch,
    logStartOffset: Long.NEG_ONE,
    partitionMaxBytes,
    replicaDirectoryId: NO_UUID,
    highWatermark: Long.MAX_VALUE,
  };
  return {
    clusterId: null,
    replicaId: -1,
    replicaState: null,
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1 << 24,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    topics: isEmpty ? [] : [{ topic, topicId, partitions: [wanted] }],
    forgottenTopicsData: [],
    rackId: '',
    ...rest,
  };
}

/** Fetches one partition, by name. */
export async function fetchOne(
  client: RawClient,
  options: FetchOptions = {},
  version = 12,
): Promise<FetchablePartition> {
  const response = await client.send(fetch, version, fetchRequest(options));
  return partitionIn(response);
}

export function partitionIn(response: FetchResponse): FetchablePartition {
  const partition = response.responses[0]?.partitions[0];
  if (partition === undefined) throw new Error(`no partition in the answer, error ${response.errorCode}`);
  return partition;
}

/** `offset:value` of all whole batches. */
export function valuesIn(records: Buffer | null): string[] {
  const context = { topic: 't', partition: 0 };
  const batches = new WireBatchReader(records ?? Buffer.alloc(0), context);
  const values: string[] = [];
  for (let batch = batches.next(); batch !== null; batch = batches.next()) {
    if (batch.isControl) continue;
    const cursor = new RecordCursor(openBatch(batch, context, { checkCrcs: true, maxDecompressedBytes: 1 << 24 }));
    for (let record = cursor.next(); record !== undefined; record = cursor.next()) {
      values.push(`${record.offset}:${record.text() ?? 'null'}`);
    }
  }
  return values;
}

export function produceRequest(
  records: Buffer,
  { topic = 't', topicId = NO_UUID, partition = 0, acks = -1, transactionalId = null as string | null } = {},
): ProduceRequest {
  const topicData = [{ name: topic, topicId, partitionData: [{ index: partition, records }] }];
  return { transactionalId, acks, timeoutMs: 1000, topicData };
}

export function joinRequest(options: Partial<JoinGroupRequest> = {}): JoinGroupRequest {
  return {
    groupId: 'g',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    groupInstanceId: null,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('m') }],
    reason: null,
    ...options,
  };
}

/** Joins as often as the broker wants it. */
export async function join(
  client: RawClient,
  options: Partial<JoinGroupRequest> = {},
  version = 9,
): Promise<JoinGroupResponse> {
  const first = await client.send(joinGroup, version, joinRequest(options));
  if (first.errorCode !== 79) return first;
  return client.send(joinGroup, version, joinRequest({ ...options, memberId: first.memberId }));
}

/** Assigns to each member its own id, as text. */
export function sync(
  client: RawClient,
  { memberId, generationId, members }: JoinGroupResponse,
): Promise<SyncGroupResponse> {
  const assignments = members.map((member) => ({
    memberId: member.memberId,
    assignment: Buffer.from(member.memberId),
  }));
  const common = { groupInstanceId: null, protocolType: 'consumer', protocolName: 'range' };
  return client.send(syncGroup, 5, { groupId: 'g', generationId, memberId, ...common, assignments });
}
