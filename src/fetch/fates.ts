import type { ErrorFates } from '../protocol/error-fates.ts';

// What follows from each error code of the APIs that find positions and fetch. Nothing here is final: every partition is
// asked for again. docs/error-fates.md says what Java does, and why that may differ.

export type FetchFate =
  /** Asked again after a back-off. Told only where it goes on for long. */
  | 'retry'
  /** The same, told at the first time. */
  | 'warn'
  /** Asked again after a back-off and new metadata; at once where a newer leader is known. */
  | 'refresh'
  /** The same, told at the first time. */
  | 'missing'
  /** Asked again after a back-off; the coordinator is looked for. */
  | 'coordinator'
  /** Asked again after a back-off; the group machine finds out what has become of the membership. */
  | 'fence'
  /** Asked again at once in a new fetch session. */
  | 'session'
  /** The position is not in the log: reset by `autoOffsetReset`. */
  | 'reset'
  /** No such offset: as an answer of −1. */
  | 'none'
  /** Thrown to one read for each response that says so, and asked again after a back-off. */
  | 'refuse'
  /** Asked again three times, then as `refuse`. */
  | 'corrupt';

export const FETCH_TOP_FATES: ErrorFates<FetchFate> = {
  title: 'Fetch, the whole response',
  codes: {
    FETCH_SESSION_ID_NOT_FOUND: 'session',
    INVALID_FETCH_SESSION_EPOCH: 'session',
    FETCH_SESSION_TOPIC_ID_ERROR: 'session',
  },
  others: 'warn',
};

const LEADERS = {
  LEADER_NOT_AVAILABLE: 'refresh',
  NOT_LEADER_OR_FOLLOWER: 'refresh',
  REPLICA_NOT_AVAILABLE: 'refresh',
  KAFKA_STORAGE_ERROR: 'refresh',
  LISTENER_NOT_FOUND: 'refresh',
  FENCED_LEADER_EPOCH: 'refresh',
  OFFSET_NOT_AVAILABLE: 'refresh',
  UNKNOWN_LEADER_EPOCH: 'retry',
  REQUEST_TIMED_OUT: 'retry',
  THROTTLING_QUOTA_EXCEEDED: 'retry',
  UNKNOWN_TOPIC_OR_PARTITION: 'missing',
  UNKNOWN_TOPIC_ID: 'missing',
  INCONSISTENT_TOPIC_ID: 'missing',
  TOPIC_AUTHORIZATION_FAILED: 'refuse',
  CLUSTER_AUTHORIZATION_FAILED: 'refuse',
} as const;

export const FETCH_FATES: ErrorFates<FetchFate> = {
  title: 'Fetch, a partition',
  codes: {
    ...LEADERS,
    OFFSET_OUT_OF_RANGE: 'reset',
    OFFSET_MOVED_TO_TIERED_STORAGE: 'refresh',
    CORRUPT_MESSAGE: 'corrupt',
    UNSUPPORTED_COMPRESSION_TYPE: 'refuse',
    UNSUPPORTED_VERSION: 'refuse',
  },
  others: 'warn',
};

export const LIST_OFFSETS_FATES: ErrorFates<FetchFate> = {
  title: 'ListOffsets',
  codes: { ...LEADERS, UNSUPPORTED_FOR_MESSAGE_FORMAT: 'none' },
  others: 'warn',
};

export const EPOCH_FATES: ErrorFates<FetchFate> = {
  title: 'OffsetForLeaderEpoch',
  codes: LEADERS,
  others: 'warn',
};

/** Where reading begins. What `committed()` asks is decided where commits are. */
export const OFFSET_FETCH_FATES: ErrorFates<FetchFate> = {
  title: 'OffsetFetch, for positions',
  codes: {
    COORDINATOR_LOAD_IN_PROGRESS: 'retry',
    COORDINATOR_NOT_AVAILABLE: 'coordinator',
    NOT_COORDINATOR: 'coordinator',
    UNSTABLE_OFFSET_COMMIT: 'retry',
    REQUEST_TIMED_OUT: 'retry',
    THROTTLING_QUOTA_EXCEEDED: 'retry',
    UNKNOWN_MEMBER_ID: 'fence',
    FENCED_MEMBER_EPOCH: 'fence',
    STALE_MEMBER_EPOCH: 'fence',
    UNKNOWN_TOPIC_OR_PARTITION: 'missing',
    UNKNOWN_TOPIC_ID: 'missing',
    TOPIC_AUTHORIZATION_FAILED: 'refuse',
    GROUP_AUTHORIZATION_FAILED: 'refuse',
    CLUSTER_AUTHORIZATION_FAILED: 'refuse',
    INVALID_GROUP_ID: 'refuse',
  },
  others: 'warn',
};
