import type { KafkaError } from '../errors.ts';
import type { TopicPartition } from '../fetch/partition.ts';
import type { ConsumerMetrics } from './metrics.ts';
import type { LogLevel } from './port.ts';

/** An offset as it is committed: the next one to be consumed, one past the last that is done. */
export interface TopicPartitionOffset extends TopicPartition {
  offset: number;
  /** Of the record before it; −1 or left out for unknown. */
  leaderEpoch?: number;
  /** A string of the application's own, kept with this offset and with no other; `null` is as left out. */
  metadata?: string | null;
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

/**
 * A place in a log that has no time of its own: the record with the largest timestamp (brokers from 3.0 on), the oldest one on the
 * leader's own disk (3.6), the newest one in tiered storage (3.9).
 */
export type SpecialTimestamp = 'max' | 'earliest-local' | 'latest-tiered';

/** What `offsetsForTimes()` gives: the first record that is not older, and its time; `null` where all are older. */
export interface PartitionOffsetAtTime extends TopicPartition {
  offset: number | null;
  timestamp: number | null;
  /** The leader epoch of the record; −1 where it is not known. */
  leaderEpoch: number;
}

/** A position that was given up, other than by the application. */
export interface PositionReset extends TopicPartition {
  /** The position before. */
  from: number;
  /** Where reading goes on; what was fetched before is handed out first. */
  to: number;
  /**
   * `outOfRange`: retention has removed it, or it never was. `truncated`: an unclean leader election has cut the log off below it
   * (KIP-320). `topicRecreated`: the topic was deleted and made again.
   */
  reason: 'outOfRange' | 'truncated' | 'topicRecreated';
}

/** What `committed()` gives. */
export interface Committed extends TopicPartition {
  /** The next offset to be consumed; `null` where the group has committed none. */
  offset: number | null;
  leaderEpoch: number;
  metadata: string | null;
}

/** A rebalance as this member has seen it, in whatever number of rounds. */
export interface RebalanceEvent {
  /** What began it, as in the log. */
  cause: string;
  /** From the first word of it until the listeners have returned and reading begins. */
  durationMs: number;
  /** The generation that it led to; in the new consumer protocol (KIP-848) the member epoch. */
  generation: number;
  memberId: string;
  /** What this member was given, gave back and lost on the way. In eager groups everything is given back each time. */
  assigned: TopicPartition[];
  revoked: TopicPartition[];
  lost: TopicPartition[];
}

/** Events of a consumer and what their listeners get. */
export interface ConsumerEvents {
  /** The group has given these to this consumer. Cooperative: in addition to what it has. */
  assigned: [partitions: TopicPartition[]];
  /** Given back, after what was finished was committed. */
  revoked: [partitions: TopicPartition[]];
  /** The group has gone on without this consumer. */
  lost: [partitions: TopicPartition[]];
  /** A rebalance is over, and what it has brought is read from now on. */
  rebalance: [rebalance: RebalanceEvent];
  /** The broker has acknowledged these. */
  committed: [offsets: TopicPartitionOffset[]];
  /** The application is done with all that the broker had; said once each time that the end is reached. */
  partitionEnd: [end: TopicPartition & { offset: number }];
  /** Reading goes on elsewhere, by `autoOffsetReset`: records may have been lost, or come again. */
  positionReset: [reset: PositionReset];
  /** Every `statisticsIntervalMs`: what `metrics()` gives. */
  stats: [metrics: ConsumerMetrics];
  /** Something failed that is tried again, or that nobody waits for; what a read or a call meets is thrown there. */
  error: [error: KafkaError];
  log: [entry: { level: LogLevel; message: string }];
}
