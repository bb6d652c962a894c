import { ConfigError } from '../errors.ts';
import { partitionKey, type StartAt, type TopicPartition } from '../fetch/partition.ts';
import type { Subscription } from './arguments.ts';
import type { Delivery } from './delivery.ts';
import type { ListenerHolder, RebalanceListener } from './listeners.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import type { EnginePort } from './port.ts';
import type { Rebalances } from './rebalances.ts';
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
  /** These are read from now on: what `run` does with them. */
  setUp: (deliveries: readonly PartitionDelivery<K, V>[]) => void;
  /** The consumer is in no group any more. */
  onLeft: () => void;
  /** Partitions are gone. */
  onDropped: () => void;
}

/** Given to `assign`: where it is to be read from, and whether the application has said so. */
export interface ManualPartition extends TopicPartition {
  startAt: StartAt;
  hasOffset: boolean;
}

type Manual = readonly ManualPartition[];

/** What is read: by subscription, which needs a group, or by manual assignment. Never both. */
export class Subscriptions<K, V> {
  readonly #host: SubscriptionsHost<K, V>;
  /** The topics subscribed to; for patterns what they stand for. */
  topics: readonly string[] = [];
  #holder: ListenerHolder = { listener: {} };
  #mode: 'none' | 'subscribed' | 'assigned' = 'none';
  /** False once the group has said that nothing of it is left here. */
  #isInGroup = false;
  /** Of the last `unsubscribe` that was sent. */
  #lastId = 0;
  /** Given to `assign` while the group was still being left. */
  #waiting: Manual | null = null;
  /** The deliveries that come from `assign`, by partition. */
  #manual = new Map<string, PartitionDelivery<K, V>>();

  constructor(host: SubscriptionsHost<K, V>) {
    this.#host = host;
  }

  get isSubscribed(): boolean {
    return this.#mode === 'subscribed';
  }

  /** Whom the partitions of this subscription belong to. */
  get holder(): ListenerHolder {
    return this.#holder;
  }

  subscribe(wanted: Subscription, listener: RebalanceListener): void {
    const { settings, engine } = this.#host;
    if (settings.groupId === null)
      throw new ConfigError('subscribe() needs a groupId; to read without a group, use assign()');
    if (this.#mode === 'assigned') throw new ConfigError('subscribe() after assign(): call unsubscribe() first');
    if (wanted.brokerPattern !== null && settings.groupProtocol === 'classic')
      throw new ConfigError("subscribe(SubscriptionPattern) needs groupProtocol 'consumer'; a RegExp works in both");
    if (this.#mode === 'subscribed') this.#holder.listener = listener;
    else this.#holder = { listener };
    this.#mode = 'subscribed';
    this.#isInGroup = true;
    this.topics = wanted.topics;
    engine.send({ type: 'subscribe', ...wanted });
  }

  /** Partitions that stay go on as they are, unless they are given an offset of their own: then they are sought there. */
  assign(partitions: Manual): void {
    if (this.#mode === 'subscribed') throw new ConfigError('assign() after subscribe(): call unsubscribe() first');
    this.#mode = partitions.length > 0 ? 'assigned' : 'none';
    this.#waiting = partitions;
    if (!this.#isInGroup) this.#assignWaiting();
  }

  unsubscribe(): void {
    const { engine, rebalances } = this.#host;
    this.#waiting = null;
    if (this.#manual.size > 0) this.#drop([...this.#manual.values()]);
    const wasReading = this.#mode !== 'none';
    this.#mode = 'none';
    this.topics = [];
    // A group that was never joined says at once that it is left.
    if (wasReading) engine.send({ type: 'unsubscribe', id: ++this.#lastId });
    rebalances.handChanged(); // what poll() gave is not waited for any more
  }

  /** The group says that nothing of it is left here. The application may still be giving up what was lost. */
  onUnsubscribed(id: number): void {
    const { rebalances, onLeft } = this.#host;
    if (id !== this.#lastId) return;
    rebalances.whenSettled(() => {
      if (id !== this.#lastId || this.#mode === 'subscribed') return; // subscribed again meanwhile
      this.#isInGroup = false;
      onLeft();
      this.#assignWaiting();
    });
  }

  #assignWaiting(): void {
    const { engine, rebalances, isClosing, setUp } = this.#host;
    const partitions = this.#waiting;
    this.#waiting = null;
    if (partitions === null || isClosing()) return;
    const wanted = new Map(partitions.map((each) => [partitionKey(each.topic, each.partition), each]));
    this.#drop([...this.#manual].filter(([key]) => !wanted.has(key)).map(([, delivery]) => delivery));
    engine.send({ type: 'assign', partitions });
    const added = [...wanted].filter(([key]) => !this.#manual.has(key)).map(([, each]) => each);
    for (const [key, { startAt, hasOffset }] of wanted) {
      const known = this.#manual.get(key);
      if (known !== undefined && hasOffset) rebalances.seek(known, startAt);
    }
    const begun = rebalances.assignManually(added);
    for (const delivery of begun) this.#manual.set(partitionKey(delivery.topic, delivery.partition), delivery);
    setUp(begun);
  }

  /** At once, for no group has to be asked. */
  #drop(dropped: readonly PartitionDelivery<K, V>[]): void {
    const { delivery, engine, commitFinished, onDropped } = this.#host;
    if (dropped.length === 0) return;
    commitFinished(dropped);
    const partitions = dropped.map(({ topic, partition }) => ({ topic, partition }));
    delivery.remove(partitions);
    for (const { topic, partition } of partitions) this.#manual.delete(partitionKey(topic, partition));
    engine.send({ type: 'stop', partitions });
    onDropped();
  }
}
