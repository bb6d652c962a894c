import type { Api } from '../api.ts';

// PushTelemetry (key 72): metrics that the cluster has asked for (KIP-714).
// https://kafka.apache.org/protocol#The_Messages_PushTelemetry
//
// v0  flexible from the first

export interface PushTelemetryRequest {
  clientInstanceId: string;
  subscriptionId: number;
  terminating: boolean; // the client is about to close
  compressionType: number; // as in a record batch
  metrics: Buffer; // OpenTelemetry MetricsData v1, protobuf
}

export interface PushTelemetryResponse {
  throttleTimeMs: number;
  errorCode: number;
}

export const pushTelemetry: Api<PushTelemetryRequest, PushTelemetryResponse> = {
  key: 72,
  name: 'PushTelemetry',
  minVersion: 0,
  maxVersion: 0,
  flexibleFrom: 0,

  encodeRequest(w, _v, m) {
    w.uuid(m.clientInstanceId);
    w.int32(m.subscriptionId);
    w.bool(m.terminating);
    w.int8(m.compressionType);
    w.bytes(m.metrics);
    w.tags();
  },

  decodeRequest(r) {
    const m: PushTelemetryRequest = {
      clientInstanceId: r.uuid(),
      subscriptionId: r.int32(),
      terminating: r.bool(),
      compressionType: r.int8(),
      metrics: r.bytes(),
    };
    r.tags();
    return m;
  },

  encodeResponse(w, _v, m) {
    w.int32(m.throttleTimeMs);
    w.int16(m.errorCode);
    w.tags();
  },

  decodeResponse(r) {
    const m: PushTelemetryResponse = { throttleTimeMs: r.int32(), errorCode: r.int16() };
    r.tags();
    return m;
  },
};
