import type { Consumer, ConsumerOptions, TopicPartition } from '../../src/index.ts';
import { offsetsByPartition, type Rig, upTo } from './rig.ts';

/** A member of a group that reads all the time, whichever protocol it speaks; what it has may grow and shrink bit by bit. */
export class SteadyMember {
  readonly consumer: Consumer;
  /** `+t-0,t-1` assigned, `-…` revoked, `!…` lost. */
  readonly events: string[] = [];
  readonly records: { topic: string; partition: number; offset: number }[] = [];
  readonly log: string[] = [];
  /** What reading ended with. */
  failure: Error | null = null;
  readonly loop: Promise<void>;

  constructor(
    rig: Pick<Rig, 'consumer'>,
    topics: Parameters<Consumer['subscribe']>[0],
    options: Partial<ConsumerOptions>,
  ) {
    this.consumer = rig.consumer({ maxPollRecords: 20, ...options });
    const note = (sign: string) => (partitions: TopicPartition[]) => {
      this.events.push(`${sign}${partitions.map(nameOf).sort().join()}`);
    };
    this.consumer.on('error', () => undefined);
    this.consumer.on('log', ({ message }) => this.log.push(message));
    this.consumer.subscribe(topics, { onAssigned: note('+'), onRevoked: note('-'), onLost: note('!') });
    this.loop = this.#read();
  }

  /** `t-0`, sorted. */
  get partitions(): string[] {
    return this.consumer.assignment().map(nameOf).sort();
  }

  async close(): Promise<void> {
    await this.consumer.close();
    await this.loop;
  }

  async #read(): Promise<void> {
    try {
      for await (const { topic, partition, offset } of this.consumer) this.records.push({ topic, partition, offset });
    } catch (error) {
      this.failure = error as Error;
    }
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}

/** Which of the first `count` offsets of each partition are not there. */
export function missingIn(
  records: Iterable<{ partition: number; offset: number }>,
  partitions: number,
  count: number,
): string[] {
  const seen = offsetsByPartition(records);
  return upTo(partitions).flatMap((partition) => {
    const offsets = new Set(seen.get(partition));
    return upTo(count)
      .filter((offset) => !offsets.has(offset))
      .map((offset) => `${partition}@${offset}`);
  });
}

/** What came more than once. */
export function repeatedIn(records: readonly { partition: number; offset: number }[]): string[] {
  const seen = new Set<string>();
  return records.flatMap(({ partition, offset }) => {
    const name = `${partition}@${offset}`;
    if (seen.has(name)) return [name];
    seen.add(name);
    return [];
  });
}

/** Of lines such as `Partition:0\tOffset:12` and `0@12`. */
export function recordsIn(lines: readonly string[]): { partition: number; offset: number }[] {
  return lines.flatMap((line) => {
    const [, partition, offset] = /(\d+)(?:\tOffset:|@)(\d+)/.exec(line) ?? [];
    return partition === undefined ? [] : [{ partition: Number(partition), offset: Number(offset) }];
  });
}
