import type { KafkaError } from '../errors.ts';
import type { AbortedTransaction } from '../protocol/api/fetch.ts';

export interface TopicPartition {
  topic: string;
  partition: number;
}

/** ListOffsets' own names for the ends of a log. https://kafka.apache.org/protocol#The_Messages_ListOffsets */
export const EARLIEST_TIMESTAMP = -2;
export const LATEST_TIMESTAMP = -1;

/** Where a partition is to be read from: an offset, an end of the log, or what the group committed (else `autoOffsetReset`). */
export type StartAt = number | 'earliest' | 'latest' | 'committed';

/**
 * What a partition is waiting for. Together with `inFlight`, `retryAt`, `needsMetadata`, `paused` and `buffered` this
 * tells at any moment why a partition is not being fetched; nothing sits idle without one of them (semantics §9.1).
 *
 * committed → (an offset) → fetch      failed: an error was handed to the application, which may seek
 *     └→ (none) → reset → fetch
 */
export type Stage = 'committed' | 'reset' | 'fetch' | 'failed';

/** The state of one assigned partition, from the lookup of its position on. */
export class PartitionState implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  /** Raised by every assignment and every seek: an answer or a record of an older epoch is nobody's any more. */
  readonly epoch: number;
  stage: Stage;
  /** Next offset to fetch; −1 while not known. */
  position = -1;
  resetTimestamp = EARLIEST_TIMESTAMP;
  paused = false;
  /** Record bytes that were handed on and not yet given back. */
  buffered = 0;
  /** False from the moment an answer shows that the log goes on after the position. */
  isCaughtUp = false;
  /** Id of the request that carries this partition; 0 for none. */
  inFlight = 0;
  /** No earlier than this; 0 for at once. */
  retryAt = 0;
  failures = 0;
  /** Its leader is unknown or was wrong: waits for the next metadata. */
  needsMetadata = false;
  hasWarned = false;
  /** By OFFSET_OUT_OF_RANGE, since records were last fetched. */
  resets = 0;
  /** Answers in a row that held nothing but the beginning of a batch. */
  cutOff = 0;

  constructor(topic: string, partition: number, epoch: number, startAt: StartAt) {
    this.topic = topic;
    this.partition = partition;
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

  positionAt(offset: number): void {
    this.stage = 'fetch';
    this.position = offset;
    this.isCaughtUp = false;
    this.succeeded();
  }

  resetTo(timestamp: number): void {
    this.stage = 'reset';
    this.position = -1;
    this.resetTimestamp = timestamp;
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
  | { type: 'fetch'; id: number; nodeId: number; maxWaitMs: number; maxBytes: number; partitions: AskedPartition[] }
  | { type: 'refreshMetadata'; topics: string[] }
  /** `isReset`: by `autoOffsetReset`, not by what the group had committed. */
  | { type: 'positioned'; topic: string; partition: number; epoch: number; offset: number; isReset: boolean }
  | FetchedRecords
  | { type: 'partitionFailed'; topic: string; partition: number; epoch: number; error: KafkaError }
  /** What goes on failing, and is tried again all the same. */
  | { type: 'trouble'; error: KafkaError }
  | { type: 'log'; level: 'info' | 'warn'; message: string };

export interface ListedPartition extends TopicPartition {
  currentLeaderEpoch: number;
  timestamp: number;
}

export interface AskedPartition extends TopicPartition {
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
