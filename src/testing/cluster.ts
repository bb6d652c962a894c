import { ConfigError, type KafkaError } from '../errors.ts';
import type { NodeEndpoint } from '../protocol/leader-hint.ts';
import type { SaslOptions } from './authentication.ts';
import { Broker } from './broker.ts';
import { Timers } from './clock.ts';
import { Faults, type RequestInfo } from './faults.ts';
import { GroupCoordinator } from './groups/coordinator.ts';
import type { AnyHandler } from './handler.ts';
import { HANDLERS } from './handlers/index.ts';
import type { ClusterSettings } from './options.ts';
import { Random } from './random.ts';
import { sealBatch } from './record-batch-writer.ts';
import { MAX_PARTITIONS, NO_LEADER, Topics, type Partition, type Topic } from './topics.ts';
import { versionRanges } from './versions.ts';

/** Who is told of what happens. */
export interface Observer {
  request?(request: RequestInfo): void;
  /** A connection was closed because of what a client sent. */
  refused?(error: KafkaError): void;
  /** Something in the mock cluster itself went wrong. */
  failed(error: unknown): void;
  committed(group: string): void;
  /** A group, or a topic, is not what it was. */
  changed(): void;
}

const LOG_APPEND_TIME_BIT = 0x08;

/** What all brokers of the mock cluster share. A real one has a controller and replication for that. */
export class Cluster {
  readonly handlers: ReadonlyMap<number, AnyHandler> = HANDLERS;
  readonly timers: Timers;
  readonly random: Random;
  readonly clusterId: string;
  readonly topics: Topics;
  readonly faults: Faults;
  readonly brokers: readonly Broker[];
  readonly coordinator: GroupCoordinator;
  readonly observer: Observer;
  readonly #settings: ClusterSettings;
  /** Node ids of coordinators that were moved. */
  readonly #coordinators = new Map<string, number>();
  #connections = 0;

  constructor(settings: ClusterSettings, observer: Observer) {
    this.#settings = settings;
    this.observer = observer;
    this.timers = new Timers(settings.clock);
    this.random = new Random(settings.seed);
    this.clusterId = this.random.kafkaUuid();
    this.topics = new Topics(this.random);
    this.faults = new Faults(new Random(settings.seed + 1));
    const versions = versionRanges(HANDLERS.values(), settings.versions);
    this.brokers = settings.brokers.map(
      ({ nodeId, rack, port }) => new Broker(this, { nodeId, host: settings.host, port, rack, versions }),
    );
    const { maxSize, minSessionTimeoutMs, maxSessionTimeoutMs, initialRebalanceDelayMs } = settings.groups;
    const newMemberId = (prefix: string): string => `${prefix}-${this.random.uuid()}`;
    const describe = ({ name, id, partitions }: Topic) => ({ name, id, partitions: partitions.length });
    const consumer = {
      ...settings.groups.consumer,
      maxSize,
      newMemberId: () => this.random.kafkaUuid(),
      topics: () => this.topics.all.map(describe),
    };
    this.coordinator = new GroupCoordinator(
      {
        classic: { initialRebalanceDelayMs, maxSize, newMemberId },
        consumer,
        minSessionTimeoutMs,
        maxSessionTimeoutMs,
      },
      this.timers,
      () => observer.changed(),
    );
  }

  get sasl(): SaslOptions | null {
    return this.#settings.sasl;
  }

  get autoCreateTopics(): boolean {
    return this.#settings.autoCreateTopics;
  }

  get defaultPartitions(): number {
    return this.#settings.defaultPartitions;
  }

  get defaultReplicationFactor(): number {
    return this.#settings.replicationFactor;
  }

  get liveBrokers(): Broker[] {
    return this.brokers.filter(({ isUp }) => isUp);
  }

  /** The first that is up. */
  get controllerId(): number {
    return this.liveBrokers[0]?.nodeId ?? -1;
  }

  nextConnection(): number {
    return ++this.#connections;
  }

  isUp(nodeId: number): boolean {
    return this.brokers.some((broker) => broker.nodeId === nodeId && broker.isUp);
  }

  /** @throws ConfigError for a node id that is none */
  broker(nodeId: number): Broker {
    const found = this.brokers.find((broker) => broker.nodeId === nodeId);
    if (found !== undefined) return found;
    throw new ConfigError(`broker ${nodeId}: there are ${this.brokers.map((broker) => broker.nodeId).join(', ')}`);
  }

  endpointsOf(nodeIds: ReadonlySet<number>): NodeEndpoint[] {
    return this.liveBrokers
      .filter(({ nodeId }) => nodeIds.has(nodeId))
      .map(({ nodeId, host, port, rack }) => ({ nodeId, host, port, rack }));
  }

  createTopic(
    name: string,
    partitions: number,
    options: { replicationFactor?: number; configs?: Readonly<Record<string, string>> } = {},
  ): Topic {
    const { replicationFactor = this.defaultReplicationFactor, configs = {} } = options;
    return this.topics.create(name, this.#place(0, partitions, replicationFactor), configs);
  }

  deleteTopic(topic: Topic): void {
    this.topics.delete(topic);
    for (const { offsets } of this.coordinator.all) offsets.forget(topic.name);
  }

  createPartitions(topic: Topic, partitions: number): void {
    const replicationFactor = topic.partitions[0]?.replicas.length ?? this.defaultReplicationFactor;
    this.topics.grow(topic, this.#place(topic.partitions.length, partitions, replicationFactor));
  }

  /** Replicas of the partitions from `from` to below `to`: round robin over the brokers, as a cluster without racks does. */
  #place(from: number, to: number, replicationFactor: number): number[][] {
    if (to > MAX_PARTITIONS) throw new ConfigError(`${to} partitions: the mock cluster takes up to ${MAX_PARTITIONS}`);
    const nodes = this.brokers.map(({ nodeId }) => nodeId);
    const pick = (partition: number, replica: number): number =>
      nodes[(partition + replica) % nodes.length] ?? NO_LEADER;
    return Array.from({ length: to - from }, (_, index) =>
      Array.from({ length: replicationFactor }, (_unused, replica) => pick(from + index, replica)),
    );
  }

  /** The broker that coordinates a group, unless it is down. */
  coordinatorOf(group: string): Broker | null {
    const live = this.liveBrokers;
    const moved = this.#coordinators.get(group);
    if (moved !== undefined) return live.find(({ nodeId }) => nodeId === moved) ?? live[0] ?? null;
    // By the hash of its id among all, as Kafka's is by the partition of __consumer_offsets; if that is down, the next one.
    const start = hashOf(group) % this.brokers.length;
    for (let step = 0; step < this.brokers.length; step++) {
      const broker = this.brokers[(start + step) % this.brokers.length];
      if (broker?.isUp === true) return broker;
    }
    return null;
  }

  moveCoordinator(group: string, nodeId: number): void {
    this.broker(nodeId);
    const known = this.coordinator.find(group);
    this.#coordinators.set(group, nodeId);
    if (known !== undefined) this.coordinator.move(known);
  }

  /** A broker goes down; its partitions are led by others in sync from now on, unless the controller has not noticed. */
  async stopBroker(broker: Broker, hasFailover: boolean): Promise<void> {
    if (!broker.isUp) return;
    const groups = this.coordinator.all.filter(({ id }) => this.coordinatorOf(id) === broker);
    const stopped = broker.stop();
    for (const group of groups) this.coordinator.move(group);
    for (const partition of hasFailover ? this.#partitions() : []) this.#leave(partition, broker.nodeId);
    await stopped;
  }

  async startBroker(broker: Broker): Promise<void> {
    if (broker.isUp) return;
    const before = new Map(this.coordinator.all.map((group) => [group, this.coordinatorOf(group.id)]));
    await broker.listen();
    for (const [group, coordinator] of before)
      if (this.coordinatorOf(group.id) !== coordinator) this.coordinator.move(group);
    for (const partition of this.#partitions()) {
      if (!partition.replicas.includes(broker.nodeId)) continue;
      if (partition.leader !== NO_LEADER) partition.isr = [...new Set([...partition.isr, broker.nodeId])];
      else if (partition.isr.includes(broker.nodeId)) {
        // Only who was in sync at last may lead; the others catch up.
        partition.isr = partition.replicas.filter((node) => this.isUp(node));
        partition.elect(broker.nodeId);
      }
    }
  }

  /** Makes a broker the leader; it becomes a replica, in the place of the leader that was, if it is none. */
  moveLeader(partition: Partition, nodeId: number): void {
    this.broker(nodeId);
    const { replicas, leader } = partition;
    if (!replicas.includes(nodeId)) {
      partition.replicas = replicas.map((node) => (node === leader ? nodeId : node));
      partition.isr = partition.isr.map((node) => (node === leader ? nodeId : node));
    }
    if (!partition.replicas.includes(nodeId)) partition.replicas = [nodeId, ...partition.replicas.slice(1)];
    if (!partition.isr.includes(nodeId)) partition.isr.push(nodeId);
    partition.elect(nodeId);
  }

  /** The replica in a client's own rack, where the brokers are told to look for it (KIP-392); −1: the leader itself. */
  preferredReplica(partition: Partition, asked: Broker, rackId: string): number {
    if (!this.#settings.rackAwareFetch || rackId === '' || asked.nodeId !== partition.leader || asked.rack === rackId)
      return -1;
    return this.liveBrokers.find(({ nodeId, rack }) => rack === rackId && partition.isr.includes(nodeId))?.nodeId ?? -1;
  }

  /** Writes the broker's time into a batch of a topic with `message.timestamp.type=LogAppendTime`; whether it is one. */
  stampAppendTime(partition: Partition, batch: Buffer, now: number): boolean {
    if (partition.topic.configs['message.timestamp.type'] !== 'LogAppendTime') return false;
    batch.writeInt16BE(batch.readInt16BE(21) | LOG_APPEND_TIME_BIT, 21);
    batch.writeBigInt64BE(BigInt(now), 35);
    sealBatch(batch);
    return true;
  }

  async close(): Promise<void> {
    this.faults.close();
    this.timers.close();
    await Promise.all(this.brokers.map((broker) => broker.stop()));
  }

  #partitions(): Partition[] {
    return this.topics.all.flatMap(({ partitions }) => partitions);
  }

  #leave(partition: Partition, nodeId: number): void {
    const others = partition.isr.filter((node) => node !== nodeId);
    // The last one in sync stays in the list: nobody else may lead before it is back.
    if (others.length > 0) partition.isr = others;
    if (partition.leader !== nodeId) return;
    partition.elect(others.find((node) => this.isUp(node)) ?? NO_LEADER);
  }
}

/** FNV-1a: spreads group ids, the same in every run. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
