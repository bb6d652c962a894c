import type { Api } from '../api.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';

// DescribeCluster (key 60): brokers, controller and id of the cluster, without topics (KIP-700).
// https://kafka.apache.org/protocol#The_Messages_DescribeCluster
//
// v0  flexible from the first
// v1  endpointType: controllers can be asked (KIP-919)
// v2  includeFencedBrokers, isFenced (KIP-1073)

export interface DescribeClusterRequest {
  includeClusterAuthorizedOperations: boolean;
  endpointType: number; // v1+, 1 brokers, 2 controllers
  includeFencedBrokers: boolean; // v2+
}

export interface DescribeClusterResponse {
  throttleTimeMs: number;
  errorCode: number;
  errorMessage: string | null;
  endpointType: number; // v1+, 1 brokers, 2 controllers
  clusterId: string;
  controllerId: number; // −1 for unknown
  brokers: DescribeClusterBroker[];
  clusterAuthorizedOperations: number; // bits, −2147483648 where nobody asked
}

export interface DescribeClusterBroker {
  brokerId: number;
  host: string;
  port: number;
  rack: string | null;
  isFenced: boolean; // v2+
}

const BROKERS = 1;

export const describeCluster: Api<DescribeClusterRequest, DescribeClusterResponse> = {
  key: 60,
  name: 'DescribeCluster',
  minVersion: 0,
  maxVersion: 2,
  flexibleFrom: 0,

  encodeRequest(w, v, m) {
    w.bool(m.includeClusterAuthorizedOperations);
    if (v >= 1) w.int8(m.endpointType);
    else if (m.endpointType !== BROKERS) w.refuse('endpointType');
    if (v >= 2) w.bool(m.includeFencedBrokers);
    else if (m.includeFencedBrokers) w.refuse('includeFencedBrokers');
    w.tags();
  },

  decodeRequest(r, v) {
    const m: DescribeClusterRequest = {
      includeClusterAuthorizedOperations: r.bool(),
      endpointType: v >= 1 ? r.int8() : BROKERS,
      includeFencedBrokers: v >= 2 ? r.bool() : false,
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    w.int32(m.throttleTimeMs);
    w.int16(m.errorCode);
    w.nullableString(m.errorMessage);
    if (v >= 1) w.int8(m.endpointType);
    else if (m.endpointType !== BROKERS) w.refuse('endpointType');
    w.string(m.clusterId);
    w.int32(m.controllerId);
    w.array(v, m.brokers, encodeBroker);
    w.int32(m.clusterAuthorizedOperations);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: DescribeClusterResponse = {
      throttleTimeMs: r.int32(),
      errorCode: r.int16(),
      errorMessage: r.nullableString(),
      endpointType: v >= 1 ? r.int8() : BROKERS,
      clusterId: r.string(),
      controllerId: r.int32(),
      brokers: r.array(v, decodeBroker),
      clusterAuthorizedOperations: r.int32(),
    };
    r.tags();
    return m;
  },
};

function encodeBroker(w: Writer, v: number, m: DescribeClusterBroker): void {
  w.int32(m.brokerId);
  w.string(m.host);
  w.int32(m.port);
  w.nullableString(m.rack);
  if (v >= 2) w.bool(m.isFenced);
  else if (m.isFenced) w.refuse('isFenced');
  w.tags();
}
function decodeBroker(r: Reader, v: number): DescribeClusterBroker {
  const m: DescribeClusterBroker = {
    brokerId: r.int32(),
    host: r.string(),
    port: r.int32(),
    rack: r.nullableString(),
    isFenced: v >= 2 ? r.bool() : false,
  };
  r.tags();
  return m;
}
