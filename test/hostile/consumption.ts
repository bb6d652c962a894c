import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer, type KafkaError } from '../../src/index.ts';
import { MockCluster } from '../../src/testing/index.ts';
import type { MetadataResponse } from '../../src/protocol/api/metadata.ts';
import { until } from '../harness/waiting.ts';
import { HostilePeer } from './peer.ts';
import type { Misdeed } from './misdeeds.ts';

export const RECORDS = 50;
/** Short, for it has to pass. */
export const REQUEST_TIMEOUT_MS = 250;
/** So long that on a busy machine, too, it is never what ends a request. */
const LONG_TIMEOUT_MS = 10_000;
const PATIENCE_MS = 20_000;
const TOPIC = 't';
const ON_GOOD = 0;
const ON_HOSTILE = 1;

export interface Outcome {
  /** What the application saw: `error` events, and what its reads threw. `NAME: message`, each once. */
  readonly told: string[];
  readonly thrown: string[];
  /** Until all records of the partition that the good broker leads were read. */
  readonly otherMs: number;
  /** Until the application had been told, too. */
  readonly toldMs: number;
  /** Connections that were made to the hostile broker in that time. */
  readonly connections: number;
  /** From the moment at which it behaved again until all of its records were read, too. */
  readonly healedMs: number;
  /** The most that was seen above the beginning. */
  readonly memory: Memory;
  /** Sockets and timers left after `close()`. */
  readonly left: string[];
}

export interface Memory {
  readonly rss: number;
  readonly external: number;
  readonly arrayBuffers: number;
}

/**
 * A group of one on two brokers, each of which leads a partition. The second one, also the first of the bootstrap list, is
 * hostile from the beginning; it behaves once all records of the other were read and some time has passed.
 *
 * @param spared APIs that it answers as it should
 */
export async function consumeBeside(
  misdeed: Misdeed,
  spared: readonly string[],
  requestTimeoutMs: number,
): Promise<Outcome> {
  const before = resources();
  const outcome = await withBrokers(misdeed, spared, requestTimeoutMs);
  return { ...outcome, left: await leftSince(before) };
}

async function withBrokers(
  misdeed: Misdeed,
  spared: readonly string[],
  requestTimeoutMs: number,
): Promise<Omit<Outcome, 'left'>> {
  await using kafka = await MockCluster.start({ brokers: 2, topics: { [TOPIC]: { partitions: 2 } } });
  kafka.moveLeader(TOPIC, ON_GOOD, 1);
  kafka.moveLeader(TOPIC, ON_HOSTILE, 2);
  kafka.moveCoordinator('g', 1);
  const values = Array.from({ length: RECORDS }, (_, index) => `value ${index}`);
  for (const partition of [ON_GOOD, ON_HOSTILE]) await kafka.append(TOPIC, partition, values, { batchRecords: 7 });
  const peer = await HostilePeer.before(kafka.broker(2).address);
  kafka.faults.add({
    api: 'Metadata',
    times: Infinity,
    answer: (response: MetadataResponse) => advertised(response, peer),
  });
  peer.misdeed = misdeed;
  peer.spared = spared;
  try {
    return await observed(kafka, peer, requestTimeoutMs);
  } finally {
    await peer.close();
  }
}

async function observed(
  kafka: MockCluster,
  peer: HostilePeer,
  requestTimeoutMs: number,
): Promise<Omit<Outcome, 'left'>> {
  const told = new Set<string>();
  const thrown = new Set<string>();
  const offsets: number[][] = [[], []];
  const memory = new MemoryWatch();
  const startedAt = performance.now();
  const consumer = new Consumer({
    bootstrapServers: [`${peer.host}:${peer.port}`, kafka.broker(1).address],
    groupId: 'g',
    autoOffsetReset: 'earliest',
    requestTimeoutMs,
    fetchMaxWaitMs: 50,
    heartbeatIntervalMs: 100,
    retryBackoffMs: 20,
    logger: null,
  });
  consumer.on('error', (error) => told.add(nameAndMessage(error)));
  consumer.subscribe([TOPIC]);
  let isOver = false;
  const reading = read(consumer, offsets, thrown, () => isOver);
  try {
    const all = (partition: number) => (): boolean => offsets[partition]?.length === RECORDS;
    await until(all(ON_GOOD), { what: 'records of the good broker', timeoutMs: PATIENCE_MS, intervalMs: 5 });
    const otherMs = performance.now() - startedAt;
    // Until the application has been told, where there is something to tell, and a few connections were tried.
    const isTold = (): boolean => peer.misdeed?.error === null || told.size + thrown.size > 0;
    const enough = (): boolean => isTold() && (peer.misdeeds >= 4 || performance.now() > startedAt + otherMs + 500);
    await until(enough, { what: 'error that is told', timeoutMs: PATIENCE_MS, intervalMs: 5 });
    const toldMs = performance.now() - startedAt;
    const { connections } = peer;
    peer.misdeed = null;
    const healedAt = performance.now();
    await until(all(ON_HOSTILE), { what: 'records of the other broker', timeoutMs: PATIENCE_MS, intervalMs: 5 });
    const healedMs = performance.now() - healedAt;
    await consumer.commit();
    const seen = { told: [...told], thrown: [...thrown], memory: memory.most() };
    return { ...seen, otherMs, toldMs, connections, healedMs };
  } finally {
    isOver = true;
    memory.end();
    await consumer.close({ timeoutMs: 2000 });
    await reading;
    for (const each of offsets) mustBeInOrder(each);
  }
}

/** An application that is told of an error goes on with what else there is, and tries the partition again. */
async function read(
  consumer: Consumer,
  offsets: number[][],
  thrown: Set<string>,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    try {
      for await (const { partition, offset } of consumer) offsets[partition]?.push(offset);
      return;
    } catch (error) {
      if (isOver()) return;
      thrown.add(nameAndMessage(error as KafkaError));
      await sleep(20);
      const failed = { topic: TOPIC, partition: ON_HOSTILE };
      if (consumer.assignment().some(({ partition }) => partition === ON_HOSTILE))
        consumer.seek(failed, offsets[ON_HOSTILE]?.length ?? 0);
    }
  }
}

function mustBeInOrder(offsets: readonly number[]): void {
  const wrong = offsets.findIndex((offset, index) => offset !== index);
  if (wrong >= 0) throw new Error(`offset ${offsets[wrong]} where ${wrong} was due`);
}

function advertised(response: MetadataResponse, { host, port }: HostilePeer): MetadataResponse {
  const brokers = response.brokers.map((broker) => (broker.nodeId === 2 ? { ...broker, host, port } : broker));
  return { ...response, brokers };
}

function nameAndMessage({ name, message }: Error): string {
  return `${name}: ${message}`;
}

/** Sampled, for what a buffer costs is over in a moment. */
export class MemoryWatch {
  readonly #before = process.memoryUsage();
  readonly #most = { rss: 0, external: 0, arrayBuffers: 0 };
  readonly #timer = setInterval(() => this.#sample(), 1);

  most(): Memory {
    this.#sample();
    return { ...this.#most };
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    const now = process.memoryUsage();
    for (const kind of ['rss', 'external', 'arrayBuffers'] as const)
      this.#most[kind] = Math.max(this.#most[kind], now[kind] - this.#before[kind]);
  }
}

export function resources(): string[] {
  return process.getActiveResourcesInfo();
}

/** For tests: what is found out without the deadline must not be taken for it where everything is slow. */
export function deadlineFor({ error }: Misdeed): number {
  return error?.source.startsWith('RequestTimeoutError') === true ? REQUEST_TIMEOUT_MS : LONG_TIMEOUT_MS;
}

/** What there is more than before; sockets that are being closed get a moment. */
export async function leftSince(before: readonly string[]): Promise<string[]> {
  let left: string[] = [];
  const isClean = (): boolean => {
    left = resources();
    for (const name of before) if (left.includes(name)) left.splice(left.indexOf(name), 1);
    return left.length === 0;
  };
  await until(isClean, { what: 'end of all sockets and timers', timeoutMs: 5000, intervalMs: 10 }).catch(
    () => undefined,
  );
  return left;
}
