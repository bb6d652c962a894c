import type { KafkaError } from '../errors.ts';
import type { AbortedTransaction } from '../protocol/api/fetch.ts';
import { FetchMeter } from './meter.ts';

export interface TopicPartition {
  topic: string;
  partition: number;
}

/** ListOffsets' own names for places in a log. https://kafka.apache.org/protocol#The_Messages_ListOffsets */
export const LATEST_TIMESTAMP = -1;
export const EARLIEST_TIMESTAMP = -2;
/** The record with the largest timestamp (v7, KIP-734). */
export const MAX_TIMESTAMP = -3;
/** The oldest record on the broker's own disk (v8, KIP-405). */
export const EARLIEST_LOCAL_TIMESTAMP = -4;
/** The newest record in tiered storage (v9, KIP-1005). */
export const LATEST_TIERED_TIMESTAMP = -5;

/**
 * Where a partition is to be read from: an offset, an end of the log, what the group committed (else `autoOffsetReset`), or
 * `reset`: where `autoOffsetReset` says.
 */
export type StartAt = number | 'earliest' | 'latest' | 'committed' | 'reset';

/**
 * What a partition is waiting for. Together with `inFlight`, `retryAt`, `needsMetadata`, `paused` and `buffered` this
 * tells at any moment why a partition is not being fetched; nothing sits idle without one of them (semantics §9.1).
 *
 * committed → (an offset) → validate → fetch      failed: an error was handed to the application, which may seek
 *     └→ (none) → reset → fetch
 *
 * From fetch back to validate when the leader has changed (KIP-320), and to reset when the position is out of range.
 */
export type Stage = 'committed' | 'reset' | 'validate' | 'fetch' | 'failed';

/** Why a position was given up, other than by the application. */
export type ResetReason = 'noCommittedOffset' | 'outOfRange' | 'truncated' | 'topicRecreated';

/** The state of one assigned partition, from the lookup of its position on. */
export class PartitionState implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  /** Made once: with a thousand partitions, making it anew at each look-up is what an idle consumer would spend its time on. */
  readonly key: string;
  /** Raised by every assignment and every seek: an answer or a record of an older epoch is nobody's any more. */
  readonly epoch: number;
  stage: Stage;
  /** Next offset to fetch; −1 while not known. */
  position = -1;
  /** Leader epoch of the record before the position; −1 for unknown: then nothing can be validated (KIP-320). */
  offsetEpoch = -1;
  /** The leader epoch in which the position is known to hold. */
  validatedEpoch = -1;
  /** The topic's id when the position was taken up; null where brokers give none. Another id is another topic. */
  topicId: string | null = null;
  resetTimestamp = EARLIEST_TIMESTAMP;
  /** Why `stage` is `reset`, and the position before; null where the application has asked for an end of the log. */
  reset: { readonly reason: ResetReason; readonly from: number } | null = null;
  /** The follower to read from (KIP-392), and until when; −1 for the leader. */
  readReplica = -1;
  readReplicaUntil = 0;
  /** Whom the last request went to, and with which leader epoch. */
  askedNode = -1;
  askedEpoch = -1;
  paused = false;
  /** Record bytes that were handed on and not yet given back. */
  buffered = 0;
  /** When some of them were given back last, or, if none were, handed on. */
  takenAt = 0;
  /** False from the moment an answer shows that the log goes on after the position. */
  isCaughtUp = false;
  /** The last answer had no record for it. */
  isIdle = false;
  /** An answer with this partition in it was too large to be taken: it is asked alone, to see whose records those were. */
  isSuspect = false;
  /** So often alone. */
  tooLarge = 0;
  /** Id of the request that carries this partition; 0 for none. */
  inFlight = 0;
  /** No earlier than this; 0 for at once. */
  retryAt = 0;
  failures = 0;
  /** Its leader is unknown or was wrong: waits for the next metadata. */
  needsMetadata = false;
  hasWarned = false;
  /** What the broker refuses at the moment, as the application was told; null for nothing. */
  refusedAs: string | null = null;
  /** Answers in a row with records that are damaged at the position. */
  corruptions = 0;
  /** By OFFSET_OUT_OF_RANGE, since records were last fetched. */
  resets = 0;
  /** Size of the last whole batch that came; 0 before the first. */
  batchBytes = 0;
  /** When the last request was sent. */
  sentAt = 0;
  meter = new FetchMeter();
  /** Answers in a row that held nothing but the beginning of a batch. */
  cutOff = 0;

  constructor(topic: string, partition: number, epoch: number, startAt: StartAt) {
    this.topic = topic;
    this.partition = partition;
    this.key = partitionKey(topic, partition);
    this.epoch = epoch;
    this.stage = typeof startAt === 'number' ? 'fetch' : startAt === 'committed' ? 'committed' : 'reset';
    if (typeof startAt === 'number') this.position = startAt;
    if (startAt === 'latest') this.resetTimestamp = LATEST_TIMESTAMP;
  }

  get name(): string {
    return partitionName(this.topic, this.partition);
  }

  /** Nothing is in flight, no back-off runs, no metadata is awaited. */
  isReady(now: number): boolean {
    return this.inFlight === 0 && !this.needsMetadata && this.retryAt <= now;
  }

  /** @param offsetEpoch of the record before; −1 for unknown */
  positionAt(offset: number, offsetEpoch: number): void {
    this.stage = 'fetch';
    this.position = offset;
    this.offsetEpoch = offsetEpoch;
    this.validatedEpoch = -1;
    this.isCaughtUp = false;
    this.reset = null;
    this.succeeded();
  }

  resetTo(timestamp: number, reason: ResetReason): void {
    this.reset = { reason, from: this.position };
    this.stage = 'reset';
    this.position = -1;
    this.offsetEpoch = -1;
    this.resetTimestamp = timestamp;
  }

  /** Which broker records are asked of. */
  readFrom(leader: number, now: number): number {
    if (this.readReplica >= 0 && now >= this.readReplicaUntil) this.readReplica = -1;
    return this.readReplica >= 0 ? this.readReplica : leader;
  }

  /** The last request went to a follower. */
  get hasAskedFollower(): boolean {
    return this.readReplica >= 0 && this.readReplica === this.askedNode;
  }

  succeeded(): void {
    this.failures = 0;
    this.retryAt = 0;
    this.hasWarned = false;
  }
}

export function partitionName(topic: string, partition: number): string {
  return `${topic}-${partition}`;
}

/** A topic's name has no slash, so this is unique. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

/** A thing to be done by the driver, or an event for the application. */
export type FetchAction =
  | { type: 'fetchOffsets'; id: number; partitions: TopicPartition[] }
  | { type: 'listOffsets'; id: number; nodeId: number; partitions: ListedPartition[] }
  | {
      type: 'fetch';
      id: number;
      nodeId: number;
      maxWaitMs: number;
      maxBytes: number;
      partitions: AskedPartition[];
      topicIds: ReadonlyMap<string, string | null>;
    }
  | { type: 'validate'; id: number; nodeId: number; partitions: ValidatedPartition[] }
  | { type: 'refreshMetadata'; topics: string[] }
  | PositionEvent
  | FetchedRecords
  | { type: 'partitionFailed'; topic: string; partition: number; epoch: number; error: KafkaError }
  | Refusal
  | PartitionRefusal
  /** What goes on failing, and is tried again all the same. */
  | { type: 'trouble'; error: KafkaError }
  | { type: 'log'; level: 'info' | 'warn'; message: string };

/**
 * The broker refuses something that it is asked for again: thrown to one read. An error of the same `what` takes its place while
 * it was not thrown yet; null takes it back.
 */
export interface Refusal {
  type: 'refused';
  what: string;
  error: KafkaError | null;
}

/** What is refused of this partition at the moment; null for nothing any more. To be seen, not to be thrown: that is `refused`. */
export interface PartitionRefusal extends TopicPartition {
  type: 'partitionRefused';
  epoch: number;
  error: KafkaError | null;
}

/** Where reading begins, or goes on after a reset. */
export interface PositionEvent extends TopicPartition {
  type: 'positioned';
  epoch: number;
  offset: number;
  /** By `autoOffsetReset` or by a look-up, not what the group had committed. */
  isReset: boolean;
  /** Null where this is where the application or the group has said to begin. `from`: −1 where there was none before. */
  reset: { readonly reason: ResetReason; readonly from: number } | null;
}

export interface ValidatedPartition extends TopicPartition {
  currentLeaderEpoch: number;
  /** Of the record before the position: where does this epoch end? */
  leaderEpoch: number;
}

export interface ListedPartition extends TopicPartition {
  currentLeaderEpoch: number;
  timestamp: number;
}

export interface AskedPartition extends TopicPartition {
  /** `partitionKey` of it. */
  key: string;
  currentLeaderEpoch: number;
  fetchOffset: number;
  partitionMaxBytes: number;
}

/** Whole batches of one partition, as they lie in the frame. May hold nothing when only the high watermark is news. */
export interface FetchedRecords extends TopicPartition {
  type: 'records';
  epoch: number;
  /** Whole batches only; a view into the response's own frame. */
  bytes: Buffer;
  /** The position asked for: records before it, in the first batch, are not wanted. */
  fetchOffset: number;
  /** The position after the last whole batch. */
  nextOffset: number;
  highWatermark: number;
  /** Where the partition ends for this consumer: the high watermark, or the last stable offset for `read_committed`. */
  endOffset: number;
  /** Of the transactions within reach of `bytes`; empty for `read_uncommitted`. */
  abortedTransactions: readonly AbortedTransaction[];
}
