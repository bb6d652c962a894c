export type {
  Assignor,
  AssignorMember,
  ClusterView,
  GroupAssignment,
  LastAssignment,
  PartitionInfo,
  RebalanceProtocol,
  TopicPartitions,
} from './client/assignment-strategy.ts';
export { configFromProperties } from './client/config-from-properties.ts';
export { Consumer } from './client/consumer.ts';
export type { Consumed } from './client/commit-arguments.ts';
export type { Claim } from './client/claim.ts';
export type { ClaimHandler, RunOptions } from './client/claims.ts';
export type { Unfinished } from './client/unfinished.ts';
export type { ForEachOptions, HandlerContext, RecordHandler } from './client/for-each-options.ts';
export type { CloseResult } from './client/closing.ts';
export type { CommitCallback } from './client/commits.ts';
export type {
  Assignment,
  Committed,
  ConsumerEvents,
  PartitionOffset,
  PartitionOffsetAtTime,
  PositionReset,
  RebalanceEvent,
  SpecialTimestamp,
  TopicPartitionOffset,
} from './client/events.ts';
export type { Logger } from './client/logger.ts';
export type { BrokerMetrics, ConsumerMetrics, GroupMetrics, PartitionLag, PartitionMetrics } from './client/metrics.ts';
export type { ConsumerOptions } from './client/options.ts';
export { parseProperties } from './client/parse-properties.ts';
export type { ListedTopic, LogLevel } from './client/port.ts';
export type { RebalanceListener } from './client/rebalances.ts';
export { RecordBatch } from './client/record-batch.ts';
export { SubscriptionPattern } from './client/subscription-pattern.ts';
export type { TopicPartition } from './fetch/partition.ts';
export type { AutoOffsetReset } from './fetch/reset-policy.ts';
export { KafkaRecord } from './protocol/record.ts';
export type { CustomCodec, CustomCodecs } from './protocol/compression/codecs.ts';
export type { RecordView } from './protocol/record-cursor.ts';
export type { Deserializer, DeserializerContext, TimestampType } from './protocol/record.ts';
export { RecordHeaders } from './protocol/headers.ts';
export {
  AuthenticationError,
  ConfigError,
  ConnectionError,
  CorruptRecordError,
  FencedError,
  HandlerError,
  KafkaError,
  LogTruncationError,
  NoOffsetError,
  OffsetOutOfRangeError,
  FrameTooLargeError,
  ProtocolError,
  RecordTooLargeError,
  RequestTimeoutError,
  UnsupportedVersionError,
} from './errors.ts';
export { VERSION } from './version.ts';
