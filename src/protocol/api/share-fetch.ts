import type Long from 'long';
import {
  decodeAcknowledgementBatch,
  encodeAcknowledgementBatch,
  type AcknowledgementBatch,
} from '../acknowledgement-batch.ts';
import type { Api } from '../api.ts';
import {
  decodeEndpoint,
  decodeLeader,
  encodeEndpoints,
  encodeLeader,
  type LeaderIdAndEpoch,
  type NodeEndpoint,
} from '../leader-hint.ts';
import type { Reader } from '../reader.ts';
import { decodeTopicIdPartitions, encodeTopicIdPartitions, type TopicIdPartitions } from '../topic-id-partitions.ts';
import type { Writer } from '../writer.ts';

// ShareFetch (key 78): acquire records for a member of a share group, and acknowledge earlier ones (KIP-932).
// https://kafka.apache.org/protocol#The_Messages_ShareFetch
//
// v0  only in Kafka 4.0, as early access; gone since
// v1  flexible from the first
// v2  shareAcquireMode (KIP-1206), isRenewAck (KIP-1222)

export interface ShareFetchRequest {
  groupId: string | null;
  memberId: string | null;
  shareSessionEpoch: number; // 0 opens a session, −1 ends it
  maxWaitMs: number;
  minBytes: number;
  maxBytes: number;
  maxRecords: number;
  batchSize: number; // records in a batch that is acquired, at best
  shareAcquireMode: number; // v2+, 0 whole batches, 1 not more than maxRecords
  isRenewAck: boolean; // v2+, whether an acknowledgement of type 4 is among them
  topics: ShareFetchTopic[];
  forgottenTopicsData: TopicIdPartitions[];
}

export interface ShareFetchTopic {
  topicId: string;
  partitions: ShareFetchPartition[];
}

export interface ShareFetchPartition {
  partitionIndex: number;
  acknowledgementBatches: AcknowledgementBatch[];
}

export interface ShareFetchResponse {
  throttleTimeMs: number;
  errorCode: number;
  errorMessage: string | null;
  acquisitionLockTimeoutMs: number; // how long the records are this member's
  responses: ShareFetchTopicResult[];
  nodeEndpoints: NodeEndpoint[];
}

export interface ShareFetchTopicResult {
  topicId: string;
  partitions: ShareFetchPartitionResult[];
}

export interface ShareFetchPartitionResult {
  partitionIndex: number;
  errorCode: number;
  errorMessage: string | null;
  acknowledgeErrorCode: number;
  acknowledgeErrorMessage: string | null;
  currentLeader: LeaderIdAndEpoch;
  records: Buffer; // a view of the frame; more than was acquired
  acquiredRecords: AcquiredRecords[];
}

export interface AcquiredRecords {
  firstOffset: Long;
  lastOffset: Long; // inclusive
  deliveryCount: number;
}

export const shareFetch: Api<ShareFetchRequest, ShareFetchResponse> = {
  key: 78,
  name: 'ShareFetch',
  minVersion: 1,
  maxVersion: 2,
  flexibleFrom: 1,

  encodeRequest(w, v, m) {
    w.nullableString(m.groupId);
    w.nullableString(m.memberId);
    w.int32(m.shareSessionEpoch);
    w.int32(m.maxWaitMs);
    w.int32(m.minBytes);
    w.int32(m.maxBytes);
    w.int32(m.maxRecords);
    w.int32(m.batchSize);
    if (v >= 2) w.int8(m.shareAcquireMode);
    if (v >= 2) w.bool(m.isRenewAck);
    else if (m.isRenewAck) w.refuse('isRenewAck');
    w.array(v, m.topics, encodeTopic);
    w.array(v, m.forgottenTopicsData, encodeTopicIdPartitions);
    w.tags();
  },

  decodeRequest(r, v) {
    const m: ShareFetchRequest = {
      groupId: r.nullableString(),
      memberId: r.nullableString(),
      shareSessionEpoch: r.int32(),
      maxWaitMs: r.int32(),
      minBytes: r.int32(),
      maxBytes: r.int32(),
      maxRecords: r.int32(),
      batchSize: r.int32(),
      shareAcquireMode: v >= 2 ? r.int8() : 0,
      isRenewAck: v >= 2 ? r.bool() : false,
      topics: r.array(v, decodeTopic),
      forgottenTopicsData: r.array(v, decodeTopicIdPartitions),
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    w.int32(m.throttleTimeMs);
    w.int16(m.errorCode);
    w.nullableString(m.errorMessage);
    w.int32(m.acquisitionLockTimeoutMs);
    w.array(v, m.responses, encodeTopicResult);
    encodeEndpoints(w, v, m.nodeEndpoints);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: ShareFetchResponse = {
      throttleTimeMs: r.int32(),
      errorCode: r.int16(),
      errorMessage: r.nullableString(),
      acquisitionLockTimeoutMs: r.int32(),
      responses: r.array(v, decodeTopicResult),
      nodeEndpoints: r.array(v, decodeEndpoint),
    };
    r.tags();
    return m;
  },
};

function encodeTopic(w: Writer, v: number, m: ShareFetchTopic): void {
  w.uuid(m.topicId);
  w.array(v, m.partitions, encodePartition);
  w.tags();
}
function decodeTopic(r: Reader, v: number): ShareFetchTopic {
  const m: ShareFetchTopic = { topicId: r.uuid(), partitions: r.array(v, decodePartition) };
  r.tags();
  return m;
}

function encodePartition(w: Writer, v: number, m: ShareFetchPartition): void {
  w.int32(m.partitionIndex);
  w.array(v, m.acknowledgementBatches, encodeAcknowledgementBatch);
  w.tags();
}
function decodePartition(r: Reader, v: number): ShareFetchPartition {
  const m: ShareFetchPartition = {
    partitionIndex: r.int32(),
    acknowledgementBatches: r.array(v, decodeAcknowledgementBatch),
  };
  r.tags();
  return m;
}

function encodeTopicResult(w: Writer, v: number, m: ShareFetchTopicResult): void {
  w.uuid(m.topicId);
  w.array(v, m.partitions, encodePartitionResult);
  w.tags();
}
function decodeTopicResult(r: Reader, v: number): ShareFetchTopicResult {
  const m: ShareFetchTopicResult = { topicId: r.uuid(), partitions: r.array(v, decodePartitionResult) };
  r.tags();
  return m;
}

function encodePartitionResult(w: Writer, v: number, m: ShareFetchPartitionResult): void {
  w.int32(m.partitionIndex);
  w.int16(m.errorCode);
  w.nullableString(m.errorMessage);
  w.int16(m.acknowledgeErrorCode);
  w.nullableString(m.acknowledgeErrorMessage);
  encodeLeader(w, v, m.currentLeader);
  w.bytes(m.records);
  w.array(v, m.acquiredRecords, encodeAcquired);
  w.tags();
}
function decodePartitionResult(r: Reader, v: number): ShareFetchPartitionResult {
  const m: ShareFetchPartitionResult = {
    partitionIndex: r.int32(),
    errorCode: r.int16(),
    errorMessage: r.nullableString(),
    acknowledgeErrorCode: r.int16(),
    acknowledgeErrorMessage: r.nullableString(),
    currentLeader: decodeLeader(r),
    records: r.bytes(),
    acquiredRecords: r.array(v, decodeAcquired),
  };
  r.tags();
  return m;
}

function encodeAcquired(w: Writer, _v: number, m: AcquiredRecords): void {
  w.int64(m.firstOffset);
  w.int64(m.lastOffset);
  w.int16(m.deliveryCount);
  w.tags();
}
function decodeAcquired(r: Reader): AcquiredRecords {
  const m: AcquiredRecords = { firstOffset: r.int64(), lastOffset: r.int64(), deliveryCount: r.int16() };
  r.tags();
  return m;
}
