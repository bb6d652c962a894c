/**
 * What each error code means to a member of a classic group, by the API that answered with it: one table, as in Java's
 * AbstractCoordinator. A code that is not in it is tried again with back-off, and told: a broker says UNKNOWN_SERVER_ERROR for
 * any exception of its own, and nobody knows what a code means that is newer than this table. Java's consumer throws these
 * out of one poll, and the next poll tries again.
 */
import { KafkaError } from '../errors.ts';
import type { ErrorName } from '../protocol/error-codes.ts';
import { ERROR_CODES, errorCodeOf, kafkaErrorOf } from '../protocol/error-codes.ts';
import { fateOf, type ErrorFates } from '../protocol/error-fates.ts';
import type { ClassicGroupOptions } from './events.ts';

export type Verdict =
  | 'ok'
  /** Back off, then the same again (after SyncGroup: JoinGroup, as the generation may be gone). */
  | 'retry'
  /** Look for the coordinator, then go on. */
  | 'rediscover'
  /** The group has begun a new generation; this one still stands. */
  | 'rejoin'
  /** The generation is over for us, the member id still good: partitions are lost. */
  | 'lostGeneration'
  /** The broker does not know the member: the id is void, partitions are lost. */
  | 'lostMember'
  /** The first JoinGroup brought a member id; join again with it (KIP-394). */
  | 'takeMemberId'
  | 'fatal';

/** `warn`: as `retry`, and told as an error event. */
type Fate = Verdict | 'warn';

/** Codes that say of any request that a person has to mend something; `docs/error-fates.md` has all. */
const FATAL_ANYWHERE = {
  INVALID_GROUP_ID: 'fatal',
  GROUP_AUTHORIZATION_FAILED: 'fatal',
  CLUSTER_AUTHORIZATION_FAILED: 'fatal',
  UNSUPPORTED_VERSION: 'fatal',
  INVALID_REQUEST: 'fatal',
} satisfies Partial<Record<ErrorName, Verdict>>;

export type GroupApi = 'FindCoordinator' | 'JoinGroup' | 'SyncGroup' | 'Heartbeat' | 'OffsetCommit';

export const FIND_COORDINATOR_FATES: ErrorFates<Fate> = {
  title: 'FindCoordinator',
  codes: {
    COORDINATOR_LOAD_IN_PROGRESS: 'retry',
    COORDINATOR_NOT_AVAILABLE: 'retry',
    NOT_COORDINATOR: 'retry',
    REQUEST_TIMED_OUT: 'retry',
    ...FATAL_ANYWHERE,
  },
  others: 'warn',
};

export const JOIN_FATES: ErrorFates<Fate> = {
  title: 'JoinGroup',
  codes: {
    ...FATAL_ANYWHERE,
    COORDINATOR_LOAD_IN_PROGRESS: 'retry',
    COORDINATOR_NOT_AVAILABLE: 'rediscover',
    NOT_COORDINATOR: 'rediscover',
    INCONSISTENT_GROUP_PROTOCOL: 'fatal',
    UNKNOWN_MEMBER_ID: 'lostMember',
    INVALID_SESSION_TIMEOUT: 'fatal',
    REBALANCE_IN_PROGRESS: 'retry',
    MEMBER_ID_REQUIRED: 'takeMemberId',
    GROUP_MAX_SIZE_REACHED: 'fatal',
    FENCED_INSTANCE_ID: 'fatal',
  },
  others: 'warn',
};

export const SYNC_FATES: ErrorFates<Fate> = {
  title: 'SyncGroup',
  codes: {
    ...FATAL_ANYWHERE,
    COORDINATOR_LOAD_IN_PROGRESS: 'retry',
    COORDINATOR_NOT_AVAILABLE: 'rediscover',
    NOT_COORDINATOR: 'rediscover',
    ILLEGAL_GENERATION: 'lostGeneration',
    INCONSISTENT_GROUP_PROTOCOL: 'fatal',
    UNKNOWN_MEMBER_ID: 'lostMember',
    REBALANCE_IN_PROGRESS: 'rejoin',
    FENCED_INSTANCE_ID: 'fatal',
  },
  others: 'warn',
};

export const HEARTBEAT_FATES: ErrorFates<Fate> = {
  title: 'Heartbeat',
  codes: {
    ...FATAL_ANYWHERE,
    COORDINATOR_LOAD_IN_PROGRESS: 'retry',
    COORDINATOR_NOT_AVAILABLE: 'rediscover',
    NOT_COORDINATOR: 'rediscover',
    ILLEGAL_GENERATION: 'lostGeneration',
    UNKNOWN_MEMBER_ID: 'lostMember',
    REBALANCE_IN_PROGRESS: 'rejoin',
    FENCED_INSTANCE_ID: 'fatal',
  },
  others: 'warn',
};

export const LEAVE_FATES: ErrorFates<'rediscover' | 'done'> = {
  title: 'LeaveGroup',
  codes: { COORDINATOR_NOT_AVAILABLE: 'rediscover', NOT_COORDINATOR: 'rediscover' },
  others: 'done',
};

/** Only what concerns the membership; the rest is the committer's. */
const COMMIT_FATES: ErrorFates<Fate> = {
  title: 'OffsetCommit',
  codes: {
    COORDINATOR_NOT_AVAILABLE: 'rediscover',
    NOT_COORDINATOR: 'rediscover',
    ILLEGAL_GENERATION: 'lostGeneration',
    UNKNOWN_MEMBER_ID: 'lostMember',
    REBALANCE_IN_PROGRESS: 'rejoin',
    FENCED_INSTANCE_ID: 'fatal',
  },
  others: 'ok',
};

const FATES = {
  FindCoordinator: FIND_COORDINATOR_FATES,
  JoinGroup: JOIN_FATES,
  SyncGroup: SYNC_FATES,
  Heartbeat: HEARTBEAT_FATES,
  OffsetCommit: COMMIT_FATES,
};

/** What follows from `errorCode` in an answer of `api`. */
export function verdictOf(api: GroupApi, errorCode: number): Verdict {
  if (errorCode === 0) return 'ok';
  const fate = fateOf(FATES[api], errorCode);
  return fate === 'warn' ? 'retry' : fate;
}

/** True where the table does not have the code: worth telling, for it belongs to no healthy group. */
export function isUnexpected(api: GroupApi, errorCode: number): boolean {
  return errorCode !== 0 && fateOf(FATES[api], errorCode) === 'warn';
}

/** True where no other try can mend what kept a request from being answered. */
export function isFinal(error: KafkaError): boolean {
  // Who sends to the coordinator may have to look for it first.
  if (error.api === 'FindCoordinator' && isBrokers(error)) return verdictOf('FindCoordinator', error.code) === 'fatal';
  return !error.retriable;
}

/** False for codes of this side, where no broker has answered. */
export function isBrokers({ code }: KafkaError): boolean {
  return code > -1000; // see CLIENT_ERROR_CODES
}

/** The error for the application: what happened, and where it can be mended, how. */
export function fatalError(api: GroupApi, errorCode: number, options: ClassicGroupOptions): KafkaError {
  const remedy = remedyFor(errorCode, options);
  const context = `group '${options.groupId}'${remedy === null ? '' : `, ${remedy}`}`;
  return kafkaErrorOf(errorCode, { api, context });
}

function remedyFor(errorCode: number, options: ClassicGroupOptions): string | null {
  switch (errorCode) {
    case ERROR_CODES.INCONSISTENT_GROUP_PROTOCOL:
      return `this member offers the assignors ${options.assignors.map(({ name }) => name).join(', ')} (partitionAssignmentStrategy)`;
    case ERROR_CODES.INVALID_SESSION_TIMEOUT:
      return `sessionTimeoutMs ${options.sessionTimeoutMs} against the broker's group.{min,max}.session.timeout.ms`;
    case ERROR_CODES.GROUP_MAX_SIZE_REACHED:
      return "it is as large as the broker's group.max.size allows";
    case ERROR_CODES.FENCED_INSTANCE_ID:
      return `another consumer runs with groupInstanceId '${options.groupInstanceId ?? ''}'`;
    case ERROR_CODES.GROUP_AUTHORIZATION_FAILED:
      return 'the user needs the ACL Read on it';
    default:
      return null;
  }
}

/** An answer that contradicts what was asked, though its code says that all is well. */
export function inconsistentProtocol(api: GroupApi, detail: string): KafkaError {
  const code = ERROR_CODES.INCONSISTENT_GROUP_PROTOCOL;
  return new KafkaError(`${api}: ${detail} (${describeCode(code)})`, {
    code,
    name: 'INCONSISTENT_GROUP_PROTOCOL',
    api,
  });
}

/** `REBALANCE_IN_PROGRESS 27`, for the log. */
export function describeCode(errorCode: number): string {
  return `${errorCodeOf(errorCode).name} ${errorCode}`;
}
