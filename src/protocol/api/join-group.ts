import type { Api } from '../api.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';

// JoinGroup (key 11): join a classic consumer group, or re-join after a rebalance.
// https://kafka.apache.org/protocol#The_Messages_JoinGroup
//
// v1  adds rebalanceTimeoutMs (KIP-62)
// v2  adds throttleTimeMs
// v3  throttling happens after the response (KIP-219)
// v4  the broker may answer MEMBER_ID_REQUIRED and expect a second join (KIP-394)
// v5  adds groupInstanceId: static membership (KIP-345)
// v6  first flexible version (KIP-482)
// v7  response names the protocol type, and protocolName may be null (KIP-559)
// v8  adds reason (KIP-800)
// v9  adds skipAssignment: a static leader need not assign again (KIP-814)

export interface JoinGroupRequest {
  groupId: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number; // v1+, −1 before
  memberId: string; // '' on the first join
  groupInstanceId: string | null; // v5+
  protocolType: string;
  protocols: JoinGroupProtocol[];
  reason: string | null; // v8+
}

export interface JoinGroupProtocol {
  name: string;
  metadata: Buffer;
}

export interface JoinGroupResponse {
  throttleTimeMs: number; // v2+
  errorCode: number;
  generationId: number;
  protocolType: string | null; // v7+
  protocolName: string | null; // nullable v7+
  leader: string;
  skipAssignment: boolean; // v9+
  memberId: string;
  members: JoinGroupMember[]; // empty but for the leader
}

export interface JoinGroupMember {
  memberId: string;
  groupInstanceId: string | null; // v5+
  metadata: Buffer;
}

export const joinGroup: Api<JoinGroupRequest, JoinGroupResponse> = {
  key: 11,
  name: 'JoinGroup',
  minVersion: 0,
  maxVersion: 9,
  flexibleFrom: 6,

  encodeRequest(w, v, m) {
    w.string(m.groupId);
    w.int32(m.sessionTimeoutMs);
    if (v >= 1) w.int32(m.rebalanceTimeoutMs);
    w.string(m.memberId);
    if (v >= 5) w.nullableString(m.groupInstanceId);
    else if (m.groupInstanceId !== null) w.refuse('groupInstanceId');
    w.string(m.protocolType);
    w.array(v, m.protocols, encodeProtocol);
    if (v >= 8) w.nullableString(m.reason);
    w.tags();
  },

  decodeRequest(r, v) {
    const m: JoinGroupRequest = {
      groupId: r.string(),
      sessionTimeoutMs: r.int32(),
      rebalanceTimeoutMs: v >= 1 ? r.int32() : -1,
      memberId: r.string(),
      groupInstanceId: v >= 5 ? r.nullableString() : null,
      protocolType: r.string(),
      protocols: r.array(v, decodeProtocol),
      reason: v >= 8 ? r.nullableString() : null,
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    if (v >= 2) w.int32(m.throttleTimeMs);
    w.int16(m.errorCode);
    w.int32(m.generationId);
    if (v >= 7) w.nullableString(m.protocolType);
    if (v >= 7) w.nullableString(m.protocolName);
    else w.string(w.notNull('protocolName', m.protocolName));
    w.string(m.leader);
    if (v >= 9) w.bool(m.skipAssignment);
    else if (m.skipAssignment) w.refuse('skipAssignment');
    w.string(m.memberId);
    w.array(v, m.members, encodeMember);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: JoinGroupResponse = {
      throttleTimeMs: v >= 2 ? r.int32() : 0,
      errorCode: r.int16(),
      generationId: r.int32(),
      protocolType: v >= 7 ? r.nullableString() : null,
      protocolName: v >= 7 ? r.nullableString() : r.string(),
      leader: r.string(),
      skipAssignment: v >= 9 ? r.bool() : false,
      memberId: r.string(),
      members: r.array(v, decodeMember),
    };
    r.tags();
    return m;
  },
};

function encodeProtocol(w: Writer, _v: number, m: JoinGroupProtocol): void {
  w.string(m.name);
  w.bytes(m.metadata);
  w.tags();
}
function decodeProtocol(r: Reader): JoinGroupProtocol {
  const m: JoinGroupProtocol = { name: r.string(), metadata: r.bytes() };
  r.tags();
  return m;
}

function encodeMember(w: Writer, v: number, m: JoinGroupMember): void {
  w.string(m.memberId);
  if (v >= 5) w.nullableString(m.groupInstanceId);
  w.bytes(m.metadata);
  w.tags();
}
function decodeMember(r: Reader, v: number): JoinGroupMember {
  const m: JoinGroupMember = {
    memberId: r.string(),
    groupInstanceId: v >= 5 ? r.nullableString() : null,
    metadata: r.bytes(),
  };
  r.tags();
  return m;
}
