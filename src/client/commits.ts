import type { OffsetToCommit } from '../commit/committer.ts';
import { ConfigError, KafkaError, RequestTimeoutError } from '../errors.ts';
import type { TopicPartition } from '../fetch/partition.ts';
import { Calls } from './calls.ts';
import type { Delivery } from './delivery.ts';
import type { Committed, TopicPartitionOffset } from './events.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import type { CommittedOffset, EngineEvent, EnginePort } from './port.ts';
import { messageOf, type Reporting } from './reporting.ts';
import type { Settings } from './validate.ts';

type Purpose = 'call' | 'auto' | 'revoke';

/** What of the finished work is committed, when, and what becomes of it. */
export class Commits<K, V> {
  readonly #settings: Settings;
  readonly #delivery: Delivery<K, V>;
  readonly #engine: EnginePort;
  readonly #reporting: Reporting;
  readonly #pending = new Calls<readonly OffsetToCommit[]>();
  readonly #lookups = new Calls<readonly CommittedOffset[]>();
  #isAutoCommitting = false;

  constructor(settings: Settings, delivery: Delivery<K, V>, engine: EnginePort, reporting: Reporting) {
    this.#settings = settings;
    this.#delivery = delivery;
    this.#engine = engine;
    this.#reporting = reporting;
  }

  /** Without offsets: all that is finished. */
  async commit(offsets: readonly TopicPartitionOffset[] | undefined): Promise<void> {
    this.#mustHaveGroup('commit()');
    const list = offsets === undefined ? this.#delivery.uncommitted() : offsets.map(complete);
    // What the application says is done is finished: an automatic commit must not go back behind it.
    for (const { topic, partition, offset, leaderEpoch } of list) {
      this.#delivery.get(topic, partition)?.ledger.finishUpTo(offset, leaderEpoch);
    }
    await this.#send(list, 'call', this.#settings.defaultApiTimeoutMs);
  }

  async committed(partitions: readonly TopicPartition[]): Promise<Committed[]> {
    this.#mustHaveGroup('committed()');
    const timeoutMs = this.#settings.defaultApiTimeoutMs;
    const error = new RequestTimeoutError(`the committed offsets were not known within ${timeoutMs} ms`);
    // The engine's retries end by then too, but not a look-up of the coordinator that is under way.
    const offsets = await this.#lookups.startWithin(timeoutMs, error, (id) =>
      this.#engine.send({ type: 'fetchCommitted', id, partitions, timeoutMs }),
    );
    return partitions.map(({ topic, partition }) => {
      const found = offsets.find((each) => each.topic === topic && each.partition === partition);
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
      await this.#send(this.#delivery.uncommitted(), 'auto', this.#settings.defaultApiTimeoutMs);
    } catch (error) {
      // The next one carries these offsets or newer ones.
      const isRetriable = error instanceof KafkaError && error.retriable;
      this.#reporting.log(isRetriable ? 'info' : 'warn', `automatic commit failed: ${messageOf(error)}`);
    } finally {
      this.#isAutoCommitting = false;
    }
  }

  /** On revocation and on close. A failure is told, and means that these records will be consumed again. */
  async beforeRevocation(partitions: readonly PartitionDelivery<K, V>[], deadline = Infinity): Promise<void> {
    if (!this.#settings.enableAutoCommit) return;
    const { defaultApiTimeoutMs, maxPollIntervalMs } = this.#settings;
    const timeoutMs = Math.max(0, Math.min(defaultApiTimeoutMs, maxPollIntervalMs, deadline - performance.now()));
    try {
      await this.#send(this.#delivery.uncommitted(partitions), 'revoke', timeoutMs);
    } catch (error) {
      this.#reporting.log('warn', `not committed, so consumed again by whoever gets them: ${messageOf(error)}`);
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

  async #send(offsets: readonly OffsetToCommit[], purpose: Purpose, timeoutMs: number): Promise<void> {
    if (offsets.length === 0) return;
    await this.#pending.start((id) => this.#engine.send({ type: 'commit', id, offsets, timeoutMs, purpose }));
  }

  #mustHaveGroup(where: string): void {
    if (this.#settings.groupId !== null) return;
    throw new ConfigError(`${where} needs a groupId: offsets are committed in the name of a group`);
  }
}

function complete({ topic, partition, offset, leaderEpoch = -1, metadata = '' }: TopicPartitionOffset): OffsetToCommit {
  return { topic, partition, offset, leaderEpoch, metadata };
}
