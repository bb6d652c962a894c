import type Long from 'long';
import type { Api } from '../api.ts';
import { MINUS_ONE, NO_UUID } from '../codec.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';

// OffsetCommit (key 8): store a group's offsets.
// https://kafka.apache.org/protocol#The_Messages_OffsetCommit
//
// v2  retentionTimeMs (until v4)
// v3  response has throttleTimeMs
// v4  throttling happens after the response (KIP-219)
// v5  no more retentionTimeMs (KIP-211)
// v6  committedLeaderEpoch (KIP-320)
// v7  groupInstanceId: static membership (KIP-345)
// v8  first flexible version (KIP-482)
// v9  members of the consumer group protocol: GROUP_ID_NOT_FOUND, STALE_MEMBER_EPOCH (KIP-848)
// v10 topic ids in place of names (KIP-848)

export interface OffsetCommitRequest {
  groupId: string;
  generationIdOrMemberEpoch: number; // −1 outside of a group
  memberId: string;
  groupInstanceId: string | null; // v7+
  retentionTimeMs: Long; // v2-4, −1 for the broker's own
  topics: OffsetCommitTopic[];
}

export interface OffsetCommitTopic {
  name: string; // v2-9
  topicId: string; // v10+
  partitions: OffsetCommitPartition[];
}

export interface OffsetCommitPartition {
  partitionIndex: number;
  committedOffset: Long;
  committedLeaderEpoch: number; // v6+, −1 for unknown
  committedMetadata: string | null;
}

export interface OffsetCommitResponse {
  throttleTimeMs: number; // v3+
  topics: OffsetCommitTopicResult[];
}

export interface OffsetCommitTopicResult {
  name: string; // v2-9
  topicId: string; // v10+
  partitions: OffsetCommitPartitionResult[];
}

export interface OffsetCommitPartitionResult {
  partitionIndex: number;
  errorCode: number;
}

export const offsetCommit: Api<OffsetCommitRequest, OffsetCommitResponse> = {
  key: 8,
  name: 'OffsetCommit',
  minVersion: 2,
  maxVersion: 10,
  flexibleFrom: 8,

  encodeRequest(w, v, m) {
    w.string(m.groupId);
    w.int32(m.generationIdOrMemberEpoch);
    w.string(m.memberId);
    if (v >= 7) w.nullableString(m.groupInstanceId);
    else if (m.groupInstanceId !== null) w.refuse('groupInstanceId');
    if (v <= 4) w.int64(m.retentionTimeMs);
    w.array(v, m.topics, encodeTopic);
    w.tags();
  },

  decodeRequest(r, v) {
    const m: OffsetCommitRequest = {
      groupId: r.string(),
      generationIdOrMemberEpoch: r.int32(),
      memberId: r.string(),
      groupInstanceId: v >= 7 ? r.nullableString() : null,
      retentionTimeMs: v <= 4 ? r.int64() : MINUS_ONE,
      topics: r.array(v, decodeTopic),
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    if (v >= 3) w.int32(m.throttleTimeMs);
    w.array(v, m.topics, encodeTopicResult);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: OffsetCommitResponse = {
      throttleTimeMs: v >= 3 ? r.int32() : 0,
      topics: r.array(v, decodeTopicResult),
    };
    r.tags();
    return m;
  },
};

function encodeTopic(w: Writer, v: number, m: OffsetCommitTopic): void {
  if (v <= 9) w.string(m.name);
  if (v >= 10) w.uuid(m.topicId);
  w.array(v, m.partitions, encodePartition);
  w.tags();
}
function decodeTopic(r: Reader, v: number): OffsetCommitTopic {
  const m: OffsetCommitTopic = {
    name: v <= 9 ? r.string() : '',
    topicId: v >= 10 ? r.uuid() : NO_UUID,
    partitions: r.array(v, decodePartition),
  };
  r.tags();
  return m;
}

function encodePartition(w: Writer, v: number, m: OffsetCommitPartition): void {
  w.int32(m.partitionIndex);
  w.int64(m.committedOffset);
  if (v >= 6) w.int32(m.committedLeaderEpoch);
  w.nullableString(m.committedMetadata);
  w.tags();
}
function decodePartition(r: Reader, v: number): OffsetCommitPartition {
  const m: OffsetCommitPartition = {
    partitionIndex: r.int32(),
    committedOffset: r.int64(),
    committedLeaderEpoch: v >= 6 ? r.int32() : -1,
    committedMetadata: r.nullableString(),
  };
  r.tags();
  return m;
}

function encodeTopicResult(w: Writer, v: number, m: OffsetCommitTopicResult): void {
  if (v <= 9) w.string(m.name);
  if (v >= 10) w.uuid(m.topicId);
  w.array(v, m.partitions, encodePartitionResult);
  w.tags();
}
function decodeTopicResult(r: Reader, v: number): OffsetCommitTopicResult {
  const m: OffsetCommitTopicResult = {
    name: v <= 9 ? r.string() : '',
    topicId: v >= 10 ? r.uuid() : NO_UUID,
    partitions: r.array(v, decodePartitionResult),
  };
  r.tags();
  return m;
}

function encodePartitionResult(w: Writer, _v: number, m: OffsetCommitPartitionResult): void {
  w.int32(m.partitionIndex);
  w.int16(m.errorCode);
  w.tags();
}
function decodePartitionResult(r: Reader): OffsetCommitPartitionResult {
  const m: OffsetCommitPartitionResult = { partitionIndex: r.int32(), errorCode: r.int16() };
  r.tags();
  return m;
}
