/**
 * What each error code means to a member of a classic group, by the API that answered with it: one table, as in Java's
 * AbstractCoordinator. A code that is not in it follows Kafka's own table: worth another try, or fatal with its number.
 */
import { KafkaError } from '../errors.ts';
import type { ErrorName } from '../protocol/error-codes.ts';
import { ERROR_CODES, errorCodeOf, kafkaErrorOf } from '../protocol/error-codes.ts';
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
  | 'reset'
  /** The broker does not know the member: the id is void, partitions are lost. */
  | 'forget'
  /** The first JoinGroup brought a member id; join again with it (KIP-394). */
  | 'take-member-id'
  | 'fatal';

export type GroupApi = 'FindCoordinator' | 'JoinGroup' | 'SyncGroup' | 'Heartbeat' | 'OffsetCommit';

const TABLE: Record<GroupApi, Partial<Record<ErrorName, Verdict>>> = {
  FindCoordinator: {
    COORDINATOR_LOAD_IN_PROGRESS: 'retry',
    COORDINATOR_NOT_AVAILABLE: 'retry',
    NOT_COORDINATOR: 'retry',
    INVALID_GROUP_ID: 'fatal',
    GROUP_AUTHORIZATION_FAILED: 'fatal',
  },
  JoinGroup: {
    COORDINATOR_LOAD_IN_PROGRESS: 'retry',
    COORDINATOR_NOT_AVAILABLE: 'rediscover',
    NOT_COORDINATOR: 'rediscover',
    INCONSISTENT_GROUP_PROTOCOL: 'fatal',
    INVALID_GROUP_ID: 'fatal',
    UNKNOWN_MEMBER_ID: 'forget',
    INVALID_SESSION_TIMEOUT: 'fatal',
    REBALANCE_IN_PROGRESS: 'retry',
    GROUP_AUTHORIZATION_FAILED: 'fatal',
    MEMBER_ID_REQUIRED: 'take-member-id',
    GROUP_MAX_SIZE_REACHED: 'fatal',
    FENCED_INSTANCE_ID: 'fatal',
  },
  SyncGroup: {
    COORDINATOR_NOT_AVAILABLE: 'rediscover',
    NOT_COORDINATOR: 'rediscover',
    ILLEGAL_GENERATION: 'reset',
    INCONSISTENT_GROUP_PROTOCOL: 'fatal',
    UNKNOWN_MEMBER_ID: 'forget',
    REBALANCE_IN_PROGRESS: 'rejoin',
    GROUP_AUTHORIZATION_FAILED: 'fatal',
    FENCED_INSTANCE_ID: 'fatal',
  },
  Heartbeat: {
    COORDINATOR_LOAD_IN_PROGRESS: 'retry',
    COORDINATOR_NOT_AVAILABLE: 'rediscover',
    NOT_COORDINATOR: 'rediscover',
    ILLEGAL_GENERATION: 'reset',
    UNKNOWN_MEMBER_ID: 'forget',
    REBALANCE_IN_PROGRESS: 'rejoin',
    GROUP_AUTHORIZATION_FAILED: 'fatal',
    FENCED_INSTANCE_ID: 'fatal',
  },
  // Only what concerns the membership; the rest of the codes is the committer's.
  OffsetCommit: {
    COORDINATOR_NOT_AVAILABLE: 'rediscover',
    NOT_COORDINATOR: 'rediscover',
    ILLEGAL_GENERATION: 'reset',
    UNKNOWN_MEMBER_ID: 'forget',
    REBALANCE_IN_PROGRESS: 'rejoin',
    FENCED_INSTANCE_ID: 'fatal',
  },
};

/** What follows from `errorCode` in an answer of `api`. */
export function verdictOf(api: GroupApi, errorCode: number): Verdict {
  if (errorCode === 0) return 'ok';
  const { name, retriable } = errorCodeOf(errorCode);
  const listed = name === 'UNKNOWN_ERROR_CODE' ? undefined : TABLE[api][name];
  if (listed !== undefined) return listed;
  if (api === 'OffsetCommit') return 'ok';
  return retriable ? 'retry' : 'fatal';
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
