import { EventEmitter } from 'node:events';
import { ConfigError } from '../errors.ts';
import type { StartAt, TopicPartition } from '../fetch/partition.ts';
import type { AutoOffsetReset } from '../fetch/reset-policy.ts';
import type { KafkaRecord } from '../protocol/record.ts';
import * as check from './arguments.ts';
import type { CloseResult } from './closing.ts';
import { targetsOf, type Consumed } from './commit-arguments.ts';
import type { ClaimHandler, RunOptions } from './claims.ts';
import type { CommitCallback } from './commits.ts';
import type { ForEachOptions, RecordHandler } from './for-each-options.ts';
import type {
  Assignment,
  Committed,
  ConsumerEvents,
  PartitionOffset,
  PartitionOffsetAtTime,
  SpecialTimestamp,
} from './events.ts';
import type { ConsumerMetrics, PartitionLag } from './metrics.ts';
import type { ConsumerOptions } from './options.ts';
import type { ListedTopic } from './port.ts';
import type { RebalanceListener } from './rebalances.ts';
import type { RecordBatch } from './record-batch.ts';
import { Session } from './session.ts';
import { streamOf } from './stream.ts';
import type { SubscriptionPattern } from './subscription-pattern.ts';
import type { Unfinished } from './unfinished.ts';
import { validateOptions } from './validate.ts';

const DEFAULT_POLL_MS = 500;
const DEFAULT_CLOSE_MS = 30_000;

/** A name, a pattern that this client matches, or one that the broker does. */
type SubscribedTopics = string | RegExp | SubscriptionPattern;

/**
 * A Kafka consumer. Delivery is at least once: a record counts as finished when the loop asks for the next one, and only
 * what is finished is committed; after a crash the rest is delivered again.
 *
 * ```ts
 * const consumer = new Consumer({ bootstrapServers: 'localhost:9092', groupId: 'billing', autoOffsetReset: 'earliest' });
 * consumer.subscribe(['orders']);
 * for await (const record of consumer) console.log(record.key?.toString(), record.json());
 * ```
 */
export class Consumer<K = Buffer | null, V = Buffer | null>
  extends EventEmitter<ConsumerEvents>
  implements AsyncIterable<KafkaRecord<K, V>>, AsyncDisposable
{
  readonly #session: Session<K, V>;

  /**
   * Opens no connection yet: `subscribe` and `assign` do.
   * @throws ConfigError that names the option and what it takes
   */
  constructor(options: ConsumerOptions<K, V>) {
    super();
    const settings = validateOptions(options);
    this.#session = new Session<K, V>(settings, options, {
      // The types of EventEmitter cannot follow a name that is itself a parameter.
      emit: (name, ...values) => (this as EventEmitter).emit(name, ...(values as unknown[])),
      hasListener: (name) => this.listenerCount(name) > 0,
    });
  }

  /**
   * Joins the group and reads its share of these topics; replaces the topics subscribed to before. Names, RegExps, and strings
   * that begin with `^` (regular expressions, as in librdkafka), mixed as you like: `subscribe(['orders', /^audit\./])`. A pattern
   * is looked for anywhere in the name unless it says otherwise, and stands for every topic that matches, new ones within
   * `metadataMaxAgeMs`; for internal ones only with `excludeInternalTopics: false`. With `groupProtocol: 'consumer'` a `SubscriptionPattern`
   * is matched by the broker.
   *
   * An empty array unsubscribes, as in Java.
   *
   * @throws ConfigError without a groupId, or when partitions were assigned by hand, or for a pattern that is none
   */
  subscribe(topics: SubscribedTopics | readonly SubscribedTopics[], listener: RebalanceListener = {}): void {
    if (Array.isArray(topics) && topics.length === 0) return this.unsubscribe();
    this.#session.subscribe(check.subscription(topics, 'subscribe()'), listener);
  }

  /** Leaves the group, or gives up the manual assignment. What is finished is committed as at a revocation. */
  unsubscribe(): void {
    this.#session.unsubscribe();
  }

  /** The topics subscribed to. Patterns are given as the topics that they stand for now; what a `SubscriptionPattern` does only the broker knows. */
  subscription(): string[] {
    return [...this.#session.topics];
  }

  /**
   * Reads these partitions, all of them and without a group: nobody else is told. Replaces what was
   * assigned before; what stays, and is given no offset, goes on where it is, paused or not. With a
   * groupId offsets can be committed, and reading begins at those. Begins when the group is left,
   * where `unsubscribe()` was called just before.
   *
   * @throws ConfigError after `subscribe`
   */
  assign(partitions: readonly Assignment[]): void {
    if (!Array.isArray(partitions)) throw new ConfigError('assign() takes an array of { topic, partition, offset? }');
    const hasGroup = this.#session.settings.groupId !== null;
    const list = (partitions as readonly Assignment[]).map((each) => {
      return {
        ...check.topicPartition(each, 'assign()'),
        hasOffset: each.offset !== undefined,
        startAt: startOf(each.offset, hasGroup, this.#session.settings.autoOffsetReset),
      };
    });
    this.#session.assign(list);
  }

  /** The partitions that are read now; in `onRevoked` and `onLost` also those that are being given back. */
  assignment(): TopicPartition[] {
    return this.#session.assigned.map(named);
  }

  /**
   * Record by record; ends after `close()`. The record in hand is finished when the loop asks for the next one. After `break`,
   * or an error in the loop, it is not finished: the next loop begins with it. One loop at a time.
   *
   * Do not put a stream around it: `Readable.from(consumer)` asks for records ahead of whoever reads the stream, so they count
   * as finished, and are committed, before anybody has handled them. `consumer.stream()` does not; or mark by
   * yourself, with `enableAutoOffsetStore: false` and `markConsumed(record)`.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<KafkaRecord<K, V>, undefined> {
    return this.#session.reading.records();
  }

  /**
   * The fast path: up to `maxPollRecords` records of one partition at a time; ends after `close()`. The batch in hand is finished
   * when the loop asks for the next one. After `break`, or an error in the loop, it comes again, whole: what is done of it
   * `commit(record)` or `markConsumed(record)` can tell before.
   */
  batches(): AsyncIterableIterator<RecordBatch<K, V>, undefined> {
    return this.#session.reading.batches(this.#session.settings.maxPollRecords);
  }

  /**
   * The records as a web `ReadableStream`, which reads nothing ahead: a record is finished when the reader takes the one after
   * it. `cancel()`, or leaving `for await` over the stream, gives the record in hand back. `pipeTo()` a sink takes the next when
   * `write()` of the last has ended. What stands between (`pipeThrough`, `tee`, `Readable.fromWeb`) takes records ahead of the
   * sink: there mark by yourself, with `enableAutoOffsetStore: false` and `markConsumed(record)`.
   */
  stream(): ReadableStream<KafkaRecord<K, V>> {
    return streamOf(this.#session.reading.records());
  }

  /**
   * Up to `maxPollRecords` records, a batch per partition; waits for the first one, and gives an empty array when
   * `timeoutMs` (default 500) have passed. What it gave is finished at the next `poll()`, or by `commit()`; `close()` does not
   * finish it.
   */
  async poll({ timeoutMs = DEFAULT_POLL_MS }: { timeoutMs?: number } = {}): Promise<RecordBatch<K, V>[]> {
    const waitMs = check.milliseconds(timeoutMs, 'poll({ timeoutMs })');
    return this.#session.reading.poll(this.#session.settings.maxPollRecords, waitMs);
  }

  /**
   * The next record, which is finished when the next one is asked for, or by `commit()`; `null` when none came within
   * `timeoutMs` (default: waits for ever), and after `close()` for whoever waits then. `close()` does not finish it: when the
   * work is done, `await consumer.commit()` before.
   *
   * @throws what `signal` was aborted with; nothing is lost by that
   */
  async read({ timeoutMs, signal }: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<KafkaRecord<
    K,
    V
  > | null> {
    const waitMs = timeoutMs === undefined ? Infinity : check.milliseconds(timeoutMs, 'read({ timeoutMs })');
    return this.#session.reading.read(waitMs, signal);
  }

  /**
   * Hands every record to `handler`, up to `concurrency` of them at the same time, and ends after `close()`. A record is finished
   * when its handler is; commits never pass unfinished work. What has failed for good is told as an `error` event at once,
   * stops its partition (or all: `stopOnError`), and is thrown when `forEach` ends. docs/commits.md has the rest.
   *
   * @throws ConfigError for options that cannot be
   * @throws HandlerError the first one, when nothing is left that goes on
   */
  async forEach(handler: RecordHandler<K, V>, options: ForEachOptions<K, V> = {}): Promise<void> {
    await this.#session.handlers.forEach(handler, options);
  }

  /**
   * A loop of its own for each partition that this consumer has, all at the same time: `setup(partitions)`, `consume(claim)` for each
   * partition, and when they are given back, once their loops have ended, `cleanup(partitions)`. Ends after `close()`. Manually
   * assigned partitions have to be assigned before. An error stops what it has come from as in `forEach`.
   *
   * @throws ConfigError; HandlerError the first one, when nothing is left that goes on
   */
  async run(handler: ClaimHandler<K, V>, options: RunOptions = {}): Promise<void> {
    await this.#session.handlers.run(handler, options);
  }

  /**
   * While `forEach` runs: the oldest unfinished record of each partition, which holds back its commit, and
   * its age. While `forEach` or `run` runs, partitions that an error has stopped are among them, with the error.
   */
  unfinished(): Unfinished[] {
    return this.#session.handlers.unfinished();
  }

  /**
   * Commits, and resolves when the broker has acknowledged it. Retriable errors are retried for `defaultApiTimeoutMs`; what
   * `commitAsync` has sent before is finished first. `docs/commits.md` has what comes of it where and when.
   *
   * Without an argument: all that is finished, and after `poll()` or `read()` also what that gave, as in Java. A record or a batch: that
   * one and all before it in its partition (beside running handlers: as far as nothing unfinished is passed), and never back
   * behind what is committed. Offsets: exactly those, each the next one to be consumed, also where that is back.
   *
   * @throws ConfigError without a groupId
   * @throws FencedError where the group has gone on without this consumer; KafkaError as the broker has it
   */
  async commit(what?: Consumed<K, V>): Promise<void> {
    await this.#session.commit(what === undefined ? undefined : targetsOf(what, 'commit()'));
  }

  /** The same as `commit`, by Java's name. */
  async commitSync(what?: Consumed<K, V>): Promise<void> {
    await this.commit(what);
  }

  /**
   * Commits without waiting, and without a second try: a later commit carries newer offsets anyway. `callback` gets the error or
   * `null`, and what was committed; callbacks and `committed` events come in the order of the calls. Without one an error goes
   * to the `error` event.
   *
   * @throws ConfigError, FencedError as `commit`, at once, for what needs no broker to be told
   */
  commitAsync(what?: Consumed<K, V> | CommitCallback, callback?: CommitCallback): void {
    const [target, then] = typeof what === 'function' ? [undefined, what] : [what, callback];
    this.#session.commitAsync(target === undefined ? undefined : targetsOf(target, 'commitAsync()'), then);
  }

  /**
   * With `enableAutoOffsetStore: false`: this record, or all of this batch, is done, in whatever order that comes; commits cover
   * what is done without a gap. Offsets: everything before each. Whatever is handed out must be marked sooner or later. With
   * the default it says the same a little earlier than asking for the next record would. What is no longer assigned is passed over.
   */
  markConsumed(what: Consumed<K, V>): void {
    this.#session.markConsumed(targetsOf(what, 'markConsumed()'));
  }

  /** What the group has committed of these. Bounded by `defaultApiTimeoutMs`. */
  async committed(partitions: readonly TopicPartition[]): Promise<Committed[]> {
    return this.#session.committed(check.topicPartitions(partitions, 'committed()'));
  }

  /**
   * All partitions of a topic. Bounded by `defaultApiTimeoutMs`.
   * @throws KafkaError UNKNOWN_TOPIC_OR_PARTITION where the broker does not know it
   */
  async partitionsFor(topic: string): Promise<TopicPartition[]> {
    return this.#session.lookups.partitionsFor(check.topicName(topic, 'partitionsFor()'));
  }

  /** All topics that there are and that may be seen, Kafka's own ones, too. Bounded by `defaultApiTimeoutMs`. */
  async listTopics(): Promise<ListedTopic[]> {
    return this.#session.lookups.listTopics();
  }

  /** The offset of the oldest record of each. Bounded by `defaultApiTimeoutMs`. */
  async beginningOffsets(partitions: readonly TopicPartition[]): Promise<PartitionOffset[]> {
    return this.#session.lookups.beginningOffsets(check.topicPartitions(partitions, 'beginningOffsets()'));
  }

  /** The offset behind the newest record of each. Bounded by `defaultApiTimeoutMs`. */
  async endOffsets(partitions: readonly TopicPartition[]): Promise<PartitionOffset[]> {
    return this.#session.lookups.endOffsets(check.topicPartitions(partitions, 'endOffsets()'));
  }

  /**
   * The first record of each that is not older than `timestamp` (milliseconds since 1970), or what a name stands for. Bounded by
   * `defaultApiTimeoutMs`.
   * @throws UnsupportedVersionError for a name that the broker is too old for
   */
  async offsetsForTimes(
    partitions: readonly (TopicPartition & { timestamp: number | SpecialTimestamp })[],
  ): Promise<PartitionOffsetAtTime[]> {
    return this.#session.lookups.offsetsForTimes(check.partitionsAtTime(partitions, 'offsetsForTimes()'));
  }

  /** The next offset to be handed out; looked up first, where it is not known. Bounded by `defaultApiTimeoutMs`. */
  async position(partition: TopicPartition): Promise<number> {
    return this.#session.position(check.topicPartition(partition, 'position()'));
  }

  /** Goes on there: `seek({ topic, partition }, 42)` or `seek({ topic, partition, offset: 42 })`. Acts at once. */
  seek(partition: TopicPartition & { offset?: number }, offset: number | undefined = partition.offset): void {
    this.#session.seek(check.topicPartition(partition, 'seek()'), check.offset(offset, 'seek()'));
  }

  /** Goes to the oldest record there is. */
  seekToBeginning(partitions: readonly TopicPartition[] = this.assignment()): void {
    for (const each of check.topicPartitions(partitions, 'seekToBeginning()')) this.#session.seek(each, 'earliest');
  }

  /** Goes behind the newest record. */
  seekToEnd(partitions: readonly TopicPartition[] = this.assignment()): void {
    for (const each of check.topicPartitions(partitions, 'seekToEnd()')) this.#session.seek(each, 'latest');
  }

  /** Hands out nothing of these until `resume`. What is buffered stays; the group membership is not touched. */
  pause(partitions: readonly TopicPartition[] = this.assignment()): void {
    this.#session.setPaused(check.topicPartitions(partitions, 'pause()'), true);
  }

  resume(partitions: readonly TopicPartition[] = this.paused()): void {
    this.#session.setPaused(check.topicPartitions(partitions, 'resume()'), false);
  }

  /** Those of `assignment()` that are paused. */
  paused(): TopicPartition[] {
    return this.#session.assigned.filter(({ isPaused }) => isPaused).map(named);
  }

  /**
   * How far behind each partition's end the application is, as of the last fetch: no request is made. By isolation level: up to the high
   * watermark, or to the last stable offset for `read_committed`.
   */
  lag(partitions: readonly TopicPartition[] = this.assignment()): PartitionLag[] {
    const asked = check.topicPartitions(partitions, 'lag()');
    const { metrics } = this.#session;
    const known = new Map(metrics.lags().map((each) => [`${each.topic}/${each.partition}`, each]));
    return asked.map(({ topic, partition }) => {
      const none = { topic, partition, position: null, endOffset: null, lag: null, error: metrics.failure };
      return known.get(`${topic}/${partition}`) ?? none;
    });
  }

  /** Counters and rates, by partition and by broker. Costs nothing until it is asked for. The `stats` event brings the same. */
  metrics(): ConsumerMetrics {
    return this.#session.metrics.take();
  }

  /** For producers of transactions (`sendOffsetsToTransaction`). Generation −1 and an empty member id while not in a group. */
  groupMetadata(): { groupId: string; memberId: string; generationId: number; groupInstanceId: string | null } {
    const { groupId, groupInstanceId } = this.#session.settings;
    const { memberId, generation } = this.#session.membership;
    return { groupId: groupId ?? '', memberId, generationId: generation, groupInstanceId };
  }

  /**
   * Waits until loops come for more and handlers end, commits what is finished, leaves the group and
   * closes all connections, by `timeoutMs` (default 30,000) at the latest. The last quarter of that, 5,000
   * at the most, is kept for the commit and the goodbye: what runs longer is given up. The result names
   * it, and a warning in the log. Inside a loop `break` first, and inside a handler do not await it. What
   * `poll()` and `read()` gave is not waited for: `await commit()` before, where it is handled. Without a
   * reachable coordinator the commit is given up after 6,000. Legal at any time, also twice: the shortest
   * time counts.
   */
  async close({ timeoutMs = DEFAULT_CLOSE_MS }: { timeoutMs?: number } = {}): Promise<CloseResult> {
    return this.#session.close(check.milliseconds(timeoutMs, 'close({ timeoutMs })'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function named({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}

function startOf(offset: unknown, hasGroup: boolean, reset: AutoOffsetReset): StartAt {
  if (offset === 'earliest' || offset === 'latest') return offset;
  if (offset !== undefined) return check.offset(offset, 'assign()');
  if (hasGroup) return 'committed';
  if (reset !== 'none') return 'reset';
  throw new ConfigError(
    "assign() needs an offset where there is neither a groupId nor an autoOffsetReset other than 'none'",
  );
}
