import type Long from 'long';
import type { Api } from '../api.ts';
import { MINUS_ONE, NO_UUID } from '../codec.ts';
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

// Produce (key 0): append record batches. samsa itself never sends it; tests and the mock cluster need it.
// https://kafka.apache.org/protocol#The_Messages_Produce
//
// v3  transactionalId, record batches v2 (KIP-98)
// v4  error code KAFKA_STORAGE_ERROR (KIP-112)
// v5  logStartOffset (KIP-107)
// v6  throttling happens after the response (KIP-219)
// v7  zstd (KIP-110)
// v8  recordErrors, errorMessage (KIP-467)
// v9  first flexible version (KIP-482)
// v10 currentLeader, nodeEndpoints of new leaders (KIP-951)
// v11 error code TRANSACTION_ABORTABLE (KIP-890); v12 partitions join a transaction implicitly (KIP-890)
// v13 topic ids in place of names (KIP-516)

export interface ProduceRequest {
  transactionalId: string | null;
  acks: number; // −1 all in-sync replicas, 1 the leader, 0 no answer
  timeoutMs: number;
  topicData: ProduceTopic[];
}

export interface ProduceTopic {
  name: string; // v3-12
  topicId: string; // v13+
  partitionData: ProducePartition[];
}

export interface ProducePartition {
  index: number;
  records: Buffer | null; // one record batch
}

export interface ProduceResponse {
  responses: ProduceTopicResult[];
  throttleTimeMs: number;
  nodeEndpoints: NodeEndpoint[]; // v10+ tag 0
}

export interface ProduceTopicResult {
  name: string; // v3-12
  topicId: string; // v13+
  partitionResponses: ProducePartitionResult[];
}

export interface ProducePartitionResult {
  index: number;
  errorCode: number;
  baseOffset: Long;
  logAppendTimeMs: Long; // −1 where the timestamps are the producer's
  logStartOffset: Long; // v5+
  recordErrors: RecordError[]; // v8+
  errorMessage: string | null; // v8+
  currentLeader: LeaderIdAndEpoch | null; // v10+ tag 0
}

export interface RecordError {
  batchIndex: number;
  batchIndexErrorMessage: string | null;
}

export const produce: Api<ProduceRequest, ProduceResponse> = {
  key: 0,
  name: 'Produce',
  minVersion: 3,
  maxVersion: 13,
  flexibleFrom: 9,

  encodeRequest(w, v, m) {
    w.nullableString(m.transactionalId);
    w.int16(m.acks);
    w.int32(m.timeoutMs);
    w.array(v, m.topicData, encodeTopic);
    w.tags();
  },

  decodeRequest(r, v) {
    const m: ProduceRequest = {
      transactionalId: r.nullableString(),
      acks: r.int16(),
      timeoutMs: r.int32(),
      topicData: r.array(v, decodeTopic),
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    w.array(v, m.responses, encodeTopicResult);
    w.int32(m.throttleTimeMs);
    const tags = w.openTags();
    if (m.nodeEndpoints.length > 0) {
      if (v < 10) w.refuse('nodeEndpoints');
      w.tag(tags, 0, v, m.nodeEndpoints, encodeEndpoints);
    }
  },

  decodeResponse(r, v) {
    const m: ProduceResponse = {
      responses: r.array(v, decodeTopicResult),
      throttleTimeMs: r.int32(),
      nodeEndpoints: [],
    };
    r.tagged(v, m, responseTag);
    return m;
  },
};

function responseTag(r: Reader, v: number, m: ProduceResponse, tag: number): void {
  if (tag === 0 && v >= 10) m.nodeEndpoints = r.array(v, decodeEndpoint);
}

function encodeTopic(w: Writer, v: number, m: ProduceTopic): void {
  if (v <= 12) w.string(m.name);
  if (v >= 13) w.uuid(m.topicId);
  w.array(v, m.partitionData, encodePartition);
  w.tags();
}
function decodeTopic(r: Reader, v: number): ProduceTopic {
  const m: ProduceTopic = {
    name: v <= 12 ? r.string() : '',
    topicId: v >= 13 ? r.uuid() : NO_UUID,
    partitionData: r.array(v, decodePartition),
  };
  r.tags();
  return m;
}

function encodePartition(w: Writer, _v: number, m: ProducePartition): void {
  w.int32(m.index);
  w.nullableBytes(m.records);
  w.tags();
}
function decodePartition(r: Reader): ProducePartition {
  const m: ProducePartition = { index: r.int32(), records: r.nullableBytes() };
  r.tags();
  return m;
}

function encodeTopicResult(w: Writer, v: number, m: ProduceTopicResult): void {
  if (v <= 12) w.string(m.name);
  if (v >= 13) w.uuid(m.topicId);
  w.array(v, m.partitionResponses, encodePartitionResult);
  w.tags();
}
function decodeTopicResult(r: Reader, v: number): ProduceTopicResult {
  const m: ProduceTopicResult = {
    name: v <= 12 ? r.string() : '',
    topicId: v >= 13 ? r.uuid() : NO_UUID,
    partitionResponses: r.array(v, decodePartitionResult),
  };
  r.tags();
  return m;
}

function encodePartitionResult(w: Writer, v: number, m: ProducePartitionResult): void {
  w.int32(m.index);
  w.int16(m.errorCode);
  w.int64(m.baseOffset);
  w.int64(m.logAppendTimeMs);
  if (v >= 5) w.int64(m.logStartOffset);
  if (v >= 8) w.array(v, m.recordErrors, encodeRecordError);
  if (v >= 8) w.nullableString(m.errorMessage);
  const tags = w.openTags();
  if (m.currentLeader !== null) {
    if (v < 10) w.refuse('currentLeader');
    w.tag(tags, 0, v, m.currentLeader, encodeLeader);
  }
}
function decodePartitionResult(r: Reader, v: number): ProducePartitionResult {
  const m: ProducePartitionResult = {
    index: r.int32(),
    errorCode: r.int16(),
    baseOffset: r.int64(),
    logAppendTimeMs: r.int64(),
    logStartOffset: v >= 5 ? r.int64() : MINUS_ONE,
    recordErrors: v >= 8 ? r.array(v, decodeRecordError) : [],
    errorMessage: v >= 8 ? r.nullableString() : null,
    currentLeader: null,
  };
  r.tagged(v, m, partitionTag);
  return m;
}
function partitionTag(r: Reader, v: number, m: ProducePartitionResult, tag: number): void {
  if (tag === 0 && v >= 10) m.currentLeader = decodeLeader(r);
}

function encodeRecordError(w: Writer, _v: number, m: RecordError): void {
  w.int32(m.batchIndex);
  w.nullableString(m.batchIndexErrorMessage);
  w.tags();
}
function decodeRecordError(r: Reader): RecordError {
  const m: RecordError = { batchIndex: r.int32(), batchIndexErrorMessage: r.nullableString() };
  r.tags();
  return m;
}
