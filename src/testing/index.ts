// samsa/testing: a Kafka cluster in the process, for tests. Never imports the client, so as not to share its mistakes.

export { MockCluster, type MockClusterEvents } from './mock-cluster.ts';
export type { BrokerOptions, GroupOptions, MockClusterOptions, NewTopicOptions } from './options.ts';
export type { AppendedRecord, AppendOptions, JsonlOptions } from './appending.ts';
export type { SaslMechanism, SaslOptions, SaslStep } from './authentication.ts';
export type { BrokerHandle } from './broker-handle.ts';
export { ManualClock, type Clock } from './clock.ts';
export type { TestCompression } from './compression.ts';
export type { Fault, FaultEffect, FaultMatch, FaultOptions, RequestInfo } from './faults.ts';
export type { CommittedPartition, GroupView, MemberView, OffsetsByTopic } from './group-view.ts';
export { encodeRecordBatch, type BatchOptions, type TestRecord } from './record-batch-writer.ts';
export type { StoredRecord } from './stored-records.ts';
export type { VersionOptions } from './versions.ts';
