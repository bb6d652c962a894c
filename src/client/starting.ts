import type { StartAt, TopicPartition } from '../fetch/partition.ts';
import type { Delivery } from './delivery.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import type { EnginePort, PositionedPartition } from './port.ts';

/**
 * Partitions that are assigned and not read (yet): their `onAssigned` has not returned, or they are being given back. Where
 * reading is to begin can be asked and changed meanwhile.
 */
export class Starting<K, V> {
  readonly #delivery: Delivery<K, V>;
  readonly #port: EnginePort;
  #startAt = new Map<PartitionDelivery<K, V>, StartAt>();
  /** The epoch in which the engine looks their position up; they are paused there, so that nothing is fetched. */
  #lookedUp = new Map<PartitionDelivery<K, V>, number>();

  constructor(delivery: Delivery<K, V>, port: EnginePort) {
    this.#delivery = delivery;
    this.#port = port;
  }

  add(delivery: PartitionDelivery<K, V>, startAt: StartAt): void {
    delivery.isStarting = true;
    this.#startAt.set(delivery, startAt);
  }

  /** Returns false for one that is being read. */
  seek(delivery: PartitionDelivery<K, V>, startAt: StartAt): boolean {
    if (!delivery.isStarting && !delivery.isBlocked) return false;
    this.#startAt.set(delivery, startAt);
    return true;
  }

  /** Somebody wants to know the position now. Nothing to do where it is being looked up already. */
  lookUp(delivery: PartitionDelivery<K, V>): void {
    if (!delivery.isStarting && !delivery.isBlocked) return;
    if (this.#lookedUp.get(delivery) === delivery.epoch) return;
    this.#lookedUp.set(delivery, delivery.epoch);
    this.#port.send({ type: 'start', partitions: [positioned(delivery, this.#startAt.get(delivery) ?? 'committed')] });
    this.#port.send({ type: 'pause', partitions: [named(delivery)] });
  }

  /** Reading of these begins, except of those that were given back meanwhile. */
  start(deliveries: readonly PartitionDelivery<K, V>[]): void {
    const fresh: PositionedPartition[] = [];
    const paused: TopicPartition[] = [];
    const resumed: TopicPartition[] = [];
    for (const delivery of deliveries) {
      const startAt = this.#startAt.get(delivery);
      if (startAt === undefined || delivery.isBlocked) continue;
      const lookedUp = this.#lookedUp.get(delivery);
      if (lookedUp !== delivery.epoch) fresh.push(positioned(delivery, startAt));
      if (lookedUp === undefined && delivery.isPaused) paused.push(named(delivery));
      if (lookedUp !== undefined && !delivery.isPaused) resumed.push(named(delivery));
      this.forget(delivery);
      this.#delivery.begin(delivery);
    }
    if (fresh.length > 0) this.#port.send({ type: 'start', partitions: fresh });
    if (paused.length > 0) this.#port.send({ type: 'pause', partitions: paused });
    if (resumed.length > 0) this.#port.send({ type: 'resume', partitions: resumed });
  }

  /**
   * Not assigned any more, or begun.
   * @returns whether the engine knows it
   */
  forget(delivery: PartitionDelivery<K, V>): boolean {
    this.#startAt.delete(delivery);
    return this.#lookedUp.delete(delivery);
  }
}

export function named({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}

export function positioned(
  { topic, partition, epoch }: TopicPartition & { epoch: number },
  startAt: StartAt,
): PositionedPartition {
  return { topic, partition, epoch, startAt };
}
