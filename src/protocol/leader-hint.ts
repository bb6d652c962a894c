import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

// Who the new leader is and where: what the answers to Fetch and Produce carry beside an error (KIP-951).

export interface LeaderIdAndEpoch {
  leaderId: number;
  leaderEpoch: number;
}

export interface NodeEndpoint {
  nodeId: number;
  host: string;
  port: number;
  rack: string | null;
}

export function encodeLeader(w: Writer, _v: number, m: LeaderIdAndEpoch): void {
  w.int32(m.leaderId);
  w.int32(m.leaderEpoch);
  w.tags();
}
export function decodeLeader(r: Reader): LeaderIdAndEpoch {
  const m: LeaderIdAndEpoch = { leaderId: r.int32(), leaderEpoch: r.int32() };
  r.tags();
  return m;
}

export function encodeEndpoints(w: Writer, v: number, m: NodeEndpoint[]): void {
  w.array(v, m, encodeEndpoint);
}
function encodeEndpoint(w: Writer, _v: number, m: NodeEndpoint): void {
  w.int32(m.nodeId);
  w.string(m.host);
  w.int32(m.port);
  w.nullableString(m.rack);
  w.tags();
}
export function decodeEndpoint(r: Reader): NodeEndpoint {
  const m: NodeEndpoint = { nodeId: r.int32(), host: r.string(), port: r.int32(), rack: r.nullableString() };
  r.tags();
  return m;
}
