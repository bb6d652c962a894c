import { decodeInt32, encodeInt32 } from './codec.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

// Partitions of a topic that is named by its id: what the consumer group protocol and share groups speak in.

export interface TopicIdPartitions {
  topicId: string;
  partitions: number[];
}

export function encodeTopicIdPartitions(w: Writer, v: number, m: TopicIdPartitions): void {
  w.uuid(m.topicId);
  w.array(v, m.partitions, encodeInt32);
  w.tags();
}
export function decodeTopicIdPartitions(r: Reader, v: number): TopicIdPartitions {
  const m: TopicIdPartitions = { topicId: r.uuid(), partitions: r.array(v, decodeInt32) };
  r.tags();
  return m;
}

/** What a heartbeat's answer assigns to the member, in full. */
export interface TopicIdAssignment {
  topicPartitions: TopicIdPartitions[];
}

export function encodeTopicIdAssignment(w: Writer, v: number, m: TopicIdAssignment): void {
  w.array(v, m.topicPartitions, encodeTopicIdPartitions);
  w.tags();
}
export function decodeTopicIdAssignment(r: Reader, v: number): TopicIdAssignment {
  const m: TopicIdAssignment = { topicPartitions: r.array(v, decodeTopicIdPartitions) };
  r.tags();
  return m;
}
