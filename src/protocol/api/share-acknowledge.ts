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
import type { Writer } from '../writer.ts';

// ShareAcknowledge (key 79): acknowledge records of a share group without fetching more (KIP-932).
// https://kafka.apache.org/protocol#The_Messages_ShareAcknowledge
//
// v0  only in Kafka 4.0, as early access; gone since
// v1  flexible from the first
// v2  isRenewAck, acquisitionLockTimeoutMs (KIP-1222)

export interface ShareAcknowledgeRequest {
  groupId: string | null;
  memberId: string | null;
  shareSessionEpoch: number; // −1 ends the session
  isRenewAck: boolean; // v2+, whether an acknowledgement of type 4 is among them
  topics: ShareAcknowledgeTopic[];
}

export interface ShareAcknowledgeTopic {
  topicId: string;
  partitions: ShareAcknowledgePartition[];
}

export interface ShareAcknowledgePartition {
  partitionIndex: number;
  acknowledgementBatches: AcknowledgementBatch[];
}

export interface ShareAcknowledgeResponse {
  throttleTimeMs: number;
  errorCode: number;
  errorMessage: string | null;
  acquisitionLockTimeoutMs: number; // v2+
  responses: ShareAcknowledgeTopicResult[];
  nodeEndpoints: NodeEndpoint[];
}

export interface ShareAcknowledgeTopicResult {
  topicId: string;
  partitions: ShareAcknowledgePartitionResult[];
}

export interface ShareAcknowledgePartitionResult {
  partitionIndex: number;
  errorCode: number;
  errorMessage: string | null;
  currentLeader: LeaderIdAndEpoch;
}

export const shareAcknowledge: Api<ShareAcknowledgeRequest, ShareAcknowledgeResponse> = {
  key: 79,
  name: 'ShareAcknowledge',
  minVersion: 1,
  maxVersion: 2,
  flexibleFrom: 1,

  encodeRequest(w, v, m) {
    w.nullableString(m.groupId);
    w.nullableString(m.memberId);
    w.int32(m.shareSessionEpoch);
    if (v >= 2) w.bool(m.isRenewAck);
    else if (m.isRenewAck) w.refuse('isRenewAck');
    w.array(v, m.topics, encodeTopic);
    w.tags();
  },

  decodeRequest(r, v) {
    const m: ShareAcknowledgeRequest = {
      groupId: r.nullableString(),
      memberId: r.nullableString(),
      shareSessionEpoch: r.int32(),
      isRenewAck: v >= 2 ? r.bool() : false,
      topics: r.array(v, decodeTopic),
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    w.int32(m.throttleTimeMs);
    w.int16(m.errorCode);
    w.nullableString(m.errorMessage);
    if (v >= 2) w.int32(m.acquisitionLockTimeoutMs);
    w.array(v, m.responses, encodeTopicResult);
    encodeEndpoints(w, v, m.nodeEndpoints);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: ShareAcknowledgeResponse = {
      throttleTimeMs: r.int32(),
      errorCode: r.int16(),
      errorMessage: r.nullableString(),
      acquisitionLockTimeoutMs: v >= 2 ? r.int32() : 0,
      responses: r.array(v, decodeTopicResult),
      nodeEndpoints: r.array(v, decodeEndpoint),
    };
    r.tags();
    return m;
  },
};

function encodeTopic(w: Writer, v: number, m: ShareAcknowledgeTopic): void {
  w.uuid(m.topicId);
  w.array(v, m.partitions, encodePartition);
  w.tags();
}
function decodeTopic(r: Reader, v: number): ShareAcknowledgeTopic {
  const m: ShareAcknowledgeTopic = { topicId: r.uuid(), partitions: r.array(v, decodePartition) };
  r.tags();
  return m;
}

function encodePartition(w: Writer, v: number, m: ShareAcknowledgePartition): void {
  w.int32(m.partitionIndex);
  w.array(v, m.acknowledgementBatches, encodeAcknowledgementBatch);
  w.tags();
}
function decodePartition(r: Reader, v: number): ShareAcknowledgePartition {
  const m: ShareAcknowledgePartition = {
    partitionIndex: r.int32(),
    acknowledgementBatches: r.array(v, decodeAcknowledgementBatch),
  };
  r.tags();
  return m;
}

function encodeTopicResult(w: Writer, v: number, m: ShareAcknowledgeTopicResult): void {
  w.uuid(m.topicId);
  w.array(v, m.partitions, encodePartitionResult);
  w.tags();
}
function decodeTopicResult(r: Reader, v: number): ShareAcknowledgeTopicResult {
  const m: ShareAcknowledgeTopicResult = { topicId: r.uuid(), partitions: r.array(v, decodePartitionResult) };
  r.tags();
  return m;
}

function encodePartitionResult(w: Writer, v: number, m: ShareAcknowledgePartitionResult): void {
  w.int32(m.partitionIndex);
  w.int16(m.errorCode);
  w.nullableString(m.errorMessage);
  encodeLeader(w, v, m.currentLeader);
  w.tags();
}
function decodePartitionResult(r: Reader): ShareAcknowledgePartitionResult {
  const m: ShareAcknowledgePartitionResult = {
    partitionIndex: r.int32(),
    errorCode: r.int16(),
    errorMessage: r.nullableString(),
    currentLeader: decodeLeader(r),
  };
  r.tags();
  return m;
}
