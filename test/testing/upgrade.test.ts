import { afterEach, expect, it } from 'vitest';
import { Consumer, type RebalanceEvent } from '../../src/index.ts';
import { MockCluster } from '../../src/testing/index.ts';
import { until } from '../harness/waiting.ts';

// A group under load goes from range to cooperative-sticky in two rounds of restarts, member by member (KIP-429).

const PARTITIONS = 6;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** What the whole group has read: every offset of a partition once, in order. */
class Log {
  readonly #next = new Map<number, number>();
  total = 0;

  add(partition: number, offset: number): void {
    expect(`${partition}: ${offset}`).toBe(`${partition}: ${this.#next.get(partition) ?? 0}`);
    this.#next.set(partition, offset + 1);
    this.total++;
  }
}

class Member {
  readonly consumer: Consumer;
  readonly rebalances: RebalanceEvent[] = [];
  /** Times of its records, by partition. */
  readonly arrivals = new Map<number, number[]>();
  readonly reading: Promise<void>;

  constructor(kafka: MockCluster, log: Log, partitionAssignmentStrategy: string[]) {
    this.consumer = new Consumer({
      bootstrapServers: kafka.bootstrapServers,
      groupId: 'g',
      autoOffsetReset: 'earliest',
      heartbeatIntervalMs: 20,
      fetchMaxWaitMs: 20,
      logger: null,
      partitionAssignmentStrategy,
    });
    cleanups.push(() => this.consumer.close({ timeoutMs: 0 }));
    this.consumer.on('rebalance', (rebalance) => this.rebalances.push(rebalance));
    this.consumer.subscribe('t');
    this.reading = this.#read(log);
  }

  get partitions(): number[] {
    return this.consumer.assignment().map(({ partition }) => partition);
  }

  async #read(log: Log): Promise<void> {
    for await (const { partition, offset } of this.consumer) {
      log.add(partition, offset);
      this.arrivals.set(partition, [...(this.arrivals.get(partition) ?? []), performance.now()]);
    }
  }
}

it('from range to cooperative-sticky in two rounds of restarts: no record lost, none twice; then only what moves stops', async () => {
  const kafka = await MockCluster.start({ topics: { t: PARTITIONS } });
  cleanups.push(() => kafka.close());
  const log = new Log();
  let appended = 0;
  const append = setInterval(() => {
    for (let partition = 0; partition < PARTITIONS; partition++)
      void kafka.append('t', partition, [String(appended++)]);
  }, 5);
  cleanups.push(() => clearInterval(append));

  const members: Member[] = [];
  const untilShared = (what: string): Promise<void> =>
    until(
      () => {
        const shares = members.map(({ partitions }) => partitions.length);
        return (
          shares.reduce((sum, share) => sum + share, 0) === PARTITIONS && Math.max(...shares) - Math.min(...shares) <= 1
        );
      },
      { what, timeoutMs: 10_000, intervalMs: 5 },
    );
  const add = async (strategy: string[], what: string): Promise<void> => {
    members.push(new Member(kafka, log, strategy));
    await untilShared(what);
  };
  for (let i = 0; i < 3; i++) await add(['range'], `range ${i}`);
  expect(kafka.group('g').assignor).toBe('range');
  for (const strategy of [['range', 'cooperative-sticky'], ['cooperative-sticky']]) {
    for (let i = 0; i < 3; i++) {
      const former = members.shift();
      await former?.consumer.close();
      await former?.reading;
      await add(strategy, `${strategy.join()} ${i}`);
    }
  }
  expect(kafka.group('g').assignor).toBe('cooperative-sticky');

  const before = members.map(({ partitions }) => partitions);
  for (const member of members) member.rebalances.length = 0;
  await add(['cooperative-sticky'], 'the fourth');
  await until(() => members.every(({ rebalances }) => rebalances.length > 0), {
    what: 'the end of the rebalance',
    timeoutMs: 10_000,
    intervalMs: 5,
  });
  const moved = members[3]?.partitions ?? [];
  expect(moved.length).toBe(1);
  for (const [i, member] of members.slice(0, 3).entries()) {
    const kept = before[i]?.filter((partition) => !moved.includes(partition)) ?? [];
    expect(member.partitions.sort()).toEqual(kept.sort());
    for (const { assigned, revoked, lost } of member.rebalances) {
      expect([assigned, lost]).toEqual([[], []]);
      expect(revoked.every(({ partition }) => moved.includes(partition))).toBe(true);
    }
  }
  clearInterval(append);
  await until(() => log.total === appended, {
    what: 'every record',
    timeoutMs: 10_000,
    intervalMs: 5,
  });
}, 60_000);
