import type { KafkaError } from '../errors.ts';
import type { TopicPartition } from '../fetch/partition.ts';
import type { LogLevel } from './port.ts';

/** An offset as it is committed: the next one to be consumed, one past the last that is done. */
export interface TopicPartitionOffset extends TopicPartition {
  offset: number;
  /** Of the record before it; −1 or left out for unknown. */
  leaderEpoch?: number;
  /** A string of the application's own, kept with the offset. */
  metadata?: string;
}

/** A partition to read without a group. */
export interface Assignment extends TopicPartition {
  /** Where to begin. Default: what the group has committed, if there is a groupId; else `autoOffsetReset`. */
  offset?: number | 'earliest' | 'latest';
}

/** What `beginningOffsets()` and `endOffsets()` give. */
export interface PartitionOffset extends TopicPartition {
  offset: number;
}

/** What `offsetsForTimes()` gives: the first record that is not older, and its time; `null` where all are older. */
export interface PartitionOffsetAtTime extends TopicPartition {
  offset: number | null;
  timestamp: number | null;
}

/** What `committed()` gives. */
export interface Committed extends TopicPartition {
  /** The next offset to be consumed; `null` where the group has committed none. */
  offset: number | null;
  leaderEpoch: number;
  metadata: string | null;
}

/** Events of a consumer and what their listeners get. */
export interface ConsumerEvents {
  /** The group has given these to this consumer: all that it has now. */
  assigned: [partitions: TopicPartition[]];
  /** Given back, after what was finished was committed. */
  revoked: [partitions: TopicPartition[]];
  /** The group has gone on without this consumer. */
  lost: [partitions: TopicPartition[]];
  /** The broker has acknowledged these. */
  committed: [offsets: TopicPartitionOffset[]];
  /** The application is done with all that the broker had; said once each time that the end is reached. */
  partitionEnd: [end: TopicPartition & { offset: number }];
  /** Something failed that is tried again, or that nobody waits for; what a read or a call meets is thrown there. */
  error: [error: KafkaError];
  log: [entry: { level: LogLevel; message: string }];
}
