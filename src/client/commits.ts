import { backoffMs } from '../backoff.ts';
import type { CommitPurpose, OffsetToCommit } from '../commit/committer.ts';
import {
  CLIENT_ERROR_CODES,
  ConfigError,
  FencedError,
  KafkaError,
  RequestTimeoutError,
  toKafkaError,
} from '../errors.ts';
import { partitionKey, type TopicPartition } from '../fetch/partition.ts';
import { ERROR_CODES } from '../protocol/error-codes.ts';
import { Calls } from './calls.ts';
import type { Target } from './commit-arguments.ts';
import type { Delivery } from './delivery.ts';
import type { Committed, TopicPartitionOffset } from './events.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import type { CommittedOffset, EngineEvent, EnginePort } from './port.ts';
import { messageOf, type Reporting } from './reporting.ts';
import type { Settings } from './validate.ts';

/** For a rebalance, beside the time until all members have heard of it. */
const CLOSE_PATIENCE_MS = 1000;

/** So long `forEach` and `run` wait at their end for the commit of what was finished. */
const HANDLERS_COMMIT_MS = 5000;

/** What becomes of a `commitAsync`: `null` and what was committed, or the error. */
export type CommitCallback = (error: KafkaError | null, offsets: TopicPartitionOffset[]) => unknown;

interface AsyncCommit {
  readonly callback: CommitCallback | undefined;
  readonly offsets: readonly OffsetToCommit[];
  /** Undefined while it is under way. */
  error?: KafkaError | null;
}

/** What of the finished work is committed, when, and what becomes of it. */
export class Commits<K, V> {
  readonly #settings: Settings;
  readonly #delivery: Delivery<K, V>;
  readonly #engine: EnginePort;
  readonly #reporting: Reporting;
  readonly #isSubscribed: () => boolean;
  readonly #pending = new Calls<readonly OffsetToCommit[]>();
  readonly #lookups = new Calls<readonly CommittedOffset[]>();
  #isAutoCommitting = false;
  #failedAutoCommits = 0;
  /** In the order of the calls, which is that of the callbacks. */
  readonly #asyncs = new Set<AsyncCommit>();

  /** @param isSubscribed what is not assigned then belongs to another member */
  constructor(
    settings: Settings,
    delivery: Delivery<K, V>,
    engine: EnginePort,
    reporting: Reporting,
    isSubscribed: () => boolean,
  ) {
    this.#settings = settings;
    this.#delivery = delivery;
    this.#engine = engine;
    this.#reporting = reporting;
    this.#isSubscribed = isSubscribed;
  }

  /** Without targets: all that is finished. */
  async commit(targets: readonly Target[] | undefined): Promise<void> {
    this.#mustHaveGroup('commit()');
    const { offsets, mayGoBack } = this.#offsetsOf(targets);
    // Also without anything to send: what was sent before comes first.
    if (offsets.length === 0 && this.#asyncs.size === 0) return;
    await this.#send(offsets, 'call', this.#settings.defaultApiTimeoutMs, mayGoBack);
  }

  /** Sent once. The callbacks come in the order of the calls. @throws what is wrong with the call itself */
  commitAsync(targets: readonly Target[] | undefined, callback: CommitCallback | undefined): void {
    this.#mustHaveGroup('commitAsync()');
    const { offsets, mayGoBack } = this.#offsetsOf(targets);
    const commit: AsyncCommit = { callback, offsets };
    this.#asyncs.add(commit);
    const settle = (error: KafkaError | null): void => {
      commit.error = error;
      this.#tellAsyncs();
    };
    const sent = this.#send(offsets, 'async', this.#settings.defaultApiTimeoutMs, mayGoBack);
    void sent.then(
      () => settle(null),
      (error: unknown) => settle(toKafkaError(error)),
    );
  }

  /** What the next commit covers: records and batches one by one, in any order; an offset with all before it. */
  markConsumed(targets: readonly Target[]): void {
    for (const { kind, topic, partition, firstOffset, offset, leaderEpoch, metadata, epoch } of targets) {
      const delivery = this.#delivery.get(topic, partition);
      if (delivery === undefined) continue; // it belongs to another member by now
      if (epoch >= 0 && epoch !== delivery.epoch) continue; // handed out in an older assignment, or before a seek
      const { ledger } = delivery;
      if (kind === 'offset') {
        ledger.finishUpTo(offset, leaderEpoch);
        ledger.describe(offset, metadata);
      } else if (!ledger.isTracking) ledger.finishUpTo(offset, leaderEpoch);
      else if (kind === 'record') ledger.endRecord(firstOffset);
      else ledger.endRange(firstOffset, offset);
    }
  }

  async committed(partitions: readonly TopicPartition[]): Promise<Committed[]> {
    this.#mustHaveGroup('committed()');
    const timeoutMs = this.#settings.defaultApiTimeoutMs;
    const error = new RequestTimeoutError(`the committed offsets were not known within ${timeoutMs} ms`);
    // The engine's retries end by then too, but not a look-up of the coordinator that is under way.
    const offsets = await this.#lookups.startWithin(timeoutMs, error, (id) =>
      this.#engine.send({ type: 'fetchCommitted', id, partitions, timeoutMs }),
    );
    const byKey = new Map(offsets.map((each) => [partitionKey(each.topic, each.partition), each]));
    return partitions.map(({ topic, partition }) => {
      const found = byKey.get(partitionKey(topic, partition));
      if (found === undefined || found.offset < 0)
        return { topic, partition, offset: null, leaderEpoch: -1, metadata: null };
      return { topic, partition, offset: found.offset, leaderEpoch: found.leaderEpoch, metadata: found.metadata };
    });
  }

  /** `autoCommitIntervalMs` have passed. */
  async auto(): Promise<void> {
    if (this.#isAutoCommitting) return;
    this.#isAutoCommitting = true;
    try {
      const offsets = this.#delivery.uncommitted();
      if (offsets.length > 0) await this.#send(offsets, 'auto', this.#settings.defaultApiTimeoutMs);
      this.#failedAutoCommits = 0;
    } catch (error) {
      // In the middle of a cooperative rebalance there is no generation to commit in: nothing to warn of.
      // Nothing but a topic that was deleted: the next interval is soon enough, and commits of it are warned of where they are sent.
      if (error instanceof KafkaError && error.code === ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION) {
        this.#reporting.log('debug', `automatic commit failed: ${messageOf(error)}`);
        return;
      }
      const isRebalancing = error instanceof KafkaError && error.code === ERROR_CODES.REBALANCE_IN_PROGRESS;
      const isRetriable = isRebalancing || (error instanceof KafkaError && error.retriable);
      this.#reporting.log(isRetriable ? 'info' : 'warn', `automatic commit failed: ${messageOf(error)}`);
      if (isRetriable) this.#autoAgain();
    } finally {
      this.#isAutoCommitting = false;
    }
  }

  /**
   * On revocation and on close: also waits for the commits of these partitions that are under way, for what is sent later may overwrite
   * what their next owner commits. A failure is told, and means that these records will be consumed again.
   */
  async beforeRevocation(partitions: readonly PartitionDelivery<K, V>[], deadline = Infinity): Promise<void> {
    const offsets = this.#settings.enableAutoCommit ? this.#delivery.uncommitted(partitions) : [];
    if (offsets.length === 0 && this.#pending.isEmpty) return;
    const { defaultApiTimeoutMs, maxPollIntervalMs } = this.#settings;
    const timeoutMs = Math.max(0, Math.min(defaultApiTimeoutMs, maxPollIntervalMs, deadline - performance.now()));
    try {
      await this.#send(offsets, partitions.length > 0 ? 'revoke' : 'close', timeoutMs);
    } catch (error) {
      this.#reporting.log('warn', `not committed, so consumed again by whoever gets them: ${messageOf(error)}`);
    }
  }

  /**
   * Before the group is left: while it rebalances, a member that owns partitions all the same (cooperative ones do) can commit only in
   * the generation that comes, and would be thrown out of by leaving now. A rebalance in order takes a heartbeat interval.
   */
  async beforeClose(deadline: number): Promise<void> {
    const offsets = this.#settings.enableAutoCommit ? this.#delivery.uncommitted() : [];
    const patienceMs = 2 * this.#settings.heartbeatIntervalMs + CLOSE_PATIENCE_MS;
    const timeoutMs = Math.min(patienceMs, deadline - performance.now());
    if ((offsets.length === 0 && this.#asyncs.size === 0) || timeoutMs <= 0) return;
    try {
      await this.#send(offsets, 'close', timeoutMs);
    } catch (error) {
      this.#reporting.log(
        'info',
        `not committed before leaving the group, tried again on the way: ${messageOf(error)}`,
      );
    }
  }

  /** `forEach` or `run` has ended, and the application may end next: not only at the next interval. */
  async afterHandlers(): Promise<void> {
    const offsets = this.#settings.enableAutoCommit ? this.#delivery.uncommitted() : [];
    if (offsets.length === 0) return;
    try {
      await this.#send(offsets, 'call', Math.min(this.#settings.defaultApiTimeoutMs, HANDLERS_COMMIT_MS));
    } catch (error) {
      const text = `what handlers have finished is not committed yet: ${messageOf(error)}`;
      this.#reporting.log('info', text);
    }
  }

  onCommitted({ id, committed, error }: EngineEvent & { type: 'committed' }): void {
    for (const { topic, partition, offset } of committed) {
      const delivery = this.#delivery.get(topic, partition);
      if (delivery !== undefined) delivery.ledger.committed = offset;
    }
    if (committed.length > 0) this.#reporting.tell('committed', [...committed]);
    this.#pending.settle(id, committed, error);
  }

  onCommittedOffsets({ id, offsets, error }: EngineEvent & { type: 'committedOffsets' }): void {
    this.#lookups.settle(id, offsets, error);
  }

  failAll(error: KafkaError): void {
    this.#pending.failAll(error);
    this.#lookups.failAll(error);
  }

  async #send(
    offsets: readonly OffsetToCommit[],
    purpose: CommitPurpose,
    timeoutMs: number,
    mayGoBack = false,
  ): Promise<void> {
    await this.#pending.start((id) =>
      this.#engine.send({ type: 'commit', id, offsets, timeoutMs, purpose, mayGoBack }),
    );
  }

  /** What the application says is done is finished: an automatic commit must not go back behind it. */
  #offsetsOf(targets: readonly Target[] | undefined): { offsets: OffsetToCommit[]; mayGoBack: boolean } {
    if (targets === undefined) return { offsets: this.#delivery.uncommitted(), mayGoBack: false };
    const offsets = new Map<string, OffsetToCommit>();
    for (const target of targets) {
      const offset = target.kind === 'offset' ? this.#exactly(target) : this.#upTo(target);
      if (offset === null) continue;
      const key = partitionKey(offset.topic, offset.partition);
      const known = offsets.get(key);
      if (known === undefined || target.kind === 'offset' || offset.offset > known.offset) offsets.set(key, offset);
    }
    return { offsets: [...offsets.values()], mayGoBack: targets.every(({ kind }) => kind === 'offset') };
  }

  #exactly({ topic, partition, offset, leaderEpoch, metadata }: Target): OffsetToCommit {
    const ledger = this.#delivery.get(topic, partition)?.ledger;
    ledger?.finishUpTo(offset, leaderEpoch);
    ledger?.describe(offset, metadata);
    return { topic, partition, offset, leaderEpoch, metadata };
  }

  /** A record or a batch, and what lies before it; `null` where that is committed already. */
  #upTo(target: Target): OffsetToCommit | null {
    const { topic, partition, offset, leaderEpoch, metadata } = target;
    const delivery = this.#delivery.get(topic, partition);
    // Handed out in an earlier assignment: another member may have committed more since.
    if (this.#isSubscribed() && (delivery === undefined || delivery.position < 0)) {
      const text = `not committed, the group has given the partition to another member: ${topic}-${partition}`;
      throw new FencedError(text, { code: 22, name: 'ILLEGAL_GENERATION', api: 'OffsetCommit' });
    }
    if (delivery === undefined) return { topic, partition, offset, leaderEpoch, metadata };
    const { ledger } = delivery;
    // Beside handlers that still work on records before it, only what is finished without a gap.
    if (this.#delivery.isHandling) {
      this.markConsumed([target]);
      if (!ledger.isDirty) return null;
      return { topic, partition, offset: ledger.finished, leaderEpoch: ledger.leaderEpoch, metadata: ledger.metadata };
    }
    if (offset <= ledger.committed && ledger.committed <= ledger.finished) return null;
    ledger.finishUpTo(offset, leaderEpoch);
    return { topic, partition, offset, leaderEpoch, metadata };
  }

  #tellAsyncs(): void {
    for (const first of this.#asyncs) {
      const { callback, error, offsets } = first;
      if (error === undefined) return;
      this.#asyncs.delete(first);
      if (callback === undefined) {
        if (error !== null) this.#reporting.trouble(error);
        continue;
      }
      try {
        callback(error, error === null ? offsets.map((offset) => ({ ...offset })) : []);
      } catch (thrown) {
        const text = `the callback of commitAsync() has thrown: ${messageOf(thrown)}`;
        this.#reporting.error(
          new KafkaError(text, { code: CLIENT_ERROR_CODES.STATE, name: 'CallbackError', cause: thrown }),
        );
      }
    }
  }

  /** With the newest offsets, and sooner than the interval would have it. */
  #autoAgain(): void {
    const { retryBackoffMs, retryBackoffMaxMs } = this.#settings;
    const delayMs = backoffMs(this.#failedAutoCommits++, retryBackoffMs, retryBackoffMaxMs, Math.random());
    this.#engine.send({ type: 'autoCommitAgain', delayMs });
  }

  #mustHaveGroup(where: string): void {
    if (this.#settings.groupId !== null) return;
    throw new ConfigError(`${where} needs a groupId: offsets are committed in the name of a group`);
  }
}
