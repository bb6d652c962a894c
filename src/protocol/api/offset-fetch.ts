import type Long from 'long';
import type { Api } from '../api.ts';
import { NO_UUID, decodeInt32, encodeInt32 } from '../codec.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';

// OffsetFetch (key 9): the offsets that a group has committed.
// https://kafka.apache.org/protocol#The_Messages_OffsetFetch
//
// v2  null topics ask for all; response has errorCode
// v3  throttleTimeMs
// v4  throttling happens after the response (KIP-219)
// v5  committedLeaderEpoch (KIP-320)
// v6  first flexible version (KIP-482)
// v7  requireStable: no offsets while a transaction may still change them (KIP-447)
// v8  many groups at once: groups replaces groupId, topics and errorCode (KIP-709)
// v9  memberId, memberEpoch: the consumer group protocol (KIP-848)
// v10 topic ids in place of names (KIP-848)

export interface OffsetFetchRequest {
  groupId: string; // v1-7
  topics: OffsetFetchTopic[] | null; // v1-7, null v2+: all topics
  groups: OffsetFetchGroup[]; // v8+
  requireStable: boolean; // v7+
}

export interface OffsetFetchTopic {
  name: string; // v1-9
  topicId: string; // v10+
  partitionIndexes: number[];
}

export interface OffsetFetchGroup {
  groupId: string;
  memberId: string | null; // v9+
  memberEpoch: number; // v9+
  topics: OffsetFetchTopic[] | null; // null: all topics
}

export interface OffsetFetchResponse {
  throttleTimeMs: number; // v3+
  topics: OffsetFetchTopicResult[]; // v1-7
  errorCode: number; // v2-7
  groups: OffsetFetchGroupResult[]; // v8+
}

export interface OffsetFetchGroupResult {
  groupId: string;
  topics: OffsetFetchTopicResult[];
  errorCode: number;
}

export interface OffsetFetchTopicResult {
  name: string; // v1-9
  topicId: string; // v10+
  partitions: OffsetFetchPartitionResult[];
}

export interface OffsetFetchPartitionResult {
  partitionIndex: number;
  committedOffset: Long; // −1 for none
  committedLeaderEpoch: number; // v5+, −1 for unknown
  metadata: string | null;
  errorCode: number;
}

export const offsetFetch: Api<OffsetFetchRequest, OffsetFetchResponse> = {
  key: 9,
  name: 'OffsetFetch',
  minVersion: 1,
  maxVersion: 10,
  flexibleFrom: 6,

  encodeRequest(w, v, m) {
    if (v <= 7) w.string(m.groupId);
    else if (m.groupId !== '') w.refuse('groupId');
    if (v === 1) w.array(v, w.notNull('topics', m.topics), encodeTopic);
    else if (v <= 7) w.nullableArray(v, m.topics, encodeTopic);
    else if (m.topics === null || m.topics.length > 0) w.refuse('topics');
    if (v >= 8) w.array(v, m.groups, encodeGroup);
    else if (m.groups.length > 0) w.refuse('groups');
    if (v >= 7) w.bool(m.requireStable);
    else if (m.requireStable) w.refuse('requireStable');
    w.tags();
  },

  decodeRequest(r, v) {
    const m: OffsetFetchRequest = {
      groupId: v <= 7 ? r.string() : '',
      topics: v === 1 ? r.array(v, decodeTopic) : v <= 7 ? r.nullableArray(v, decodeTopic) : [],
      groups: v >= 8 ? r.array(v, decodeGroup) : [],
      requireStable: v >= 7 ? r.bool() : false,
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    if (v >= 3) w.int32(m.throttleTimeMs);
    if (v <= 7) w.array(v, m.topics, encodeTopicResult);
    else if (m.topics.length > 0) w.refuse('topics');
    if (v >= 2 && v <= 7) w.int16(m.errorCode);
    if (v >= 8) w.array(v, m.groups, encodeGroupResult);
    else if (m.groups.length > 0) w.refuse('groups');
    w.tags();
  },

  decodeResponse(r, v) {
    const m: OffsetFetchResponse = {
      throttleTimeMs: v >= 3 ? r.int32() : 0,
      topics: v <= 7 ? r.array(v, decodeTopicResult) : [],
      errorCode: v >= 2 && v <= 7 ? r.int16() : 0,
      groups: v >= 8 ? r.array(v, decodeGroupResult) : [],
    };
    r.tags();
    return m;
  },
};

function encodeGroup(w: Writer, v: number, m: OffsetFetchGroup): void {
  w.string(m.groupId);
  if (v >= 9) w.nullableString(m.memberId);
  if (v >= 9) w.int32(m.memberEpoch);
  w.nullableArray(v, m.topics, encodeTopic);
  w.tags();
}
function decodeGroup(r: Reader, v: number): OffsetFetchGroup {
  const m: OffsetFetchGroup = {
    groupId: r.string(),
    memberId: v >= 9 ? r.nullableString() : null,
    memberEpoch: v >= 9 ? r.int32() : -1,
    topics: r.nullableArray(v, decodeTopic),
  };
  r.tags();
  return m;
}

function encodeTopic(w: Writer, v: number, m: OffsetFetchTopic): void {
  if (v <= 9) w.string(m.name);
  if (v >= 10) w.uuid(m.topicId);
  w.array(v, m.partitionIndexes, encodeInt32);
  w.tags();
}
function decodeTopic(r: Reader, v: number): OffsetFetchTopic {
  const m: OffsetFetchTopic = {
    name: v <= 9 ? r.string() : '',
    topicId: v >= 10 ? r.uuid() : NO_UUID,
    partitionIndexes: r.array(v, decodeInt32),
  };
  r.tags();
  return m;
}

function encodeGroupResult(w: Writer, v: number, m: OffsetFetchGroupResult): void {
  w.string(m.groupId);
  w.array(v, m.topics, encodeTopicResult);
  w.int16(m.errorCode);
  w.tags();
}
function decodeGroupResult(r: Reader, v: number): OffsetFetchGroupResult {
  const m: OffsetFetchGroupResult = {
    groupId: r.string(),
    topics: r.array(v, decodeTopicResult),
    errorCode: r.int16(),
  };
  r.tags();
  return m;
}

function encodeTopicResult(w: Writer, v: number, m: OffsetFetchTopicResult): void {
  if (v <= 9) w.string(m.name);
  if (v >= 10) w.uuid(m.topicId);
  w.array(v, m.partitions, encodePartitionResult);
  w.tags();
}
function decodeTopicResult(r: Reader, v: number): OffsetFetchTopicResult {
  const m: OffsetFetchTopicResult = {
    name: v <= 9 ? r.string() : '',
    topicId: v >= 10 ? r.uuid() : NO_UUID,
    partitions: r.array(v, decodePartitionResult),
  };
  r.tags();
  return m;
}

function encodePartitionResult(w: Writer, v: number, m: OffsetFetchPartitionResult): void {
  w.int32(m.partitionIndex);
  w.int64(m.committedOffset);
  if (v >= 5) w.int32(m.committedLeaderEpoch);
  w.nullableString(m.metadata);
  w.int16(m.errorCode);
  w.tags();
}
function decodePartitionResult(r: Reader, v: number): OffsetFetchPartitionResult {
  const m: OffsetFetchPartitionResult = {
    partitionIndex: r.int32(),
    committedOffset: r.int64(),
    committedLeaderEpoch: v >= 5 ? r.int32() : -1,
    metadata: r.nullableString(),
    errorCode: r.int16(),
  };
  r.tags();
  return m;
}
