import { EventEmitter } from 'node:events';
import { ConfigError, type KafkaError } from '../errors.ts';
import type { ErrorName } from '../protocol/error-codes.ts';
import { Appending, type AppendedRecord, type AppendOptions, type JsonlOptions } from './appending.ts';
import { addressOf } from './address.ts';
import { BrokerHandle } from './broker-handle.ts';
import { Cluster } from './cluster.ts';
import { Conditions, DEFAULT_TIMEOUT_MS } from './conditions.ts';
import type { Fault, FaultEffect, FaultMatch, Faults, RequestInfo } from './faults.ts';
import {
  committedBy,
  commitsOf,
  groupView,
  type CommittedPartition,
  type GroupView,
  type MemberView,
  type OffsetsByTopic,
} from './group-view.ts';
import { settingsOf, type MockClusterOptions, type NewTopicOptions } from './options.ts';
import { recordsOf, type StoredRecord } from './stored-records.ts';

export interface MockClusterEvents {
  /** Before it is handled. */
  request: [request: RequestInfo];
  /** A connection was closed because of what the client sent. */
  refused: [error: KafkaError];
  /** A commit was stored. */
  committed: [groupId: string];
}

type Match = Omit<FaultMatch, 'api'>;
type Apis = string | readonly string[];
type WaitOptions = { timeoutMs?: number };

/** A Kafka cluster in this process: real sockets on the loopback, logs in memory. See docs/testing.md. */
export class MockCluster extends EventEmitter<MockClusterEvents> {
  readonly #cluster: Cluster;
  readonly #appending: Appending;
  readonly #conditions = new Conditions();

  private constructor(options: MockClusterOptions) {
    super();
    this.#cluster = new Cluster(settingsOf(options), {
      request: (request) => this.emit('request', request),
      refused: (error) => this.emit('refused', error),
      failed: (error) => process.emitWarning(error instanceof Error ? error : String(error)),
      changed: () => this.#conditions.changed(),
      committed: (group) => {
        this.emit('committed', group);
        this.#conditions.changed();
      },
    });
    this.#appending = new Appending(this.#cluster);
  }

  /** @throws ConfigError for options that cannot be */
  static async start(options: MockClusterOptions = {}): Promise<MockCluster> {
    const mock = new MockCluster(options);
    for (const [name, topic] of Object.entries(options.topics ?? {})) mock.createTopic(name, topic);
    try {
      for (const broker of mock.#cluster.brokers) await broker.listen();
    } catch (error) {
      await mock.close();
      throw error;
    }
    return mock;
  }

  /** `host:port` of every broker, with commas between them; `[host]:port` for an IPv6 address. */
  get bootstrapServers(): string {
    return this.#cluster.brokers.map(addressOf).join(',');
  }

  get clusterId(): string {
    return this.#cluster.clusterId;
  }

  // Topics and what is in them

  get topics(): string[] {
    return this.#cluster.topics.all.map(({ name }) => name);
  }

  /** @param options partitions, or more about it. Default: one partition. */
  createTopic(name: string, options: number | NewTopicOptions = {}): void {
    if (this.#cluster.topics.byName(name) !== undefined) throw new ConfigError(`topic '${name}' exists already`);
    const { partitions = this.#cluster.defaultPartitions, ...rest } =
      typeof options === 'number' ? { partitions: options } : options;
    if (!Number.isInteger(partitions) || partitions < 1)
      throw new ConfigError(`${partitions} partitions: at least one`);
    this.#cluster.createTopic(name, partitions, rest);
  }

  /** Committed offsets of it go, too. One of the same name that is made later is another topic, with another id. */
  deleteTopic(name: string): void {
    this.#cluster.deleteTopic(this.#appending.topic(name));
  }

  /** @param total how many there are to be */
  createPartitions(name: string, total: number): void {
    const topic = this.#appending.topic(name);
    const before = topic.partitions.length;
    if (total <= before) throw new ConfigError(`'${name}' has ${before} partitions, and can only get more`);
    this.#cluster.createPartitions(topic, total);
  }

  /** Kafka's UUID, in its usual form. */
  topicId(name: string): string {
    return this.#appending.topic(name).id;
  }

  /**
   * Appends records, or values alone, to the partition's log. Large amounts give other work its turn now and then.
   * @returns the offset of the first one
   * @throws ConfigError for a topic or partition that does not exist
   */
  append(
    topic: string,
    partition: number,
    records: Iterable<AppendedRecord>,
    options: AppendOptions = {},
  ): Promise<number> {
    return this.#appending.append(topic, partition, records, options);
  }

  /**
   * Appends a batch byte for byte (see `encodeRecordBatch`), a corrupt one too, as long as its header can be read: only offset and leader epoch are
   * written in. Gives its first offset.
   */
  appendBatch(topic: string, partition: number, batch: Buffer): number {
    return this.#appending.appendBatch(this.#appending.partition(topic, partition), batch);
  }

  /** Decides a transaction that `append` with `transaction: 'open'` has left open. */
  endTransaction(
    topic: string,
    partition: number,
    outcome: 'commit' | 'abort',
    options: Pick<AppendOptions, 'producerId' | 'producerEpoch' | 'timestamp'> = {},
  ): void {
    this.#appending.endTransaction(this.#appending.partition(topic, partition), outcome, options);
  }

  /**
   * Appends a record for each line of a file, or of `{ text }`: an object with `value` and, where wanted, `key`, `headers`, `timestamp`,
   * `topic`, `partition`; what `samsa consume -f json` prints. Gives how many there were.
   */
  appendJsonl(source: string | URL | { readonly text: string }, options: JsonlOptions = {}): Promise<number> {
    return this.#appending.appendJsonl(source, options);
  }

  /** What a partition holds, decoded: to look at what a producer has sent. */
  records(topic: string, partition: number): StoredRecord[] {
    return recordsOf(this.#appending.partition(topic, partition).log.batches);
  }

  /** Of each partition the first offset that is still there. */
  startOffsets(topic: string): number[] {
    return this.#appending.topic(topic).partitions.map(({ log }) => log.startOffset);
  }

  /** Of each partition the offset after its last record. */
  endOffsets(topic: string): number[] {
    return this.#appending.topic(topic).partitions.map(({ log }) => log.endOffset);
  }

  /** Drops what is before `offset`, as retention does. */
  deleteRecords(topic: string, partition: number, offset: number): void {
    const found = this.#appending.partition(topic, partition);
    found.log.deleteBefore(offset);
    found.changed();
  }

  /** Keeps the last record of each key, in all batches but the newest, as the log cleaner does. */
  compact(topic: string, partition: number): void {
    this.#appending.partition(topic, partition).log.compact();
  }

  /** An unclean leader election: the new leader never had what is from `offset` on. @param leader default: another broker that is up */
  truncate(topic: string, partition: number, offset: number, { leader }: { leader?: number } = {}): void {
    const found = this.#appending.partition(topic, partition);
    const other = this.#cluster.liveBrokers.find(({ nodeId }) => nodeId !== found.leader)?.nodeId;
    found.log.truncate(offset);
    this.#cluster.moveLeader(found, leader ?? other ?? found.leader);
  }

  // Groups

  /** What a group has committed: `{ orders: { 0: 3 } }`. */
  committed(groupId: string): OffsetsByTopic {
    return committedBy(this.#cluster, groupId);
  }

  /** The same with leader epoch and metadata, sorted. */
  commits(groupId: string): CommittedPartition[] {
    return commitsOf(this.#cluster, groupId);
  }

  group(groupId: string): GroupView {
    return groupView(this.#cluster, groupId);
  }

  members(groupId: string): readonly MemberView[] {
    return this.group(groupId).members;
  }

  /**
   * Settles when a group has committed at least this much.
   * @param offsets one partition, or `{ orders: { 0: 3 } }`
   * @throws RequestTimeoutError after `timeoutMs` (default 4000) that says what was committed
   */
  untilCommitted(
    groupId: string,
    offsets: { topic: string; partition: number; offset: number } | OffsetsByTopic,
    { timeoutMs = DEFAULT_TIMEOUT_MS }: WaitOptions = {},
  ): Promise<void> {
    const wanted = isOne(offsets) ? { [offsets.topic]: { [offsets.partition]: offsets.offset } } : offsets;
    const missing = (): string | null => {
      const committed = this.committed(groupId);
      const isThere = Object.entries(wanted).every(([topic, partitions]) =>
        Object.entries(partitions).every(
          ([partition, offset]) => (committed[topic]?.[Number(partition)] ?? -1) >= offset,
        ),
      );
      return isThere ? null : `committed is ${JSON.stringify(committed)}`;
    };
    return this.#conditions.until(`untilCommitted('${groupId}', ${JSON.stringify(wanted)})`, missing, timeoutMs);
  }

  /** Settles when a group is stable with so many members (0: when it is empty). @throws RequestTimeoutError as below */
  untilStable(groupId: string, members: number, options: WaitOptions = {}): Promise<void> {
    const state = members === 0 ? 'Empty' : 'Stable';
    return this.untilGroup(groupId, (group) => group.state === state && group.members.length === members, options);
  }

  /** Settles when a group is as it should. @throws RequestTimeoutError after `timeoutMs` (default 4000) that says how it is */
  untilGroup(
    groupId: string,
    isRight: (group: GroupView) => boolean,
    { timeoutMs = DEFAULT_TIMEOUT_MS }: WaitOptions = {},
  ): Promise<void> {
    const missing = (): string | null => {
      const group = this.group(groupId);
      const { state, generation, members } = group;
      return isRight(group)
        ? null
        : `'${groupId}' is ${state} in generation ${generation} with ${members.length} members`;
    };
    return this.#conditions.until(`group '${groupId}'`, missing, timeoutMs);
  }

  // Brokers, leaders, coordinators

  /** @param nodeId from 1 on */
  broker(nodeId: number): BrokerHandle {
    return new BrokerHandle(this.#cluster, nodeId);
  }

  /** −1 for none. */
  leaderOf(topic: string, partition: number): number {
    return this.#appending.partition(topic, partition).leader;
  }

  /** With a new leader epoch; nothing is lost. */
  moveLeader(topic: string, partition: number, nodeId: number): void {
    this.#cluster.moveLeader(this.#appending.partition(topic, partition), nodeId);
  }

  /** −1 for none. */
  coordinatorOf(groupId: string): number {
    return this.#cluster.coordinatorOf(groupId)?.nodeId ?? -1;
  }

  /** The new coordinator knows what was in the log: committed offsets and the last complete generation. A rebalance under way is lost. */
  moveCoordinator(groupId: string, nodeId: number): void {
    this.#cluster.moveCoordinator(groupId, nodeId);
  }

  // Faults

  /** `faults.add({ api, errorCode, … })` does everything that the methods below do, and more at once. */
  get faults(): Pick<Faults, 'add' | 'clear'> {
    return this.#cluster.faults;
  }

  /** Answers with an error. Once, unless `times` says otherwise. */
  fail(api: Apis, options: Match & Pick<FaultEffect, 'on'> & { errorCode: ErrorName | number }): Fault {
    return this.faults.add({ api, ...options });
  }

  /** Answers so much later: every time, until it is removed or `times` are up. */
  delay(api: Apis, delayMs: number, match: Match = {}): Fault {
    return this.faults.add({ api, times: Infinity, ...match, delayMs });
  }

  /** Closes the connection instead of answering: once. With `on: 'arrival'` the request is not even handled. */
  drop(api: Apis, match: Match & Pick<FaultEffect, 'on'> = {}): Fault {
    return this.faults.add({ api, ...match, drop: true });
  }

  /** Sends so many bytes of the answer, then closes the connection: once. */
  cut(api: Apis, bytes: number, match: Match = {}): Fault {
    return this.faults.add({ api, ...match, cut: bytes });
  }

  /** Sends the answer twice: once. */
  duplicate(api: Apis, match: Match = {}): Fault {
    return this.faults.add({ api, ...match, duplicate: true });
  }

  /** Tells clients that they are throttled, and does it: every time, until it is removed or `times` are up. */
  throttle(api: Apis, throttleTimeMs: number, match: Match = {}): Fault {
    return this.faults.add({ api, times: Infinity, ...match, throttleTimeMs });
  }

  /** Closes every socket and timer. What still waits (`untilCommitted`, `untilHit`) is rejected. Legal twice. */
  async close(): Promise<void> {
    this.#conditions.close();
    await this.#cluster.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function isOne(
  offsets: { topic: string; partition: number; offset: number } | OffsetsByTopic,
): offsets is { topic: string; partition: number; offset: number } {
  return typeof offsets['topic'] === 'string';
}
