import type { OffsetToCommit } from '../commit/committer.ts';
import { CLIENT_ERROR_CODES, ConfigError, KafkaError, RequestTimeoutError } from '../errors.ts';
import type { StartAt, TopicPartition } from '../fetch/partition.ts';
import { Calls } from './calls.ts';
import { Delivery } from './delivery.ts';
import { Engine } from './engine.ts';
import type { Committed, ConsumerEvents, TopicPartitionOffset } from './events.ts';
import { stderrLogger, type Logger } from './logger.ts';
import type { ConsumerOptions } from './options.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import type { CommittedOffset, EngineEvent, EnginePort, LogLevel } from './port.ts';
import { Reading } from './reading.ts';
import { Rebalances, type RebalanceListener } from './rebalances.ts';
import type { Settings } from './validate.ts';

/** The end of the time for `close()` that is kept for the commit and the goodbye, whatever the application holds. */
const CLOSE_RESERVE_MS = 5000;
/** The same trouble is not told more often than this. */
const TROUBLE_REPEAT_MS = 10_000;

export interface SessionEvents {
  emit<E extends keyof ConsumerEvents>(name: E, ...values: ConsumerEvents[E]): void;
  hasListener(name: keyof ConsumerEvents): boolean;
}

/** What `Consumer` is made of, on the application's side of the port: delivery, reading, rebalances, pending calls. */
export class Session<K, V> {
  readonly settings: Settings;
  readonly delivery: Delivery<K, V>;
  readonly reading: Reading<K, V>;
  topics: readonly string[] = [];
  membership = { memberId: '', generation: -1 };
  readonly #engine: EnginePort;
  readonly #events: SessionEvents;
  readonly #logger: Logger | null;
  readonly #rebalances: Rebalances<K, V>;
  readonly #commits = new Calls<readonly OffsetToCommit[]>();
  readonly #lookups = new Calls<readonly CommittedOffset[]>();
  #mode: 'none' | 'subscribed' | 'assigned' = 'none';
  #listener: RebalanceListener = {};
  #failure: KafkaError | null = null;
  #isExpelled = false;
  #isAutoCommitting = false;
  #closing: Promise<void> | null = null;
  #resolveClosed: () => void = () => undefined;
  #wakeOnHandChange: () => void = () => undefined;
  #positionWaits = new Set<() => void>();
  #lastTrouble = { message: '', at: -Infinity };

  constructor(settings: Settings, options: ConsumerOptions<K, V>, events: SessionEvents) {
    this.settings = settings;
    this.#events = events;
    this.#logger = options.logger === undefined ? stderrLogger : options.logger;
    this.#engine = new Engine(settings, (event) => this.#onEvent(event));
    this.delivery = new Delivery<K, V>(
      {
        checkCrcs: settings.checkCrcs,
        maxDecompressedBytes: settings.maxDecompressedBytes,
        deserializers: { key: options.keyDeserializer, value: options.valueDeserializer },
        release: (partition, bytes) => this.#engine.send({ type: 'release', ...partition, bytes }),
      },
      settings.maxPollRecords,
      () => this.reading.wake(),
    );
    this.reading = new Reading<K, V>(this.delivery, {
      onHandChanged: () => {
        this.#rebalances.handChanged();
        this.#wakeOnHandChange();
      },
      onWaiting: () => this.#onWaiting(),
    });
    this.#rebalances = new Rebalances<K, V>(this.delivery, this.#engine, {
      listener: () => this.#listener,
      commitBeforeRevocation: (partitions) => this.#commitFinished(partitions),
      emit: (name, partitions) => this.#tell(name, partitions),
      onListenerError: (name, error) =>
        this.#report(
          new KafkaError(`${name} has thrown: ${String(error)}`, {
            code: CLIENT_ERROR_CODES.STATE,
            name: 'ListenerError',
            cause: error,
          }),
        ),
    });
    this.#followSignal(options.signal);
  }

  subscribe(topics: readonly string[], listener: RebalanceListener): void {
    this.#mustBeOpen();
    if (this.settings.groupId === null)
      throw new ConfigError('subscribe() needs a groupId; to read without a group, use assign()');
    if (this.#mode === 'assigned') throw new ConfigError('subscribe() after assign(): call unsubscribe() first');
    this.#mode = 'subscribed';
    this.topics = topics;
    this.#listener = listener;
    this.#engine.send({ type: 'subscribe', topics });
  }

  assign(partitions: readonly (TopicPartition & { startAt: StartAt })[]): void {
    this.#mustBeOpen();
    if (this.#mode === 'subscribed') throw new ConfigError('assign() after subscribe(): call unsubscribe() first');
    this.#dropManualAssignment();
    this.#mode = partitions.length > 0 ? 'assigned' : 'none';
    this.#engine.send({ type: 'assign', partitions });
    this.#rebalances.assignManually(partitions);
  }

  unsubscribe(): void {
    this.#mustBeOpen();
    if (this.#mode === 'assigned') this.#dropManualAssignment();
    if (this.#mode !== 'none') this.#engine.send({ type: 'unsubscribe' });
    this.#mode = 'none';
    this.topics = [];
  }

  async commit(offsets: readonly TopicPartitionOffset[] | undefined): Promise<void> {
    this.#mustBeOpen(true);
    if (this.settings.groupId === null)
      throw new ConfigError('commit() needs a groupId: offsets are committed in the name of a group');
    await this.#commit(
      offsets === undefined ? this.#finishedOffsets() : offsets.map(complete),
      'call',
      this.settings.defaultApiTimeoutMs,
    );
  }

  async committed(partitions: readonly TopicPartition[]): Promise<Committed[]> {
    this.#mustBeOpen();
    if (this.settings.groupId === null) throw new ConfigError('committed() needs a groupId');
    const timeoutMs = this.settings.defaultApiTimeoutMs;
    const offsets = await this.#lookups.start((id) =>
      this.#engine.send({ type: 'fetchCommitted', id, partitions, timeoutMs }),
    );
    return partitions.map(({ topic, partition }) => {
      const found = offsets.find((each) => each.topic === topic && each.partition === partition);
      const isKnown = found !== undefined && found.offset >= 0;
      return {
        topic,
        partition,
        offset: isKnown ? found.offset : null,
        leaderEpoch: found?.leaderEpoch ?? -1,
        metadata: isKnown ? found.metadata : null,
      };
    });
  }

  async position(partition: TopicPartition): Promise<number> {
    let isTimeUp = false;
    const { defaultApiTimeoutMs } = this.settings;
    const timer = setTimeout(() => {
      isTimeUp = true;
      this.#wakePositionWaits();
    }, defaultApiTimeoutMs);
    try {
      for (;;) {
        this.#mustBeOpen();
        const delivery = this.#assigned(partition, 'position()');
        if (delivery.position >= 0) return delivery.position;
        if (delivery.failure !== null) throw delivery.failure;
        if (isTimeUp)
          throw new RequestTimeoutError(
            `the position of ${partition.topic}-${partition.partition} was not known within ${defaultApiTimeoutMs} ms`,
          );
        await new Promise<void>((resolve) => this.#positionWaits.add(resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  seek(partition: TopicPartition, startAt: StartAt): void {
    this.#mustBeOpen();
    this.#rebalances.seek(this.#assigned(partition, 'seek()'), startAt);
  }

  setPaused(partitions: readonly TopicPartition[], paused: boolean): void {
    this.#mustBeOpen();
    for (const each of partitions) {
      const delivery = this.#assigned(each, paused ? 'pause()' : 'resume()');
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
    this.reading.end();
    await this.#untilHandIsEmpty(deadline);
    if (this.#mode === 'assigned') await this.#commitFinished([...this.delivery.partitions], deadline);
    const closed = new Promise<void>((resolve) => (this.#resolveClosed = resolve));
    this.#engine.send({ type: 'close', timeoutMs: Math.max(0, deadline - performance.now()) });
    await closed;
    const error = closedError();
    this.#commits.failAll(error);
    this.#lookups.failAll(error);
    this.delivery.remove([...this.delivery.partitions]);
    this.#wakePositionWaits();
    this.#unfollowSignal();
  }

  async #untilHandIsEmpty(deadline: number): Promise<void> {
    const waitMs = Math.max(0, deadline - performance.now() - CLOSE_RESERVE_MS);
    if (!this.delivery.hasInHand || waitMs === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#log(
          'warn',
          `close() has waited ${Math.round(waitMs)} ms for the application to finish what it holds, and goes on without; inside a loop, break first`,
        );
        resolve();
      }, waitMs);
      this.#wakeOnHandChange = () => {
        if (this.delivery.hasInHand) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #onEvent(event: EngineEvent): void {
    switch (event.type) {
      case 'records': {
        const delivery = this.#current(event);
        if (delivery === undefined)
          this.#engine.send({
            type: 'release',
            topic: event.topic,
            partition: event.partition,
            epoch: event.epoch,
            bytes: event.bytes.length,
          });
        else this.delivery.add(delivery, event);
        return;
      }
      case 'positioned': {
        const delivery = this.#current(event);
        if (delivery === undefined) return;
        delivery.position = event.offset;
        if (event.isReset) delivery.ledger.finish(event.offset, -1);
        else delivery.ledger.committed = delivery.ledger.finished = event.offset;
        this.#wakePositionWaits();
        return;
      }
      case 'partitionFailed': {
        const delivery = this.#current(event);
        if (delivery !== undefined) this.delivery.fail(delivery, event.error);
        this.#wakePositionWaits();
        return;
      }
      case 'assigned':
        this.membership = { memberId: event.memberId, generation: event.generation };
        this.#rebalances.assigned(event.partitions);
        return;
      case 'revoking':
        if (event.lost) this.#isExpelled = true;
        this.#rebalances.revoking(event.partitions, event.lost);
        return;
      case 'collect':
        this.#sendProgress();
        return;
      case 'autoCommitDue':
        void this.#autoCommit();
        return;
      case 'committed':
        this.#onCommitted(event.committed);
        this.#commits.settle(event.id, event.committed, event.error);
        return;
      case 'committedOffsets':
        this.#lookups.settle(event.id, event.offsets, event.error);
        return;
      case 'trouble':
        this.#onTrouble(event.error);
        return;
      case 'failed':
        this.#failure = event.error;
        this.#lookups.failAll(event.error);
        this.reading.fail(event.error);
        this.#wakePositionWaits();
        return;
      case 'log':
        this.#log(event.level, event.message);
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

  #onWaiting(): void {
    for (const delivery of this.delivery.partitions) {
      if (!delivery.isAtEnd || delivery.isEndReported || delivery.isPaused || delivery.isBlocked) continue;
      delivery.isEndReported = true;
      const { topic, partition, position: offset } = delivery;
      this.#tell('partitionEnd', { topic, partition, offset });
    }
    // Thrown out of the group for not coming back: now it is back, and need not wait to be asked.
    if (this.#isExpelled) this.#sendProgress();
    this.#isExpelled = false;
  }

  #sendProgress(): void {
    this.#engine.send({ type: 'progress', isWaiting: this.reading.isWaiting, polls: this.reading.polls });
  }

  #finishedOffsets(): OffsetToCommit[] {
    if (this.reading.isPollInHand) this.delivery.finishInHand();
    return this.delivery.uncommitted();
  }

  async #autoCommit(): Promise<void> {
    if (this.#isAutoCommitting) return;
    const offsets = this.delivery.uncommitted();
    if (offsets.length === 0) return;
    this.#isAutoCommitting = true;
    try {
      await this.#commit(offsets, 'auto', this.settings.defaultApiTimeoutMs);
    } catch (error) {
      // The next one carries these offsets or newer ones.
      this.#log(isRetriable(error) ? 'info' : 'warn', `automatic commit failed: ${messageOf(error)}`);
    } finally {
      this.#isAutoCommitting = false;
    }
  }

  /** On revocation and on close; a failure is told, and means that these records will be consumed again. */
  async #commitFinished(
    partitions: readonly PartitionDelivery<unknown, unknown>[],
    deadline = Infinity,
  ): Promise<void> {
    const offsets = this.delivery.uncommitted(partitions as PartitionDelivery<K, V>[]); // the ledgers have no K and V
    if (!this.settings.enableAutoCommit || offsets.length === 0 || this.#failure !== null) return;
    const { defaultApiTimeoutMs, maxPollIntervalMs } = this.settings;
    const timeoutMs = Math.max(0, Math.min(defaultApiTimeoutMs, maxPollIntervalMs, deadline - performance.now()));
    try {
      await this.#commit(offsets, 'revoke', timeoutMs);
    } catch (error) {
      this.#log('warn', `not committed, so consumed again by whoever gets them: ${messageOf(error)}`);
    }
  }

  async #commit(
    offsets: readonly OffsetToCommit[],
    purpose: 'call' | 'auto' | 'revoke',
    timeoutMs: number,
  ): Promise<void> {
    if (offsets.length === 0) return;
    await this.#commits.start((id) => this.#engine.send({ type: 'commit', id, offsets, timeoutMs, purpose }));
  }

  #onCommitted(committed: readonly OffsetToCommit[]): void {
    for (const { topic, partition, offset } of committed) {
      const delivery = this.delivery.get(topic, partition);
      if (delivery !== undefined) delivery.ledger.committed = offset;
    }
    if (committed.length > 0) this.#tell('committed', [...committed]);
  }

  #assigned({ topic, partition }: TopicPartition, where: string): PartitionDelivery<K, V> {
    const delivery = this.delivery.get(topic, partition);
    if (delivery !== undefined && !delivery.isBlocked) return delivery;
    throw new KafkaError(`${where}: ${topic}-${partition} is not assigned to this consumer`, {
      code: CLIENT_ERROR_CODES.STATE,
      name: 'NotAssignedError',
    });
  }

  #dropManualAssignment(): void {
    const partitions = [...this.delivery.partitions].map(({ topic, partition }) => ({ topic, partition }));
    this.delivery.remove(partitions);
    this.#engine.send({ type: 'stop', partitions });
    this.#wakePositionWaits();
  }

  #mustBeOpen(alsoWhileClosing = false): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#closing !== null && !alsoWhileClosing) throw closedError();
  }

  #wakePositionWaits(): void {
    const waits = [...this.#positionWaits];
    this.#positionWaits.clear();
    for (const wake of waits) wake();
  }

  #onTrouble(error: KafkaError): void {
    const now = performance.now();
    const isRepeated = this.#lastTrouble.message === error.message && now - this.#lastTrouble.at < TROUBLE_REPEAT_MS;
    if (isRepeated) return;
    this.#lastTrouble = { message: error.message, at: now };
    this.#report(error);
  }

  #report(error: KafkaError): void {
    if (this.#events.hasListener('error')) this.#tell('error', error);
    else this.#log('warn', error.message);
  }

  #log(level: LogLevel, message: string): void {
    this.#logger?.[level](message);
    this.#tell('log', { level, message });
  }

  /** A listener that throws is its own affair: it must not end a rebalance or a read. */
  #tell<E extends keyof ConsumerEvents>(name: E, ...values: ConsumerEvents[E]): void {
    try {
      this.#events.emit(name, ...values);
    } catch (error) {
      this.#logger?.error(`a listener of '${name}' has thrown: ${messageOf(error)}`);
    }
  }

  #unfollowSignal: () => void = () => undefined;

  #followSignal(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const close = (): void => void this.close(30_000);
    if (signal.aborted) close();
    signal.addEventListener('abort', close, { once: true });
    this.#unfollowSignal = () => signal.removeEventListener('abort', close);
  }
}

function complete({ topic, partition, offset, leaderEpoch = -1, metadata = '' }: TopicPartitionOffset): OffsetToCommit {
  return { topic, partition, offset, leaderEpoch, metadata };
}

function closedError(): KafkaError {
  return new KafkaError('the consumer is closed', { code: CLIENT_ERROR_CODES.CLOSED, name: 'ConsumerClosedError' });
}

function isRetriable(error: unknown): boolean {
  return error instanceof KafkaError && error.retriable;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
