import type { Api } from '../api.ts';
import { decodeInt32, decodeString, encodeInt32, encodeString } from '../codec.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';

// ConsumerGroupDescribe (key 69): the state and the members of consumer groups (KIP-848); DescribeGroups is for classic ones.
// https://kafka.apache.org/protocol#The_Messages_ConsumerGroupDescribe
//
// v0  flexible from the first
// v1  memberType: members that still speak the classic protocol (KIP-1099)

export interface ConsumerGroupDescribeRequest {
  groupIds: string[];
  includeAuthorizedOperations: boolean;
}

export interface ConsumerGroupDescribeResponse {
  throttleTimeMs: number;
  groups: ConsumerGroupDescription[];
}

export interface ConsumerGroupDescription {
  errorCode: number;
  errorMessage: string | null;
  groupId: string;
  groupState: string;
  groupEpoch: number;
  assignmentEpoch: number;
  assignorName: string;
  members: ConsumerGroupMember[];
  authorizedOperations: number; // bits, −2147483648 where nobody asked
}

export interface ConsumerGroupMember {
  memberId: string;
  instanceId: string | null;
  rackId: string | null;
  memberEpoch: number;
  clientId: string;
  clientHost: string;
  subscribedTopicNames: string[];
  subscribedTopicRegex: string | null;
  assignment: ConsumerGroupMemberAssignment; // what it has
  targetAssignment: ConsumerGroupMemberAssignment; // what it shall get
  memberType: number; // v1+, −1 unknown, 0 classic, 1 consumer
}

export interface ConsumerGroupMemberAssignment {
  topicPartitions: ConsumerGroupTopicPartitions[];
}

export interface ConsumerGroupTopicPartitions {
  topicId: string;
  topicName: string;
  partitions: number[];
}

export const consumerGroupDescribe: Api<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse> = {
  key: 69,
  name: 'ConsumerGroupDescribe',
  minVersion: 0,
  maxVersion: 1,
  flexibleFrom: 0,

  encodeRequest(w, v, m) {
    w.array(v, m.groupIds, encodeString);
    w.bool(m.includeAuthorizedOperations);
    w.tags();
  },

  decodeRequest(r, v) {
    const m: ConsumerGroupDescribeRequest = {
      groupIds: r.array(v, decodeString),
      includeAuthorizedOperations: r.bool(),
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    w.int32(m.throttleTimeMs);
    w.array(v, m.groups, encodeGroup);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: ConsumerGroupDescribeResponse = {
      throttleTimeMs: r.int32(),
      groups: r.array(v, decodeGroup),
    };
    r.tags();
    return m;
  },
};

function encodeGroup(w: Writer, v: number, m: ConsumerGroupDescription): void {
  w.int16(m.errorCode);
  w.nullableString(m.errorMessage);
  w.string(m.groupId);
  w.string(m.groupState);
  w.int32(m.groupEpoch);
  w.int32(m.assignmentEpoch);
  w.string(m.assignorName);
  w.array(v, m.members, encodeMember);
  w.int32(m.authorizedOperations);
  w.tags();
}
function decodeGroup(r: Reader, v: number): ConsumerGroupDescription {
  const m: ConsumerGroupDescription = {
    errorCode: r.int16(),
    errorMessage: r.nullableString(),
    groupId: r.string(),
    groupState: r.string(),
    groupEpoch: r.int32(),
    assignmentEpoch: r.int32(),
    assignorName: r.string(),
    members: r.array(v, decodeMember),
    authorizedOperations: r.int32(),
  };
  r.tags();
  return m;
}

function encodeMember(w: Writer, v: number, m: ConsumerGroupMember): void {
  w.string(m.memberId);
  w.nullableString(m.instanceId);
  w.nullableString(m.rackId);
  w.int32(m.memberEpoch);
  w.string(m.clientId);
  w.string(m.clientHost);
  w.array(v, m.subscribedTopicNames, encodeString);
  w.nullableString(m.subscribedTopicRegex);
  encodeAssignment(w, v, m.assignment);
  encodeAssignment(w, v, m.targetAssignment);
  if (v >= 1) w.int8(m.memberType);
  w.tags();
}
function decodeMember(r: Reader, v: number): ConsumerGroupMember {
  const m: ConsumerGroupMember = {
    memberId: r.string(),
    instanceId: r.nullableString(),
    rackId: r.nullableString(),
    memberEpoch: r.int32(),
    clientId: r.string(),
    clientHost: r.string(),
    subscribedTopicNames: r.array(v, decodeString),
    subscribedTopicRegex: r.nullableString(),
    assignment: decodeAssignment(r, v),
    targetAssignment: decodeAssignment(r, v),
    memberType: v >= 1 ? r.int8() : -1,
  };
  r.tags();
  return m;
}

function encodeAssignment(w: Writer, v: number, m: ConsumerGroupMemberAssignment): void {
  w.array(v, m.topicPartitions, encodeTopicPartitions);
  w.tags();
}
function decodeAssignment(r: Reader, v: number): ConsumerGroupMemberAssignment {
  const m: ConsumerGroupMemberAssignment = { topicPartitions: r.array(v, decodeTopicPartitions) };
  r.tags();
  return m;
}

function encodeTopicPartitions(w: Writer, v: number, m: ConsumerGroupTopicPartitions): void {
  w.uuid(m.topicId);
  w.string(m.topicName);
  w.array(v, m.partitions, encodeInt32);
  w.tags();
}
function decodeTopicPartitions(r: Reader, v: number): ConsumerGroupTopicPartitions {
  const m: ConsumerGroupTopicPartitions = {
    topicId: r.uuid(),
    topicName: r.string(),
    partitions: r.array(v, decodeInt32),
  };
  r.tags();
  return m;
}
