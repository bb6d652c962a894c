import type { TopicPartition } from '../fetch/partition.ts';
import { Bounded } from './bounded.ts';
import type { Delivery } from './delivery.ts';
import type { RebalanceEvent } from './events.ts';
import type { EnginePort, PositionedPartition } from './port.ts';
import type { StartAt } from '../fetch/partition.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import { messageOf } from './reporting.ts';

/**
 * Called, and waited for, while the group stands still; for `maxPollIntervalMs` at the most. Seeking and committing inside them
 * works. One that throws, or takes longer, is told as an `error` event, and the group goes on. Cooperative (KIP-429): they get what
 * is added and taken away, while the rest is delivered.
 */
export interface RebalanceListener {
  /** Nothing of these is read before it returns: `seek` here decides where reading begins. */
  onAssigned?: (partitions: TopicPartition[]) => unknown;
  /** What was finished is committed; nothing of these is delivered any more. */
  onRevoked?: (partitions: TopicPartition[]) => unknown;
  /** The group has gone on without this member: others may consume these already, and nothing can be committed. */
  onLost?: (partitions: TopicPartition[]) => unknown;
}

export interface RebalanceHost<K, V> {
  listener: () => RebalanceListener;
  /** Commits what is finished of these; resolves whether that worked or not. */
  commitBeforeRevocation: (partitions: readonly PartitionDelivery<K, V>[]) => Promise<void>;
  emit: (event: 'assigned' | 'revoked' | 'lost', partitions: TopicPartition[]) => void;
  onRebalanced: (rebalance: RebalanceEvent) => void;
  /** The rebalance timeout: so long may a listener take. */
  listenerTimeoutMs: number;
  /** A listener has thrown, or takes too long. The group goes on. */
  onListenerError: (text: string, cause?: unknown) => void;
}

interface Revocation {
  /** Grows where the rest is lost meanwhile. */
  partitions: readonly TopicPartition[];
  lost: boolean;
  readonly rebalance: Progress;
  /** Ends the wait for what is in hand. */
  wake: () => void;
}

/** A rebalance that is not over yet, and what has moved in it so far. */
type Progress = Pick<RebalanceEvent, 'cause' | 'assigned' | 'revoked' | 'lost'> & { readonly beganAt: number };

/** What the application goes through in a rebalance, in the order of the semantics: one step after the other. */
export class Rebalances<K, V> {
  #delivery: Delivery<K, V>;
  #port: EnginePort;
  #host: RebalanceHost<K, V>;
  #lastEpoch = 0;
  /** Assigned, with the listener still running: where they are to start. */
  #starting = new Map<PartitionDelivery<K, V>, StartAt>();
  #revocation: Revocation | null = null;
  #rebalance: Progress | null = null;
  #listeners = new Bounded();
  #steps: Promise<void> = Promise.resolve();

  constructor(delivery: Delivery<K, V>, port: EnginePort, host: RebalanceHost<K, V>) {
    this.#delivery = delivery;
    this.#port = port;
    this.#host = host;
  }

  /** The group is on its way to a new assignment. */
  begins(cause: string): Progress {
    this.#rebalance ??= { cause, beganAt: performance.now(), assigned: [], revoked: [], lost: [] };
    return this.#rebalance;
  }

  /** The group has given these in addition. Where that is not all yet, one more such call follows. */
  assigned(
    partitions: readonly TopicPartition[],
    { isSettled, generation, memberId }: { isSettled: boolean; generation: number; memberId: string },
  ): void {
    const rebalance = this.begins('a new assignment');
    if (isSettled) this.#rebalance = null;
    for (const { topic, partition } of partitions) {
      this.#starting.set(this.#delivery.assign(topic, partition, ++this.#lastEpoch), 'committed');
    }
    this.#after(async () => {
      rebalance.assigned.push(...(await this.#tell('assigned', 'onAssigned', partitions)));
      this.#start();
      if (!isSettled) return;
      const { beganAt, ...moved } = rebalance;
      this.#host.onRebalanced({ durationMs: performance.now() - beganAt, generation, memberId, ...moved });
    });
  }

  /** The consumer is closed: no listener is waited for any more. */
  close(): void {
    this.#listeners.close();
  }

  /** Runs `step` when no revocation is under way (any more): at once, where none is. */
  whenSettled(step: () => void): void {
    if (this.#revocation === null) step();
    else this.#after(() => Promise.resolve(step()));
  }

  /** A manual assignment: no listener, no group. */
  assignManually(partitions: readonly (TopicPartition & { startAt: StartAt })[]): void {
    for (const { topic, partition, startAt } of partitions) {
      const delivery = this.#delivery.assign(topic, partition, ++this.#lastEpoch);
      if (typeof startAt === 'number') delivery.position = startAt;
      this.#starting.set(delivery, startAt);
    }
    this.#start();
  }

  /** Acts at once: nothing that was fetched for the old position is handed out after this returns. */
  seek(delivery: PartitionDelivery<K, V>, startAt: StartAt): void {
    const position = typeof startAt === 'number' ? startAt : -1;
    this.#delivery.seek(delivery, ++this.#lastEpoch, position);
    this.handChanged();
    if (this.#starting.has(delivery)) this.#starting.set(delivery, startAt);
    else this.#port.send({ type: 'start', partitions: [positioned(delivery, startAt)] });
  }

  /**
   * Semantics §3, the order of revocation. What is not named goes on being delivered. A second call, with `lost`, ends the
   * waiting of the first, and names all of its partitions first.
   */
  revoking(partitions: readonly TopicPartition[], lost: boolean): void {
    const known = this.#revocation;
    const fresh = partitions.slice(known?.partitions.length ?? 0);
    this.#delivery.block(fresh);
    if (known === null || fresh.length > 0) this.#port.send({ type: 'stop', partitions: fresh });
    if (known !== null) {
      known.partitions = partitions;
      known.lost ||= lost;
      known.wake();
      return;
    }
    const rebalance = this.begins(lost ? 'the group has gone on without this member' : 'partitions are revoked');
    const revocation: Revocation = { partitions, lost, rebalance, wake: () => undefined };
    this.#revocation = revocation;
    this.#after(() => this.#revoke(revocation));
  }

  /** The application has let go of something. */
  handChanged(): void {
    const revocation = this.#revocation;
    if (revocation !== null && !this.#delivery.isAnyInHand(revocation.partitions)) revocation.wake();
  }

  async #revoke(revocation: Revocation): Promise<void> {
    while (!isLost(revocation) && this.#delivery.isAnyInHand(revocation.partitions)) {
      await new Promise<void>((resolve) => (revocation.wake = resolve));
    }
    if (!isLost(revocation)) await this.#host.commitBeforeRevocation(this.#deliveries(revocation.partitions));
    const { rebalance, partitions: told } = revocation;
    if (isLost(revocation)) rebalance.lost.push(...(await this.#tell('lost', 'onLost', told)));
    else rebalance.revoked.push(...(await this.#tell('revoked', 'onRevoked', told)));
    // Thrown out of the group while the listener ran: what had stayed until then is lost, too.
    const late = revocation.partitions.slice(told.length);
    if (late.length > 0) rebalance.lost.push(...(await this.#tell('lost', 'onLost', late)));
    for (const delivery of this.#deliveries(revocation.partitions)) this.#starting.delete(delivery);
    this.#delivery.remove(revocation.partitions);
    this.#revocation = null;
    this.#port.send({ type: 'revoked' });
  }

  #deliveries(partitions: readonly TopicPartition[]): PartitionDelivery<K, V>[] {
    return partitions
      .map(({ topic, partition }) => this.#delivery.get(topic, partition))
      .filter((each) => each !== undefined);
  }

  #start(): void {
    const starting = [...this.#starting].filter(([delivery]) => !delivery.isBlocked);
    this.#starting.clear();
    this.#port.send({
      type: 'start',
      partitions: starting.map(([delivery, startAt]) => positioned(delivery, startAt)),
    });
    const paused = starting.map(([delivery]) => delivery).filter(({ isPaused }) => isPaused);
    if (paused.length > 0)
      this.#port.send({ type: 'pause', partitions: paused.map(({ topic, partition }) => ({ topic, partition })) });
  }

  async #tell(
    event: 'assigned' | 'revoked' | 'lost',
    name: keyof RebalanceListener,
    partitions: readonly TopicPartition[],
  ): Promise<TopicPartition[]> {
    const copy = (): TopicPartition[] => partitions.map(({ topic, partition }) => ({ topic, partition }));
    this.#host.emit(event, copy());
    // Nothing to say about nothing, as in Java: an empty revocation calls no listener.
    if (partitions.length === 0 && event !== 'assigned') return [];
    const timeoutMs = this.#host.listenerTimeoutMs;
    try {
      const hasReturned = await this.#listeners.wait(this.#host.listener()[name]?.(copy()), timeoutMs);
      if (!hasReturned)
        this.#host.onListenerError(`${name} has not returned within maxPollIntervalMs (${timeoutMs} ms)`);
    } catch (cause) {
      this.#host.onListenerError(`${name} has thrown: ${messageOf(cause)}`, cause);
    }
    return copy();
  }

  #after(step: () => Promise<void>): void {
    this.#steps = this.#steps.then(step);
  }
}

/** A function, for TypeScript does not expect the field to change during an `await`. */
function isLost(revocation: Revocation): boolean {
  return revocation.lost;
}

function positioned(
  { topic, partition, epoch }: TopicPartition & { epoch: number },
  startAt: StartAt,
): PositionedPartition {
  return { topic, partition, epoch, startAt };
}
