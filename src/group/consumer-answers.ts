/**
 * What each error code means to a member of a consumer group (KIP-848): one table, as in Java's heartbeat request managers. A code
 * that is not in it is tried again with back-off, and told: a broker says UNKNOWN_SERVER_ERROR for any exception of its own, and
 * nobody knows what a code means that is newer than this table. (Java's consumer gives up for good there.)
 */
import { type KafkaError, UnsupportedVersionError } from '../errors.ts';
import { ERROR_CODES, errorCodeOf, kafkaErrorOf } from '../protocol/error-codes.ts';
import { fateOf, type ErrorFates } from '../protocol/error-fates.ts';
import type { ConsumerGroupOptions, ConsumerSubscription } from './consumer-events.ts';

export type HeartbeatVerdict =
  | 'ok'
  /** Back off, then the same again, with all its fields. */
  | 'retry'
  /** Back off, then the same again; reads throw the error as long as it stands. */
  | 'refuse'
  /** Look for the coordinator, then heartbeat at once. */
  | 'rediscover'
  /** The group has gone on without this member: partitions are lost, join again with epoch 0. */
  | 'lostMember'
  | 'fatal';

export const MEMBER_HEARTBEAT_FATES: ErrorFates<HeartbeatVerdict | 'warn'> = {
  title: 'ConsumerGroupHeartbeat',
  codes: {
    COORDINATOR_LOAD_IN_PROGRESS: 'retry',
    COORDINATOR_NOT_AVAILABLE: 'rediscover',
    NOT_COORDINATOR: 'rediscover',
    INVALID_GROUP_ID: 'fatal',
    UNKNOWN_MEMBER_ID: 'lostMember',
    // As Java's newer consumers: the member stays, so that it goes on as soon as somebody adds the missing ACL.
    TOPIC_AUTHORIZATION_FAILED: 'refuse',
    CLUSTER_AUTHORIZATION_FAILED: 'fatal',
    GROUP_AUTHORIZATION_FAILED: 'fatal',
    UNSUPPORTED_VERSION: 'fatal',
    INVALID_REQUEST: 'fatal',
    GROUP_ID_NOT_FOUND: 'fatal',
    GROUP_MAX_SIZE_REACHED: 'fatal',
    FENCED_INSTANCE_ID: 'fatal',
    FENCED_MEMBER_EPOCH: 'lostMember',
    UNRELEASED_INSTANCE_ID: 'fatal',
    UNSUPPORTED_ASSIGNOR: 'fatal',
    INVALID_REGULAR_EXPRESSION: 'fatal',
  },
  others: 'warn',
};

/** What follows from a heartbeat's `errorCode`. @param isMember the heartbeat was one of a member, not one that joins */
export function heartbeatVerdict(errorCode: number, isMember: boolean): HeartbeatVerdict {
  if (errorCode === 0) return 'ok';
  const { name } = errorCodeOf(errorCode);
  // The whole group was deleted, and this member with it. On joining it means a group that is there but of another kind.
  if (name === 'GROUP_ID_NOT_FOUND' && isMember) return 'lostMember';
  const fate = fateOf(MEMBER_HEARTBEAT_FATES, errorCode);
  return fate === 'warn' ? 'retry' : fate;
}

/** True where the table does not have the code: worth telling, for it belongs to no healthy group. */
export function isUnexpectedHeartbeat(errorCode: number): boolean {
  return errorCode !== 0 && fateOf(MEMBER_HEARTBEAT_FATES, errorCode) === 'warn';
}

const WHO_CAN =
  'the brokers do not offer the consumer group protocol (KIP-848): it takes Kafka 4.0 or newer with the feature group.version at 1 ' +
  "and 'consumer' in group.coordinator.rebalance.protocols. Until then set groupProtocol to 'classic'";

/** The error for the application: what happened, what the broker said about it, and where it can be mended, how. */
export function fatalHeartbeatError(
  errorCode: number,
  errorMessage: string | null,
  options: ConsumerGroupOptions,
  subscription: ConsumerSubscription,
): KafkaError {
  const parts = [`group '${options.groupId}'`, remedyFor(errorCode, options, subscription), errorMessage];
  const context = parts.filter((part) => part !== null && part !== '').join(', ');
  return kafkaErrorOf(errorCode, { api: 'ConsumerGroupHeartbeat', context });
}

/** The connection found no version of the API, or none that has a place for what was to be said. */
export function unsupportedHeartbeat(cause: KafkaError, subscription: ConsumerSubscription): KafkaError {
  const isAboutRegex = subscription.regex !== null && cause.message.includes('subscribedTopicRegex');
  const text = isAboutRegex ? 'patterns that the broker matches take Kafka 4.0 or newer' : WHO_CAN;
  return new UnsupportedVersionError(`ConsumerGroupHeartbeat: ${text} (${cause.message})`, {
    api: 'ConsumerGroupHeartbeat',
    cause,
  });
}

function remedyFor(
  errorCode: number,
  options: ConsumerGroupOptions,
  subscription: ConsumerSubscription,
): string | null {
  switch (errorCode) {
    case ERROR_CODES.UNSUPPORTED_VERSION:
      return WHO_CAN;
    case ERROR_CODES.GROUP_ID_NOT_FOUND:
      return (
        'it is no consumer group, and the broker does not turn it into one while it has members of the classic protocol: ' +
        "group.consumer.migration.policy must be 'upgrade' or 'bidirectional'"
      );
    case ERROR_CODES.UNRELEASED_INSTANCE_ID:
      return (
        `another member holds groupInstanceId '${options.groupInstanceId ?? ''}': a process that is still running, or one that was ` +
        "killed and whose session (the broker's group.consumer.session.timeout.ms) has not ended yet"
      );
    case ERROR_CODES.FENCED_INSTANCE_ID:
      return `another consumer runs with groupInstanceId '${options.groupInstanceId ?? ''}'`;
    case ERROR_CODES.UNSUPPORTED_ASSIGNOR:
      return `groupRemoteAssignor '${options.serverAssignor ?? ''}' must be one of the broker's group.consumer.assignors`;
    case ERROR_CODES.INVALID_REGULAR_EXPRESSION:
      return `the pattern '${subscription.regex ?? ''}' must be one that RE2J understands`;
    case ERROR_CODES.GROUP_MAX_SIZE_REACHED:
      return "it is as large as the broker's group.consumer.max.size allows";
    case ERROR_CODES.GROUP_AUTHORIZATION_FAILED:
      return 'the user needs the ACL Read on it';
    case ERROR_CODES.TOPIC_AUTHORIZATION_FAILED:
      return `the user needs the ACL Describe on ${subscription.topics.join(', ')}`;
    default:
      return null;
  }
}
