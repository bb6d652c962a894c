import type { Api } from '../api.ts';
import { NO_UUID, decodeInt32, encodeInt32 } from '../codec.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';

// Metadata (key 3): brokers, topics, partitions and their leaders.
// https://kafka.apache.org/protocol#The_Messages_Metadata
//
// v1  null topics ask for all, an empty list for none; rack, controllerId, isInternal
// v2  clusterId
// v3  throttleTimeMs
// v4  allowAutoTopicCreation (KIP-204)
// v5  offlineReplicas (KIP-112)
// v7  leaderEpoch (KIP-320)
// v8  authorized operations (KIP-430)
// v9  first flexible version (KIP-482)
// v10 topic ids (KIP-516); v11 no more cluster authorized operations (KIP-700)
// v12 topics may be asked for by id alone: the name may be null
// v13 errorCode at the top: REBOOTSTRAP_REQUIRED (KIP-1102)

export interface MetadataRequest {
  topics: MetadataRequestTopic[] | null; // null v1+: all topics
  allowAutoTopicCreation: boolean; // v4+, true before
  includeClusterAuthorizedOperations: boolean; // v8-10
  includeTopicAuthorizedOperations: boolean; // v8+
}

export interface MetadataRequestTopic {
  topicId: string; // v10+
  name: string | null; // nullable v10+
}

export interface MetadataResponse {
  throttleTimeMs: number; // v3+
  brokers: MetadataBroker[];
  clusterId: string | null; // v2+
  controllerId: number; // v1+
  topics: MetadataTopic[];
  clusterAuthorizedOperations: number; // v8-10, a bit field
  errorCode: number; // v13+
}

export interface MetadataBroker {
  nodeId: number;
  host: string;
  port: number;
  rack: string | null; // v1+
}

export interface MetadataTopic {
  errorCode: number;
  name: string | null; // nullable v12+
  topicId: string; // v10+
  isInternal: boolean; // v1+
  partitions: MetadataPartition[];
  topicAuthorizedOperations: number; // v8+, a bit field
}

export interface MetadataPartition {
  errorCode: number;
  partitionIndex: number;
  leaderId: number; // −1 for none
  leaderEpoch: number; // v7+
  replicaNodes: number[];
  isrNodes: number[];
  offlineReplicas: number[]; // v5+
}

/** Authorized operations that nobody asked for. */
const NOT_ASKED = -2147483648;

export const metadata: Api<MetadataRequest, MetadataResponse> = {
  key: 3,
  name: 'Metadata',
  minVersion: 0,
  maxVersion: 13,
  flexibleFrom: 9,

  encodeRequest(w, v, m) {
    if (v >= 1) w.nullableArray(v, m.topics, encodeRequestTopic);
    else w.array(v, w.notNull('topics', m.topics), encodeRequestTopic);
    if (v >= 4) w.bool(m.allowAutoTopicCreation);
    else if (!m.allowAutoTopicCreation) w.refuse('allowAutoTopicCreation');
    if (v >= 8 && v <= 10) w.bool(m.includeClusterAuthorizedOperations);
    else if (m.includeClusterAuthorizedOperations) w.refuse('includeClusterAuthorizedOperations');
    if (v >= 8) w.bool(m.includeTopicAuthorizedOperations);
    else if (m.includeTopicAuthorizedOperations) w.refuse('includeTopicAuthorizedOperations');
    w.tags();
  },

  decodeRequest(r, v) {
    const m: MetadataRequest = {
      topics: v >= 1 ? r.nullableArray(v, decodeRequestTopic) : r.array(v, decodeRequestTopic),
      allowAutoTopicCreation: v >= 4 ? r.bool() : true,
      includeClusterAuthorizedOperations: v >= 8 && v <= 10 ? r.bool() : false,
      includeTopicAuthorizedOperations: v >= 8 ? r.bool() : false,
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    if (v >= 3) w.int32(m.throttleTimeMs);
    w.array(v, m.brokers, encodeBroker);
    if (v >= 2) w.nullableString(m.clusterId);
    if (v >= 1) w.int32(m.controllerId);
    w.array(v, m.topics, encodeTopic);
    if (v >= 8 && v <= 10) w.int32(m.clusterAuthorizedOperations);
    else if (m.clusterAuthorizedOperations !== NOT_ASKED) w.refuse('clusterAuthorizedOperations');
    if (v >= 13) w.int16(m.errorCode);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: MetadataResponse = {
      throttleTimeMs: v >= 3 ? r.int32() : 0,
      brokers: r.array(v, decodeBroker),
      clusterId: v >= 2 ? r.nullableString() : null,
      controllerId: v >= 1 ? r.int32() : -1,
      topics: r.array(v, decodeTopic),
      clusterAuthorizedOperations: v >= 8 && v <= 10 ? r.int32() : NOT_ASKED,
      errorCode: v >= 13 ? r.int16() : 0,
    };
    r.tags();
    return m;
  },
};

function encodeRequestTopic(w: Writer, v: number, m: MetadataRequestTopic): void {
  if (v >= 10) w.uuid(m.topicId);
  if (v >= 10) w.nullableString(m.name);
  else w.string(w.notNull('name', m.name));
  w.tags();
}
function decodeRequestTopic(r: Reader, v: number): MetadataRequestTopic {
  const m: MetadataRequestTopic = {
    topicId: v >= 10 ? r.uuid() : NO_UUID,
    name: v >= 10 ? r.nullableString() : r.string(),
  };
  r.tags();
  return m;
}

function encodeBroker(w: Writer, v: number, m: MetadataBroker): void {
  w.int32(m.nodeId);
  w.string(m.host);
  w.int32(m.port);
  if (v >= 1) w.nullableString(m.rack);
  w.tags();
}
function decodeBroker(r: Reader, v: number): MetadataBroker {
  const m: MetadataBroker = {
    nodeId: r.int32(),
    host: r.string(),
    port: r.int32(),
    rack: v >= 1 ? r.nullableString() : null,
  };
  r.tags();
  return m;
}

function encodeTopic(w: Writer, v: number, m: MetadataTopic): void {
  w.int16(m.errorCode);
  if (v >= 12) w.nullableString(m.name);
  else w.string(w.notNull('name', m.name));
  if (v >= 10) w.uuid(m.topicId);
  if (v >= 1) w.bool(m.isInternal);
  w.array(v, m.partitions, encodePartition);
  if (v >= 8) w.int32(m.topicAuthorizedOperations);
  else if (m.topicAuthorizedOperations !== NOT_ASKED) w.refuse('topicAuthorizedOperations');
  w.tags();
}
function decodeTopic(r: Reader, v: number): MetadataTopic {
  const m: MetadataTopic = {
    errorCode: r.int16(),
    name: v >= 12 ? r.nullableString() : r.string(),
    topicId: v >= 10 ? r.uuid() : NO_UUID,
    isInternal: v >= 1 ? r.bool() : false,
    partitions: r.array(v, decodePartition),
    topicAuthorizedOperations: v >= 8 ? r.int32() : NOT_ASKED,
  };
  r.tags();
  return m;
}

function encodePartition(w: Writer, v: number, m: MetadataPartition): void {
  w.int16(m.errorCode);
  w.int32(m.partitionIndex);
  w.int32(m.leaderId);
  if (v >= 7) w.int32(m.leaderEpoch);
  w.array(v, m.replicaNodes, encodeInt32);
  w.array(v, m.isrNodes, encodeInt32);
  if (v >= 5) w.array(v, m.offlineReplicas, encodeInt32);
  w.tags();
}
function decodePartition(r: Reader, v: number): MetadataPartition {
  const m: MetadataPartition = {
    errorCode: r.int16(),
    partitionIndex: r.int32(),
    leaderId: r.int32(),
    leaderEpoch: v >= 7 ? r.int32() : -1,
    replicaNodes: r.array(v, decodeInt32),
    isrNodes: r.array(v, decodeInt32),
    offlineReplicas: v >= 5 ? r.array(v, decodeInt32) : [],
  };
  r.tags();
  return m;
}
