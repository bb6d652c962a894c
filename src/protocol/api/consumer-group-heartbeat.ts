import type { Api } from '../api.ts';
import { decodeString, encodeString } from '../codec.ts';
import {
  decodeTopicIdAssignment,
  decodeTopicIdPartitions,
  encodeTopicIdAssignment,
  encodeTopicIdPartitions,
  type TopicIdAssignment,
  type TopicIdPartitions,
} from '../topic-id-partitions.ts';

// ConsumerGroupHeartbeat (key 68): join a consumer group, stay in it, tell what one owns and learn what one gets, leave (KIP-848).
// https://kafka.apache.org/protocol#The_Messages_ConsumerGroupHeartbeat
//
// v0  flexible from the first
// v1  subscribedTopicRegex (KIP-848); the member makes its own id (KIP-1082)

export interface ConsumerGroupHeartbeatRequest {
  groupId: string;
  memberId: string;
  memberEpoch: number; // 0 to join, −1 to leave, −2 to leave and come back as the same static member
  instanceId: string | null; // null: as in the last heartbeat, and so below
  rackId: string | null;
  rebalanceTimeoutMs: number; // −1: as in the last heartbeat
  subscribedTopicNames: string[] | null;
  subscribedTopicRegex: string | null; // v1+, RE2J
  serverAssignor: string | null;
  topicPartitions: TopicIdPartitions[] | null; // what the member owns
}

export interface ConsumerGroupHeartbeatResponse {
  throttleTimeMs: number;
  errorCode: number;
  errorMessage: string | null;
  memberId: string | null; // where the member joins
  memberEpoch: number;
  heartbeatIntervalMs: number;
  assignment: TopicIdAssignment | null; // null: as in the last answer
}

export const consumerGroupHeartbeat: Api<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse> = {
  key: 68,
  name: 'ConsumerGroupHeartbeat',
  minVersion: 0,
  maxVersion: 1,
  flexibleFrom: 0,

  encodeRequest(w, v, m) {
    w.string(m.groupId);
    w.string(m.memberId);
    w.int32(m.memberEpoch);
    w.nullableString(m.instanceId);
    w.nullableString(m.rackId);
    w.int32(m.rebalanceTimeoutMs);
    w.nullableArray(v, m.subscribedTopicNames, encodeString);
    if (v >= 1) w.nullableString(m.subscribedTopicRegex);
    else if (m.subscribedTopicRegex !== null) w.refuse('subscribedTopicRegex');
    w.nullableString(m.serverAssignor);
    w.nullableArray(v, m.topicPartitions, encodeTopicIdPartitions);
    w.tags();
  },

  decodeRequest(r, v) {
    const m: ConsumerGroupHeartbeatRequest = {
      groupId: r.string(),
      memberId: r.string(),
      memberEpoch: r.int32(),
      instanceId: r.nullableString(),
      rackId: r.nullableString(),
      rebalanceTimeoutMs: r.int32(),
      subscribedTopicNames: r.nullableArray(v, decodeString),
      subscribedTopicRegex: v >= 1 ? r.nullableString() : null,
      serverAssignor: r.nullableString(),
      topicPartitions: r.nullableArray(v, decodeTopicIdPartitions),
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    w.int32(m.throttleTimeMs);
    w.int16(m.errorCode);
    w.nullableString(m.errorMessage);
    w.nullableString(m.memberId);
    w.int32(m.memberEpoch);
    w.int32(m.heartbeatIntervalMs);
    w.nullableStruct(v, m.assignment, encodeTopicIdAssignment);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: ConsumerGroupHeartbeatResponse = {
      throttleTimeMs: r.int32(),
      errorCode: r.int16(),
      errorMessage: r.nullableString(),
      memberId: r.nullableString(),
      memberEpoch: r.int32(),
      heartbeatIntervalMs: r.int32(),
      assignment: r.nullableStruct(v, decodeTopicIdAssignment),
    };
    r.tags();
    return m;
  },
};
