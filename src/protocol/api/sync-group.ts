import type { Api } from '../api.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';

// SyncGroup (key 14): the leader hands in everybody's assignment, each member gets its own.
// https://kafka.apache.org/protocol#The_Messages_SyncGroup
//
// v1  adds throttleTimeMs
// v2  throttling happens after the response (KIP-219)
// v3  adds groupInstanceId: static membership (KIP-345)
// v4  first flexible version (KIP-482)
// v5  adds protocolType and protocolName, for the broker to check (KIP-559)

export interface SyncGroupRequest {
  groupId: string;
  generationId: number;
  memberId: string;
  groupInstanceId: string | null; // v3+
  protocolType: string | null; // v5+
  protocolName: string | null; // v5+
  assignments: SyncGroupAssignment[]; // empty but from the leader
}

export interface SyncGroupAssignment {
  memberId: string;
  assignment: Buffer;
}

export interface SyncGroupResponse {
  throttleTimeMs: number; // v1+
  errorCode: number;
  protocolType: string | null; // v5+
  protocolName: string | null; // v5+
  assignment: Buffer;
}

export const syncGroup: Api<SyncGroupRequest, SyncGroupResponse> = {
  key: 14,
  name: 'SyncGroup',
  minVersion: 0,
  maxVersion: 5,
  flexibleFrom: 4,

  encodeRequest(w, v, m) {
    w.string(m.groupId);
    w.int32(m.generationId);
    w.string(m.memberId);
    if (v >= 3) w.nullableString(m.groupInstanceId);
    else if (m.groupInstanceId !== null) w.refuse('groupInstanceId');
    if (v >= 5) w.nullableString(m.protocolType);
    if (v >= 5) w.nullableString(m.protocolName);
    w.array(v, m.assignments, encodeAssignment);
    w.tags();
  },

  decodeRequest(r, v) {
    const m: SyncGroupRequest = {
      groupId: r.string(),
      generationId: r.int32(),
      memberId: r.string(),
      groupInstanceId: v >= 3 ? r.nullableString() : null,
      protocolType: v >= 5 ? r.nullableString() : null,
      protocolName: v >= 5 ? r.nullableString() : null,
      assignments: r.array(v, decodeAssignment),
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    if (v >= 1) w.int32(m.throttleTimeMs);
    w.int16(m.errorCode);
    if (v >= 5) w.nullableString(m.protocolType);
    if (v >= 5) w.nullableString(m.protocolName);
    w.bytes(m.assignment);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: SyncGroupResponse = {
      throttleTimeMs: v >= 1 ? r.int32() : 0,
      errorCode: r.int16(),
      protocolType: v >= 5 ? r.nullableString() : null,
      protocolName: v >= 5 ? r.nullableString() : null,
      assignment: r.bytes(),
    };
    r.tags();
    return m;
  },
};

function encodeAssignment(w: Writer, _v: number, m: SyncGroupAssignment): void {
  w.string(m.memberId);
  w.bytes(m.assignment);
  w.tags();
}
function decodeAssignment(r: Reader): SyncGroupAssignment {
  const m: SyncGroupAssignment = { memberId: r.string(), assignment: r.bytes() };
  r.tags();
  return m;
}
