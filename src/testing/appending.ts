import { open } from 'node:fs/promises';
import { ConfigError } from '../errors.ts';
import type { Cluster } from './cluster.ts';
import type { TestCompression } from './compression.ts';
import { parseLine } from './jsonl.ts';
import { partitionOfKey } from './partitioner.ts';
import { encodeRecordBatch, type TestRecord } from './record-batch-writer.ts';
import type { Partition, Topic } from './topics.ts';

export interface AppendOptions {
  /** Default none. */
  compression?: TestCompression;
  /** Of records without their own. Default: the cluster's time. */
  timestamp?: number;
  /** Records in one batch, which also ends after 512 KiB. Default 1000. */
  batchRecords?: number;
  /**
   * Append as a transaction (KIP-98) that is then committed, aborted, or left open until `endTransaction`.
   * Default: none.
   */
  transaction?: 'commit' | 'abort' | 'open';
  /** Default: with a transaction the partition's own, else none. */
  producerId?: number;
  producerEpoch?: number;
}

/** Where a record goes that does not say: by its key as Kafka's producers do it, or in turns. */
export interface JsonlOptions extends AppendOptions {
  /** For lines that name no topic. */
  topic?: string;
}

/** What is appended is a value alone, or a whole record. */
export type AppendedRecord = TestRecord | string | Buffer;

const DEFAULT_BATCH_RECORDS = 1000;
const MAX_BATCH_BYTES = 512 * 1024;
/** Large appends let others have a turn after so long. */
const TURN_MS = 10;
const CONTROL_VERSION = 0;

/** What a test puts into the logs, past the wire. */
export class Appending {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** @throws ConfigError for a topic that does not exist */
  topic(name: string): Topic {
    const found = this.#cluster.topics.byName(name);
    if (found !== undefined) return found;
    const known = this.#cluster.topics.all.map((topic) => topic.name).join(', ');
    throw new ConfigError(`topic '${name}' does not exist; createTopic() makes it. There is ${known || 'none'}`);
  }

  /** @throws ConfigError for one that does not exist */
  partition(topic: string, index: number): Partition {
    const { partitions } = this.topic(topic);
    const found = partitions[index];
    if (found !== undefined) return found;
    throw new ConfigError(`partition ${index}: '${topic}' has ${partitions.length}, from 0 on`);
  }

  async append(
    topic: string,
    index: number,
    records: Iterable<AppendedRecord>,
    options: AppendOptions,
  ): Promise<number> {
    const partition = this.partition(topic, index);
    const baseOffset = partition.log.endOffset;
    const producerId = options.transaction === undefined ? options.producerId : this.#producerId(partition, options);
    let turnEndsAt = performance.now() + TURN_MS;
    for (const batch of batchesOf(records, options.batchRecords ?? DEFAULT_BATCH_RECORDS)) {
      if (performance.now() >= turnEndsAt) {
        await new Promise((resolve) => setImmediate(resolve));
        turnEndsAt = performance.now() + TURN_MS;
      }
      this.#write(partition, batch, producerId, options);
    }
    if (options.transaction === 'commit' || options.transaction === 'abort') {
      this.endTransaction(partition, options.transaction, { ...options, producerId });
    }
    return baseOffset;
  }

  /** Bytes as they are, corrupt ones too, as long as their header can be read; offset and leader epoch are written in. */
  appendBatch(partition: Partition, batch: Buffer): number {
    const baseOffset = partition.log.append(Buffer.from(batch), partition.leaderEpoch);
    partition.changed();
    return baseOffset;
  }

  /** Writes the marker that decides an open transaction. Key: version int16, type int16; value: version int16, coordinator epoch int32. */
  endTransaction(
    partition: Partition,
    outcome: 'commit' | 'abort',
    options: { producerId?: number | undefined; producerEpoch?: number | undefined; timestamp?: number | undefined },
  ): void {
    const key = Buffer.alloc(4);
    key.writeInt16BE(CONTROL_VERSION, 0);
    key.writeInt16BE(outcome === 'commit' ? 1 : 0, 2);
    const value = Buffer.alloc(6);
    const { producerId = this.#producerId(partition, {}), producerEpoch = 0, timestamp = this.#now() } = options;
    const batch = encodeRecordBatch([{ key, value }], {
      timestamp,
      producerId,
      producerEpoch,
      transactional: true,
      control: true,
    });
    partition.log.append(batch, partition.leaderEpoch);
    partition.changed();
  }

  /** Each line of a file, or of `{ text }`. Gives how many records they were. */
  async appendJsonl(source: string | URL | { readonly text: string }, options: JsonlOptions): Promise<number> {
    const waiting = new Map<Partition, TestRecord[]>();
    const turns = new Map<Topic, number>();
    let number = 0;
    let count = 0;
    const flush = async (): Promise<void> => {
      for (const [{ topic, index }, records] of waiting) await this.append(topic.name, index, records, options);
      waiting.clear();
    };
    for await (const line of linesOf(source)) {
      number++;
      if (line.trim() === '') continue;
      const placed = parseLine(line, number);
      const name = placed.topic ?? options.topic;
      if (name === undefined) throw new ConfigError(`line ${number}: no "topic", and the options name none`);
      const topic = this.topic(name);
      const partition = this.partition(name, placed.partition ?? choosePartition(topic, placed.record, turns));
      const records = waiting.get(partition) ?? [];
      waiting.set(partition, records);
      records.push(placed.record);
      if (++count % DEFAULT_BATCH_RECORDS === 0) await flush();
    }
    await flush();
    return count;
  }

  #write(partition: Partition, records: TestRecord[], producerId: number | undefined, options: AppendOptions): void {
    const { compression = 'none', timestamp = this.#now(), transaction, producerEpoch } = options;
    const isProducer = producerId !== undefined;
    const batch = encodeRecordBatch(records, {
      compression,
      timestamp,
      transactional: transaction !== undefined,
      ...(isProducer ? { producerId, producerEpoch: producerEpoch ?? 0, baseSequence: 0 } : {}),
    });
    this.#cluster.stampAppendTime(partition, batch, this.#now());
    partition.log.append(batch, partition.leaderEpoch);
    partition.changed();
  }

  #producerId(partition: Partition, { producerId }: AppendOptions): number {
    return producerId ?? 1000 + partition.index;
  }

  #now(): number {
    return this.#cluster.timers.clock.now();
  }
}

function* batchesOf(records: Iterable<AppendedRecord>, batchRecords: number): Generator<TestRecord[]> {
  let batch: TestRecord[] = [];
  let bytes = 0;
  for (const each of records) {
    const record = typeof each === 'string' || Buffer.isBuffer(each) ? { value: each } : each;
    batch.push(record);
    bytes += (record.value?.length ?? 0) + (record.key?.length ?? 0);
    if (batch.length < batchRecords && bytes < MAX_BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

function choosePartition(topic: Topic, { key }: TestRecord, turns: Map<Topic, number>): number {
  const { length } = topic.partitions;
  if (key !== null && key !== undefined) return partitionOfKey(key, length);
  const turn = turns.get(topic) ?? 0;
  turns.set(topic, turn + 1);
  return turn % length;
}

async function* linesOf(source: string | URL | { readonly text: string }): AsyncGenerator<string> {
  if (typeof source === 'object' && 'text' in source) {
    yield* source.text.split('\n');
    return;
  }
  await using file = await open(source);
  for await (const line of file.readLines()) yield line;
}
