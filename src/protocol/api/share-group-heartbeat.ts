import type { Api } from '../api.ts';
import { decodeString, encodeString } from '../codec.ts';
import { decodeTopicIdAssignment, encodeTopicIdAssignment, type TopicIdAssignment } from '../topic-id-partitions.ts';

// ShareGroupHeartbeat (key 76): join a share group, stay in it, learn which partitions to read, leave (KIP-932).
// https://kafka.apache.org/protocol#The_Messages_ShareGroupHeartbeat
//
// v0  only in Kafka 4.0, as early access; gone since
// v1  flexible from the first

export interface ShareGroupHeartbeatRequest {
  groupId: string;
  memberId: string;
  memberEpoch: number; // 0 to join, −1 to leave
  rackId: string | null; // null: as in the last heartbeat
  subscribedTopicNames: string[] | null; // null: as in the last heartbeat
}

export interface ShareGroupHeartbeatResponse {
  throttleTimeMs: number;
  errorCode: number;
  errorMessage: string | null;
  memberId: string | null; // where the member joins
  memberEpoch: number;
  heartbeatIntervalMs: number;
  assignment: TopicIdAssignment | null; // null: as in the last answer
}

export const shareGroupHeartbeat: Api<ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse> = {
  key: 76,
  name: 'ShareGroupHeartbeat',
  minVersion: 1,
  maxVersion: 1,
  flexibleFrom: 1,

  encodeRequest(w, v, m) {
    w.string(m.groupId);
    w.string(m.memberId);
    w.int32(m.memberEpoch);
    w.nullableString(m.rackId);
    w.nullableArray(v, m.subscribedTopicNames, encodeString);
    w.tags();
  },

  decodeRequest(r, v) {
    const m: ShareGroupHeartbeatRequest = {
      groupId: r.string(),
      memberId: r.string(),
      memberEpoch: r.int32(),
      rackId: r.nullableString(),
      subscribedTopicNames: r.nullableArray(v, decodeString),
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
    const m: ShareGroupHeartbeatResponse = {
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
