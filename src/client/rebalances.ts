import type { KafkaError } from '../errors.ts';
import type { StartAt, TopicPartition } from '../fetch/partition.ts';
import type { Delivery } from './delivery.ts';
import type { RebalanceEvent } from './events.ts';
import { Listeners, type ListenerHolder, type RebalanceListener } from './listeners.ts';
import type { EnginePort } from './port.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import type { PartitionStanding } from './partition-standing.ts';
import { named, positioned, Starting } from './starting.ts';

export type { RebalanceListener } from './listeners.ts';

export interface RebalanceHost<K, V> {
  /** Whom partitions that are assigned now belong to. */
  subscription: () => ListenerHolder;
  /** After `onAssigned` of these, and before they are read: what `run` does with them. */
  setUp: (deliveries: readonly PartitionDelivery<K, V>[]) => unknown;
  /** False where the application will not come back for more: what `poll()` or `read()` gave is not waited for. */
  waitsForHand: () => boolean;
  /** Commits what is finished of these; resolves whether that worked or not. */
  commitBeforeRevocation: (partitions: readonly PartitionDelivery<K, V>[]) => Promise<void>;
  emit: (event: 'assigned' | 'revoked' | 'lost', partitions: TopicPartition[]) => void;
  onRebalanced: (rebalance: RebalanceEvent) => void;
  /** The rebalance timeout: so long may a listener take, and so long may handlers that a revocation waits for. */
  maxPollIntervalMs: number;
  /**
   * A listener has thrown, or takes too long. The group goes on.
   * @param again to be called when the application reads again after it was told; `null` where nothing is left to be done
   */
  onListenerFailed: (error: KafkaError, again: (() => void) | null) => void;
  /** So long were these waited for: they are given back all the same. */
  onGivenUp: (deliveries: readonly PartitionDelivery<K, V>[]) => void;
  /** Partitions are gone, and what the application had of them. */
  onRemoved: () => void;
}

/**
 * Of the time that the group has for a rebalance, so much is kept for the commit, the listener and the way to the coordinator, or a
 * fifth of it: a member that takes all of it is thrown out.
 */
const REVOCATION_RESERVE_MS = 5000;

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
  readonly #starting: Starting<K, V>;
  readonly #listeners: Listeners;
  /** Whom each partition of the group was given to. */
  #holders = new WeakMap<PartitionDelivery<K, V>, ListenerHolder>();
  #revocation: Revocation | null = null;
  #telling: ReadonlySet<PartitionDelivery<K, V>> = new Set();
  #rebalance: Progress | null = null;
  #isClosed = false;
  #steps: Promise<void> = Promise.resolve();

  constructor(delivery: Delivery<K, V>, port: EnginePort, host: RebalanceHost<K, V>) {
    this.#delivery = delivery;
    this.#port = port;
    this.#host = host;
    this.#starting = new Starting(delivery, port);
    this.#listeners = new Listeners(host.maxPollIntervalMs);
  }

  /** Its `onRevoked` or `onLost` was called and has not returned: it is assigned until then. */
  isTelling(delivery: PartitionDelivery<K, V>): boolean {
    return this.#telling.has(delivery);
  }

  /** A listener was called and has not returned. */
  get isListenerRunning(): boolean {
    return this.#listeners.isRunning;
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
    const holder = this.#host.subscription();
    const added = partitions.map(({ topic, partition }) => {
      const delivery = this.#delivery.assign(topic, partition, ++this.#lastEpoch);
      this.#starting.add(delivery, 'committed');
      this.#holders.set(delivery, holder);
      return delivery;
    });
    this.#after(async () => {
      if (this.#isClosed) return;
      this.#host.emit('assigned', added.map(named));
      await this.#begin(added, holder);
      rebalance.assigned.push(...added.map(named));
      if (!isSettled) return;
      const { beganAt, ...moved } = rebalance;
      this.#host.onRebalanced({ durationMs: performance.now() - beganAt, generation, memberId, ...moved });
    });
  }

  /** `close()` is called: a listener that runs may be the one that calls, and waits for it. */
  closing(graceMs: number): void {
    this.#listeners.closing(graceMs);
  }

  /** The consumer is closed: no listener is called or waited for any more. */
  close(): void {
    this.#isClosed = true;
    this.#listeners.close();
    this.#revocation?.wake();
  }

  /** Runs `step` when no revocation is under way (any more): at once, where none is. */
  whenSettled(step: () => void): void {
    if (this.#revocation === null) step();
    else this.#after(() => Promise.resolve(step()));
  }

  /** A manual assignment: no listener, no group. */
  assignManually(partitions: readonly (TopicPartition & { startAt: StartAt })[]): PartitionDelivery<K, V>[] {
    const added = partitions.map(({ topic, partition, startAt }) => {
      const delivery = this.#delivery.assign(topic, partition, ++this.#lastEpoch);
      if (typeof startAt === 'number') delivery.position = startAt;
      this.#starting.add(delivery, startAt);
      return delivery;
    });
    this.#starting.start(added);
    return added;
  }

  /** Acts at once: nothing that was fetched for the old position is handed out after this returns. */
  seek(delivery: PartitionDelivery<K, V>, startAt: StartAt): void {
    const position = typeof startAt === 'number' ? startAt : -1;
    this.#delivery.seek(delivery, ++this.#lastEpoch, position);
    this.handChanged();
    if (this.#starting.seek(delivery, startAt)) return;
    this.#port.send({ type: 'start', partitions: [positioned(delivery, startAt)] });
  }

  /** Somebody waits for the position: it is looked up now, where reading has not begun and would do that. */
  lookUp(delivery: PartitionDelivery<K, V>): void {
    this.#starting.lookUp(delivery);
  }

  setPaused(deliveries: readonly PartitionDelivery<K, V>[], isPaused: boolean): void {
    for (const delivery of deliveries) {
      if (isPaused) this.#delivery.pause(delivery);
      else this.#delivery.resume(delivery);
    }
    // The others are told when they begin.
    const running = deliveries.filter(({ isStarting, isBlocked }) => !isStarting && !isBlocked).map(named);
    this.#port.send({ type: isPaused ? 'pause' : 'resume', partitions: running });
  }

  /** Bytes were damaged, or are gone from here: they are fetched again. What was handed out before stays what it is. */
  refetch(delivery: PartitionStanding, attempt: number): void {
    const { topic, partition, position: offset } = delivery;
    delivery.fetchEpoch = ++this.#lastEpoch;
    this.#port.send({ type: 'refetch', topic, partition, epoch: delivery.fetchEpoch, offset, attempt });
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

  /** The application has let go of something, or will not come back for more. */
  handChanged(): void {
    const revocation = this.#revocation;
    if (revocation !== null && !this.#isWaitedFor(revocation)) revocation.wake();
  }

  /** The listener, then reading; or, where the listener has failed, the same again when the application reads again. */
  async #begin(added: readonly PartitionDelivery<K, V>[], holder: ListenerHolder): Promise<void> {
    const error = await this.#listeners.call('onAssigned', added, holder, () => this.#host.setUp(added));
    if (error === null) {
      this.#starting.start(added);
      return;
    }
    this.#host.onListenerFailed(error, () => {
      this.#after(async () => {
        const left = added.filter((each) => !each.isBlocked && this.#delivery.get(each.topic, each.partition) === each);
        if (left.length > 0 || added.length === 0) await this.#begin(left, holder);
      });
    });
  }

  async #revoke(revocation: Revocation): Promise<void> {
    await this.#untilLetGo(revocation);
    if (!isLost(revocation)) await this.#host.commitBeforeRevocation(this.#deliveries(revocation.partitions));
    const { rebalance, partitions: told } = revocation;
    const event = isLost(revocation) ? 'lost' : 'revoked';
    await this.#tell(event, told, rebalance);
    // Thrown out of the group while the listener ran: what had stayed until then is lost, too.
    const late = revocation.partitions.slice(told.length);
    if (late.length > 0) await this.#tell('lost', late, rebalance);
    const known = this.#deliveries(revocation.partitions).filter((each) => this.#starting.forget(each));
    if (known.length > 0) this.#port.send({ type: 'stop', partitions: known.map(named) });
    this.#delivery.remove(revocation.partitions);
    this.#host.onRemoved();
    this.#revocation = null;
    this.#port.send({ type: 'revoked' });
  }

  /** Handlers and loops may end what they are at, within the time that the group has for its rebalance. */
  async #untilLetGo(revocation: Revocation): Promise<void> {
    if (!this.#isWaitedFor(revocation)) return;
    const { maxPollIntervalMs } = this.#host;
    let isTimeUp = false;
    const timer = setTimeout(
      () => {
        isTimeUp = true;
        revocation.wake();
      },
      maxPollIntervalMs - Math.min(REVOCATION_RESERVE_MS, maxPollIntervalMs / 5),
    );
    while (!isTimeUp && this.#isWaitedFor(revocation)) {
      await new Promise<void>((resolve) => (revocation.wake = resolve));
    }
    clearTimeout(timer);
    if (!this.#isWaitedFor(revocation)) return;
    const held = ({ isInHand, running }: PartitionDelivery<K, V>): boolean => isInHand || running > 0;
    this.#host.onGivenUp(this.#deliveries(revocation.partitions).filter(held));
  }

  #isWaitedFor({ lost, partitions }: Revocation): boolean {
    return !lost && !this.#isClosed && this.#host.waitsForHand() && this.#delivery.isAnyInHand(partitions);
  }

  #deliveries(partitions: readonly TopicPartition[]): PartitionDelivery<K, V>[] {
    return partitions
      .map(({ topic, partition }) => this.#delivery.get(topic, partition))
      .filter((each) => each !== undefined);
  }

  /** The event, then the listeners that have heard of the assignment of these. */
  async #tell(event: 'revoked' | 'lost', partitions: readonly TopicPartition[], rebalance: Progress): Promise<void> {
    if (this.#isClosed) return;
    this.#host.emit(event, partitions.map(named));
    const byHolder = new Map<ListenerHolder, TopicPartition[]>();
    this.#telling = new Set(this.#deliveries(partitions));
    for (const delivery of this.#telling) {
      const holder = this.#holders.get(delivery) ?? this.#host.subscription();
      const theirs = byHolder.get(holder);
      if (theirs === undefined) byHolder.set(holder, [delivery]);
      else theirs.push(delivery);
    }
    const name: keyof RebalanceListener = event === 'lost' ? 'onLost' : 'onRevoked';
    for (const [holder, theirs] of byHolder) {
      const error = await this.#listeners.call(name, theirs, holder);
      if (error !== null) this.#host.onListenerFailed(error, null);
    }
    this.#telling = new Set();
    rebalance[event].push(...partitions.map(named));
  }

  #after(step: () => Promise<void>): void {
    this.#steps = this.#steps.then(step);
  }
}

/** A function, for TypeScript does not expect the field to change during an `await`. */
function isLost(revocation: Revocation): boolean {
  return revocation.lost;
}
