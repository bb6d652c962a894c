import type { Api } from '../api.ts';
import { decodeString, encodeString } from '../codec.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';

// DescribeGroups (key 15): the state and the members of classic groups.
// https://kafka.apache.org/protocol#The_Messages_DescribeGroups
//
// v1  throttleTimeMs
// v2  throttling happens after the response (KIP-219)
// v3  authorized operations (KIP-430)
// v4  groupInstanceId: static membership (KIP-345)
// v5  first flexible version (KIP-482)
// v6  errorMessage; a group that is not there is GROUP_ID_NOT_FOUND, no longer one in state Dead (KIP-1043)

export interface DescribeGroupsRequest {
  groups: string[];
  includeAuthorizedOperations: boolean; // v3+
}

export interface DescribeGroupsResponse {
  throttleTimeMs: number; // v1+
  groups: DescribedGroup[];
}

export interface DescribedGroup {
  errorCode: number;
  errorMessage: string | null; // v6+
  groupId: string;
  groupState: string;
  protocolType: string;
  protocolData: string; // the protocol that was chosen, in state Stable
  members: DescribedGroupMember[];
  authorizedOperations: number; // v3+, bits, −2147483648 where nobody asked
}

export interface DescribedGroupMember {
  memberId: string;
  groupInstanceId: string | null; // v4+
  clientId: string;
  clientHost: string;
  memberMetadata: Buffer; // in state Stable
  memberAssignment: Buffer; // in state Stable
}

const NOT_ASKED = -2147483648;

export const describeGroups: Api<DescribeGroupsRequest, DescribeGroupsResponse> = {
  key: 15,
  name: 'DescribeGroups',
  minVersion: 0,
  maxVersion: 6,
  flexibleFrom: 5,

  encodeRequest(w, v, m) {
    w.array(v, m.groups, encodeString);
    if (v >= 3) w.bool(m.includeAuthorizedOperations);
    else if (m.includeAuthorizedOperations) w.refuse('includeAuthorizedOperations');
    w.tags();
  },

  decodeRequest(r, v) {
    const m: DescribeGroupsRequest = {
      groups: r.array(v, decodeString),
      includeAuthorizedOperations: v >= 3 ? r.bool() : false,
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    if (v >= 1) w.int32(m.throttleTimeMs);
    w.array(v, m.groups, encodeGroup);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: DescribeGroupsResponse = {
      throttleTimeMs: v >= 1 ? r.int32() : 0,
      groups: r.array(v, decodeGroup),
    };
    r.tags();
    return m;
  },
};

function encodeGroup(w: Writer, v: number, m: DescribedGroup): void {
  w.int16(m.errorCode);
  if (v >= 6) w.nullableString(m.errorMessage);
  else if (m.errorMessage !== null) w.refuse('errorMessage');
  w.string(m.groupId);
  w.string(m.groupState);
  w.string(m.protocolType);
  w.string(m.protocolData);
  w.array(v, m.members, encodeMember);
  if (v >= 3) w.int32(m.authorizedOperations);
  else if (m.authorizedOperations !== NOT_ASKED) w.refuse('authorizedOperations');
  w.tags();
}
function decodeGroup(r: Reader, v: number): DescribedGroup {
  const m: DescribedGroup = {
    errorCode: r.int16(),
    errorMessage: v >= 6 ? r.nullableString() : null,
    groupId: r.string(),
    groupState: r.string(),
    protocolType: r.string(),
    protocolData: r.string(),
    members: r.array(v, decodeMember),
    authorizedOperations: v >= 3 ? r.int32() : NOT_ASKED,
  };
  r.tags();
  return m;
}

function encodeMember(w: Writer, v: number, m: DescribedGroupMember): void {
  w.string(m.memberId);
  if (v >= 4) w.nullableString(m.groupInstanceId);
  w.string(m.clientId);
  w.string(m.clientHost);
  w.bytes(m.memberMetadata);
  w.bytes(m.memberAssignment);
  w.tags();
}
function decodeMember(r: Reader, v: number): DescribedGroupMember {
  const m: DescribedGroupMember = {
    memberId: r.string(),
    groupInstanceId: v >= 4 ? r.nullableString() : null,
    clientId: r.string(),
    clientHost: r.string(),
    memberMetadata: r.bytes(),
    memberAssignment: r.bytes(),
  };
  r.tags();
  return m;
}
