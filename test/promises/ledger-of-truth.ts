import type { TopicPartition } from '../../src/index.ts';

export const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`;

interface Log {
  readonly partition: TopicPartition;
  end: number;
  readonly handled: boolean[];
  firstUnhandled: number;
}

/**
 * The outside world as one group sees it: which records there are, and which of them an application has finished, whoever it was. The library
 * is not asked.
 */
export class LedgerOfTruth {
  readonly #logs = new Map<string, Log>();

  grow(partition: TopicPartition, end: number): void {
    const log = this.#logs.get(nameOf(partition));
    if (log === undefined) this.#logs.set(nameOf(partition), { partition, end, handled: [], firstUnhandled: 0 });
    else log.end = end;
  }

  get partitions(): TopicPartition[] {
    return [...this.#logs.values()].map(({ partition }) => partition);
  }

  handle(partition: TopicPartition, offset: number): void {
    const log = this.#log(partition);
    log.handled[offset] = true;
    while (log.handled[log.firstUnhandled] === true) log.firstUnhandled++;
  }

  isHandled(partition: TopicPartition, offset: number): boolean {
    return this.#log(partition).handled[offset] === true;
  }

  firstUnhandled(partition: TopicPartition): number {
    return this.#log(partition).firstUnhandled;
  }

  end(partition: TopicPartition): number {
    return this.#log(partition).end;
  }

  /** Partitions with records that nobody has finished. */
  get unhandled(): string[] {
    return [...this.#logs.values()]
      .filter(({ end, firstUnhandled }) => firstUnhandled < end)
      .map(({ partition, end, firstUnhandled }) => `${nameOf(partition)} from ${firstUnhandled} of ${end}`);
  }

  #log(partition: TopicPartition): Log {
    const log = this.#logs.get(nameOf(partition));
    if (log === undefined) throw new Error(`${nameOf(partition)} was never made`);
    return log;
  }
}
