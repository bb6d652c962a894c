import { CLIENT_ERROR_CODES, KafkaError } from '../errors.ts';
import type { PositionEvent, StartAt, TopicPartition } from '../fetch/partition.ts';
import { closedError } from './closed-error.ts';
import { Closing, type CloseResult } from './closing.ts';
import type { Target } from './commit-arguments.ts';
import { Commits, type CommitCallback } from './commits.ts';
import { Delivery } from './delivery.ts';
import { deliveryOptions } from './delivery-options.ts';
import { Engine } from './engine.ts';
import type { Committed } from './events.ts';
import { stderrLogger } from './logger.ts';
import { Handlers } from './handlers.ts';
import { Lookups } from './lookups.ts';
import type { ConsumerOptions } from './options.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import { NO_MEMBERSHIP, type EngineEvent, type EnginePort } from './port.ts';
import { PositionWaits } from './position-waits.ts';
import { Reading } from './reading.ts';
import { Metrics } from './metrics.ts';
import type { RebalanceListener } from './listeners.ts';
import { Rebalances } from './rebalances.ts';
import { Reporting, type Listeners } from './reporting.ts';
import { Subscriptions, type ManualPartition } from './subscriptions.ts';
import type { Subscription } from './arguments.ts';
import type { Settings } from './validate.ts';

/** What `Consumer` is made of, on the application's side of the port: delivery, reading, rebalances, commits. */
export class Session<K, V> {
  readonly settings: Settings;
  readonly delivery: Delivery<K, V>;
  readonly reading: Reading<K, V>;
  readonly handlers: Handlers<K, V>;
  readonly metrics: Metrics<K, V>;
  readonly #lookups: Lookups;
  membership = NO_MEMBERSHIP;
  readonly #engine: EnginePort;
  readonly #reporting: Reporting;
  readonly #rebalances: Rebalances<K, V>;
  readonly #commits: Commits<K, V>;
  readonly #subscriptions: Subscriptions<K, V>;
  readonly #closing: Closing<K, V>;
  #failure: KafkaError | null = null;
  #isExpelled = false;
  readonly #positions = new PositionWaits<K, V>();

  constructor(settings: Settings, options: ConsumerOptions<K, V>, listeners: Listeners) {
    this.settings = settings;
    this.#reporting = new Reporting(listeners, options.logger === undefined ? stderrLogger : options.logger);
    this.#engine = new Engine(settings, (event) => this.#onEvent(event));
    this.delivery = new Delivery<K, V>(
      deliveryOptions(settings, options, this.#engine, {
        refetch: (partition, attempt) => this.#rebalances.refetch(partition, attempt),
        passedOver: (error) => {
          this.metrics.passedOver();
          this.#reporting.error(error);
        },
      }),
      settings.maxPollRecords,
      () => this.reading.wake(),
    );
    this.reading = new Reading<K, V>(this.delivery, {
      onHandChanged: () => this.#handChanged(),
      onWaiting: () => this.#onWaiting(),
      onLongPause: () => this.#sendProgress(),
    });
    this.metrics = new Metrics(this.delivery, this.#engine, settings, () => this.membership);
    this.#lookups = new Lookups(this.#engine, settings.defaultApiTimeoutMs);
    this.delivery.setTracking(!settings.enableAutoOffsetStore);
    const isSubscribed = (): boolean => this.#subscriptions.isSubscribed;
    this.#commits = new Commits<K, V>(settings, this.delivery, this.#engine, this.#reporting, isSubscribed);
    this.#rebalances = new Rebalances<K, V>(this.delivery, this.#engine, {
      subscription: () => this.#subscriptions.holder,
      setUp: (deliveries) => this.handlers.setUp(deliveries),
      waitsForHand: () => !this.reading.isPollInHand || (this.#subscriptions.isSubscribed && !this.#closing.hasBegun),
      commitBeforeRevocation: (partitions) => this.#commitFinished(partitions),
      maxPollIntervalMs: settings.maxPollIntervalMs,
      emit: (name, partitions) => this.#reporting.tell(name, partitions),
      onRebalanced: (rebalance) => {
        this.metrics.rebalanced(rebalance);
        this.#reporting.rebalanced(rebalance);
      },
      onListenerFailed: (error, again) => this.#listenerFailed(error, again),
      onGivenUp: (deliveries) => this.#reporting.givenUp(this.delivery.giveUp(deliveries), settings.maxPollIntervalMs),
      onRemoved: () => this.#closing.handChanged(),
    });
    this.#subscriptions = new Subscriptions<K, V>({
      settings,
      delivery: this.delivery,
      rebalances: this.#rebalances,
      engine: this.#engine,
      isClosing: () => this.#closing.hasBegun,
      commitFinished: (partitions) => void this.#commitFinished(partitions),
      setUp: (deliveries) => void this.handlers.setUp(deliveries),
      onLeft: () => (this.membership = NO_MEMBERSHIP),
      onDropped: () => {
        this.#positions.wake();
        this.#closing.handChanged();
      },
    });
    this.#closing = new Closing<K, V>({
      delivery: this.delivery,
      reading: this.reading,
      rebalances: this.#rebalances,
      commits: this.#commits,
      lookups: this.#lookups,
      engine: this.#engine,
      reporting: this.#reporting,
      hasGroup: settings.groupId !== null,
      isSubscribed,
      failure: () => this.#failure,
      onClosed: () => this.#positions.wake(),
    });
    const handling = {
      delivery: this.delivery,
      reading: this.reading,
      reporting: this.#reporting,
      isStoring: settings.enableAutoOffsetStore,
      isClosing: () => this.#closing.hasBegun,
      handChanged: () => this.#handChanged(),
      commitFinished: async () => {
        if (this.#failure === null && !this.#closing.hasBegun) await this.#commits.afterHandlers();
      },
      seek: (delivery: PartitionDelivery<K, V>, offset: number) => this.#rebalances.seek(delivery, offset),
    };
    this.handlers = new Handlers<K, V>(handling, settings.maxPollRecords);
    this.#closing.followSignal(options.signal);
  }

  #handChanged(): void {
    this.#rebalances.handChanged();
    this.#closing.handChanged();
  }

  /** The topics subscribed to; for patterns what they stand for. */
  get topics(): readonly string[] {
    return this.#subscriptions.topics;
  }

  /** What `assignment()` gives. */
  get assigned(): PartitionDelivery<K, V>[] {
    return [...this.delivery.partitions].filter((each) => this.#isAssigned(each));
  }

  subscribe(wanted: Subscription, listener: RebalanceListener): void {
    this.#mustBeOpen();
    this.#subscriptions.subscribe(wanted, listener);
  }

  assign(partitions: readonly ManualPartition[]): void {
    this.#mustBeOpen();
    this.#subscriptions.assign(partitions);
  }

  unsubscribe(): void {
    this.#mustBeOpen();
    this.#subscriptions.unsubscribe();
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
    if (this.#closing.isClosed) throw closedError();
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
      const delivery = this.#assigned(partition, 'position()');
      if (delivery.position < 0 && delivery.failure === null) this.#rebalances.lookUp(delivery);
      return delivery;
    };
    return this.#positions.until(find, this.settings.defaultApiTimeoutMs);
  }

  /** Also where it is being given back, as long as the application holds some of it: that is how to say that this is not finished. */
  seek(partition: TopicPartition, startAt: StartAt): void {
    this.#mustGoOn();
    const known = this.delivery.get(partition.topic, partition.partition);
    const isHeld = known !== undefined && (known.isInHand || known.running > 0);
    this.#rebalances.seek(isHeld ? known : this.#assigned(partition, 'seek()'), startAt);
  }

  setPaused(partitions: readonly TopicPartition[], paused: boolean): void {
    this.#mustGoOn();
    const where = paused ? 'pause()' : 'resume()';
    this.#rebalances.setPaused(
      partitions.map((each) => this.#assigned(each, where)),
      paused,
    );
  }

  close(timeoutMs: number): Promise<CloseResult> {
    return this.#closing.close(timeoutMs);
  }

  #onEvent(event: EngineEvent): void {
    switch (event.type) {
      case 'subscription':
        this.#subscriptions.topics = event.topics;
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
        const delivery = this.delivery.get(event.topic, event.partition);
        if (delivery?.epoch === event.epoch) this.delivery.fail(delivery, event.error);
        this.#positions.wake();
        return;
      }
      case 'partitionRefused': {
        const delivery = this.#current(event);
        if (delivery !== undefined) delivery.refusal = event.error;
        this.#positions.wake();
        return;
      }
      case 'refused':
        // A handler has no read that could throw it.
        if (event.error !== null && this.delivery.isHandling) this.#reporting.trouble(event.error);
        else this.delivery.refuse(event.what, event.error);
        return;
      case 'assigned':
        this.membership = { memberId: event.memberId, generation: event.generation };
        // As in Java, a rebalance is an occasion to commit, also where nothing is taken away.
        if (this.settings.enableAutoCommit) void this.#commits.auto();
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
      case 'unsubscribed':
        this.#subscriptions.onUnsubscribed(event.id);
        return;
      case 'hold':
        this.delivery.setHeldBack(event.isHeld);
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
        this.metrics.failed(event.error);
        this.#commits.failAll(event.error);
        this.#lookups.failAll(event.error);
        this.reading.fail(event.error);
        this.#positions.wake();
        return;
      case 'log':
        this.#reporting.log(event.level, event.message);
        return;
      case 'closed':
        this.#closing.onEngineClosed(event.hasLeft);
        return;
    }
  }

  /** The partition as it is assigned and positioned now; undefined for what belongs to an earlier assignment or position. */
  #current({ topic, partition, epoch }: TopicPartition & { epoch: number }): PartitionDelivery<K, V> | undefined {
    const delivery = this.delivery.get(topic, partition);
    return delivery?.fetchEpoch === epoch && !delivery.isBlocked ? delivery : undefined;
  }

  #positioned(event: PositionEvent): void {
    const { topic, partition, offset: to, reset } = event;
    // Also of one that is being given back: its listener has asked.
    const known = this.delivery.get(topic, partition);
    const delivery = known?.epoch === event.epoch ? known : undefined;
    // What was fetched of a topic that is gone is not handed out, and its offsets are not committed: they would be another topic's.
    if (delivery?.isBlocked === false && reset?.reason === 'topicRecreated') this.#rebalances.seek(delivery, to);
    else delivery?.startAt(to, event.isReset);
    if (delivery !== undefined && reset !== null && reset.reason !== 'noCommittedOffset')
      this.#reporting.tell('positionReset', { topic, partition, from: reset.from, to, reason: reset.reason });
    this.#positions.wake();
  }

  #onWaiting(): void {
    for (const { topic, partition, position: offset } of this.delivery.takeEnded()) {
      this.#reporting.tell('partitionEnd', { topic, partition, offset });
    }
    // Thrown out of the group for not coming back: now it is back, and need not wait to be asked.
    if (this.#isExpelled) this.#sendProgress();
    this.#isExpelled = false;
  }

  #sendProgress(): void {
    this.#engine.send({ type: 'progress', isWaiting: this.reading.isWaiting, polls: this.reading.polls });
  }

  async #commitFinished(partitions: readonly PartitionDelivery<K, V>[]): Promise<void> {
    if (this.#failure !== null) return;
    await this.#closing.whileCommitting(this.#commits.beforeRevocation(partitions, this.#closing.commitBy));
  }

  #assigned({ topic, partition }: TopicPartition, where: string): PartitionDelivery<K, V> {
    const delivery = this.delivery.get(topic, partition);
    if (delivery !== undefined && this.#isAssigned(delivery)) return delivery;
    const text = `${where}: ${topic}-${partition} is not assigned to this consumer`;
    throw new KafkaError(text, { code: CLIENT_ERROR_CODES.STATE, name: 'NotAssignedError' });
  }

  /** What is being given back is assigned for its listener, as in Java, and for nobody else. */
  #isAssigned(delivery: PartitionDelivery<K, V>): boolean {
    return !delivery.isBlocked || this.#rebalances.isTelling(delivery);
  }

  /** Thrown to the next read, which is where the application hears of it; while closing nobody reads any more. */
  #listenerFailed(error: KafkaError, again: (() => void) | null): void {
    if (this.#closing.hasBegun) return this.#reporting.error(error);
    this.#reporting.log('error', error.message);
    this.reading.raise(error, again);
  }

  #mustBeOpen(): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#closing.hasBegun) throw closedError();
  }

  #mustGoOn(): void {
    if (this.#failure !== null) throw this.#failure;
    // The listeners of the last revocation may still ask and say everything.
    if (this.#closing.isClosed || (this.#closing.hasBegun && !this.#rebalances.isListenerRunning)) throw closedError();
  }
}
