import type { Api } from '../api.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';

// LeaveGroup (key 13): members leave a classic group.
// https://kafka.apache.org/protocol#The_Messages_LeaveGroup
//
// v1  adds throttleTimeMs
// v2  throttling happens after the response (KIP-219)
// v3  many members at once, with groupInstanceId: memberId moves into members (KIP-345)
// v4  first flexible version (KIP-482)
// v5  adds reason (KIP-800)

export interface LeaveGroupRequest {
  groupId: string;
  memberId: string; // v0-2
  members: LeavingMember[]; // v3+
}

export interface LeavingMember {
  memberId: string;
  groupInstanceId: string | null;
  reason: string | null; // v5+
}

export interface LeaveGroupResponse {
  throttleTimeMs: number; // v1+
  errorCode: number;
  members: LeftMember[]; // v3+
}

export interface LeftMember {
  memberId: string;
  groupInstanceId: string | null;
  errorCode: number;
}

export const leaveGroup: Api<LeaveGroupRequest, LeaveGroupResponse> = {
  key: 13,
  name: 'LeaveGroup',
  minVersion: 0,
  maxVersion: 5,
  flexibleFrom: 4,

  encodeRequest(w, v, m) {
    w.string(m.groupId);
    if (v <= 2) w.string(m.memberId);
    else if (m.memberId !== '') w.refuse('memberId');
    if (v >= 3) w.array(v, m.members, encodeLeaving);
    else if (m.members.length > 0) w.refuse('members');
    w.tags();
  },

  decodeRequest(r, v) {
    const m: LeaveGroupRequest = {
      groupId: r.string(),
      memberId: v <= 2 ? r.string() : '',
      members: v >= 3 ? r.array(v, decodeLeaving) : [],
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    if (v >= 1) w.int32(m.throttleTimeMs);
    w.int16(m.errorCode);
    if (v >= 3) w.array(v, m.members, encodeLeft);
    else if (m.members.length > 0) w.refuse('members');
    w.tags();
  },

  decodeResponse(r, v) {
    const m: LeaveGroupResponse = {
      throttleTimeMs: v >= 1 ? r.int32() : 0,
      errorCode: r.int16(),
      members: v >= 3 ? r.array(v, decodeLeft) : [],
    };
    r.tags();
    return m;
  },
};

function encodeLeaving(w: Writer, v: number, m: LeavingMember): void {
  w.string(m.memberId);
  w.nullableString(m.groupInstanceId);
  if (v >= 5) w.nullableString(m.reason);
  w.tags();
}
function decodeLeaving(r: Reader, v: number): LeavingMember {
  const m: LeavingMember = {
    memberId: r.string(),
    groupInstanceId: r.nullableString(),
    reason: v >= 5 ? r.nullableString() : null,
  };
  r.tags();
  return m;
}

function encodeLeft(w: Writer, _v: number, m: LeftMember): void {
  w.string(m.memberId);
  w.nullableString(m.groupInstanceId);
  w.int16(m.errorCode);
  w.tags();
}
function decodeLeft(r: Reader): LeftMember {
  const m: LeftMember = { memberId: r.string(), groupInstanceId: r.nullableString(), errorCode: r.int16() };
  r.tags();
  return m;
}
