import { type ErrorFates, fateOf } from '../protocol/error-fates.ts';

// What follows from each error code of OffsetCommit, and of OffsetFetch where `committed()` asks. docs/error-fates.md says what Java
// does, and why that may differ.

/** Of an offset in a commit that is retried. The others fail with whatever is not 0. */
export type CommitFate =
  /** Sent again after a back-off. */
  | 'retry'
  /** The same; the coordinator is looked for. */
  | 'coordinator'
  /** The same for five seconds, for a broker hears of a new topic late; final after that, and where a rebalance or `close()` waits. */
  | 'topic'
  /** Sent again in the generation that comes; final where the rebalance waits for this very commit. The group machine is told. */
  | 'rebalance'
  /** Sent again, in the epoch that is on its way. The group machine is told. */
  | 'epoch'
  /** The call fails; the group machine decides what becomes of the membership. */
  | 'expelled'
  /** The request was too large: sent again in pieces where it held the offsets of several calls, else final. */
  | 'size'
  /** The call fails. */
  | 'final';

export const OFFSET_COMMIT_FATES: ErrorFates<CommitFate> = {
  title: 'OffsetCommit',
  codes: {
    COORDINATOR_NOT_AVAILABLE: 'coordinator',
    NOT_COORDINATOR: 'coordinator',
    REQUEST_TIMED_OUT: 'coordinator',
    UNKNOWN_TOPIC_OR_PARTITION: 'topic',
    UNKNOWN_TOPIC_ID: 'topic',
    REBALANCE_IN_PROGRESS: 'rebalance',
    STALE_MEMBER_EPOCH: 'epoch',
    ILLEGAL_GENERATION: 'expelled',
    UNKNOWN_MEMBER_ID: 'expelled',
    FENCED_INSTANCE_ID: 'expelled',
    INVALID_COMMIT_OFFSET_SIZE: 'size',
    OFFSET_METADATA_TOO_LARGE: 'final',
    INVALID_GROUP_ID: 'final',
    INVALID_TOPIC_EXCEPTION: 'final',
    TOPIC_AUTHORIZATION_FAILED: 'final',
    GROUP_AUTHORIZATION_FAILED: 'final',
    CLUSTER_AUTHORIZATION_FAILED: 'final',
    UNSUPPORTED_VERSION: 'final',
    INVALID_REQUEST: 'final',
    GROUP_ID_NOT_FOUND: 'final',
    FENCED_MEMBER_EPOCH: 'final',
  },
  others: 'retry',
};

export function commitFateOf(code: number): CommitFate {
  return fateOf(OFFSET_COMMIT_FATES, code);
}

/** Codes that say something about the membership: the group machine hears of them. */
export function concernsMembership(fate: CommitFate): boolean {
  return fate === 'expelled' || fate === 'rebalance' || fate === 'epoch';
}

export type CommittedFate =
  /** Asked again after a back-off, until the time of the call is up. */
  | 'retry'
  /** The same; the coordinator is looked for. */
  | 'coordinator'
  /** The same, once the group machine has found out what has become of the membership. */
  | 'fence'
  /** The same for five seconds, then final. */
  | 'topic'
  /** The call fails. */
  | 'final';

export const COMMITTED_FATES: ErrorFates<CommittedFate> = {
  title: 'OffsetFetch, for committed()',
  codes: {
    COORDINATOR_NOT_AVAILABLE: 'coordinator',
    NOT_COORDINATOR: 'coordinator',
    UNKNOWN_MEMBER_ID: 'fence',
    FENCED_MEMBER_EPOCH: 'fence',
    STALE_MEMBER_EPOCH: 'fence',
    UNKNOWN_TOPIC_OR_PARTITION: 'topic',
    UNKNOWN_TOPIC_ID: 'topic',
    INVALID_GROUP_ID: 'final',
    INVALID_TOPIC_EXCEPTION: 'final',
    TOPIC_AUTHORIZATION_FAILED: 'final',
    GROUP_AUTHORIZATION_FAILED: 'final',
    CLUSTER_AUTHORIZATION_FAILED: 'final',
    UNSUPPORTED_VERSION: 'final',
    INVALID_REQUEST: 'final',
    GROUP_ID_NOT_FOUND: 'final',
  },
  others: 'retry',
};
