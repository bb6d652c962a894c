import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, inject } from 'vitest';
import { Consumer, type ConsumerOptions, type KafkaRecord } from '../../src/index.ts';
import { type ProduceOptions, TestAdmin, type TopicOptions } from '../harness/admin.ts';
import type { TestRecord } from '../../src/testing/record-batch-writer.ts';
import { until } from '../harness/waiting.ts';

const WAIT_MS = 20_000;

export interface FilledOptions extends ProduceOptions, TopicOptions {
  partitions?: number;
  /** Default: the index, as text. Record `index` is in partition `index % partitions`. */
  recordAt?: (index: number) => TestRecord;
}

/** What a file of integration tests works with: the shared broker, fresh topics, consumers that are closed after each test. */
export interface Rig {
  readonly bootstrapServers: string;
  readonly admin: TestAdmin;
  /** The shortest session that the broker allows, or a short one that leaves room for a busy machine. */
  readonly sessionTimeoutMs: number;
  /** A fresh name. */
  name(what: string): string;
  /** A fresh topic with `count` records. */
  filled(count: number, options?: FilledOptions): Promise<string>;
  consumer(options?: Partial<ConsumerOptions>): Consumer;
  /** Whatever has a `close` that has to be called after the test. */
  closeLater<T extends { close: () => Promise<unknown> }>(what: T): T;
}

export function useRig(): Rig {
  const { bootstrapServers, kind } = inject('broker');
  let admin: TestAdmin | undefined;
  const open: { close: () => Promise<unknown> }[] = [];
  beforeAll(async () => {
    admin = await TestAdmin.connect(bootstrapServers);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  });
  afterAll(() => admin?.close());

  const rig: Rig = {
    bootstrapServers,
    // A broker that is not ours has Kafka's own minimum.
    sessionTimeoutMs: kind === 'external' ? 6000 : 2000,
    get admin() {
      if (admin === undefined) throw new Error('the rig is there once the tests run');
      return admin;
    },
    name: (what) => `${what}-${randomUUID()}`,
    async filled(count, { partitions = 1, recordAt = indexAsText, ...options } = {}) {
      const topic = rig.name('topic');
      await rig.admin.createTopic(topic, partitions, options);
      await rig.admin.fill(topic, count, recordAt, options);
      return topic;
    },
    consumer(options = {}) {
      return rig.closeLater(new Consumer(quick({ bootstrapServers, ...options })));
    },
    closeLater(what) {
      open.push(what);
      return what;
    },
  };
  return rig;
}

function indexAsText(index: number): TestRecord {
  return { value: `${index}` };
}

/** Options under which nothing waits longer than it has to, and nothing is written to stderr. */
export function quick(options: ConsumerOptions): ConsumerOptions {
  return {
    autoOffsetReset: 'earliest',
    // With the consumer protocol that is the broker's affair.
    ...(options.groupProtocol === 'consumer' ? {} : { heartbeatIntervalMs: 300 }),
    fetchMaxWaitMs: 100,
    logger: null,
    ...options,
  };
}

/** Reads `count` records and stops without asking for another: the last one stays unfinished. */
export async function take(consumer: Consumer, count: number): Promise<KafkaRecord[]> {
  const records: KafkaRecord[] = [];
  if (count === 0) return records;
  for await (const record of consumer) {
    records.push(record);
    if (records.length === count) break;
  }
  return records;
}

export function waitFor(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = WAIT_MS): Promise<void> {
  return until(condition, { what, timeoutMs, intervalMs: 20 });
}

/** What was thrown; fails where nothing was. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('expected it to reject, but it resolved');
}

/** Of several partitions, as they came: offsets by partition. */
export function offsetsByPartition(records: Iterable<{ partition: number; offset: number }>): Map<number, number[]> {
  const byPartition = new Map<number, number[]>();
  for (const { partition, offset } of records) {
    const offsets = byPartition.get(partition);
    if (offsets === undefined) byPartition.set(partition, [offset]);
    else offsets.push(offset);
  }
  return byPartition;
}

/** 0, 1, 2 … */
export function upTo(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}
