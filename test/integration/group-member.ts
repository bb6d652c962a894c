import type { Consumer, ConsumerOptions, KafkaRecord, RebalanceListener, TopicPartition } from '../../src/index.ts';
import type { Rig } from './rig.ts';

/** Records of one assignment. */
export interface Turn {
  partitions: number[];
  records: { partition: number; offset: number }[];
  /** How it ended; null while it lasts. */
  end: 'revoked' | 'lost' | null;
}

/** A consumer in a group that reads all the time, and keeps what it was given, assignment by assignment. */
export class GroupMember {
  readonly consumer: Consumer;
  readonly turns: Turn[] = [];
  /** `+0,1` assigned, `-0,1` revoked, `!0,1` lost. */
  readonly events: string[] = [];
  readonly errors: Error[] = [];
  readonly #reading: Promise<void>;

  constructor(rig: Rig, topics: string[], options: Partial<ConsumerOptions>, how: HowToRead = {}) {
    this.consumer = rig.consumer({ sessionTimeoutMs: rig.sessionTimeoutMs, maxPollRecords: 20, ...options });
    const on = (sign: string, partitions: TopicPartition[]): number[] => {
      const numbers = partitions.map(({ partition }) => partition).sort((a, b) => a - b);
      this.events.push(`${sign}${numbers.join(',')}`);
      return numbers;
    };
    this.consumer.on('error', (error) => this.errors.push(error));
    this.consumer.subscribe(topics, {
      onAssigned: async (partitions) => {
        this.turns.push({ partitions: on('+', partitions), records: [], end: null });
        await how.onAssigned?.(partitions);
      },
      onRevoked: async (partitions) => {
        on('-', partitions);
        this.#end('revoked');
        await how.onRevoked?.(partitions);
      },
      onLost: async (partitions) => {
        on('!', partitions);
        this.#end('lost');
        await how.onLost?.(partitions);
      },
    });
    this.#reading = this.#read(how.onRecord);
  }

  get records(): { partition: number; offset: number }[] {
    return this.turns.flatMap(({ records }) => records);
  }

  /** The partitions that it has now. */
  get partitions(): number[] {
    const last = this.turns.at(-1);
    return last?.end === null ? last.partitions : [];
  }

  /** In order; throws what reading threw. */
  async close(): Promise<void> {
    await this.consumer.close();
    await this.#reading;
  }

  async #read(onRecord: HowToRead['onRecord']): Promise<void> {
    for await (const record of this.consumer) {
      const { partition, offset } = record;
      this.turns.at(-1)?.records.push({ partition, offset });
      await onRecord?.(record, this);
    }
  }

  #end(how: 'revoked' | 'lost'): void {
    const last = this.turns.at(-1);
    if (last !== undefined) last.end = how;
  }
}

export interface HowToRead extends RebalanceListener {
  onRecord?: (record: KafkaRecord, member: GroupMember) => unknown;
}
