import { Consumer, type TopicPartition } from '../../src/index.ts';

/** One member of the group, in a loop of its own. */
export class Member {
  readonly name: string;
  readonly consumer: Consumer;
  /** Records handled. */
  handled = 0;
  /** Of them, records that some member had handled before. */
  again = 0;
  hasJoined = false;
  readonly #seen: Map<number, number>;
  readonly #loop: Promise<void>;

  /** @param seen the highest offset handled of each partition, shared by all members */
  constructor(
    name: string,
    where: { bootstrapServers: string; topic: string; groupId: string },
    seen: Map<number, number>,
    say: (text: string) => void,
  ) {
    this.name = name;
    this.#seen = seen;
    const { bootstrapServers, topic, groupId } = where;
    this.consumer = new Consumer({
      bootstrapServers,
      groupId,
      autoOffsetReset: 'earliest',
      maxPollRecords: 2000,
      heartbeatIntervalMs: 300, // a member learns of a rebalance by its heartbeat: nobody wants to wait for that here
    });
    this.consumer.subscribe([topic], {
      onAssigned: (partitions) => {
        this.hasJoined = true;
        say(`${name} is given ${list(partitions)}`);
      },
      onRevoked: (partitions) => say(`${name} gives back ${list(partitions)}, what it finished is committed`),
    });
    this.#loop = this.#read();
  }

  /** Partition and next offset, of all that it has now. */
  async positions(): Promise<[partition: number, position: number][]> {
    const assigned = this.consumer.assignment();
    return Promise.all(assigned.map(async (each) => [each.partition, await this.consumer.position(each)]));
  }

  /** Ends the loop, commits what is finished, leaves the group. @throws what ended the loop before */
  async close(): Promise<void> {
    await this.consumer.close();
    await this.#loop;
  }

  async #read(): Promise<void> {
    for await (const batch of this.consumer.batches()) {
      let highest = this.#seen.get(batch.partition) ?? -1;
      for (const record of batch) {
        record.text(); // the work; not json(): somebody's own topic may hold anything
        this.handled++;
        if (record.offset <= highest) this.again++;
        else highest = record.offset;
      }
      this.#seen.set(batch.partition, highest);
    }
  }
}

function list(partitions: readonly TopicPartition[]): string {
  const numbers = partitions.map(({ partition }) => partition).sort((a, b) => a - b);
  return numbers.length === 0
    ? 'nothing'
    : `${numbers.length === 1 ? 'partition' : 'partitions'} ${numbers.join(', ')}`;
}
