import { PartitionLog } from './partition-log.ts';
import type { Random } from './random.ts';

export const NO_LEADER = -1;
/** Of one topic: a forged number shall not cost memory. */
export const MAX_PARTITIONS = 100_000;

/** One partition: its log, and who leads it. */
export class Partition {
  readonly topic: Topic;
  readonly index: number;
  readonly log = new PartitionLog();
  /** Node id; −1 for none. */
  leader: number;
  leaderEpoch = 0;
  replicas: number[];
  /** Replicas in sync. */
  isr: number[];
  readonly #watchers = new Set<() => void>();

  constructor(topic: Topic, index: number, replicas: number[]) {
    this.topic = topic;
    this.index = index;
    this.leader = replicas[0] ?? NO_LEADER;
    this.replicas = replicas;
    this.isr = [...replicas];
    this.log.beginEpoch(0);
  }

  /** Makes `node` (−1: nobody) the leader, with a new epoch. */
  elect(node: number): void {
    this.leader = node;
    this.leaderEpoch++;
    if (node !== NO_LEADER) this.log.beginEpoch(this.leaderEpoch);
    this.changed();
  }

  /** Calls back whenever there may be something new to fetch, or another leader. Gives what ends it. */
  watch(callback: () => void): () => void {
    this.#watchers.add(callback);
    return () => void this.#watchers.delete(callback);
  }

  changed(): void {
    for (const callback of [...this.#watchers]) callback();
  }
}

export class Topic {
  readonly name: string;
  /** As Kafka prints it. */
  readonly id: string;
  readonly partitions: Partition[] = [];
  readonly configs: Readonly<Record<string, string>>;
  readonly isInternal: boolean;

  constructor(name: string, id: string, configs: Readonly<Record<string, string>>) {
    this.name = name;
    this.id = id;
    this.configs = configs;
    this.isInternal = name === '__consumer_offsets' || name === '__transaction_state';
  }
}

/** Every topic of the cluster. */
export class Topics {
  readonly #byName = new Map<string, Topic>();
  readonly #byId = new Map<string, Topic>();
  readonly #random: Random;
  /** Rises with every topic and partition that comes or goes. */
  version = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get all(): Topic[] {
    return [...this.#byName.values()];
  }

  byName(name: string): Topic | undefined {
    return this.#byName.get(name);
  }

  byId(id: string): Topic | undefined {
    return this.#byId.get(id);
  }

  /** @param replicas of each partition, the leader first */
  create(name: string, replicas: readonly number[][], configs: Readonly<Record<string, string>> = {}): Topic {
    const topic = new Topic(name, this.#random.kafkaUuid(), configs);
    this.#byName.set(name, topic);
    this.#byId.set(topic.id, topic);
    this.grow(topic, replicas);
    return topic;
  }

  grow(topic: Topic, replicas: readonly number[][]): void {
    for (const nodes of replicas) topic.partitions.push(new Partition(topic, topic.partitions.length, [...nodes]));
    this.version++;
  }

  delete(topic: Topic): void {
    this.#byName.delete(topic.name);
    this.#byId.delete(topic.id);
    this.version++;
    for (const partition of topic.partitions) partition.changed();
  }
}
