import type { Api } from '../api.ts';
import { decodeInt8, decodeString, encodeInt8, encodeString } from '../codec.ts';

// GetTelemetrySubscriptions (key 71): which metrics the cluster wants of this client, and how often (KIP-714).
// https://kafka.apache.org/protocol#The_Messages_GetTelemetrySubscriptions
//
// v0  flexible from the first

export interface GetTelemetrySubscriptionsRequest {
  clientInstanceId: string; // the zero UUID at first
}

export interface GetTelemetrySubscriptionsResponse {
  throttleTimeMs: number;
  errorCode: number;
  clientInstanceId: string; // a new one where the request had the zero UUID
  subscriptionId: number;
  acceptedCompressionTypes: number[]; // as in a record batch
  pushIntervalMs: number;
  telemetryMaxBytes: number;
  deltaTemporality: boolean; // counters as differences, not as sums
  requestedMetrics: string[]; // prefixes; empty for none, '' for all
}

export const getTelemetrySubscriptions: Api<GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse> = {
  key: 71,
  name: 'GetTelemetrySubscriptions',
  minVersion: 0,
  maxVersion: 0,
  flexibleFrom: 0,

  encodeRequest(w, _v, m) {
    w.uuid(m.clientInstanceId);
    w.tags();
  },

  decodeRequest(r) {
    const m: GetTelemetrySubscriptionsRequest = { clientInstanceId: r.uuid() };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    w.int32(m.throttleTimeMs);
    w.int16(m.errorCode);
    w.uuid(m.clientInstanceId);
    w.int32(m.subscriptionId);
    w.array(v, m.acceptedCompressionTypes, encodeInt8);
    w.int32(m.pushIntervalMs);
    w.int32(m.telemetryMaxBytes);
    w.bool(m.deltaTemporality);
    w.array(v, m.requestedMetrics, encodeString);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: GetTelemetrySubscriptionsResponse = {
      throttleTimeMs: r.int32(),
      errorCode: r.int16(),
      clientInstanceId: r.uuid(),
      subscriptionId: r.int32(),
      acceptedCompressionTypes: r.array(v, decodeInt8),
      pushIntervalMs: r.int32(),
      telemetryMaxBytes: r.int32(),
      deltaTemporality: r.bool(),
      requestedMetrics: r.array(v, decodeString),
    };
    r.tags();
    return m;
  },
};
