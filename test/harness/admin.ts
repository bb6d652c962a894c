import { setTimeout as sleep } from 'node:timers/promises';
import Long from 'long';
import { KafkaError } from '../../src/errors.ts';
import type { Api } from '../../src/protocol/api.ts';
import { createTopics } from '../../src/protocol/api/create-topics.ts';
import { listOffsets } from '../../src/protocol/api/list-offsets.ts';
import { type MetadataTopic, metadata } from '../../src/protocol/api/metadata.ts';
import { produce } from '../../src/protocol/api/produce.ts';
import { ERROR_CODES, kafkaErrorOf } from '../../src/protocol/error-codes.ts';
import { TestConnection } from './connection.ts';
import { type TestCompression, type TestRecord, encodeRecordBatch } from '../../src/testing/record-batch-writer.ts';

const NO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA';
const RETRY_FOR_MS = 30_000;
const RETRY_BACKOFF_MS = 50;
const TOPIC_TIMEOUT_MS = 15_000;

export interface TopicOptions {
  /** Default 1. */
  replicationFactor?: number;
  /** Topic properties, such as `{ 'segment.bytes': '1048576' }`. */
  configs?: Record<string, string>;
}

export interface ProduceOptions {
  /** Default none. */
  compression?: TestCompression;
  /** Records in one batch. Default 1000. */
  batchRecords?: number;
}

/**
 * Makes and fills topics without another client: the project's codecs over a socket of its own. Every call goes on for
 * 30 seconds through what passes, such as a broker that restarts; then it throws what stood in the way last.
 */
export class TestAdmin {
  readonly #bootstrap: readonly string[];
  /** By `host:port`. */
  readonly #connections = new Map<string, Promise<TestConnection>>();
  readonly #topics = new Map<string, { topic: MetadataTopic; addresses: Map<number, string> }>();

  private constructor(bootstrapServers: string) {
    this.#bootstrap = bootstrapServers.split(',').map((address) => address.trim());
  }

  /** @param bootstrapServers `host:port`, several with commas between them */
  static async connect(bootstrapServers: string): Promise<TestAdmin> {
    const admin = new TestAdmin(bootstrapServers);
    await admin.#retrying(() => admin.#anyConnection());
    return admin;
  }

  close(): void {
    for (const connection of this.#connections.values()) {
      connection.then(
        (open) => open.close(),
        () => undefined,
      );
    }
    this.#connections.clear();
  }

  /** Makes a topic and waits until each of its partitions has a leader. Throws where the topic exists. */
  async createTopic(name: string, partitions = 1, options: TopicOptions = {}): Promise<void> {
    const { replicationFactor = 1, configs = {} } = options;
    const entries = Object.entries(configs).map(([key, value]) => ({ name: key, value }));
    const topic = { name, numPartitions: partitions, replicationFactor, assignments: [], configs: entries };
    const request = { topics: [topic], timeoutMs: TOPIC_TIMEOUT_MS, validateOnly: false };
    await this.#retrying(async () => {
      const { topics } = await this.send(createTopics, request);
      for (const { errorCode } of topics) throwFor(errorCode, 'CreateTopics', name);
    });
    await this.#retrying(() => this.#lookUp(name, partitions));
  }

  /**
   * Appends records to a partition, in order, and waits for all replicas in sync. Returns the offset of the first one.
   * A batch whose answer got lost with the connection is sent again, and may then be there twice.
   */
  async produce(
    topic: string,
    partition: number,
    records: Iterable<TestRecord>,
    options: ProduceOptions = {},
  ): Promise<number> {
    const { compression = 'none', batchRecords = 1000 } = options;
    let baseOffset = -1;
    for (const chunk of chunks(records, batchRecords)) {
      const batch = encodeRecordBatch(chunk, { compression });
      const offset = await this.#retrying(() => this.#append(topic, partition, batch));
      if (baseOffset === -1) baseOffset = offset;
    }
    return baseOffset;
  }

  /** Spreads `count` records evenly over a topic's partitions; record `index` goes to partition `index % partitions`. */
  async fill(
    topic: string,
    count: number,
    recordAt: (index: number) => TestRecord,
    options: ProduceOptions = {},
  ): Promise<void> {
    const partitions = (await this.#retrying(() => this.#lookUp(topic))).topic.partitions.length;
    function* share(partition: number): Generator<TestRecord> {
      for (let index = partition; index < count; index += partitions) yield recordAt(index);
    }
    const appends = Array.from({ length: partitions }, (_, partition) =>
      this.produce(topic, partition, share(partition), options),
    );
    await Promise.all(appends);
  }

  /** The offset after the last record of each partition. */
  async endOffsets(topic: string): Promise<number[]> {
    return this.#retrying(async () => {
      const { topic: found } = await this.#lookUp(topic);
      return Promise.all(found.partitions.map(({ partitionIndex }) => this.#endOffset(topic, partitionIndex)));
    });
  }

  /** Any request to any broker: for what this class has no method for. */
  async send<Req, Res>(api: Api<Req, Res>, body: Req): Promise<Res> {
    return (await this.#anyConnection()).send(api, body);
  }

  async #append(topic: string, partition: number, batch: Buffer): Promise<number> {
    const { connection, topicId } = await this.#leader(topic, partition);
    const partitionData = [{ index: partition, records: batch }];
    const { responses } = await connection.send(produce, {
      transactionalId: null,
      acks: -1,
      timeoutMs: TOPIC_TIMEOUT_MS,
      topicData: [{ name: topic, topicId, partitionData }],
    });
    const result = responses[0]?.partitionResponses[0];
    if (result === undefined) throw new Error(`Produce: no answer for ${topic}-${partition}`);
    throwFor(result.errorCode, 'Produce', `${topic}-${partition}`);
    return result.baseOffset.toNumber();
  }

  async #endOffset(topic: string, partition: number): Promise<number> {
    const { connection } = await this.#leader(topic, partition);
    const partitions = [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp: Long.NEG_ONE }];
    const topics = [{ name: topic, partitions }];
    const answer = await connection.send(listOffsets, { replicaId: -1, isolationLevel: 0, topics, timeoutMs: 0 });
    const result = answer.topics[0]?.partitions[0];
    if (result === undefined) throw new Error(`ListOffsets: no answer for ${topic}-${partition}`);
    throwFor(result.errorCode, 'ListOffsets', `${topic}-${partition}`);
    return result.offset.toNumber();
  }

  async #leader(topic: string, partition: number): Promise<{ connection: TestConnection; topicId: string }> {
    const known = this.#topics.get(topic) ?? (await this.#lookUp(topic));
    const found = known.topic.partitions.find(({ partitionIndex }) => partitionIndex === partition);
    if (found === undefined) throw new Error(`${topic} has no partition ${partition}`);
    const address = known.addresses.get(found.leaderId);
    if (address === undefined) throw kafkaErrorOf(ERROR_CODES.LEADER_NOT_AVAILABLE, { api: 'Metadata' });
    return { connection: await this.#connection(address), topicId: known.topic.topicId };
  }

  /** Throws a retriable error while a partition, or one of `expected` partitions, has no leader. */
  async #lookUp(name: string, expected = 1): Promise<{ topic: MetadataTopic; addresses: Map<number, string> }> {
    const answer = await this.send(metadata, {
      topics: [{ topicId: NO_UUID, name }],
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    });
    const topic = answer.topics[0];
    if (topic === undefined) throw new Error(`Metadata: no answer for ${name}`);
    throwFor(topic.errorCode, 'Metadata', name);
    for (const { errorCode } of topic.partitions) throwFor(errorCode, 'Metadata', name);
    if (topic.partitions.length < expected) throwFor(ERROR_CODES.LEADER_NOT_AVAILABLE, 'Metadata', name);
    topic.partitions.sort((a, b) => a.partitionIndex - b.partitionIndex);
    const addresses = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, `${host}:${port}`]));
    const known = { topic, addresses };
    this.#topics.set(name, known);
    return known;
  }

  async #anyConnection(): Promise<TestConnection> {
    let failure: unknown;
    for (const address of this.#bootstrap) {
      try {
        return await this.#connection(address);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  async #connection(address: string): Promise<TestConnection> {
    const open = this.#connections.get(address);
    const connection = await open?.catch(() => undefined);
    if (connection?.isOpen === true) return connection;
    if (open === this.#connections.get(address)) {
      const colon = address.lastIndexOf(':');
      const opening = TestConnection.open(address.slice(0, colon), Number(address.slice(colon + 1)));
      this.#connections.set(address, opening);
      return opening;
    }
    return this.#connection(address);
  }

  async #retrying<T>(attempt: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + RETRY_FOR_MS;
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        const passes = error instanceof KafkaError && error.retriable;
        if (!passes || performance.now() > deadline) throw error;
        this.#topics.clear();
        await sleep(RETRY_BACKOFF_MS);
      }
    }
  }
}

function throwFor(errorCode: number, api: string, context: string): void {
  if (errorCode !== ERROR_CODES.NONE) throw kafkaErrorOf(errorCode, { api, context });
}

function* chunks<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let chunk: T[] = [];
  for (const item of items) {
    chunk.push(item);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
