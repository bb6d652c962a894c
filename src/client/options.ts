import type { AutoOffsetReset } from '../fetch/reset-policy.ts';
import type { CustomCodecs } from '../protocol/compression/codecs.ts';
import type { Deserializer } from '../protocol/record.ts';
import type { Assignor } from '../group/assignors/assignor.ts';
import type { Logger } from './logger.ts';

/**
 * Options of a consumer. Names, meanings, defaults and units are those of the Java consumer's properties in camelCase
 * (https://kafka.apache.org/documentation/#consumerconfigs); what is samsa's own says so.
 */
export interface ConsumerOptions<K = Buffer | null, V = Buffer | null> {
  /** `host:port[,host:port…]`, or an array of them: where to begin, in random order; the rest of the cluster is found from there. Required. */
  bootstrapServers: string | readonly string[];
  /** Shown in the broker's logs and quotas. Default `'samsa'`. */
  clientId?: string;
  /** The consumer group. Needed for `subscribe` and for commits. */
  groupId?: string;
  /** Static membership (KIP-345): unique per process, the same after a restart. `close()` then stays in the group. */
  groupInstanceId?: string;
  /**
   * How the group decides who reads what. `'classic'`: its members do, with `partitionAssignmentStrategy`. `'consumer'`: the broker does
   * (KIP-848; Kafka 4.0 or newer), and sets session and heartbeat times, too. A group that is running goes from one to the other, member by
   * member, where the broker's `group.consumer.migration.policy` lets it. Default `'classic'`, as in Java.
   */
  groupProtocol?: 'classic' | 'consumer';
  /** With `groupProtocol: 'consumer'`: which of the broker's assignors, `'uniform'` or `'range'`. Default: the broker chooses. */
  groupRemoteAssignor?: string;
  /**
   * Where to read without a committed offset, or when it is gone from the broker: `'by_duration:PT12H'` begins with the first
   * record of the last 12 hours (KIP-1106; any ISO-8601 duration of days and less). With `'none'` that is an error. Default `'latest'`.
   */
  autoOffsetReset?: AutoOffsetReset;
  /** Commit what is finished every `autoCommitIntervalMs`, on revocation and on close. Default true with a group. */
  enableAutoCommit?: boolean;
  /** Default 5000. */
  autoCommitIntervalMs?: number;
  /**
   * As librdkafka's `enable.auto.offset.store`. False: asking for the next record, or the end of a handler, finishes nothing;
   * what commits cover is what `markConsumed` was told. Default true.
   */
  enableAutoOffsetStore?: boolean;
  /** The broker gives up on a member that it has not heard of for so long. Default 45000. */
  sessionTimeoutMs?: number;
  /** Sent by a timer, whatever the application does. Default 3000, at most a third of the session timeout. */
  heartbeatIntervalMs?: number;
  /** An application that does not come back for a record for so long loses its partitions. Default 300000. */
  maxPollIntervalMs?: number;
  /** The most records in one batch of `batches()`, and in one `poll()`. Default 500. */
  maxPollRecords?: number;
  /** Default 1. */
  fetchMinBytes?: number;
  /**
   * Per response, and for all that is buffered of partitions that are not paused; the memory behind that is at most twice
   * as much. The same number of bytes is the budget for what was decompressed and not handed out yet, over all partitions
   * (`metrics().openedBytes`): while it is used up, reading stays with the batches that are open. It is exceeded by a batch
   * where one alone is larger, and by one more, each second at the most, where those that are open stand still: paused, or
   * in the hands of handlers that take longer. What the application holds is its own. Default 52428800.
   */
  fetchMaxBytes?: number;
  /** How long the broker may wait for `fetchMinBytes`. Default 500. */
  fetchMaxWaitMs?: number;
  /** Per partition and response, and what is buffered of a partition before it is asked again. Default 1048576. */
  maxPartitionFetchBytes?: number;
  /**
   * `'read_committed'`: records of aborted transactions are left out, and nothing behind a transaction that is still open is
   * read: the partition's end is then its last stable offset (KIP-98). Default `'read_uncommitted'`.
   */
  isolationLevel?: 'read_uncommitted' | 'read_committed';
  /**
   * samsa's own: what becomes of a batch that cannot be opened, or has a record that makes no sense. `'fail'`: what lies
   * before it is delivered, then every read throws a `CorruptRecordError`, and nothing after it is delivered or committed
   * until `consumer.seek(error, error.nextOffset)` or another seek. `'skip'`: the rest of the batch is passed over, told as
   * an `error` event, and counted in `metrics().skippedBatches`. A batch whose header says nothing that can be trusted is
   * an error also then. With both, a batch that fails its CRC is fetched again first, three times. Default `'fail'`.
   */
  onCorruptBatch?: 'fail' | 'skip';
  /** Verify the CRC of every batch. Default true. */
  checkCrcs?: boolean;
  /**
   * Assignors in order of preference: `'range'`, `'roundrobin'`, `'sticky'`, `'cooperative-sticky'`, or objects of your own
   * (`Assignor`). All members of a group need one in common; its leader runs it. Where all in the list are cooperative (KIP-429), so is
   * this member: it keeps what stays its own through a rebalance. Default `['range', 'cooperative-sticky']`: eager.
   */
  partitionAssignmentStrategy?: string | Assignor | readonly (string | Assignor)[];
  /** Where this consumer is: for rack-aware assignment, and to read from a follower near by (KIP-392). Default none. */
  clientRack?: string;
  /** Default 30000. */
  requestTimeoutMs?: number;
  /** Bounds `commit()`, `committed()`, `position()`. Default 60000. */
  defaultApiTimeoutMs?: number;
  /** Default 100, doubled up to `retryBackoffMaxMs`. */
  retryBackoffMs?: number;
  /** Default 1000. */
  retryBackoffMaxMs?: number;
  /** Default 50, doubled up to `reconnectBackoffMaxMs`. */
  reconnectBackoffMs?: number;
  /** Default 1000. */
  reconnectBackoffMaxMs?: number;
  /** For the TCP connection, and then for what the broker speaks. Default 10000. */
  socketConnectionSetupTimeoutMs?: number;
  /** Metadata is asked for again after so long, to notice new partitions. Default 300000. */
  metadataMaxAgeMs?: number;
  /** What to do when no known broker gives metadata: go back to `bootstrapServers` (KIP-899), or not. Default `'rebootstrap'`. */
  metadataRecoveryStrategy?: 'rebootstrap' | 'none';
  /** After so long without metadata all that is known of the brokers is dropped (KIP-1102). Default 300000. */
  metadataRecoveryRebootstrapTriggerMs?: number;
  /**
   * Let the broker create a topic that is subscribed to, if it is set up so; never with a `SubscriptionPattern`. Default true, as in Java.
   */
  allowAutoCreateTopics?: boolean;
  /** A pattern in `subscribe` stands for no internal topic, such as `__consumer_offsets`. Default true. */
  excludeInternalTopics?: boolean;
  /** librdkafka's: how often the `stats` event comes. Default 0: never. */
  statisticsIntervalMs?: number;
  /**
   * samsa's own: a longer response is refused before it is read. Other answers than Fetch are refused above 16 MiB, or above an eighth of this
   * where that is more. Default 104858112 (100 MiB + 512).
   */
  receiveMessageMaxBytes?: number;
  /** samsa's own: a compressed batch that would grow beyond this is refused. Default 104857600 (100 MiB). */
  maxDecompressedBytes?: number;
  /**
   * samsa's own: decompressors in place of the built-in ones, such as a native package for
   * zstd: `{ zstd: { decompress(bytes, maxBytes) { … } } }`. Names: gzip, snappy, lz4, zstd.
   */
  codecs?: CustomCodecs;
  /** `record.key` is what this returns. Default: the bytes. */
  keyDeserializer?: Deserializer<K>;
  /** `record.value` is what this returns. Default: the bytes. */
  valueDeserializer?: Deserializer<V>;
  /** samsa's own: aborting it closes the consumer as `close()` does. */
  signal?: AbortSignal;
  /** samsa's own: anything with pino's `debug`, `info`, `warn`, `error`; `null` for silence. Default: warnings and errors to stderr. */
  logger?: Logger | null;
}
