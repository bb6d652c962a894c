import type Long from 'long';
import type { Api } from '../api.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';

// ListOffsets (key 2): the offset that belongs to a timestamp; −1 latest, −2 earliest and so on.
// https://kafka.apache.org/protocol#The_Messages_ListOffsets
//
// v1  one offset per partition, with its timestamp (KIP-79)
// v2  isolationLevel, throttleTimeMs (KIP-98)
// v3  throttling happens after the response (KIP-219)
// v4  currentLeaderEpoch: fencing; the answer's leaderEpoch (KIP-320)
// v5  error code OFFSET_NOT_AVAILABLE (KIP-207)
// v6  first flexible version (KIP-482)
// v7  timestamp −3: the record with the largest timestamp (KIP-734)
// v8  timestamp −4: the earliest offset on the leader's own disk (KIP-405)
// v9  timestamp −5: the latest offset in tiered storage (KIP-1005)
// v10 timeoutMs, for look-ups in tiered storage (KIP-1075)
// v11 timestamp −6: the earliest offset not yet in tiered storage (KIP-1023)

export interface ListOffsetsRequest {
  replicaId: number; // −1 for a consumer
  isolationLevel: number; // v2+, 0 read uncommitted, 1 read committed
  topics: ListOffsetsTopic[];
  timeoutMs: number; // v10+
}

export interface ListOffsetsTopic {
  name: string;
  partitions: ListOffsetsPartition[];
}

export interface ListOffsetsPartition {
  partitionIndex: number;
  currentLeaderEpoch: number; // v4+, −1 for unknown
  timestamp: Long;
}

export interface ListOffsetsResponse {
  throttleTimeMs: number; // v2+
  topics: ListOffsetsTopicResult[];
}

export interface ListOffsetsTopicResult {
  name: string;
  partitions: ListOffsetsPartitionResult[];
}

export interface ListOffsetsPartitionResult {
  partitionIndex: number;
  errorCode: number;
  timestamp: Long; // −1 where no record was found
  offset: Long; // −1 where no record was found
  leaderEpoch: number; // v4+
}

export const listOffsets: Api<ListOffsetsRequest, ListOffsetsResponse> = {
  key: 2,
  name: 'ListOffsets',
  minVersion: 1,
  maxVersion: 11,
  flexibleFrom: 6,

  encodeRequest(w, v, m) {
    w.int32(m.replicaId);
    if (v >= 2) w.int8(m.isolationLevel);
    else if (m.isolationLevel !== 0) w.refuse('isolationLevel');
    w.array(v, m.topics, encodeTopic);
    if (v >= 10) w.int32(m.timeoutMs);
    w.tags();
  },

  decodeRequest(r, v) {
    const m: ListOffsetsRequest = {
      replicaId: r.int32(),
      isolationLevel: v >= 2 ? r.int8() : 0,
      topics: r.array(v, decodeTopic),
      timeoutMs: v >= 10 ? r.int32() : 0,
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    if (v >= 2) w.int32(m.throttleTimeMs);
    w.array(v, m.topics, encodeTopicResult);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: ListOffsetsResponse = {
      throttleTimeMs: v >= 2 ? r.int32() : 0,
      topics: r.array(v, decodeTopicResult),
    };
    r.tags();
    return m;
  },
};

function encodeTopic(w: Writer, v: number, m: ListOffsetsTopic): void {
  w.string(m.name);
  w.array(v, m.partitions, encodePartition);
  w.tags();
}
function decodeTopic(r: Reader, v: number): ListOffsetsTopic {
  const m: ListOffsetsTopic = { name: r.string(), partitions: r.array(v, decodePartition) };
  r.tags();
  return m;
}

function encodePartition(w: Writer, v: number, m: ListOffsetsPartition): void {
  w.int32(m.partitionIndex);
  if (v >= 4) w.int32(m.currentLeaderEpoch);
  w.int64(m.timestamp);
  w.tags();
}
function decodePartition(r: Reader, v: number): ListOffsetsPartition {
  const m: ListOffsetsPartition = {
    partitionIndex: r.int32(),
    currentLeaderEpoch: v >= 4 ? r.int32() : -1,
    timestamp: r.int64(),
  };
  r.tags();
  return m;
}

function encodeTopicResult(w: Writer, v: number, m: ListOffsetsTopicResult): void {
  w.string(m.name);
  w.array(v, m.partitions, encodePartitionResult);
  w.tags();
}
function decodeTopicResult(r: Reader, v: number): ListOffsetsTopicResult {
  const m: ListOffsetsTopicResult = { name: r.string(), partitions: r.array(v, decodePartitionResult) };
  r.tags();
  return m;
}

function encodePartitionResult(w: Writer, v: number, m: ListOffsetsPartitionResult): void {
  w.int32(m.partitionIndex);
  w.int16(m.errorCode);
  w.int64(m.timestamp);
  w.int64(m.offset);
  if (v >= 4) w.int32(m.leaderEpoch);
  else if (m.leaderEpoch !== -1) w.refuse('leaderEpoch');
  w.tags();
}
function decodePartitionResult(r: Reader, v: number): ListOffsetsPartitionResult {
  const m: ListOffsetsPartitionResult = {
    partitionIndex: r.int32(),
    errorCode: r.int16(),
    timestamp: r.int64(),
    offset: r.int64(),
    leaderEpoch: v >= 4 ? r.int32() : -1,
  };
  r.tags();
  return m;
}
