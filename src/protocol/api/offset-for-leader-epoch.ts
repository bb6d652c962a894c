import type Long from 'long';
import type { Api } from '../api.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';

// OffsetForLeaderEpoch (key 23): where a leader epoch ends in the log, to find out about truncation.
// https://kafka.apache.org/protocol#The_Messages_OffsetForLeaderEpoch
//
// v2  currentLeaderEpoch: fencing (KIP-320); throttleTimeMs
// v3  replicaId; a consumer may ask with the right to describe the topic (KIP-320)
// v4  first flexible version (KIP-482)

export interface OffsetForLeaderEpochRequest {
  replicaId: number; // v3+, −1 for a consumer
  topics: OffsetForLeaderTopic[];
}

export interface OffsetForLeaderTopic {
  topic: string;
  partitions: OffsetForLeaderPartition[];
}

export interface OffsetForLeaderPartition {
  partition: number;
  currentLeaderEpoch: number; // −1 for unknown
  leaderEpoch: number; // the one to look up
}

export interface OffsetForLeaderEpochResponse {
  throttleTimeMs: number;
  topics: OffsetForLeaderTopicResult[];
}

export interface OffsetForLeaderTopicResult {
  topic: string;
  partitions: OffsetForLeaderPartitionResult[];
}

export interface OffsetForLeaderPartitionResult {
  errorCode: number;
  partition: number;
  leaderEpoch: number; // the largest not above the one asked for; −1 for none
  endOffset: Long; // −1 for none
}

/** What a request says of itself before v3: a debugging consumer. */
const NO_REPLICA = -2;

export const offsetForLeaderEpoch: Api<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse> = {
  key: 23,
  name: 'OffsetForLeaderEpoch',
  minVersion: 2,
  maxVersion: 4,
  flexibleFrom: 4,

  encodeRequest(w, v, m) {
    if (v >= 3) w.int32(m.replicaId);
    w.array(v, m.topics, encodeTopic);
    w.tags();
  },

  decodeRequest(r, v) {
    const m: OffsetForLeaderEpochRequest = {
      replicaId: v >= 3 ? r.int32() : NO_REPLICA,
      topics: r.array(v, decodeTopic),
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    w.int32(m.throttleTimeMs);
    w.array(v, m.topics, encodeTopicResult);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: OffsetForLeaderEpochResponse = {
      throttleTimeMs: r.int32(),
      topics: r.array(v, decodeTopicResult),
    };
    r.tags();
    return m;
  },
};

function encodeTopic(w: Writer, v: number, m: OffsetForLeaderTopic): void {
  w.string(m.topic);
  w.array(v, m.partitions, encodePartition);
  w.tags();
}
function decodeTopic(r: Reader, v: number): OffsetForLeaderTopic {
  const m: OffsetForLeaderTopic = { topic: r.string(), partitions: r.array(v, decodePartition) };
  r.tags();
  return m;
}

function encodePartition(w: Writer, _v: number, m: OffsetForLeaderPartition): void {
  w.int32(m.partition);
  w.int32(m.currentLeaderEpoch);
  w.int32(m.leaderEpoch);
  w.tags();
}
function decodePartition(r: Reader): OffsetForLeaderPartition {
  const m: OffsetForLeaderPartition = {
    partition: r.int32(),
    currentLeaderEpoch: r.int32(),
    leaderEpoch: r.int32(),
  };
  r.tags();
  return m;
}

function encodeTopicResult(w: Writer, v: number, m: OffsetForLeaderTopicResult): void {
  w.string(m.topic);
  w.array(v, m.partitions, encodePartitionResult);
  w.tags();
}
function decodeTopicResult(r: Reader, v: number): OffsetForLeaderTopicResult {
  const m: OffsetForLeaderTopicResult = { topic: r.string(), partitions: r.array(v, decodePartitionResult) };
  r.tags();
  return m;
}

function encodePartitionResult(w: Writer, _v: number, m: OffsetForLeaderPartitionResult): void {
  w.int16(m.errorCode);
  w.int32(m.partition);
  w.int32(m.leaderEpoch);
  w.int64(m.endOffset);
  w.tags();
}
function decodePartitionResult(r: Reader): OffsetForLeaderPartitionResult {
  const m: OffsetForLeaderPartitionResult = {
    errorCode: r.int16(),
    partition: r.int32(),
    leaderEpoch: r.int32(),
    endOffset: r.int64(),
  };
  r.tags();
  return m;
}
