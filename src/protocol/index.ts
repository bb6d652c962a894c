// samsa/protocol: Kafka's messages as bytes and as values, without sockets, clocks or promises.

export type { Api } from './api.ts';
export { APIS, apiByKey, apiByName, negotiateVersion, type VersionRange } from './apis.ts';
export { Reader, type DecodeFn } from './reader.ts';
export { Writer, type EncodeFn } from './writer.ts';
export { FrameAssembler } from './frame.ts';
export {
  decodeRequestFrame,
  decodeRequestHeader,
  decodeResponseFrame,
  decodeResponseHeader,
  encodeRequestFrame,
  encodeRequestHeader,
  encodeResponseFrame,
  encodeResponseHeader,
  peekRequestHeader,
  readCorrelationId,
  requestHeaderVersion,
  responseHeaderVersion,
  type ApiRange,
  type RequestHeader,
  type ResponseHeader,
} from './header.ts';
/** What decoding and encoding throw: the same classes as in `samsa`. */
export {
  CorruptRecordError,
  FrameTooLargeError,
  KafkaError,
  ProtocolError,
  UnsupportedVersionError,
} from '../errors.ts';
export { ERROR_CODES, errorCodeOf, kafkaErrorOf, type ErrorCode, type ErrorName } from './error-codes.ts';
export {
  CONSUMER_PROTOCOL_VERSION,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type Assignment,
  type Subscription,
  type TopicPartitions,
} from './consumer-protocol.ts';
export { NO_UUID } from './codec.ts';
export type { AcknowledgementBatch } from './acknowledgement-batch.ts';
export type { TopicIdAssignment, TopicIdPartitions } from './topic-id-partitions.ts';
export type { LeaderIdAndEpoch, NodeEndpoint } from './leader-hint.ts';

// One object per API (`joinGroup`, `fetch`, …) with both directions of request and response, and the types of both.
export {
  apiVersions,
  type ApiVersion,
  type ApiVersionsRequest,
  type ApiVersionsResponse,
  type FinalizedFeature,
  type SupportedFeature,
} from './api/api-versions.ts';
export * from './api/consumer-group-describe.ts';
export * from './api/consumer-group-heartbeat.ts';
export * from './api/create-topics.ts';
export * from './api/describe-cluster.ts';
export * from './api/describe-groups.ts';
export * from './api/fetch.ts';
export * from './api/find-coordinator.ts';
export * from './api/get-telemetry-subscriptions.ts';
export * from './api/heartbeat.ts';
export * from './api/join-group.ts';
export * from './api/leave-group.ts';
export * from './api/list-groups.ts';
export * from './api/list-offsets.ts';
export * from './api/metadata.ts';
export * from './api/offset-commit.ts';
export * from './api/offset-fetch.ts';
export * from './api/offset-for-leader-epoch.ts';
export * from './api/produce.ts';
export * from './api/push-telemetry.ts';
export * from './api/sasl-authenticate.ts';
export * from './api/sasl-handshake.ts';
export * from './api/share-acknowledge.ts';
export * from './api/share-fetch.ts';
export * from './api/share-group-heartbeat.ts';
export * from './api/sync-group.ts';

// Record batches (magic 2), read where they lie.
export { WireBatch, WireBatchReader, type RecordContext } from './record-batch.ts';
export { openBatch, type OpenOptions } from './open-batch.ts';
export {
  KafkaRecord,
  RecordSource,
  type Deserializer,
  type DeserializerContext,
  type Deserializers,
  type TimestampType,
} from './record.ts';
export { RecordCursor, type RecordView } from './record-cursor.ts';
export { RecordHeaders } from './headers.ts';
export { crc32c, crc32cImplementation } from './crc32c.ts';
export {
  codecImplementations,
  codecTable,
  type CodecTable,
  type CustomCodec,
  type CustomCodecs,
} from './compression/codecs.ts';
export { COMPRESSION_NAMES, type CompressionName } from './compression/codec.ts';
