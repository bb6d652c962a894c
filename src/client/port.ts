import type { CommitPurpose, OffsetToCommit } from '../commit/committer.ts';
import type { KafkaError } from '../errors.ts';
import type { BrokerMetrics } from './metrics.ts';
import type {
  FetchedRecords,
  PartitionRefusal,
  PositionEvent,
  Refusal,
  StartAt,
  TopicPartition,
} from '../fetch/partition.ts';

/** Of who is in no group: in this name a consumer without a subscription commits. */
export const NO_MEMBERSHIP = { memberId: '', generation: -1 };

/**
 * The one narrow way between `Consumer`, which the application holds, and the engine, which holds the connections, the
 * group and the fetches. Plain data both ways and no answers but events, so that the engine may live in another thread.
 * Record bytes travel as whole frames of their own.
 */
export interface EnginePort {
  send(command: EngineCommand): void;
}

/** Raised by the consumer at every assignment and every seek; whatever carries an older one is dropped. */
export interface PositionedPartition extends TopicPartition {
  epoch: number;
  startAt: StartAt;
}

export type EngineCommand =
  /**
   * Join the group with these topics and all that match one of the patterns, now or later; replaces what was subscribed to
   * before. With patterns, `subscription` says what they stand for. What `brokerPattern` matches (RE2J) the broker alone knows.
   */
  | { type: 'subscribe'; topics: readonly string[]; patterns: readonly RegExp[]; brokerPattern: string | null }
  /** Give up the subscription or the manual assignment: leave the group. Answered by `unsubscribed` with the same id. */
  | { type: 'unsubscribe'; id: number }
  /** Without a group: what is read from now on, all of it. */
  | { type: 'assign'; partitions: readonly TopicPartition[] }
  /** Read these from there: after an assignment, and for a seek. */
  | { type: 'start'; partitions: readonly PositionedPartition[] }
  /**
   * Fetch this partition from `offset` again, in a new epoch: its bytes were damaged, perhaps on their way. After the back-off
   * of so many attempts before; at once for `attempt` −1.
   */
  | { type: 'refetch'; topic: string; partition: number; epoch: number; offset: number; attempt: number }
  /** Its bytes make no sense: fetch nothing of this partition, which stays assigned, until `start` or `refetch`. */
  | { type: 'halt'; topic: string; partition: number; epoch: number }
  /** Fetch these no more. */
  | { type: 'stop'; partitions: readonly TopicPartition[] }
  | { type: 'pause' | 'resume'; partitions: readonly TopicPartition[] }
  /** Bytes of a `records` event that were used or dropped: there is room again. */
  | { type: 'release'; topic: string; partition: number; epoch: number; bytes: number }
  /** The answer to `collect`, or a sign that the event loop turns again: whether the application waits for records, and how often it has come for some. */
  | { type: 'progress'; isWaiting: boolean; polls: number }
  /**
   * Answered by `committed` with the same id: when the fate of each offset is known and all `async` ones before it are answered, or when
   * `timeoutMs` have passed. `revoke` also waits for the calls before it about what is being revoked.
   */
  | {
      type: 'commit';
      id: number;
      offsets: readonly OffsetToCommit[];
      timeoutMs: number;
      purpose: CommitPurpose;
      /** These as they are, also where more is committed already. */
      mayGoBack?: boolean;
    }
  /** An automatic commit has failed: be due again so much later, or earlier. */
  | { type: 'autoCommitAgain'; delayMs: number }
  /** Answered by `committedOffsets` with the same id. */
  | { type: 'fetchCommitted'; id: number; partitions: readonly TopicPartition[]; timeoutMs: number }
  /** Answered by `topicDescribed` with the same id. */
  | { type: 'describeTopic'; id: number; topic: string; timeoutMs: number }
  /** Answered by `topicsListed` with the same id. */
  | { type: 'listTopics'; id: number; timeoutMs: number }
  /** Answered by `offsetsListed` with the same id. */
  | { type: 'listOffsets'; id: number; partitions: readonly PartitionAtTime[]; timeoutMs: number }
  /** Answered by `measured`, before `send` returns where both are in one thread. */
  | { type: 'measure' }
  /** The answer to `revoking`. */
  | { type: 'revoked' }
  /**
   * Leave, close, and be gone by then; by `leaveTimeoutMs` after nothing is being revoked any more, where
   * that is sooner. Legal again with less time. Answered by `closed`.
   */
  | { type: 'close'; timeoutMs: number; leaveTimeoutMs: number };

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export type EngineEvent =
  /** What a subscription with patterns stands for now. */
  | { type: 'subscription'; topics: readonly string[] }
  /**
   * A generation of the group has begun, and has given these in addition to what is still owned (none, where all was revoked
   * before); the consumer answers with `start` for each. Not settled: something is being revoked, and one more will follow.
   */
  | {
      type: 'assigned';
      partitions: readonly TopicPartition[];
      isSettled: boolean;
      memberId: string;
      generation: number;
    }
  /** The group is on its way to a new assignment; may come several times before it is there. */
  | { type: 'rebalancing'; cause: string }
  /**
   * Stop handing these out, let what is in hand be finished, commit (unless lost), call the listener; then `revoked`. The rest
   * goes on. May come again with `lost` before that, with what else was owned behind the same partitions.
   */
  | { type: 'revoking'; partitions: readonly TopicPartition[]; lost: boolean }
  /**
   * Nothing of the group is left: no more `revoking` or `assigned` comes before the next `subscribe`. Not said where that, or another
   * `unsubscribe`, came before. What was lost may still be with the application.
   */
  | { type: 'unsubscribed'; id: number }
  /** The coordinator counts this member in another epoch now; what it owns is the same. */
  | { type: 'membershipChanged'; memberId: string; generation: number }
  /**
   * While it is held, hand nothing out of what the group has given: the event loop stood still for a session or longer, so all
   * of it may be others' by now. Ends when the group has answered, or has nothing left to answer about.
   */
  | { type: 'hold'; isHeld: boolean }
  /** Answer with `progress`. */
  | { type: 'collect' }
  /** `autoCommitIntervalMs` have passed: commit what is finished. */
  | { type: 'autoCommitDue' }
  /** Where reading begins, once it was looked up. */
  | PositionEvent
  | FetchedRecords
  /** This partition goes no further until a seek. */
  | { type: 'partitionFailed'; topic: string; partition: number; epoch: number; error: KafkaError }
  /** The broker refuses something, which is asked again: thrown to one read. */
  | Refusal
  | PartitionRefusal
  | { type: 'committed'; id: number; committed: readonly OffsetToCommit[]; error: KafkaError | null }
  | { type: 'committedOffsets'; id: number; offsets: readonly CommittedOffset[]; error: KafkaError | null }
  | { type: 'topicDescribed'; id: number; partitions: readonly TopicPartition[]; error: KafkaError | null }
  | { type: 'topicsListed'; id: number; topics: readonly ListedTopic[]; error: KafkaError | null }
  | { type: 'offsetsListed'; id: number; offsets: readonly ListedOffset[]; error: KafkaError | null }
  | {
      type: 'measured';
      partitions: readonly MeasuredPartition[];
      brokers: readonly BrokerMetrics[];
      /** Of the member, in the words of its protocol; `null` without a group. */
      groupState: string | null;
      /** What the consumer has failed for good with. */
      failure: KafkaError | null;
    }
  /** `statisticsIntervalMs` have passed. */
  | { type: 'statsDue' }
  /** Something failed that is tried again. */
  | { type: 'trouble'; error: KafkaError }
  /** Nothing goes on after this; the consumer has to be closed. */
  | { type: 'failed'; error: KafkaError }
  | { type: 'log'; level: LogLevel; message: string }
  /** `hasLeft`: the group knows that this member is gone, or never had it. */
  | { type: 'closed'; hasLeft: boolean };

/** A topic of the cluster, as `listTopics()` gives it. */
export interface ListedTopic {
  topic: string;
  /** One of Kafka's own, such as `__consumer_offsets`. */
  isInternal: boolean;
  partitions: TopicPartition[];
}

/** What the fetches of a partition came to so far. `latencyMs`, `nodeId`: −1 for none. */
export interface MeasuredPartition extends TopicPartition {
  bufferedBytes: number;
  fetchedBytes: number;
  fetchedRecords: number;
  bytesPerSecond: number;
  recordsPerSecond: number;
  latencyMs: number;
  nodeId: number;
}

/** A question to ListOffsets: milliseconds since 1970, or one of its own names for places in a log (−1 to −5). */
export interface PartitionAtTime extends TopicPartition {
  timestamp: number;
}

/** Its answer. Both −1 where every record is older. */
export interface ListedOffset extends TopicPartition {
  offset: number;
  /** Of the record at the offset; −1 for unknown. */
  leaderEpoch: number;
  timestamp: number;
}

export interface CommittedOffset extends TopicPartition {
  /** −1: nothing was committed. */
  offset: number;
  leaderEpoch: number;
  metadata: string | null;
}
