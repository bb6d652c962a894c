/** Consumers and scripted brokers that are closed after each test. */
import { afterEach } from 'vitest';
import { Consumer, type ConsumerOptions } from '../../src/index.ts';
import { until } from '../harness/waiting.ts';
import { startScriptedKafka, type ScriptedKafka } from './scripted-kafka.ts';

export const T0 = { topic: 't', partition: 0 };

export const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export async function start(...counts: number[]): Promise<ScriptedKafka> {
  const kafka = await startScriptedKafka(...counts);
  cleanups.push(() => kafka.broker.stop());
  return kafka;
}

export interface TestOptions extends Partial<ConsumerOptions> {
  /** Without a group. */
  isAlone?: boolean;
}

export function consumerOf(kafka: ScriptedKafka | number, { isAlone = false, ...options }: TestOptions = {}): Consumer {
  const port = typeof kafka === 'number' ? kafka : kafka.broker.port;
  const consumer = new Consumer({
    bootstrapServers: `127.0.0.1:${port}`,
    ...(isAlone ? {} : { groupId: 'g' }),
    autoOffsetReset: 'earliest',
    heartbeatIntervalMs: 30,
    fetchMaxWaitMs: 50,
    logger: null,
    ...options,
  });
  cleanups.push(() => consumer.close({ timeoutMs: 0 }));
  return consumer;
}

export async function soon(condition: () => boolean, what: string): Promise<void> {
  await until(condition, { what, timeoutMs: 15_000, intervalMs: 5 });
}

/** How long it takes. */
export async function timed(work: Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work;
  return performance.now() - begin;
}

export async function take(consumer: Consumer, count: number): Promise<number[]> {
  const offsets: number[] = [];
  for await (const record of consumer) {
    offsets.push(record.offset);
    if (offsets.length === count) break;
  }
  return offsets;
}
