import { RequestTimeoutError, UnsupportedVersionError, type KafkaError, toKafkaError } from '../errors.ts';
import {
  EARLIEST_LOCAL_TIMESTAMP,
  LATEST_TIERED_TIMESTAMP,
  MAX_TIMESTAMP,
  partitionName,
  type ListedPartition,
  type TopicPartition,
} from '../fetch/partition.ts';
import { Pauses } from '../network/pauses.ts';
import { listOffsets } from '../protocol/api/list-offsets.ts';
import { ERROR_CODES, kafkaErrorOf } from '../protocol/error-codes.ts';
import type { EngineContext } from './engine-context.ts';
import type { ListedOffset, ListedTopic, PartitionAtTime } from './port.ts';
import * as requests from './requests.ts';

/** An older broker would take these for a time before 1970. */
const SPECIAL_VERSIONS: ReadonlyMap<number, number> = new Map([
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL_TIMESTAMP, 8],
  [LATEST_TIERED_TIMESTAMP, 9],
]);

/** Answers what the application asks about topics and offsets, whether it consumes them or not. */
export class LookupDriver {
  readonly #engine: EngineContext;
  readonly #pauses = new Pauses();

  constructor(engine: EngineContext) {
    this.#engine = engine;
  }

  async describeTopic(id: number, topic: string, timeoutMs: number): Promise<void> {
    try {
      const what = `the partitions of topic '${topic}'`;
      const partitions = await this.#retried(what, timeoutMs, () => this.#askPartitions(topic));
      this.#engine.emit({ type: 'topicDescribed', id, partitions, error: null });
    } catch (error) {
      this.#engine.emit({ type: 'topicDescribed', id, partitions: [], error: toKafkaError(error) });
    }
  }

  async listTopics(id: number, timeoutMs: number): Promise<void> {
    try {
      const topics = await this.#retried('the topics', timeoutMs, () => this.#askTopics());
      this.#engine.emit({ type: 'topicsListed', id, topics, error: null });
    } catch (error) {
      this.#engine.emit({ type: 'topicsListed', id, topics: [], error: toKafkaError(error) });
    }
  }

  async listOffsets(id: number, partitions: readonly PartitionAtTime[], timeoutMs: number): Promise<void> {
    try {
      const offsets = await this.#retried('the offsets', timeoutMs, () => this.#askOffsets(partitions));
      this.#engine.emit({ type: 'offsetsListed', id, offsets, error: null });
    } catch (error) {
      this.#engine.emit({ type: 'offsetsListed', id, offsets: [], error: toKafkaError(error) });
    }
  }

  close(error: KafkaError): void {
    this.#pauses.end(error);
  }

  async #askPartitions(topic: string): Promise<TopicPartition[]> {
    const { cluster } = this.#engine;
    await cluster.refreshMetadata([topic]);
    const known = cluster.metadata.topics.get(topic);
    const errorCode = known?.errorCode ?? ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION;
    if (errorCode !== 0) throw kafkaErrorOf(errorCode, { api: 'Metadata', context: `topic '${topic}'` });
    return (known?.partitions ?? []).map(({ partition }) => ({ topic, partition }));
  }

  async #askTopics(): Promise<ListedTopic[]> {
    const { cluster } = this.#engine;
    await cluster.refreshMetadata([], true);
    const { listed, topics } = cluster.metadata;
    return [...(listed ?? [])].sort().flatMap((topic) => {
      const known = topics.get(topic);
      if (known === undefined) return [];
      const partitions = known.partitions.map(({ partition }) => ({ topic, partition }));
      return [{ topic, isInternal: known.isInternal, partitions }];
    });
  }

  async #askOffsets(asked: readonly PartitionAtTime[]): Promise<ListedOffset[]> {
    const { cluster, settings } = this.#engine;
    await cluster.refreshMetadata(new Set(asked.map(({ topic }) => topic)));
    const byLeader = new Map<number, ListedPartition[]>();
    for (const each of asked) {
      const { leader, leaderEpoch } = this.#leaderOf(each);
      const list = byLeader.get(leader) ?? [];
      byLeader.set(leader, [...list, { ...each, currentLeaderEpoch: leaderEpoch }]);
    }
    const answers = await Promise.all(
      [...byLeader].map(async ([nodeId, partitions]) => {
        const connection = await cluster.connection(nodeId, 'lookup');
        const special = Math.min(...partitions.map(({ timestamp }) => timestamp));
        const version = SPECIAL_VERSIONS.get(special) ?? listOffsets.minVersion;
        if (!connection.supports(listOffsets, version)) {
          const text = `ListOffsets ${special} needs version ${version}, which ${connection.address} does not have`;
          throw new UnsupportedVersionError(text, { api: 'ListOffsets' });
        }
        const request = requests.listOffsetsRequest(partitions, settings.isolationLevel, settings.requestTimeoutMs);
        return requests.readListOffsets(await connection.send(listOffsets, request));
      }),
    );
    requests.mustBeExact(answers.flat());
    return answers.flat().map(({ errorCode, ...offset }) => {
      if (errorCode !== 0) throw kafkaErrorOf(errorCode, { api: 'ListOffsets', context: nameOf(offset) });
      return offset;
    });
  }

  #leaderOf({ topic, partition }: TopicPartition): { leader: number; leaderEpoch: number } {
    const { metadata } = this.#engine.cluster;
    const known = metadata.partition(topic, partition);
    if (known !== undefined && known.leader >= 0) return known;
    const errorCode = metadata.topics.get(topic)?.errorCode ?? 0;
    const { LEADER_NOT_AVAILABLE, UNKNOWN_TOPIC_OR_PARTITION } = ERROR_CODES;
    const code = known === undefined ? errorCode || UNKNOWN_TOPIC_OR_PARTITION : LEADER_NOT_AVAILABLE;
    throw kafkaErrorOf(code, { api: 'Metadata', context: partitionName(topic, partition) });
  }

  /** Until there is an answer or `timeoutMs` have passed. What the broker does not know is not waited for. */
  async #retried<T>(what: string, timeoutMs: number, ask: () => Promise<T>): Promise<T> {
    let isTimeUp = false;
    let timer: NodeJS.Timeout | undefined;
    // No broker in reach: the cluster goes on trying for ever, the caller does not.
    const timeUp = new Promise<never>((_, reject) => {
      const error = new RequestTimeoutError(`${what} could not be looked up within ${timeoutMs} ms`);
      timer = setTimeout(() => {
        isTimeUp = true;
        reject(error);
      }, timeoutMs);
    });
    try {
      for (;;) {
        try {
          return await Promise.race([ask(), timeUp]);
        } catch (error) {
          const failure = toKafkaError(error);
          const { retriable, code } = failure;
          const isWorthIt = retriable && code !== ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION;
          if (!isWorthIt || isTimeUp || this.#engine.isClosed) throw error;
          // Codes below −1000 are this side's: a broker is out of reach, or gives an address of itself that is.
          if (code < -1000 || failure instanceof RequestTimeoutError)
            this.#engine.emit({ type: 'trouble', error: failure });
        }
        await this.#pauses.wait(this.#engine.settings.retryBackoffMs);
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return partitionName(topic, partition);
}
