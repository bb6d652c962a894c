import type { KafkaError } from '../errors.ts';
import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, partitionKey, type TopicPartition } from '../fetch/partition.ts';
import { Calls } from './calls.ts';
import type { PartitionOffset, PartitionOffsetAtTime } from './events.ts';
import type { EngineEvent, EnginePort, ListedOffset, ListedTopic, PartitionAtTime } from './port.ts';

/** What the application asks about topics and offsets: the questions through the port, and their answers. */
export class Lookups {
  readonly #engine: EnginePort;
  readonly #timeoutMs: number;
  readonly #topics = new Calls<readonly TopicPartition[]>();
  readonly #listings = new Calls<readonly ListedTopic[]>();
  readonly #offsets = new Calls<readonly ListedOffset[]>();

  constructor(engine: EnginePort, timeoutMs: number) {
    this.#engine = engine;
    this.#timeoutMs = timeoutMs;
  }

  async partitionsFor(topic: string): Promise<TopicPartition[]> {
    const timeoutMs = this.#timeoutMs;
    return [...(await this.#topics.start((id) => this.#engine.send({ type: 'describeTopic', id, topic, timeoutMs })))];
  }

  async listTopics(): Promise<ListedTopic[]> {
    const timeoutMs = this.#timeoutMs;
    return [...(await this.#listings.start((id) => this.#engine.send({ type: 'listTopics', id, timeoutMs })))];
  }

  beginningOffsets(partitions: readonly TopicPartition[]): Promise<PartitionOffset[]> {
    return this.#ends(partitions, EARLIEST_TIMESTAMP);
  }

  endOffsets(partitions: readonly TopicPartition[]): Promise<PartitionOffset[]> {
    return this.#ends(partitions, LATEST_TIMESTAMP);
  }

  async offsetsForTimes(partitions: readonly PartitionAtTime[]): Promise<PartitionOffsetAtTime[]> {
    return (await this.#list(partitions)).map(({ topic, partition, offset, timestamp, leaderEpoch }) => {
      // −1 and −1: every record is older.
      if (offset < 0) return { topic, partition, offset: null, timestamp: null, leaderEpoch: -1 };
      return { topic, partition, offset, timestamp, leaderEpoch };
    });
  }

  onTopicDescribed(event: EngineEvent & { type: 'topicDescribed' }): void {
    this.#topics.settle(event.id, event.partitions, event.error);
  }

  onTopicsListed(event: EngineEvent & { type: 'topicsListed' }): void {
    this.#listings.settle(event.id, event.topics, event.error);
  }

  onOffsetsListed(event: EngineEvent & { type: 'offsetsListed' }): void {
    this.#offsets.settle(event.id, event.offsets, event.error);
  }

  failAll(error: KafkaError): void {
    this.#topics.failAll(error);
    this.#listings.failAll(error);
    this.#offsets.failAll(error);
  }

  async #ends(partitions: readonly TopicPartition[], timestamp: number): Promise<PartitionOffset[]> {
    const listed = await this.#list(partitions.map(({ topic, partition }) => ({ topic, partition, timestamp })));
    return listed.map(({ topic, partition, offset }) => ({ topic, partition, offset }));
  }

  /** In the order of the question. */
  async #list(partitions: readonly PartitionAtTime[]): Promise<ListedOffset[]> {
    if (partitions.length === 0) return [];
    const timeoutMs = this.#timeoutMs;
    const listed = await this.#offsets.start((id) =>
      this.#engine.send({ type: 'listOffsets', id, partitions, timeoutMs }),
    );
    const byKey = new Map(listed.map((each) => [partitionKey(each.topic, each.partition), each]));
    return partitions.map(({ topic, partition }) => {
      return (
        byKey.get(partitionKey(topic, partition)) ?? { topic, partition, offset: -1, timestamp: -1, leaderEpoch: -1 }
      );
    });
  }
}
