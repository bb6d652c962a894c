import { decodeInt32, decodeString, encodeInt32, encodeString } from './codec.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

// What members of a classic group of protocol type 'consumer' say to each other inside JoinGroup and SyncGroup.
// The brokers only pass it on, so its versions are not negotiated: each message begins with its own, and one that is
// newer than the reader is read by the newest that the reader knows; what follows the known fields is ignored.
//
// v1  ownedPartitions: cooperative rebalancing (KIP-429)
// v2  generationId, to tell which of two claims is newer (KIP-792)
// v3  rackId: rack-aware assignment (KIP-881)
// Assignment has the same fields in all of them.

export const CONSUMER_PROTOCOL_VERSION = 3;

export interface Subscription {
  topics: string[];
  userData: Buffer | null;
  ownedPartitions: TopicPartitions[]; // v1+
  generationId: number; // v2+, −1 before
  rackId: string | null; // v3+
}

export interface Assignment {
  assignedPartitions: TopicPartitions[];
  userData: Buffer | null;
}

export interface TopicPartitions {
  topic: string;
  partitions: number[];
}

/** With its 2-byte version. Fields that `version` does not have are left out, as Kafka's schema allows. */
export function encodeSubscription(m: Subscription, version = CONSUMER_PROTOCOL_VERSION): Buffer {
  const w = new Writer(256);
  w.int16(version);
  encodeSubscriptionBody(w, version, m);
  return w.finish();
}

/**
 * A subscription of any version, with its 2-byte version; views into `bytes`, no copies.
 * @throws ProtocolError
 */
export function decodeSubscription(bytes: Buffer): Subscription {
  const r = new Reader(bytes);
  return decodeSubscriptionBody(r, decodeVersion(r, 'ConsumerProtocolSubscription'));
}

/** With its 2-byte version. */
export function encodeAssignment(m: Assignment, version = CONSUMER_PROTOCOL_VERSION): Buffer {
  const w = new Writer(256);
  w.int16(version);
  encodeAssignmentBody(w, version, m);
  return w.finish();
}

/**
 * An assignment of any version, with its 2-byte version; views into `bytes`, no copies. Zero bytes are an empty
 * assignment: what a broker hands to a member that the leader has given nothing.
 * @throws ProtocolError
 */
export function decodeAssignment(bytes: Buffer): Assignment {
  if (bytes.length === 0) return { assignedPartitions: [], userData: null };
  const r = new Reader(bytes);
  return decodeAssignmentBody(r, decodeVersion(r, 'ConsumerProtocolAssignment'));
}

function decodeVersion(r: Reader, name: string): number {
  r.begin(name, -1, false);
  const version = r.int16();
  if (version < 0) r.fail(`version ${version}`, 0);
  const known = Math.min(version, CONSUMER_PROTOCOL_VERSION);
  r.begin(name, known, false);
  return known;
}

/** Without the version before it. */
export function encodeSubscriptionBody(w: Writer, v: number, m: Subscription): void {
  w.array(v, m.topics, encodeString);
  w.nullableBytes(m.userData);
  if (v >= 1) w.array(v, m.ownedPartitions, encodeTopicPartitions);
  if (v >= 2) w.int32(m.generationId);
  if (v >= 3) w.nullableString(m.rackId);
}

/** Without the version before it. */
export function decodeSubscriptionBody(r: Reader, v: number): Subscription {
  return {
    topics: r.array(v, decodeString),
    userData: r.nullableBytes(),
    ownedPartitions: v >= 1 ? r.array(v, decodeTopicPartitions) : [],
    generationId: v >= 2 ? r.int32() : -1,
    rackId: v >= 3 ? r.nullableString() : null,
  };
}

/** Without the version before it. */
export function encodeAssignmentBody(w: Writer, v: number, m: Assignment): void {
  w.array(v, m.assignedPartitions, encodeTopicPartitions);
  w.nullableBytes(m.userData);
}

/** Without the version before it. */
export function decodeAssignmentBody(r: Reader, v: number): Assignment {
  return { assignedPartitions: r.array(v, decodeTopicPartitions), userData: r.nullableBytes() };
}

function encodeTopicPartitions(w: Writer, v: number, m: TopicPartitions): void {
  w.string(m.topic);
  w.array(v, m.partitions, encodeInt32);
}
function decodeTopicPartitions(r: Reader, v: number): TopicPartitions {
  return { topic: r.string(), partitions: r.array(v, decodeInt32) };
}
