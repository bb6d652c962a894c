import type { Api } from '../api.ts';
import { NO_UUID, decodeInt32, encodeInt32 } from '../codec.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';

// CreateTopics (key 19). samsa itself never sends it; tests and the mock cluster need it.
// https://kafka.apache.org/protocol#The_Messages_CreateTopics
//
// v2  throttleTimeMs
// v3  throttling happens after the response (KIP-219)
// v4  −1 for numPartitions and replicationFactor: the broker's defaults (KIP-464)
// v5  first flexible version (KIP-482); the answer tells partitions and configuration (KIP-525)
// v6  error code THROTTLING_QUOTA_EXCEEDED (KIP-599)
// v7  topicId (KIP-516)

export interface CreateTopicsRequest {
  topics: CreatableTopic[];
  timeoutMs: number;
  validateOnly: boolean;
}

export interface CreatableTopic {
  name: string;
  numPartitions: number; // −1 where assignments say it, or for the broker's default
  replicationFactor: number; // likewise
  assignments: CreatableAssignment[];
  configs: CreatableConfig[];
}

export interface CreatableAssignment {
  partitionIndex: number;
  brokerIds: number[];
}

export interface CreatableConfig {
  name: string;
  value: string | null;
}

export interface CreateTopicsResponse {
  throttleTimeMs: number;
  topics: CreatedTopic[];
}

export interface CreatedTopic {
  name: string;
  topicId: string; // v7+
  errorCode: number;
  errorMessage: string | null;
  topicConfigErrorCode: number; // v5+ tag 0
  numPartitions: number; // v5+
  replicationFactor: number; // v5+
  configs: CreatedConfig[] | null; // v5+
}

export interface CreatedConfig {
  name: string;
  value: string | null;
  readOnly: boolean;
  configSource: number;
  isSensitive: boolean;
}

export const createTopics: Api<CreateTopicsRequest, CreateTopicsResponse> = {
  key: 19,
  name: 'CreateTopics',
  minVersion: 2,
  maxVersion: 7,
  flexibleFrom: 5,

  encodeRequest(w, v, m) {
    w.array(v, m.topics, encodeTopic);
    w.int32(m.timeoutMs);
    w.bool(m.validateOnly);
    w.tags();
  },

  decodeRequest(r, v) {
    const m: CreateTopicsRequest = {
      topics: r.array(v, decodeTopic),
      timeoutMs: r.int32(),
      validateOnly: r.bool(),
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    w.int32(m.throttleTimeMs);
    w.array(v, m.topics, encodeCreated);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: CreateTopicsResponse = { throttleTimeMs: r.int32(), topics: r.array(v, decodeCreated) };
    r.tags();
    return m;
  },
};

function encodeTopic(w: Writer, v: number, m: CreatableTopic): void {
  w.string(m.name);
  w.int32(m.numPartitions);
  w.int16(m.replicationFactor);
  w.array(v, m.assignments, encodeAssignment);
  w.array(v, m.configs, encodeConfig);
  w.tags();
}
function decodeTopic(r: Reader, v: number): CreatableTopic {
  const m: CreatableTopic = {
    name: r.string(),
    numPartitions: r.int32(),
    replicationFactor: r.int16(),
    assignments: r.array(v, decodeAssignment),
    configs: r.array(v, decodeConfig),
  };
  r.tags();
  return m;
}

function encodeAssignment(w: Writer, v: number, m: CreatableAssignment): void {
  w.int32(m.partitionIndex);
  w.array(v, m.brokerIds, encodeInt32);
  w.tags();
}
function decodeAssignment(r: Reader, v: number): CreatableAssignment {
  const m: CreatableAssignment = { partitionIndex: r.int32(), brokerIds: r.array(v, decodeInt32) };
  r.tags();
  return m;
}

function encodeConfig(w: Writer, _v: number, m: CreatableConfig): void {
  w.string(m.name);
  w.nullableString(m.value);
  w.tags();
}
function decodeConfig(r: Reader): CreatableConfig {
  const m: CreatableConfig = { name: r.string(), value: r.nullableString() };
  r.tags();
  return m;
}

function encodeCreated(w: Writer, v: number, m: CreatedTopic): void {
  w.string(m.name);
  if (v >= 7) w.uuid(m.topicId);
  w.int16(m.errorCode);
  w.nullableString(m.errorMessage);
  if (v >= 5) w.int32(m.numPartitions);
  if (v >= 5) w.int16(m.replicationFactor);
  if (v >= 5) w.nullableArray(v, m.configs, encodeCreatedConfig);
  const tags = w.openTags();
  if (v >= 5 && m.topicConfigErrorCode !== 0) w.tag(tags, 0, v, m.topicConfigErrorCode, encodeInt16);
}
function decodeCreated(r: Reader, v: number): CreatedTopic {
  const m: CreatedTopic = {
    name: r.string(),
    topicId: v >= 7 ? r.uuid() : NO_UUID,
    errorCode: r.int16(),
    errorMessage: r.nullableString(),
    topicConfigErrorCode: 0,
    numPartitions: v >= 5 ? r.int32() : -1,
    replicationFactor: v >= 5 ? r.int16() : -1,
    configs: v >= 5 ? r.nullableArray(v, decodeCreatedConfig) : [],
  };
  r.tagged(v, m, createdTag);
  return m;
}
function createdTag(r: Reader, _v: number, m: CreatedTopic, tag: number): void {
  if (tag === 0) m.topicConfigErrorCode = r.int16();
}

function encodeCreatedConfig(w: Writer, _v: number, m: CreatedConfig): void {
  w.string(m.name);
  w.nullableString(m.value);
  w.bool(m.readOnly);
  w.int8(m.configSource);
  w.bool(m.isSensitive);
  w.tags();
}
function decodeCreatedConfig(r: Reader): CreatedConfig {
  const m: CreatedConfig = {
    name: r.string(),
    value: r.nullableString(),
    readOnly: r.bool(),
    configSource: r.int8(),
    isSensitive: r.bool(),
  };
  r.tags();
  return m;
}

function encodeInt16(w: Writer, _v: number, x: number): void {
  w.int16(x);
}
