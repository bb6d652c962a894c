import { onTestFinished } from 'vitest';
import { MockCluster, type MockClusterOptions } from '../../src/testing/index.ts';

/** Values `0` to `count − 1`; value `v` is in partition `v % partitions`. */
export async function filledCluster(
  partitions: number,
  count: number,
  options: MockClusterOptions = {},
): Promise<MockCluster> {
  const kafka = await startCluster({ brokers: 3, topics: { t: partitions }, ...options });
  await addRecords(kafka, partitions, 0, count);
  return kafka;
}

export async function startCluster(options: MockClusterOptions): Promise<MockCluster> {
  const kafka = await MockCluster.start(options);
  onTestFinished(() => kafka.close());
  return kafka;
}

export async function addRecords(kafka: MockCluster, partitions: number, from: number, to: number): Promise<void> {
  for (let partition = 0; partition < partitions; partition++) {
    const values = upTo(to).filter((value) => value >= from && value % partitions === partition);
    await kafka.append(
      't',
      partition,
      values.map((value) => ({ key: `k${value}`, value: `${value}` })),
      { batchRecords: 7 },
    );
  }
}

export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** All values in the topic's partitions, sorted as numbers. */
export function valuesIn(kafka: MockCluster, topic: string): number[] {
  const partitions = kafka.endOffsets(topic).length;
  return numbers(upTo(partitions).flatMap((p) => kafka.records(topic, p).map(({ value }) => String(value))));
}

export function numbers(values: Iterable<string>): number[] {
  return [...values].map(Number).sort((a, b) => a - b);
}
