import { CLIENT_ERROR_CODES, ConfigError, KafkaError } from '../errors.ts';
import type { PositionEvent, StartAt, TopicPartition } from '../fetch/partition.ts';
import { codecTable } from '../protocol/compression/codecs.ts';
import { closedError } from './closed-error.ts';
import type { Target } from './commit-arguments.ts';
import { Commits, type CommitCallback } from './commits.ts';
import { Delivery } from './delivery.ts';
import { Engine } from './engine.ts';
import type { Committed } from './events.ts';
import { Frames } from './frames.ts';
import { stderrLogger } from './logger.ts';
import { Handlers } from './handlers.ts';
import { Lookups } from './lookups.ts';
import type { ConsumerOptions } from './options.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import { NO_MEMBERSHIP, type EngineEvent, type EnginePort } from './port.ts';
import { PositionWaits } from './position-waits.ts';
import { Reading } from './reading.ts';
import { Metrics } from './metrics.ts';
import { Rebalances, type RebalanceListener } from './rebalances.ts';
import { Reporting, type Listeners } from './reporting.ts';
import type { Subscription } from './arguments.ts';
import type { Settings } from './validate.ts';

/** The end of the time for `close()` that is kept for the commit and the goodbye, whatever the application holds. */
const CLOSE_RESERVE_MS = 5000;
/** A handler may well take so long; a loop that waits for its own `close()` would never come back. */
const CLOSE_WARNING_MS = 1000;
/** What an aborted signal allows, as `close()` does by default. */
const ABORT_CLOSE_MS = 30_000;

/** What `Consumer` is made of, on the application's side of the port: delivery, reading, rebalances, commits. */
export class Session<K, V> {
  readonly settings: Settings;
  readonly delivery: Delivery<K, V>;
  readonly reading: Reading<K, V>;
  readonly handlers: Handlers<K, V>;
  readonly metrics: Metrics<K, V>;
  readonly #lookups: Lookups;
  topics: readonly string[] = [];
  membership = NO_MEMBERSHIP;
  readonly #engine: EnginePort;
  readonly #reporting: Reporting;
  readonly #rebalances: Rebalances<K, V>;
  readonly #commits: Commits<K, V>;
  #mode: 'none' | 'subscribed' | 'assigned' = 'none';
  /** What `assign` was given last. */
  #manual: readonly TopicPartition[] = [];
  #listener: RebalanceListener = {};
  #failure: KafkaError | null = null;
  #isExpelled = false;
  #closing: Promise<void> | null = null;
  #isClosed = false;
  #resolveClosed: () => void = () => undefined;
  #wakeOnHandChange: () => void = () => undefined;
  #unfollowSignal: () => void = () => undefined;
  readonly #positions = new PositionWaits<K, V>();

  constructor(settings: Settings, options: ConsumerOptions<K, V>, listeners: Listeners) {
    this.settings = settings;
    this.#reporting = new Reporting(listeners, options.logger === undefined ? stderrLogger : options.logger);
    this.#engine = new Engine(settings, (event) => this.#onEvent(event));
    this.delivery = new Delivery<K, V>(
      {
        checkCrcs: settings.checkCrcs,
        maxDecompressedBytes: settings.maxDecompressedBytes,
        codecs: options.codecs === undefined ? undefined : codecTable(options.codecs),
        deserializers: { key: options.keyDeserializer, value: options.valueDeserializer },
        frames: new Frames(settings.fetchMaxBytes),
        release: (partition, bytes) => this.#engine.send({ type: 'release', ...partition, bytes }),
      },
      settings.maxPollRecords,
      () => this.reading.wake(),
    );
    this.reading = new Reading<K, V>(this.delivery, {
      onHandChanged: () => this.#handChanged(),
      onWaiting: () => this.#onWaiting(),
    });
    this.metrics = new Metrics(this.delivery, this.#engine, settings, () => this.membership);
    this.#lookups = new Lookups(this.#engine, settings.defaultApiTimeoutMs);
    this.delivery.setTracking(!settings.enableAutoOffsetStore);
    const isSubscribed = (): boolean => this.#mode === 'subscribed';
    this.#commits = new Commits<K, V>(settings, this.delivery, this.#engine, this.#reporting, isSubscribed);
    this.#rebalances = new Rebalances<K, V>(this.delivery, this.#engine, {
      listener: () => this.handlers.listening(this.#listener),
      commitBeforeRevocation: (partitions) => this.#commitFinished(partitions),
      listenerTimeoutMs: settings.maxPollIntervalMs,
      emit: (name, partitions) => this.#reporting.tell(name, partitions),
      onRebalanced: (rebalance) => {
        this.metrics.rebalanced(rebalance);
        this.#reporting.rebalanced(rebalance);
      },
      onListenerError: (text, cause) =>
        this.#reporting.error(new KafkaError(text, { code: CLIENT_ERROR_CODES.STATE, name: 'ListenerError', cause })),
    });
    const handling = {
      delivery: this.delivery,
      reading: this.reading,
      reporting: this.#reporting,
      isStoring: settings.enableAutoOffsetStore,
      isClosing: () => this.#closing !== null,
      handChanged: () => this.#handChanged(),
      seek: (delivery: PartitionDelivery<K, V>, offset: number) => this.#rebalances.seek(delivery, offset),
    };
    this.handlers = new Handlers<K, V>(handling, settings.maxPollRecords);
    this.#followSignal(options.signal);
  }

  #handChanged(): void {
    this.#rebalances.handChanged();
    this.#wakeOnHandChange();
  }

  subscribe(wanted: Subscription, listener: RebalanceListener): void {
    this.#mustGoOn();
    if (this.settings.groupId === null)
      throw new ConfigError('subscribe() needs a groupId; to read without a group, use assign()');
    if (this.#mode === 'assigned') throw new ConfigError('subscribe() after assign(): call unsubscribe() first');
    this.#mode = 'subscribed';
    if (wanted.brokerPattern !== null && this.settings.groupProtocol === 'classic')
      throw new ConfigError("subscribe(SubscriptionPattern) needs groupProtocol 'consumer'; a RegExp works in both");
    this.topics = wanted.topics;
    this.#listener = listener;
    this.#engine.send({ type: 'subscribe', ...wanted });
  }

  assign(partitions: readonly (TopicPartition & { startAt: StartAt })[]): void {
    this.#mustGoOn();
    if (this.#mode === 'subscribed') throw new ConfigError('assign() after subscribe(): call unsubscribe() first');
    if (this.#mode === 'assigned') this.#dropManualAssignment();
    this.#mode = partitions.length > 0 ? 'assigned' : 'none';
    this.#manual = partitions;
    this.#rebalances.whenSettled(() => {
      if (this.#manual !== partitions || this.#closing !== null) return; // changed while the group was being left
      this.#engine.send({ type: 'assign', partitions });
      this.#rebalances.assignManually(partitions);
    });
  }

  unsubscribe(): void {
    this.#mustGoOn();
    if (this.#mode === 'assigned') this.#dropManualAssignment();
    if (this.#mode !== 'none') this.#engine.send({ type: 'unsubscribe' });
    this.#rebalances.whenSettled(() => {
      if (this.#mode !== 'subscribed') this.membership = NO_MEMBERSHIP;
    });
    this.#mode = 'none';
    this.topics = [];
  }

  /** Also while closing: a listener of the last revocation may commit. */
  async commit(targets: readonly Target[] | undefined): Promise<void> {
    await this.#mayCommit(targets).commit(targets);
  }

  commitAsync(targets: readonly Target[] | undefined, callback: CommitCallback | undefined): void {
    this.#mayCommit(targets).commitAsync(targets, callback);
  }

  markConsumed(targets: readonly Target[]): void {
    this.#commits.markConsumed(targets);
    this.reading.wake(); // `forEach` may have waited for that
  }

  #mayCommit(targets: readonly Target[] | undefined): Commits<K, V> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#isClosed) throw closedError();
    if (targets === undefined) this.reading.finishPolled();
    return this.#commits;
  }

  async committed(partitions: readonly TopicPartition[]): Promise<Committed[]> {
    this.#mustGoOn();
    return this.#commits.committed(partitions);
  }

  /** What can be asked at any time, assigned or not. */
  get lookups(): Lookups {
    this.#mustGoOn();
    return this.#lookups;
  }

  async position(partition: TopicPartition): Promise<number> {
    const find = (): PartitionDelivery<K, V> => {
      this.#mustGoOn();
      return this.#assigned(partition, 'position()');
    };
    return this.#positions.until(find, this.settings.defaultApiTimeoutMs);
  }

  seek(partition: TopicPartition, startAt: StartAt): void {
    this.#mustGoOn();
    this.#rebalances.seek(this.#assigned(partition, 'seek()'), startAt);
  }

  setPaused(partitions: readonly TopicPartition[], paused: boolean): void {
    this.#mustGoOn();
    const where = paused ? 'pause()' : 'resume()';
    for (const delivery of partitions.map((each) => this.#assigned(each, where))) {
      if (paused) this.delivery.pause(delivery);
      else this.delivery.resume(delivery);
    }
    this.#engine.send({ type: paused ? 'pause' : 'resume', partitions });
  }

  close(timeoutMs: number): Promise<void> {
    this.#closing ??= this.#close(performance.now() + timeoutMs);
    return this.#closing;
  }

  /** Semantics §8: let handlers end, commit, tell the listener, leave, close the sockets. */
  async #close(deadline: number): Promise<void> {
    this.#unfollowSignal();
    this.reading.end();
    await this.#untilHandIsEmpty(deadline);
    // Whatever is still in hand stays unfinished: the commit of the rest and the goodbye must not wait for it.
    this.reading.abandon();
    this.delivery.abandonWork();
    // A group's partitions are committed when they are revoked, which `close` brings about.
    if (this.#failure === null) await this.#commits.beforeClose(deadline - CLOSE_RESERVE_MS);
    await this.#commitFinished(this.#mode === 'subscribed' ? [] : [...this.delivery.partitions], deadline);
    const closed = new Promise<void>((resolve) => (this.#resolveClosed = resolve));
    this.#engine.send({ type: 'close', timeoutMs: Math.max(0, deadline - performance.now()) });
    await closed;
    this.#isClosed = true;
    this.#rebalances.close();
    this.#commits.failAll(closedError());
    this.#lookups.failAll(closedError());
    this.delivery.remove([...this.delivery.partitions]);
    this.#positions.wake();
  }

  /** A loop comes back when its handler is done. After `poll()` nobody can tell whether the application still works on it. */
  async #untilHandIsEmpty(deadline: number): Promise<void> {
    const waitMs = Math.max(0, deadline - performance.now() - CLOSE_RESERVE_MS);
    if (!this.delivery.hasInHand || this.reading.isPollInHand || waitMs === 0) return;
    const text = 'close() waits for the loop to finish what it holds; inside a loop, break before you close';
    const warning = setTimeout(() => this.#reporting.log('warn', text), Math.min(CLOSE_WARNING_MS, waitMs));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#wakeOnHandChange = () => {
        if (this.delivery.hasInHand) return;
        clearTimeout(timer);
        resolve();
      };
    });
    clearTimeout(warning);
  }

  #onEvent(event: EngineEvent): void {
    switch (event.type) {
      case 'subscription':
        this.topics = event.topics;
        return;
      case 'records': {
        const { topic, partition, epoch, bytes } = event;
        const delivery = this.#current(event);
        if (delivery !== undefined) this.delivery.add(delivery, event);
        else this.#engine.send({ type: 'release', topic, partition, epoch, bytes: bytes.length });
        return;
      }
      case 'positioned':
        this.#positioned(event);
        return;
      case 'partitionFailed': {
        const delivery = this.#current(event);
        if (delivery !== undefined) this.delivery.fail(delivery, event.error);
        this.#positions.wake();
        return;
      }
      case 'assigned':
        this.membership = { memberId: event.memberId, generation: event.generation };
        this.#rebalances.assigned(event.partitions, event);
        return;
      case 'rebalancing':
        this.#rebalances.begins(event.cause);
        return;
      case 'membershipChanged':
        this.membership = { memberId: event.memberId, generation: event.generation };
        return;
      case 'revoking':
        if (event.lost) {
          this.#isExpelled = true;
          this.membership = NO_MEMBERSHIP;
        }
        this.#rebalances.revoking(event.partitions, event.lost);
        this.#positions.wake();
        return;
      case 'collect':
        this.#sendProgress();
        return;
      case 'autoCommitDue':
        void this.#commits.auto();
        return;
      case 'committed':
        this.#commits.onCommitted(event);
        return;
      case 'committedOffsets':
        this.#commits.onCommittedOffsets(event);
        return;
      case 'topicDescribed':
        this.#lookups.onTopicDescribed(event);
        return;
      case 'topicsListed':
        this.#lookups.onTopicsListed(event);
        return;
      case 'offsetsListed':
        this.#lookups.onOffsetsListed(event);
        return;
      case 'measured':
        this.metrics.onMeasured(event);
        return;
      case 'statsDue':
        this.#reporting.tell('stats', this.metrics.take());
        return;
      case 'trouble':
        this.#reporting.trouble(event.error);
        return;
      case 'failed':
        this.#failure = event.error;
        this.#commits.failAll(event.error);
        this.#lookups.failAll(event.error);
        this.reading.fail(event.error);
        this.#positions.wake();
        return;
      case 'log':
        this.#reporting.log(event.level, event.message);
        return;
      case 'closed':
        this.#resolveClosed();
        return;
    }
  }

  /** The partition as it is assigned and positioned now; undefined for what belongs to an earlier assignment or position. */
  #current({ topic, partition, epoch }: TopicPartition & { epoch: number }): PartitionDelivery<K, V> | undefined {
    const delivery = this.delivery.get(topic, partition);
    return delivery?.epoch === epoch && !delivery.isBlocked ? delivery : undefined;
  }

  #positioned(event: PositionEvent): void {
    const { topic, partition, offset: to, reset } = event;
    const delivery = this.#current(event);
    delivery?.startAt(to, event.isReset);
    if (delivery !== undefined && reset !== null && reset.reason !== 'noCommittedOffset')
      this.#reporting.tell('positionReset', { topic, partition, from: reset.from, to, reason: reset.reason });
    this.#positions.wake();
  }

  #onWaiting(): void {
    for (const delivery of this.delivery.partitions) {
      if (!delivery.isAtEnd || delivery.isEndReported || delivery.isPaused || delivery.isBlocked) continue;
      delivery.isEndReported = true;
      const { topic, partition, position: offset } = delivery;
      this.#reporting.tell('partitionEnd', { topic, partition, offset });
    }
    // Thrown out of the group for not coming back: now it is back, and need not wait to be asked.
    if (this.#isExpelled) this.#sendProgress();
    this.#isExpelled = false;
  }

  #sendProgress(): void {
    this.#engine.send({ type: 'progress', isWaiting: this.reading.isWaiting, polls: this.reading.polls });
  }

  async #commitFinished(partitions: readonly PartitionDelivery<K, V>[], deadline?: number): Promise<void> {
    if (this.#failure === null) await this.#commits.beforeRevocation(partitions, deadline);
  }

  #assigned({ topic, partition }: TopicPartition, where: string): PartitionDelivery<K, V> {
    const delivery = this.delivery.get(topic, partition);
    if (delivery !== undefined && !delivery.isBlocked) return delivery;
    const text = `${where}: ${topic}-${partition} is not assigned to this consumer`;
    throw new KafkaError(text, { code: CLIENT_ERROR_CODES.STATE, name: 'NotAssignedError' });
  }

  #dropManualAssignment(): void {
    this.#manual = [];
    const dropped = [...this.delivery.partitions].filter(({ isBlocked }) => !isBlocked);
    void this.#commitFinished(dropped); // notes the offsets before the partitions are gone
    const partitions = dropped.map(({ topic, partition }) => ({ topic, partition }));
    this.delivery.remove(partitions);
    this.#engine.send({ type: 'stop', partitions });
    this.#positions.wake();
  }

  #mustGoOn(): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#closing !== null) throw closedError();
  }

  #followSignal(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const close = (): void => void this.close(ABORT_CLOSE_MS);
    if (signal.aborted) close();
    signal.addEventListener('abort', close, { once: true });
    this.#unfollowSignal = () => signal.removeEventListener('abort', close);
  }
}
