import type { KafkaError } from '../errors.ts';
import { kafkaErrorOf } from '../protocol/error-codes.ts';
import { commitFateOf } from './fates.ts';

/** So many partitions an error names. */
const NAMED = 20;

export interface OffsetToCommit {
  topic: string;
  partition: number;
  /** The next offset to be consumed. */
  offset: number;
  /** −1 for unknown. */
  leaderEpoch: number;
  /** A string of the application's own, kept with the offset. */
  metadata: string;
}

/**
 * - `call`: retried until the deadline; waits for a rebalance to end.
 * - `async`: sent once. Ends in the order of the calls.
 * - `auto`: sent once: the next one carries newer offsets anyway.
 * - `revoke`: retried, but a rebalance waits for it, so it cannot wait for the rebalance. Ends when all calls before it about
 *   the partitions that are being revoked have ended, too; about all partitions where nothing is being revoked.
 * - `close`: retried; waits for a rebalance to end, but not for a topic that is not there.
 */
export type CommitPurpose = 'call' | 'async' | 'auto' | 'revoke' | 'close';

interface Policy {
  readonly isRetried: boolean;
  readonly waitsForRejoin: boolean;
  readonly waitsForTopic: boolean;
}

export const POLICIES: Readonly<Record<CommitPurpose, Policy>> = {
  call: { isRetried: true, waitsForRejoin: true, waitsForTopic: true },
  async: { isRetried: false, waitsForRejoin: false, waitsForTopic: false },
  auto: { isRetried: false, waitsForRejoin: false, waitsForTopic: false },
  revoke: { isRetried: true, waitsForRejoin: false, waitsForTopic: false },
  close: { isRetried: true, waitsForRejoin: true, waitsForTopic: false },
};

export interface CommitJob {
  readonly id: number;
  readonly offsets: readonly OffsetToCommit[];
  /** Retriable errors are retried until then, by the same clock as `now`. */
  readonly deadline: number;
  readonly purpose: CommitPurpose;
  /**
   * True: these offsets as they are, also where that is back. Default false: where more was acknowledged since the partition was
   * positioned, this much is committed already and is left out.
   */
  readonly mayGoBack?: boolean;
}

/** A job that has not ended. */
export interface Running extends CommitJob {
  /** Counts up in the order of the calls. */
  readonly order: number;
  /** Offsets that are neither committed nor given up. */
  readonly left: Set<Entry>;
  readonly done: OffsetToCommit[];
  /** What some of its offsets have failed with, while others are still to be sent again. */
  failure: Failure | null;
  /** Why it had to be sent again, the last time. */
  setback: Cause | null;
  attempts: number;
  retryAt: number;
  /** The `async` job that was called last before this one: this one ends after it. */
  after: Running | null;
  /** What waits for this one to end, and has nothing else to wait for. */
  followers: Running[];
  /** A revocation's: the offsets of other jobs that it waits for. */
  readonly waitsFor: Set<Entry>;
  isOver: boolean;
}

/** A code of OffsetCommit, or what else went wrong. */
export type Cause = number | KafkaError;

interface Failure {
  readonly cause: Cause;
  /** The partitions that have failed so. */
  readonly keys: string[];
}

/** One offset of a job. */
export interface Entry {
  readonly job: Running;
  readonly key: string;
  /** What is sent; a newer one than the job's own where that may have reached the broker already. */
  sent: Sendable;
  /** A rebalance or `close()` waits for it. */
  isAwaited: boolean;
  isOver: boolean;
}

export interface Sendable {
  readonly offset: OffsetToCommit;
  readonly mayGoBack: boolean;
  /** How often the partition had been positioned when the call came. */
  readonly era: number;
}

/** What was committed last, in which era that was asked for. */
export interface Acknowledged {
  readonly era: number;
  readonly offset: number;
}

/** With `before` committed, `next` would only go back. */
export function isCovered(next: Sendable, before: Acknowledged): boolean {
  return !next.mayGoBack && next.era === before.era && next.offset.offset < before.offset;
}

export function keyOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}-${partition}`;
}

/** For errors: the partitions, or the first of very many. */
export function named(keys: readonly string[]): string {
  const more = keys.length > NAMED ? ` and ${keys.length - NAMED} more` : '';
  return `${keys.slice(0, NAMED).join(', ')}${more}`;
}

export function keysOf(entries: Iterable<Entry>): string[] {
  return Array.from(entries, ({ key }) => key);
}

export function errorOf(cause: Cause, keys: readonly string[]): KafkaError {
  return typeof cause === 'number' ? kafkaErrorOf(cause, { api: 'OffsetCommit', context: named(keys) }) : cause;
}

/** The first cause counts, but a missing topic is the least that one can say of a commit. */
export function noteFailure(job: Running, key: string, cause: Cause): void {
  const known = job.failure;
  if (known?.cause === cause) known.keys.push(key);
  else if (known === null || isOfTopic(known.cause)) job.failure = { cause, keys: [key] };
}

function isOfTopic(cause: Cause): boolean {
  return commitFateOf(typeof cause === 'number' ? cause : cause.code) === 'topic';
}
