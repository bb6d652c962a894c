import type { Api } from '../api.ts';
import { decodeString, encodeString } from '../codec.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';

// ListGroups (key 16): the groups that this broker coordinates.
// https://kafka.apache.org/protocol#The_Messages_ListGroups
//
// v1  throttleTimeMs
// v2  throttling happens after the response (KIP-219)
// v3  first flexible version (KIP-482)
// v4  statesFilter, groupState (KIP-518)
// v5  typesFilter, groupType: classic, consumer, share … (KIP-848)

export interface ListGroupsRequest {
  statesFilter: string[]; // v4+, empty for all
  typesFilter: string[]; // v5+, empty for all
}

export interface ListGroupsResponse {
  throttleTimeMs: number; // v1+
  errorCode: number;
  groups: ListedGroup[];
}

export interface ListedGroup {
  groupId: string;
  protocolType: string;
  groupState: string; // v4+
  groupType: string; // v5+
}

export const listGroups: Api<ListGroupsRequest, ListGroupsResponse> = {
  key: 16,
  name: 'ListGroups',
  minVersion: 0,
  maxVersion: 5,
  flexibleFrom: 3,

  encodeRequest(w, v, m) {
    if (v >= 4) w.array(v, m.statesFilter, encodeString);
    else if (m.statesFilter.length > 0) w.refuse('statesFilter');
    if (v >= 5) w.array(v, m.typesFilter, encodeString);
    else if (m.typesFilter.length > 0) w.refuse('typesFilter');
    w.tags();
  },

  decodeRequest(r, v) {
    const m: ListGroupsRequest = {
      statesFilter: v >= 4 ? r.array(v, decodeString) : [],
      typesFilter: v >= 5 ? r.array(v, decodeString) : [],
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    if (v >= 1) w.int32(m.throttleTimeMs);
    w.int16(m.errorCode);
    w.array(v, m.groups, encodeGroup);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: ListGroupsResponse = {
      throttleTimeMs: v >= 1 ? r.int32() : 0,
      errorCode: r.int16(),
      groups: r.array(v, decodeGroup),
    };
    r.tags();
    return m;
  },
};

function encodeGroup(w: Writer, v: number, m: ListedGroup): void {
  w.string(m.groupId);
  w.string(m.protocolType);
  if (v >= 4) w.string(m.groupState);
  if (v >= 5) w.string(m.groupType);
  w.tags();
}
function decodeGroup(r: Reader, v: number): ListedGroup {
  const m: ListedGroup = {
    groupId: r.string(),
    protocolType: r.string(),
    groupState: v >= 4 ? r.string() : '',
    groupType: v >= 5 ? r.string() : '',
  };
  r.tags();
  return m;
}
