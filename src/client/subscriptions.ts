import { ConfigError } from '../errors.ts';
import type { StartAt, TopicPartition } from '../fetch/partition.ts';
import type { Subscription } from './arguments.ts';
import type { Delivery } from './delivery.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import type { EnginePort } from './port.ts';
import type { Rebalances, RebalanceListener } from './rebalances.ts';
import type { Settings } from './validate.ts';

/** What `subscribe`, `assign` and `unsubscribe` need of the session. */
export interface SubscriptionsHost<K, V> {
  readonly settings: Settings;
  readonly delivery: Delivery<K, V>;
  readonly rebalances: Rebalances<K, V>;
  readonly engine: EnginePort;
  isClosing: () => boolean;
  /** Notes what is finished of these for a commit, before they are gone. */
  commitFinished: (partitions: readonly PartitionDelivery<K, V>[]) => void;
  /** The consumer is in no group any more. */
  onLeft: () => void;
  /** Partitions are gone. */
  onDropped: () => void;
}

/** What is read: by subscription, which needs a group, or by manual assignment. Never both. */
export class Subscriptions<K, V> {
  readonly #host: SubscriptionsHost<K, V>;
  /** The topics subscribed to; for patterns what they stand for. */
  topics: readonly string[] = [];
  listener: RebalanceListener = {};
  #mode: 'none' | 'subscribed' | 'assigned' = 'none';
  /** What `assign` was given last. */
  #manual: readonly TopicPartition[] = [];

  constructor(host: SubscriptionsHost<K, V>) {
    this.#host = host;
  }

  get isSubscribed(): boolean {
    return this.#mode === 'subscribed';
  }

  subscribe(wanted: Subscription, listener: RebalanceListener): void {
    const { settings, engine } = this.#host;
    if (settings.groupId === null)
      throw new ConfigError('subscribe() needs a groupId; to read without a group, use assign()');
    if (this.#mode === 'assigned') throw new ConfigError('subscribe() after assign(): call unsubscribe() first');
    this.#mode = 'subscribed';
    if (wanted.brokerPattern !== null && settings.groupProtocol === 'classic')
      throw new ConfigError("subscribe(SubscriptionPattern) needs groupProtocol 'consumer'; a RegExp works in both");
    this.topics = wanted.topics;
    this.listener = listener;
    engine.send({ type: 'subscribe', ...wanted });
  }

  assign(partitions: readonly (TopicPartition & { startAt: StartAt })[]): void {
    const { rebalances, engine, isClosing } = this.#host;
    if (this.#mode === 'subscribed') throw new ConfigError('assign() after subscribe(): call unsubscribe() first');
    if (this.#mode === 'assigned') this.#dropManualAssignment();
    this.#mode = partitions.length > 0 ? 'assigned' : 'none';
    this.#manual = partitions;
    rebalances.whenSettled(() => {
      if (this.#manual !== partitions || isClosing()) return; // changed while the group was being left
      engine.send({ type: 'assign', partitions });
      rebalances.assignManually(partitions);
    });
  }

  unsubscribe(): void {
    const { rebalances, engine, onLeft } = this.#host;
    if (this.#mode === 'assigned') this.#dropManualAssignment();
    if (this.#mode !== 'none') engine.send({ type: 'unsubscribe' });
    rebalances.whenSettled(() => {
      if (this.#mode !== 'subscribed') onLeft();
    });
    this.#mode = 'none';
    this.topics = [];
  }

  #dropManualAssignment(): void {
    const { delivery, engine, commitFinished, onDropped } = this.#host;
    this.#manual = [];
    const dropped = [...delivery.partitions].filter(({ isBlocked }) => !isBlocked);
    commitFinished(dropped);
    const partitions = dropped.map(({ topic, partition }) => ({ topic, partition }));
    delivery.remove(partitions);
    engine.send({ type: 'stop', partitions });
    onDropped();
  }
}
