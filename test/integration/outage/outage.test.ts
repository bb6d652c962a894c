import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Consumer, type KafkaError } from '../../../src/index.ts';
import { TestAdmin } from '../../harness/admin.ts';
import type { TestBroker } from '../../harness/broker.ts';
import { startBroker } from '../../harness/provide.ts';
import { offsetsByPartition, quick, upTo, waitFor } from '../rig.ts';

const PARTITIONS = 3;
/** Of records, before the outage. */
const COUNT_BEFORE = 600;
const FROZEN_MS = 20_000;
const BACK_MS = 30_000;

let broker: TestBroker;
let admin: TestAdmin;

beforeAll(async () => {
  broker = await startBroker();
  admin = await TestAdmin.connect(broker.bootstrapServers);
});
afterAll(async () => {
  admin.close();
  await broker.stop();
});

/** A reader that is left alone: whatever happens to the broker, nobody helps it. */
class Reader {
  readonly records: { partition: number; offset: number }[] = [];
  readonly events: string[] = [];
  readonly errors: KafkaError[] = [];
  readonly consumer: Consumer;
  readonly #reading: Promise<void>;

  constructor(topic: string, options: { groupId?: string; sessionTimeoutMs?: number; requestTimeoutMs?: number }) {
    const { bootstrapServers } = broker;
    this.consumer = new Consumer(quick({ bootstrapServers, autoCommitIntervalMs: 200, ...options }));
    for (const name of ['assigned', 'revoked', 'lost'] as const) this.consumer.on(name, () => this.events.push(name));
    this.consumer.on('error', (error) => this.errors.push(error));
    if (options.groupId !== undefined) this.consumer.subscribe([topic]);
    else this.consumer.assign(upTo(PARTITIONS).map((partition) => ({ topic, partition })));
    this.#reading = this.#read();
  }

  get distinct(): number {
    return new Set(this.records.map(({ partition, offset }) => `${partition}@${offset}`)).size;
  }

  async close(): Promise<void> {
    await this.consumer.close();
    await this.#reading;
  }

  async #read(): Promise<void> {
    for await (const { partition, offset } of this.consumer) this.records.push({ partition, offset });
  }
}

async function produce(topic: string, count: number): Promise<void> {
  await admin.fill(topic, count, (index) => ({ value: `${index}` }));
}

async function readers(topic: string): Promise<{ member: Reader; alone: Reader; patient: Reader }> {
  await admin.createTopic(topic, PARTITIONS);
  await produce(topic, COUNT_BEFORE);
  const short = { sessionTimeoutMs: 6000, requestTimeoutMs: 3000 };
  const all = {
    /** Its session ends during the outage, and so do its requests. */
    member: new Reader(topic, { groupId: `${topic}-short`, ...short }),
    /** Reads without a group. */
    alone: new Reader(topic, { requestTimeoutMs: 3000 }),
    /** With Kafka's defaults it may just wait. */
    patient: new Reader(topic, { groupId: `${topic}-defaults` }),
  };
  for (const each of Object.values(all)) await waitFor('all records', () => each.records.length === COUNT_BEFORE);
  await waitFor('automatic commits', async () => (await committed(all.member, topic)) === COUNT_BEFORE);
  await waitFor('automatic commits', async () => (await committed(all.patient, topic)) === COUNT_BEFORE);
  return all;
}

async function committed({ consumer }: Reader, topic: string): Promise<number> {
  const found = await consumer.committed(upTo(PARTITIONS).map((partition) => ({ topic, partition })));
  return found.reduce((sum, { offset }) => sum + (offset ?? 0), 0);
}

async function expectAllOnce(all: Record<string, Reader>, topic: string, count: number): Promise<void> {
  for (const [name, reader] of Object.entries(all)) {
    await waitFor(`${count} records for ${name}`, () => reader.distinct === count, BACK_MS);
    // All was committed before the outage: nothing of that is delivered again.
    const before = COUNT_BEFORE / PARTITIONS;
    for (const offsets of offsetsByPartition(reader.records).values()) {
      expect(offsets.slice(0, before), name).toEqual(upTo(before));
      const after = offsets.slice(before).map((offset) => offset - before);
      // Whose session had ended may get new records before it hears of that, and again when it is back (at least once).
      if (reader.events.includes('lost')) expect([...new Set(after)], name).toEqual(upTo(count / PARTITIONS - before));
      else expect(after, name).toEqual(upTo(count / PARTITIONS - before));
    }
  }
  for (const reader of [all['member'], all['patient']]) {
    if (reader === undefined) continue;
    await waitFor('all committed', async () => (await committed(reader, topic)) === count, BACK_MS);
  }
}

it('a broker that is frozen for 20 seconds: all go on by themselves, nothing lost, nothing twice', async () => {
  const topic = 'frozen';
  const all = await readers(topic);
  await broker.pause();
  await sleep(FROZEN_MS);
  await broker.resume();
  await produce(topic, 300);
  await expectAllOnce(all, topic, 900);
  expect(all.member.errors.length).toBeGreaterThan(0);
  for (const { errors } of Object.values(all)) expect(errors.filter(({ retriable }) => !retriable)).toEqual([]);
  await Promise.all(Object.values(all).map((each) => each.close()));
}, 120_000);

it('a broker that is killed with SIGKILL and started again: the same', async () => {
  const topic = 'killed';
  const all = await readers(topic);
  await broker.kill('SIGKILL');
  await sleep(2000);
  await broker.restart();
  await produce(topic, 300);
  await expectAllOnce(all, topic, 900);
  await Promise.all(Object.values(all).map((each) => each.close()));
}, 120_000);

it('close() while the broker is frozen ends by timeoutMs, and while it is gone', async () => {
  const topic = 'closing';
  await admin.createTopic(topic, PARTITIONS);
  await produce(topic, 30);
  const frozen = new Reader(topic, { groupId: `${topic}-one` });
  const gone = new Reader(topic, { groupId: `${topic}-two` });
  await waitFor('records', () => frozen.records.length === 30 && gone.records.length === 30);
  await broker.pause();
  const before = performance.now();
  await frozen.consumer.close({ timeoutMs: 2000 });
  expect(performance.now() - before).toBeLessThan(2500);
  await broker.kill('SIGKILL');
  const beforeSecond = performance.now();
  await gone.consumer.close({ timeoutMs: 2000 });
  expect(performance.now() - beforeSecond).toBeLessThan(2500);
  await broker.restart();
}, 120_000);
