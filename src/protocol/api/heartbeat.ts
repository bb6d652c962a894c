import type { Api } from '../api.ts';

// Heartbeat (key 12): a member of a classic group is alive.
// https://kafka.apache.org/protocol#The_Messages_Heartbeat
//
// v1  adds throttleTimeMs
// v2  throttling happens after the response (KIP-219)
// v3  adds groupInstanceId: static membership (KIP-345)
// v4  first flexible version (KIP-482)

export interface HeartbeatRequest {
  groupId: string;
  generationId: number;
  memberId: string;
  groupInstanceId: string | null; // v3+
}

export interface HeartbeatResponse {
  throttleTimeMs: number; // v1+
  errorCode: number;
}

export const heartbeat: Api<HeartbeatRequest, HeartbeatResponse> = {
  key: 12,
  name: 'Heartbeat',
  minVersion: 0,
  maxVersion: 4,
  flexibleFrom: 4,

  encodeRequest(w, v, m) {
    w.string(m.groupId);
    w.int32(m.generationId);
    w.string(m.memberId);
    if (v >= 3) w.nullableString(m.groupInstanceId);
    else if (m.groupInstanceId !== null) w.refuse('groupInstanceId');
    w.tags();
  },

  decodeRequest(r, v) {
    const m: HeartbeatRequest = {
      groupId: r.string(),
      generationId: r.int32(),
      memberId: r.string(),
      groupInstanceId: v >= 3 ? r.nullableString() : null,
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    if (v >= 1) w.int32(m.throttleTimeMs);
    w.int16(m.errorCode);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: HeartbeatResponse = {
      throttleTimeMs: v >= 1 ? r.int32() : 0,
      errorCode: r.int16(),
    };
    r.tags();
    return m;
  },
};
