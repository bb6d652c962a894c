import {
  AuthenticationError,
  CorruptRecordError,
  FencedError,
  KafkaError,
  RequestTimeoutError,
  UnsupportedVersionError,
} from '../errors.ts';

// Every error code of Kafka up to 4.2: https://kafka.apache.org/protocol#protocol_error_codes
// The codec never looks at them: an errorCode is data, and what follows from it is decided by who sent the request.

/**
 * What Kafka's own client does about a code: `final` fails; `retriable` may work when sent again unchanged; `metadata`
 * may work after the metadata were refreshed (Java's InvalidMetadataException); `ok` is no error.
 *
 * One code differs from Java's class of it. A broker says UNKNOWN_SERVER_ERROR for any exception of its own: a log that
 * is being closed, a failed disk, a tier that did not answer. Java's consumer asks again almost everywhere, too.
 */
type Kind = 'final' | 'retriable' | 'metadata' | 'ok';

const TABLE = {
  UNKNOWN_SERVER_ERROR: [-1, 'retriable', 'the broker failed for a reason of its own; its log says more'],
  NONE: [0, 'ok', 'no error'],
  OFFSET_OUT_OF_RANGE: [1, 'final', 'the offset is not in the log: too old or too new'],
  CORRUPT_MESSAGE: [2, 'retriable', 'the records failed their CRC or are otherwise corrupt'],
  UNKNOWN_TOPIC_OR_PARTITION: [3, 'metadata', 'the broker does not host this topic or partition'],
  INVALID_FETCH_SIZE: [4, 'final', 'the fetch size is not valid'],
  LEADER_NOT_AVAILABLE: [5, 'metadata', 'the partition has no leader at the moment'],
  NOT_LEADER_OR_FOLLOWER: [6, 'metadata', 'the broker is not the leader, or not a replica, of the partition'],
  REQUEST_TIMED_OUT: [7, 'retriable', 'the broker did not finish the request in time'],
  BROKER_NOT_AVAILABLE: [8, 'final', 'the broker is not available'],
  REPLICA_NOT_AVAILABLE: [9, 'metadata', 'the replica is not available'],
  MESSAGE_TOO_LARGE: [10, 'final', 'a record is larger than the broker accepts'],
  STALE_CONTROLLER_EPOCH: [11, 'final', 'the controller has moved to another broker'],
  OFFSET_METADATA_TOO_LARGE: [12, 'final', 'the metadata of a committed offset is too long'],
  NETWORK_EXCEPTION: [13, 'metadata', 'the broker hung up before it answered'],
  COORDINATOR_LOAD_IN_PROGRESS: [14, 'retriable', 'the coordinator is still loading'],
  COORDINATOR_NOT_AVAILABLE: [15, 'retriable', 'there is no coordinator at the moment'],
  NOT_COORDINATOR: [16, 'retriable', 'the broker is not the coordinator any more'],
  INVALID_TOPIC_EXCEPTION: [17, 'final', 'the topic name is not valid'],
  RECORD_LIST_TOO_LARGE: [18, 'final', 'the batch is larger than a segment'],
  NOT_ENOUGH_REPLICAS: [19, 'retriable', 'too few replicas are in sync'],
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: [20, 'retriable', 'written, but to too few replicas'],
  INVALID_REQUIRED_ACKS: [21, 'final', 'acks must be -1, 0 or 1'],
  ILLEGAL_GENERATION: [22, 'final', 'the group has moved on to another generation'],
  INCONSISTENT_GROUP_PROTOCOL: [23, 'final', 'no assignor in common with the other members of the group'],
  INVALID_GROUP_ID: [24, 'final', 'the group id is not valid'],
  UNKNOWN_MEMBER_ID: [25, 'final', 'the coordinator does not know this member any more'],
  INVALID_SESSION_TIMEOUT: [26, 'final', 'the session timeout is outside of what the broker allows'],
  REBALANCE_IN_PROGRESS: [27, 'final', 'the group is rebalancing'],
  INVALID_COMMIT_OFFSET_SIZE: [28, 'final', 'the committed offsets are too large'],
  TOPIC_AUTHORIZATION_FAILED: [29, 'final', 'not authorized for the topic'],
  GROUP_AUTHORIZATION_FAILED: [30, 'final', 'not authorized for the group'],
  CLUSTER_AUTHORIZATION_FAILED: [31, 'final', 'not authorized for the cluster'],
  INVALID_TIMESTAMP: [32, 'final', 'the timestamp is out of range'],
  UNSUPPORTED_SASL_MECHANISM: [33, 'final', 'the broker does not offer this SASL mechanism'],
  ILLEGAL_SASL_STATE: [34, 'final', 'the request does not fit the state of the SASL handshake'],
  UNSUPPORTED_VERSION: [35, 'final', 'the broker does not know this version of the request'],
  TOPIC_ALREADY_EXISTS: [36, 'final', 'the topic exists already'],
  INVALID_PARTITIONS: [37, 'final', 'the number of partitions is not valid'],
  INVALID_REPLICATION_FACTOR: [38, 'final', 'the replication factor is below 1 or above the number of brokers'],
  INVALID_REPLICA_ASSIGNMENT: [39, 'final', 'the replica assignment is not valid'],
  INVALID_CONFIG: [40, 'final', 'the configuration is not valid'],
  NOT_CONTROLLER: [41, 'retriable', 'the broker is not the controller'],
  INVALID_REQUEST: [42, 'final', 'the broker finds the request malformed; its log says more'],
  UNSUPPORTED_FOR_MESSAGE_FORMAT: [43, 'final', 'the message format of the topic does not allow this'],
  POLICY_VIOLATION: [44, 'final', 'a policy of the broker forbids this'],
  OUT_OF_ORDER_SEQUENCE_NUMBER: [45, 'final', 'the producer sent a sequence number out of order'],
  DUPLICATE_SEQUENCE_NUMBER: [46, 'final', 'the producer sent a sequence number twice'],
  INVALID_PRODUCER_EPOCH: [47, 'final', 'the producer used an old epoch'],
  INVALID_TXN_STATE: [48, 'final', 'the transaction is not in a state for this'],
  INVALID_PRODUCER_ID_MAPPING: [49, 'final', 'the producer id does not belong to the transactional id'],
  INVALID_TRANSACTION_TIMEOUT: [50, 'final', 'the transaction timeout is above what the broker allows'],
  CONCURRENT_TRANSACTIONS: [51, 'retriable', 'another operation on the same transaction is under way'],
  TRANSACTION_COORDINATOR_FENCED: [52, 'final', 'the transaction coordinator was replaced'],
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: [53, 'final', 'not authorized for the transactional id'],
  SECURITY_DISABLED: [54, 'final', 'the broker runs without security features'],
  OPERATION_NOT_ATTEMPTED: [55, 'final', 'not tried, because another operation of the request failed'],
  KAFKA_STORAGE_ERROR: [56, 'metadata', "a disk of the broker's failed"],
  LOG_DIR_NOT_FOUND: [57, 'final', 'the broker has no such log directory'],
  SASL_AUTHENTICATION_FAILED: [58, 'final', 'the broker refused the credentials'],
  UNKNOWN_PRODUCER_ID: [59, 'final', 'the broker has forgotten this producer'],
  REASSIGNMENT_IN_PROGRESS: [60, 'final', 'a reassignment of the partition is under way'],
  DELEGATION_TOKEN_AUTH_DISABLED: [61, 'final', 'the broker does not allow delegation tokens'],
  DELEGATION_TOKEN_NOT_FOUND: [62, 'final', 'no such delegation token'],
  DELEGATION_TOKEN_OWNER_MISMATCH: [63, 'final', 'the delegation token belongs to somebody else'],
  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: [64, 'final', 'delegation tokens cannot be asked for on this connection'],
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: [65, 'final', 'not authorized for the delegation token'],
  DELEGATION_TOKEN_EXPIRED: [66, 'final', 'the delegation token has expired'],
  INVALID_PRINCIPAL_TYPE: [67, 'final', 'the type of principal is not supported'],
  NON_EMPTY_GROUP: [68, 'final', 'the group still has members'],
  GROUP_ID_NOT_FOUND: [69, 'final', 'no such group'],
  FETCH_SESSION_ID_NOT_FOUND: [70, 'retriable', 'the broker has forgotten the fetch session'],
  INVALID_FETCH_SESSION_EPOCH: [71, 'retriable', 'the fetch session is at another epoch'],
  LISTENER_NOT_FOUND: [72, 'metadata', 'the leader has no listener of the name that was asked at'],
  TOPIC_DELETION_DISABLED: [73, 'final', 'the broker does not delete topics'],
  FENCED_LEADER_EPOCH: [74, 'metadata', 'the leader epoch is older than the one of the broker'],
  UNKNOWN_LEADER_EPOCH: [75, 'retriable', 'the leader epoch is newer than the one of the broker'],
  UNSUPPORTED_COMPRESSION_TYPE: [76, 'final', 'the version of the request cannot carry the compression of the topic'],
  STALE_BROKER_EPOCH: [77, 'final', 'the broker epoch has changed'],
  OFFSET_NOT_AVAILABLE: [78, 'retriable', 'a new leader does not know its high watermark yet'],
  MEMBER_ID_REQUIRED: [79, 'final', 'the group wants the member to join again with the id that it was given'],
  PREFERRED_LEADER_NOT_AVAILABLE: [80, 'metadata', 'the preferred leader is not available'],
  GROUP_MAX_SIZE_REACHED: [81, 'final', 'the group has as many members as the broker allows'],
  FENCED_INSTANCE_ID: [82, 'final', 'another member has taken over this group instance id'],
  ELIGIBLE_LEADERS_NOT_AVAILABLE: [83, 'metadata', 'no replica may become the leader at the moment'],
  ELECTION_NOT_NEEDED: [84, 'metadata', 'the partition needs no election'],
  NO_REASSIGNMENT_IN_PROGRESS: [85, 'final', 'no reassignment is under way'],
  GROUP_SUBSCRIBED_TO_TOPIC: [86, 'final', 'the group is still subscribed to the topic'],
  INVALID_RECORD: [87, 'final', 'the broker refused a record'],
  UNSTABLE_OFFSET_COMMIT: [88, 'retriable', 'a transaction has not decided yet about committed offsets'],
  THROTTLING_QUOTA_EXCEEDED: [89, 'retriable', 'a quota is used up'],
  PRODUCER_FENCED: [90, 'final', 'a newer producer has the same transactional id'],
  RESOURCE_NOT_FOUND: [91, 'final', 'the request names something that does not exist'],
  DUPLICATE_RESOURCE: [92, 'final', 'the request names the same thing twice'],
  UNACCEPTABLE_CREDENTIAL: [93, 'final', 'the credential does not meet the requirements'],
  INCONSISTENT_VOTER_SET: [94, 'final', 'sender or receiver is not one of the voters'],
  INVALID_UPDATE_VERSION: [95, 'final', 'the version of the update is not valid'],
  FEATURE_UPDATE_FAILED: [96, 'final', 'the features could not be updated'],
  PRINCIPAL_DESERIALIZATION_FAILURE: [97, 'final', 'the controller could not read who sent the request'],
  SNAPSHOT_NOT_FOUND: [98, 'final', 'no such snapshot'],
  POSITION_OUT_OF_RANGE: [99, 'final', 'the position is outside of the snapshot'],
  UNKNOWN_TOPIC_ID: [100, 'metadata', 'the broker does not host a topic of this id'],
  DUPLICATE_BROKER_REGISTRATION: [101, 'final', 'the broker id is in use'],
  BROKER_ID_NOT_REGISTERED: [102, 'final', 'the broker id is not registered'],
  INCONSISTENT_TOPIC_ID: [103, 'metadata', "the log's topic id is another one: the topic was made anew"],
  INCONSISTENT_CLUSTER_ID: [104, 'final', 'the broker belongs to another cluster'],
  TRANSACTIONAL_ID_NOT_FOUND: [105, 'final', 'no such transactional id'],
  FETCH_SESSION_TOPIC_ID_ERROR: [106, 'retriable', 'the fetch session mixes topic ids and names'],
  INELIGIBLE_REPLICA: [107, 'final', 'a replica may not be in sync'],
  NEW_LEADER_ELECTED: [108, 'final', 'the partition has a new leader'],
  OFFSET_MOVED_TO_TIERED_STORAGE: [109, 'final', 'the offset is in tiered storage only'],
  FENCED_MEMBER_EPOCH: [
    110,
    'final',
    'the coordinator has thrown the member out: it must give up its partitions and rejoin',
  ],
  UNRELEASED_INSTANCE_ID: [111, 'final', 'another member still holds this group instance id'],
  UNSUPPORTED_ASSIGNOR: [112, 'final', 'the group does not offer this assignor'],
  STALE_MEMBER_EPOCH: [113, 'final', 'the member epoch is not the newest'],
  MISMATCHED_ENDPOINT_TYPE: [114, 'final', 'the request belongs to the other kind of endpoint'],
  UNSUPPORTED_ENDPOINT_TYPE: [115, 'final', 'this kind of endpoint is not supported'],
  UNKNOWN_CONTROLLER_ID: [116, 'final', 'no such controller'],
  UNKNOWN_SUBSCRIPTION_ID: [117, 'final', 'the telemetry subscription is not known or outdated'],
  TELEMETRY_TOO_LARGE: [118, 'final', 'the telemetry is larger than the broker accepts'],
  INVALID_REGISTRATION: [119, 'final', 'the registration of the broker is not valid'],
  TRANSACTION_ABORTABLE: [120, 'final', 'the transaction must be aborted'],
  INVALID_RECORD_STATE: [121, 'final', 'the record cannot be acknowledged in its state'],
  SHARE_SESSION_NOT_FOUND: [122, 'retriable', 'the broker has forgotten the share session'],
  INVALID_SHARE_SESSION_EPOCH: [123, 'retriable', 'the share session is at another epoch'],
  FENCED_STATE_EPOCH: [124, 'final', 'the state epoch of the share group is another one'],
  INVALID_VOTER_KEY: [125, 'final', "the voter's key is not the one of the receiver"],
  DUPLICATE_VOTER: [126, 'final', 'the voter is one already'],
  VOTER_NOT_FOUND: [127, 'final', 'no such voter'],
  INVALID_REGULAR_EXPRESSION: [128, 'final', 'the regular expression is not valid; the broker wants RE2J syntax'],
  REBOOTSTRAP_REQUIRED: [129, 'final', 'the metadata are too old: start again from the bootstrap servers'],
  STREAMS_INVALID_TOPOLOGY: [130, 'final', 'the topology is not valid'],
  STREAMS_INVALID_TOPOLOGY_EPOCH: [131, 'final', 'the topology epoch is not valid'],
  STREAMS_TOPOLOGY_FENCED: [132, 'final', 'the topology epoch is outdated'],
  SHARE_SESSION_LIMIT_REACHED: [133, 'retriable', 'the broker holds as many share sessions as it may'],
} as const satisfies Record<string, readonly [code: number, kind: Kind, message: string]>;

/** Kafka's name of an error code. */
export type ErrorName = keyof typeof TABLE;

export interface ErrorCode {
  readonly code: number;
  /** Kafka's name; `UNKNOWN_ERROR_CODE` for a number that is not in the table. */
  readonly name: ErrorName | 'UNKNOWN_ERROR_CODE';
  /** The same request may succeed later. */
  readonly retriable: boolean;
  /** The metadata that the request relied on are out of date. */
  readonly refreshesMetadata: boolean;
  /** A few words, for people. */
  readonly message: string;
}

/** The numbers by name, for comparisons: `errorCode === ERROR_CODES.NOT_COORDINATOR`. */
export const ERROR_CODES = Object.fromEntries(Object.entries(TABLE).map(([name, row]) => [name, row[0]])) as {
  readonly [N in ErrorName]: (typeof TABLE)[N][0]; // fromEntries() forgets which name has which number
};

const BY_CODE: ReadonlyMap<number, ErrorCode> = new Map(
  Object.entries(TABLE).map(([name, [code, kind, message]]) => [
    code,
    {
      code,
      name: name as ErrorName, // entries() forgets that the keys are the table's
      retriable: kind === 'retriable' || kind === 'metadata',
      refreshesMetadata: kind === 'metadata',
      message,
    },
  ]),
);

/**
 * Returns what Kafka says about a code. A number that is not in the table is retriable: nobody knows what a newer broker
 * means by it, and to give up for good is the one answer that cannot be mended.
 */
export function errorCodeOf(code: number): ErrorCode {
  return (
    BY_CODE.get(code) ?? {
      code,
      name: 'UNKNOWN_ERROR_CODE',
      retriable: true,
      refreshesMetadata: false,
      message: `error code ${code}, which is newer than this version of samsa`,
    }
  );
}

/**
 * The error to hand out for a broker's code, in the class that says most about it.
 * @param where the API that answered and, where there is one, what it was about, such as `"topic 'orders'"`
 */
export function kafkaErrorOf(code: number, where: { api: string; context?: string }): KafkaError {
  const { name, retriable, message } = errorCodeOf(code);
  const about = where.context === undefined ? where.api : `${where.api}, ${where.context}`;
  const text = `${about}: ${message} (${name} ${code})`;
  const options = { code, name, retriable, api: where.api };
  switch (code) {
    case ERROR_CODES.CORRUPT_MESSAGE:
      return new CorruptRecordError(text, {}, options);
    case ERROR_CODES.REQUEST_TIMED_OUT:
      return new RequestTimeoutError(text, options);
    case ERROR_CODES.UNSUPPORTED_VERSION:
      return new UnsupportedVersionError(text, options);
    case ERROR_CODES.UNSUPPORTED_SASL_MECHANISM:
    case ERROR_CODES.ILLEGAL_SASL_STATE:
    case ERROR_CODES.SASL_AUTHENTICATION_FAILED:
      return new AuthenticationError(text, options);
    case ERROR_CODES.ILLEGAL_GENERATION:
    case ERROR_CODES.UNKNOWN_MEMBER_ID:
    case ERROR_CODES.FENCED_INSTANCE_ID:
    case ERROR_CODES.FENCED_MEMBER_EPOCH:
    case ERROR_CODES.STALE_MEMBER_EPOCH:
      return new FencedError(text, options);
    default:
      return new KafkaError(text, options);
  }
}
