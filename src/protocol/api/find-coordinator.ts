import type { Api } from '../api.ts';
import { decodeString, encodeString } from '../codec.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';

// FindCoordinator (key 10): which broker coordinates a group, a transactional id or a share group.
// https://kafka.apache.org/protocol#The_Messages_FindCoordinator
//
// v1  adds keyType, throttleTimeMs, errorMessage (KIP-98)
// v2  throttling happens after the response (KIP-219)
// v3  first flexible version (KIP-482)
// v4  many keys at once: coordinatorKeys and coordinators replace the single ones (KIP-699)
// v5  error code TRANSACTION_ABORTABLE (KIP-890)
// v6  key type of share groups (KIP-932)

export interface FindCoordinatorRequest {
  key: string; // v0-3
  keyType: number; // v1+, 0 group, 1 transaction, 2 share group
  coordinatorKeys: string[]; // v4+
}

export interface FindCoordinatorResponse {
  throttleTimeMs: number; // v1+
  errorCode: number; // v0-3
  errorMessage: string | null; // v1-3
  nodeId: number; // v0-3
  host: string; // v0-3
  port: number; // v0-3
  coordinators: Coordinator[]; // v4+
}

export interface Coordinator {
  key: string;
  nodeId: number;
  host: string;
  port: number;
  errorCode: number;
  errorMessage: string | null;
}

export const findCoordinator: Api<FindCoordinatorRequest, FindCoordinatorResponse> = {
  key: 10,
  name: 'FindCoordinator',
  minVersion: 0,
  maxVersion: 6,
  flexibleFrom: 3,

  encodeRequest(w, v, m) {
    if (v <= 3) w.string(m.key);
    else if (m.key !== '') w.refuse('key');
    if (v >= 1) w.int8(m.keyType);
    else if (m.keyType !== 0) w.refuse('keyType');
    if (v >= 4) w.array(v, m.coordinatorKeys, encodeString);
    else if (m.coordinatorKeys.length > 0) w.refuse('coordinatorKeys');
    w.tags();
  },

  decodeRequest(r, v) {
    const m: FindCoordinatorRequest = {
      key: v <= 3 ? r.string() : '',
      keyType: v >= 1 ? r.int8() : 0,
      coordinatorKeys: v >= 4 ? r.array(v, decodeString) : [],
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    if (v >= 1) w.int32(m.throttleTimeMs);
    if (v <= 3) encodeSingle(w, v, m);
    else if (m.errorCode !== 0 || m.nodeId !== 0 || m.host !== '' || m.port !== 0) w.refuse('a single coordinator');
    if (v >= 4) w.array(v, m.coordinators, encodeCoordinator);
    else if (m.coordinators.length > 0) w.refuse('coordinators');
    w.tags();
  },

  decodeResponse(r, v) {
    const m: FindCoordinatorResponse = {
      throttleTimeMs: v >= 1 ? r.int32() : 0,
      errorCode: v <= 3 ? r.int16() : 0,
      errorMessage: v >= 1 && v <= 3 ? r.nullableString() : '',
      nodeId: v <= 3 ? r.int32() : 0,
      host: v <= 3 ? r.string() : '',
      port: v <= 3 ? r.int32() : 0,
      coordinators: v >= 4 ? r.array(v, decodeCoordinator) : [],
    };
    r.tags();
    return m;
  },
};

function encodeSingle(w: Writer, v: number, m: FindCoordinatorResponse): void {
  w.int16(m.errorCode);
  if (v >= 1) w.nullableString(m.errorMessage);
  w.int32(m.nodeId);
  w.string(m.host);
  w.int32(m.port);
}

function encodeCoordinator(w: Writer, _v: number, m: Coordinator): void {
  w.string(m.key);
  w.int32(m.nodeId);
  w.string(m.host);
  w.int32(m.port);
  w.int16(m.errorCode);
  w.nullableString(m.errorMessage);
  w.tags();
}
function decodeCoordinator(r: Reader): Coordinator {
  const m: Coordinator = {
    key: r.string(),
    nodeId: r.int32(),
    host: r.string(),
    port: r.int32(),
    errorCode: r.int16(),
    errorMessage: r.nullableString(),
  };
  r.tags();
  return m;
}
