import type { KafkaError } from '../errors.ts';
import { partitionKey, type TopicPartition } from '../fetch/partition.ts';
import type { Delivery } from './delivery.ts';
import type { RebalanceEvent } from './events.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import type { EngineEvent, EnginePort } from './port.ts';

/** How far behind the end of its partition the application is. */
export interface PartitionLag extends TopicPartition {
  /** Next offset to be handed out; `null` while it is being looked up. */
  position: number | null;
  /** By isolation level: the high watermark, or the last stable offset, when the partition was last fetched; `null` before. */
  endOffset: number | null;
  /** `endOffset − position`, never below 0; `null` where one of them is not known. */
  lag: number | null;
  /**
   * Why it is not read: what the consumer has failed for good with; what the broker refuses and is asked for again; or what the
   * partition has failed with until a `seek`; `null` where nothing is wrong. An alert on lag should look at this as well, for the lag of a partition that is not read need not grow.
   */
  error: KafkaError | null;
}

export interface PartitionMetrics extends PartitionLag {
  isPaused: boolean;
  /** Fetched and not yet handed out, as it came over the wire. */
  bufferedBytes: number;
  /** Since the assignment: as they came over the wire, and as batches say, those of aborted transactions too. */
  fetchedBytes: number;
  fetchedRecords: number;
  /** Of late: what was fetched 10 seconds ago counts for a third of what was just now. */
  bytesPerSecond: number;
  recordsPerSecond: number;
  /** From a fetch to its answer, a running mean over answers that brought records; `null` before the first. The broker's wait included. */
  fetchLatencyMs: number | null;
  /** Node id of the broker that is read from, the leader or a follower (KIP-392); `null` while there is none. */
  nodeId: number | null;
}

export interface BrokerMetrics {
  /** `null` for a bootstrap server whose node id is not known (any more). */
  nodeId: number | null;
  address: string;
  /** Open now. */
  connections: number;
  /** Since the consumer was made, over all its connections to there. */
  requests: number;
  bytesIn: number;
  bytesOut: number;
}

export interface GroupMetrics {
  groupId: string;
  memberId: string;
  generation: number;
  /**
   * How far the member has come, in the words of its protocol: `'stable'` in both where it has its partitions; `'stale'` where it
   * has left because nobody read for `maxPollIntervalMs`; `'failed'` (protocol `consumer`: `'fatal'`) where it has left for good.
   */
  state: string;
  /** What the consumer has failed for good with: it has left the group and has to be closed. `null` while it goes on. */
  failure: KafkaError | null;
  /** How many rebalances have ended, as events `rebalance` were told. */
  rebalances: number;
  /** How long they took in all, and the last one; `null` before the first. */
  rebalanceMs: number;
  lastRebalanceMs: number | null;
}

/** What `metrics()` gives and the `stats` event brings. Counters only rise; gauges are as of `timestamp`. */
export interface ConsumerMetrics {
  /** Milliseconds since 1970. */
  timestamp: number;
  clientId: string;
  /** What the consumer has failed for good with, also without a group. `null` while it goes on. */
  failure: KafkaError | null;
  /** `null` without a groupId. */
  group: GroupMetrics | null;
  /** Of all partitions whose lag is known. */
  lag: number;
  bufferedBytes: number;
  /** Decompressed and not yet handed out, of all partitions. Uncompressed batches are read where they lie in the buffer. */
  openedBytes: number;
  /** Batches that could not be opened and were passed over, with `onCorruptBatch: 'skip'`. A counter. */
  skippedBatches: number;
  partitions: PartitionMetrics[];
  brokers: BrokerMetrics[];
}

type Measured = EngineEvent & { type: 'measured' };

/** What the application may know of the consumer's work: taken together when it is asked for. */
export class Metrics<K, V> {
  readonly #delivery: Delivery<K, V>;
  readonly #engine: EnginePort;
  readonly #clientId: string;
  readonly #groupId: string | null;
  readonly #membership: () => { memberId: string; generation: number };
  #rebalances: Pick<GroupMetrics, 'rebalances' | 'rebalanceMs' | 'lastRebalanceMs'> = {
    rebalances: 0,
    rebalanceMs: 0,
    lastRebalanceMs: null,
  };
  #skippedBatches = 0;
  #failure: KafkaError | null = null;
  #measured: Measured = { type: 'measured', partitions: [], brokers: [], groupState: null, failure: null };

  constructor(
    delivery: Delivery<K, V>,
    engine: EnginePort,
    { clientId, groupId }: { clientId: string; groupId: string | null },
    membership: () => { memberId: string; generation: number },
  ) {
    this.#clientId = clientId;
    this.#groupId = groupId;
    this.#membership = membership;
    this.#delivery = delivery;
    this.#engine = engine;
  }

  rebalanced({ durationMs }: RebalanceEvent): void {
    const { rebalances, rebalanceMs } = this.#rebalances;
    this.#rebalances = {
      rebalances: rebalances + 1,
      rebalanceMs: rebalanceMs + durationMs,
      lastRebalanceMs: durationMs,
    };
  }

  #groupOf({ groupState, failure }: Measured): GroupMetrics | null {
    if (this.#groupId === null || groupState === null) return null;
    return { groupId: this.#groupId, ...this.#membership(), state: groupState, failure, ...this.#rebalances };
  }

  /** A batch that could not be opened. */
  passedOver(): void {
    this.#skippedBatches++;
  }

  onMeasured(event: Measured): void {
    this.#measured = event;
  }

  /** Nothing is read any more, of any partition. */
  failed(error: KafkaError): void {
    this.#failure = error;
  }

  /** What the consumer has failed for good with. */
  get failure(): KafkaError | null {
    return this.#failure;
  }

  lags(): PartitionLag[] {
    const read = [...this.#delivery.partitions].filter(({ isBlocked }) => !isBlocked);
    return read.map((delivery) => lagOf(delivery, this.#failure));
  }

  take(): ConsumerMetrics {
    this.#engine.send({ type: 'measure' }); // answered on the spot
    const { partitions: measured, brokers, failure } = this.#measured;
    const fetched = new Map(measured.map((each) => [partitionKey(each.topic, each.partition), each]));
    const partitions = [...this.#delivery.partitions].map((delivery): PartitionMetrics => {
      const { topic, partition, isPaused } = delivery;
      const counters = fetched.get(partitionKey(topic, partition)) ?? NOTHING;
      const { nodeId, latencyMs } = counters;
      const { position, endOffset, lag, error } = lagOf(delivery, this.#failure);
      // Spread and rest cost ten times as much as the fields by name, and this is for each of thousands of partitions.
      return {
        topic,
        partition,
        position,
        endOffset,
        lag,
        error,
        isPaused,
        bufferedBytes: counters.bufferedBytes,
        fetchedBytes: counters.fetchedBytes,
        fetchedRecords: counters.fetchedRecords,
        bytesPerSecond: counters.bytesPerSecond,
        recordsPerSecond: counters.recordsPerSecond,
        fetchLatencyMs: latencyMs < 0 ? null : latencyMs,
        nodeId: nodeId < 0 ? null : nodeId,
      };
    });
    return {
      timestamp: Date.now(),
      clientId: this.#clientId,
      failure,
      group: this.#groupOf(this.#measured),
      lag: partitions.reduce((sum, { lag }) => sum + (lag ?? 0), 0),
      bufferedBytes: partitions.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0),
      openedBytes: this.#delivery.openedBytes,
      skippedBatches: this.#skippedBatches,
      partitions,
      brokers: brokers.map((broker) => ({ ...broker })),
    };
  }
}

const NOTHING = {
  nodeId: -1,
  latencyMs: -1,
  bufferedBytes: 0,
  fetchedBytes: 0,
  fetchedRecords: 0,
  bytesPerSecond: 0,
  recordsPerSecond: 0,
} as const;

function lagOf<K, V>(delivery: PartitionDelivery<K, V>, consumerFailure: KafkaError | null): PartitionLag {
  const { topic, partition, position, endOffset, failure, refusal } = delivery;
  const isKnown = position >= 0 && endOffset >= 0;
  return {
    topic,
    partition,
    position: position < 0 ? null : position,
    endOffset: endOffset < 0 ? null : endOffset,
    lag: isKnown ? Math.max(0, endOffset - position) : null,
    error: consumerFailure ?? failure ?? refusal,
  };
}
