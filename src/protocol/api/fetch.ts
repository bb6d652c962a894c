import Long from 'long';
import type { Api } from '../api.ts';
import { MINUS_ONE, NO_UUID, decodeInt32, encodeInt32, encodeInt64, encodeString, encodeUuid } from '../codec.ts';
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

// Fetch (key 1): records of many partitions from one broker.
// https://kafka.apache.org/protocol#The_Messages_Fetch
//
// v4  isolation level, last stable offset, aborted transactions, record batches v2 (KIP-98)
// v5  logStartOffset (KIP-107)
// v7  fetch sessions (KIP-227)
// v9  currentLeaderEpoch: fencing (KIP-320)
// v11 rackId, preferredReadReplica: fetch from followers (KIP-392)
// v12 first flexible version; lastFetchedEpoch, divergingEpoch: truncation detection (KIP-595)
// v13 topic ids in place of names (KIP-516)
// v15 replicaId moves into the tagged replicaState (KIP-903)
// v16 nodeEndpoints of new leaders (KIP-951)
// v17 replicaDirectoryId (KIP-853); v18 highWatermark (KIP-1166): followers only

export interface FetchRequest {
  clusterId: string | null; // v12+ tag 0
  replicaId: number; // v4-14
  replicaState: ReplicaState | null; // v15+ tag 1; a consumer leaves it out
  maxWaitMs: number;
  minBytes: number;
  maxBytes: number;
  isolationLevel: number;
  sessionId: number; // v7+
  sessionEpoch: number; // v7+
  topics: FetchTopic[];
  forgottenTopicsData: ForgottenTopic[]; // v7+
  rackId: string; // v11+
}

export interface ReplicaState {
  replicaId: number;
  replicaEpoch: Long;
}

export interface FetchTopic {
  topic: string;
  topicId: string;
  partitions: FetchPartition[];
}

export interface FetchPartition {
  partition: number;
  currentLeaderEpoch: number; // v9+
  fetchOffset: Long;
  lastFetchedEpoch: number; // v12+
  logStartOffset: Long; // v5+
  partitionMaxBytes: number;
  replicaDirectoryId: string; // v17+ tag 0
  highWatermark: Long; // v18+ tag 1
}

export interface ForgottenTopic {
  topic: string;
  topicId: string;
  partitions: number[];
}

export interface FetchResponse {
  throttleTimeMs: number;
  errorCode: number; // v7+
  sessionId: number; // v7+
  responses: FetchableTopic[];
  nodeEndpoints: NodeEndpoint[]; // v16+ tag 0
}

export interface FetchableTopic {
  topic: string;
  topicId: string;
  partitions: FetchablePartition[];
}

export interface FetchablePartition {
  partitionIndex: number;
  errorCode: number;
  highWatermark: Long;
  lastStableOffset: Long;
  logStartOffset: Long; // v5+
  divergingEpoch: EpochEndOffset | null; // v12+ tag 0
  currentLeader: LeaderIdAndEpoch | null; // v12+ tag 1
  snapshotId: EpochEndOffset | null; // v12+ tag 2
  abortedTransactions: AbortedTransaction[] | null;
  preferredReadReplica: number; // v11+
  records: Buffer | null; // a view into the response: batches, not yet decoded
}

export interface EpochEndOffset {
  epoch: number;
  endOffset: Long;
}

export interface AbortedTransaction {
  producerId: Long;
  firstOffset: Long;
}

const MAX_INT64 = Long.MAX_VALUE;

export const fetch: Api<FetchRequest, FetchResponse> = {
  key: 1,
  name: 'Fetch',
  minVersion: 4,
  maxVersion: 18,
  flexibleFrom: 12,

  encodeRequest(w, v, m) {
    if (v <= 14) w.int32(m.replicaId);
    else if (m.replicaId !== -1) w.refuse('replicaId');
    w.int32(m.maxWaitMs);
    w.int32(m.minBytes);
    w.int32(m.maxBytes);
    w.int8(m.isolationLevel);
    if (v >= 7) w.int32(m.sessionId);
    if (v >= 7) w.int32(m.sessionEpoch);
    w.array(v, m.topics, encodeTopic);
    if (v >= 7) w.array(v, m.forgottenTopicsData, encodeForgotten);
    else if (m.forgottenTopicsData.length > 0) w.refuse('forgottenTopicsData');
    if (v >= 11) w.string(m.rackId);
    const tags = w.openTags();
    if (v >= 12 && m.clusterId !== null) w.tag(tags, 0, v, m.clusterId, encodeString);
    if (v >= 15 && m.replicaState !== null) w.tag(tags, 1, v, m.replicaState, encodeReplicaState);
    else if (m.replicaState !== null) w.refuse('replicaState');
  },

  decodeRequest(r, v) {
    const m: FetchRequest = {
      clusterId: null,
      replicaId: v <= 14 ? r.int32() : -1,
      replicaState: null,
      maxWaitMs: r.int32(),
      minBytes: r.int32(),
      maxBytes: r.int32(),
      isolationLevel: r.int8(),
      sessionId: v >= 7 ? r.int32() : 0,
      sessionEpoch: v >= 7 ? r.int32() : -1,
      topics: r.array(v, decodeTopic),
      forgottenTopicsData: v >= 7 ? r.array(v, decodeForgotten) : [],
      rackId: v >= 11 ? r.string() : '',
    };
    r.tagged(v, m, requestTag);
    return m;
  },

  encodeResponse(w, v, m) {
    w.int32(m.throttleTimeMs);
    if (v >= 7) w.int16(m.errorCode);
    if (v >= 7) w.int32(m.sessionId);
    else if (m.sessionId !== 0) w.refuse('sessionId');
    w.array(v, m.responses, encodeFetchableTopic);
    const tags = w.openTags();
    if (m.nodeEndpoints.length > 0) {
      if (v < 16) w.refuse('nodeEndpoints');
      w.tag(tags, 0, v, m.nodeEndpoints, encodeEndpoints);
    }
  },

  decodeResponse(r, v) {
    const m: FetchResponse = {
      throttleTimeMs: r.int32(),
      errorCode: v >= 7 ? r.int16() : 0,
      sessionId: v >= 7 ? r.int32() : 0,
      responses: r.array(v, decodeFetchableTopic),
      nodeEndpoints: [],
    };
    r.tagged(v, m, responseTag);
    return m;
  },
};

function encodeTopic(w: Writer, v: number, m: FetchTopic): void {
  if (v >= 13) w.uuid(m.topicId);
  else w.string(m.topic);
  w.array(v, m.partitions, encodePartition);
  w.tags();
}
function decodeTopic(r: Reader, v: number): FetchTopic {
  const m: FetchTopic = {
    topic: v >= 13 ? '' : r.string(),
    topicId: v >= 13 ? r.uuid() : NO_UUID,
    partitions: r.array(v, decodePartition),
  };
  r.tags();
  return m;
}

function encodePartition(w: Writer, v: number, m: FetchPartition): void {
  w.int32(m.partition);
  if (v >= 9) w.int32(m.currentLeaderEpoch);
  w.int64(m.fetchOffset);
  if (v >= 12) w.int32(m.lastFetchedEpoch);
  else if (m.lastFetchedEpoch !== -1) w.refuse('lastFetchedEpoch');
  if (v >= 5) w.int64(m.logStartOffset);
  w.int32(m.partitionMaxBytes);
  const tags = w.openTags();
  if (v >= 17 && m.replicaDirectoryId !== NO_UUID) w.tag(tags, 0, v, m.replicaDirectoryId, encodeUuid);
  if (v >= 18 && !m.highWatermark.eq(MAX_INT64)) w.tag(tags, 1, v, m.highWatermark, encodeInt64);
}
function decodePartition(r: Reader, v: number): FetchPartition {
  const m: FetchPartition = {
    partition: r.int32(),
    currentLeaderEpoch: v >= 9 ? r.int32() : -1,
    fetchOffset: r.int64(),
    lastFetchedEpoch: v >= 12 ? r.int32() : -1,
    logStartOffset: v >= 5 ? r.int64() : MINUS_ONE,
    partitionMaxBytes: r.int32(),
    replicaDirectoryId: NO_UUID,
    highWatermark: MAX_INT64,
  };
  r.tagged(v, m, partitionTag);
  return m;
}

function encodeForgotten(w: Writer, v: number, m: ForgottenTopic): void {
  if (v >= 13) w.uuid(m.topicId);
  else w.string(m.topic);
  w.array(v, m.partitions, encodeInt32);
  w.tags();
}
function decodeForgotten(r: Reader, v: number): ForgottenTopic {
  const m: ForgottenTopic = {
    topic: v >= 13 ? '' : r.string(),
    topicId: v >= 13 ? r.uuid() : NO_UUID,
    partitions: r.array(v, decodeInt32),
  };
  r.tags();
  return m;
}

function encodeFetchableTopic(w: Writer, v: number, m: FetchableTopic): void {
  if (v >= 13) w.uuid(m.topicId);
  else w.string(m.topic);
  w.array(v, m.partitions, encodeFetchable);
  w.tags();
}
function decodeFetchableTopic(r: Reader, v: number): FetchableTopic {
  const m: FetchableTopic = {
    topic: v >= 13 ? '' : r.string(),
    topicId: v >= 13 ? r.uuid() : NO_UUID,
    partitions: r.array(v, decodeFetchable),
  };
  r.tags();
  return m;
}

function encodeFetchable(w: Writer, v: number, m: FetchablePartition): void {
  w.int32(m.partitionIndex);
  w.int16(m.errorCode);
  w.int64(m.highWatermark);
  w.int64(m.lastStableOffset);
  if (v >= 5) w.int64(m.logStartOffset);
  w.nullableArray(v, m.abortedTransactions, encodeAborted);
  if (v >= 11) w.int32(m.preferredReadReplica);
  else if (m.preferredReadReplica !== -1) w.refuse('preferredReadReplica');
  w.nullableBytes(m.records);
  const tags = w.openTags();
  if (m.divergingEpoch !== null) w.tag(tags, 0, v, m.divergingEpoch, encodeDiverging); // before v12 tag() refuses
  if (m.currentLeader !== null) w.tag(tags, 1, v, m.currentLeader, encodeLeader);
  if (m.snapshotId !== null) w.tag(tags, 2, v, m.snapshotId, encodeSnapshot);
}
function decodeFetchable(r: Reader, v: number): FetchablePartition {
  const m: FetchablePartition = {
    partitionIndex: r.int32(),
    errorCode: r.int16(),
    highWatermark: r.int64(),
    lastStableOffset: r.int64(),
    logStartOffset: v >= 5 ? r.int64() : MINUS_ONE,
    divergingEpoch: null,
    currentLeader: null,
    snapshotId: null,
    abortedTransactions: r.nullableArray(v, decodeAborted),
    preferredReadReplica: v >= 11 ? r.int32() : -1,
    records: r.nullableBytes(),
  };
  r.tagged(v, m, fetchableTag);
  return m;
}

function encodeAborted(w: Writer, _v: number, m: AbortedTransaction): void {
  w.int64(m.producerId);
  w.int64(m.firstOffset);
  w.tags();
}
function decodeAborted(r: Reader): AbortedTransaction {
  const m: AbortedTransaction = { producerId: r.int64(), firstOffset: r.int64() };
  r.tags();
  return m;
}

function requestTag(r: Reader, _v: number, m: FetchRequest, tag: number): void {
  if (tag === 0) m.clusterId = r.nullableString();
  else if (tag === 1) {
    m.replicaState = { replicaId: r.int32(), replicaEpoch: r.int64() };
    r.tags();
  }
}
function partitionTag(r: Reader, v: number, m: FetchPartition, tag: number): void {
  if (tag === 0 && v >= 17) m.replicaDirectoryId = r.uuid();
  else if (tag === 1 && v >= 18) m.highWatermark = r.int64();
}
function responseTag(r: Reader, v: number, m: FetchResponse, tag: number): void {
  if (tag === 0 && v >= 16) m.nodeEndpoints = r.array(v, decodeEndpoint);
}
function fetchableTag(r: Reader, _v: number, m: FetchablePartition, tag: number): void {
  if (tag === 0) {
    m.divergingEpoch = { epoch: r.int32(), endOffset: r.int64() };
    r.tags();
  } else if (tag === 1) {
    m.currentLeader = decodeLeader(r);
  } else if (tag === 2) {
    const endOffset = r.int64();
    m.snapshotId = { epoch: r.int32(), endOffset };
    r.tags();
  }
}

function encodeReplicaState(w: Writer, _v: number, m: ReplicaState): void {
  w.int32(m.replicaId);
  w.int64(m.replicaEpoch);
  w.tags();
}

function encodeDiverging(w: Writer, _v: number, m: EpochEndOffset): void {
  w.int32(m.epoch);
  w.int64(m.endOffset);
  w.tags();
}

function encodeSnapshot(w: Writer, _v: number, m: EpochEndOffset): void {
  w.int64(m.endOffset);
  w.int32(m.epoch);
  w.tags();
}
