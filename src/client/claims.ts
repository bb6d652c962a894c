import { ConfigError } from '../errors.ts';
import type { TopicPartition } from '../fetch/partition.ts';
import { PartitionClaim, type Claim } from './claim.ts';
import { checkedNames, optionalSignal } from './for-each-options.ts';
import { handlerError, HandlerErrors, isAbort, type HandlingHost } from './handling.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import { stoppedAt, type Unfinished } from './unfinished.ts';
import type { Worker } from './worker.ts';

/** What `run()` calls, in this order. */
export interface ClaimHandler<K = Buffer | null, V = Buffer | null> {
  /** These were given to this consumer; nothing of them is read before it returns, so `seek` works. */
  setup?: (partitions: TopicPartition[]) => unknown;
  /** Called for each partition; returns when its loop over the claim ends. */
  consume: (claim: Claim<K, V>) => unknown;
  /** The loops of these have ended, and they are given back after this. What it finishes, or marks as consumed, is committed. */
  cleanup?: (partitions: TopicPartition[]) => unknown;
}

export interface RunOptions {
  /** Aborted: the claims end, `cleanup` is called, and `run` resolves. The consumer stays open. */
  signal?: AbortSignal;
  /** As in `forEach`. Default `'partition'`. */
  stopOnError?: 'partition' | 'all';
}

/** @throws ConfigError for what is no such thing */
export function checkRun(handler: unknown, options: RunOptions): void {
  const parts = checkedNames(handler, ['setup', 'consume', 'cleanup'], 'run()');
  for (const name of ['setup', 'consume', 'cleanup']) {
    if (typeof parts[name] === 'function' || (name !== 'consume' && parts[name] === undefined)) continue;
    throw new ConfigError(`run() takes { setup, consume(claim), cleanup }: ${name} must be a function`);
  }
  const given = checkedNames(options, ['signal', 'stopOnError'], 'run()');
  optionalSignal(given, 'run()');
  if (![undefined, 'partition', 'all'].includes(given['stopOnError'] as string | undefined))
    throw new ConfigError("run(): stopOnError takes 'partition' or 'all'");
}

/** `run`: a claim and a loop for each partition, from its assignment until it is given back. */
export class Claims<K, V> implements Worker<K, V> {
  readonly #host: HandlingHost<K, V>;
  readonly #handler: ClaimHandler<K, V>;
  readonly #options: RunOptions;
  readonly #maxRecords: number;
  readonly #errors: HandlerErrors;
  /** Were given to `setup`. */
  #known = new WeakSet<PartitionDelivery<K, V>>();
  #claims = new Map<PartitionDelivery<K, V>, PartitionClaim<K, V>>();
  /** Their claims have ended, and `consume` or `cleanup` has not. */
  #ending = new Set<PartitionClaim<K, V>>();
  /** Loops, and the cleanups after them. */
  #running = 0;
  #isOver = false;
  #isAbandoned = false;

  constructor(host: HandlingHost<K, V>, handler: ClaimHandler<K, V>, options: RunOptions, maxRecords: number) {
    this.#host = host;
    this.#handler = handler;
    this.#options = options;
    this.#maxRecords = maxRecords;
    this.#errors = new HandlerErrors(host.reporting);
  }

  async run(): Promise<void> {
    const { delivery, reading, commitFinished } = this.#host;
    const { signal } = this.#options;
    reading.claim();
    delivery.setWorker(this);
    const stop = (): void => this.#finish();
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted === true) stop();
    try {
      // What was there before `run` was called; later ones come by `onAssigned`.
      const first = [...delivery.partitions].filter(({ isBlocked, isStarting }) => !isBlocked && !isStarting);
      await this.onAssigned(first);
      while (!this.#isOver && !reading.isInterrupted) {
        await reading.arrival([...this.#claims.values()].every(({ isWaiting, isDone }) => isWaiting || isDone));
      }
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#finish();
      while (this.#running > 0 && !this.#isAbandoned) await reading.arrival(false);
      this.#giveBack();
      await commitFinished();
      delivery.setWorker(null);
      reading.unclaim();
    }
    reading.throwIfInterrupted();
    if (this.#errors.first !== null) throw this.#errors.first;
  }

  /** Some loop has come back for records, or there is none. */
  get isIdle(): boolean {
    const claims = [...this.#claims.values()];
    return claims.length === 0 || claims.some(({ isWaiting }) => isWaiting);
  }

  /** Before anything of these is read: `setup`. Their loops begin with it, and wait for what is read. */
  async onAssigned(assigned: readonly PartitionDelivery<K, V>[]): Promise<void> {
    const partitions = assigned.filter((each) => !this.#known.has(each));
    for (const each of partitions) this.#known.add(each);
    if (partitions.length === 0 || this.#isOver || this.#host.reading.hasEnded) return;
    const { delivery, handChanged, reading } = this.#host;
    this.#running++;
    for (const each of partitions) delivery.beginWork(each);
    await this.#begin(partitions);
    for (const each of partitions) delivery.endWork(each);
    this.#running--;
    handChanged();
    reading.wake();
  }

  onBlocked(partitions: readonly PartitionDelivery<K, V>[]): void {
    void this.#endClaims(partitions.map((each) => this.#claims.get(each)).filter((each) => each !== undefined));
  }

  /** Partitions whose loop has failed. */
  unfinished(now: number): Unfinished[] {
    const result: Unfinished[] = [];
    for (const { delivery, failure } of this.#claims.values())
      if (failure !== null && !delivery.isBlocked) result.push(stoppedAt(delivery, failure, now));
    return result;
  }

  onGivenUp(partitions: readonly PartitionDelivery<K, V>[]): PartitionDelivery<K, V>[] {
    const claims = [...this.#ending].filter(({ delivery }) => partitions.includes(delivery));
    const waiting = claims.filter(({ isWaitingForOthers }) => isWaitingForOthers).map(({ delivery }) => delivery);
    for (const claim of claims) claim.giveUp();
    return partitions.filter((each) => !waiting.includes(each));
  }

  onAbandoned(): void {
    this.#isAbandoned = true;
    for (const claim of [...this.#ending, ...this.#claims.values()]) claim.giveUp();
    this.#host.reading.wake();
  }

  async #begin(partitions: readonly PartitionDelivery<K, V>[]): Promise<void> {
    try {
      await this.#handler.setup?.(partitions.map(named));
    } catch (error) {
      for (const { topic, partition } of partitions)
        this.#errors.tell(handlerError('setup has failed for', { topic, partition, offset: -1 }, error));
      this.#finish();
      return;
    }
    const wanted = partitions.filter(({ isBlocked }) => !isBlocked && !this.#isOver);
    for (const delivery of wanted) this.#claim(delivery);
    // Taken away, or the end came, while `setup` ran: what that has opened is closed again.
    const given = partitions.filter((each) => !wanted.includes(each));
    if (given.length > 0) await this.#cleanUp(given);
  }

  #claim(delivery: PartitionDelivery<K, V>): void {
    const claim = new PartitionClaim(this.#host, delivery, this.#maxRecords);
    this.#claims.set(delivery, claim);
    this.#host.delivery.beginWork(delivery);
    this.#running++;
    void this.#consume(claim);
  }

  async #consume(claim: PartitionClaim<K, V>): Promise<void> {
    const { topic, partition, delivery } = claim;
    try {
      await this.#handler.consume(claim);
      if (!claim.hasEnded) {
        const text = `consume() has returned before the claim of ${topic}-${partition} has ended: nothing more of it is read until it is assigned anew`;
        this.#host.reporting.log('warn', text);
      }
    } catch (error) {
      // A loop that gives up because its claim has ended has not failed.
      if (!claim.hasEnded || !isAbort(error)) {
        // A loop that was left has given back what it held; else that is the record before the position.
        const offset = delivery.isInHand ? delivery.position - 1 : delivery.position;
        const where = { topic, partition, offset };
        const failure = handlerError('consume() has failed for', where, error);
        // After the end of its claim it stops nothing that goes on: what is assigned next is read.
        if (!claim.hasEnded) claim.failure = { error: failure, since: performance.now() };
        else if (this.#options.stopOnError === 'all') this.#finish();
        this.#errors.tell(failure);
      }
    }
    claim.isDone = true;
    delivery.letGo();
    claim.onDone();
    const goesOn = [...this.#claims.values()].some(({ isDone, hasEnded }) => !isDone && !hasEnded);
    if (claim.failure !== null && (this.#options.stopOnError === 'all' || !goesOn)) this.#finish();
    this.#host.reading.wake();
  }

  /** Ends the loops of these, waits for them, cleans up, and lets the revocation go on. */
  async #endClaims(claims: readonly PartitionClaim<K, V>[]): Promise<void> {
    for (const claim of claims) {
      this.#claims.delete(claim.delivery);
      this.#ending.add(claim);
      claim.end();
    }
    for (const claim of claims) void claim.done.then(() => (claim.isWaitingForOthers = true));
    await Promise.all(claims.map(({ released }) => released));
    const ended = claims.filter(({ isDone }) => isDone);
    for (const claim of ended) claim.isWaitingForOthers = false;
    // What hangs is cleaned up after when it ends, if it does; the others need not wait for that.
    for (const claim of claims) if (!claim.isDone) void claim.done.then(() => this.#cleanUp([claim]));
    if (ended.length > 0) await this.#cleanUp(ended);
    for (const claim of claims) {
      this.#running--;
      this.#ending.delete(claim);
      this.#host.delivery.endWork(claim.delivery);
    }
    this.#host.handChanged();
    this.#host.reading.wake();
  }

  async #cleanUp(partitions: readonly TopicPartition[]): Promise<void> {
    try {
      await this.#handler.cleanup?.(partitions.map(named));
    } catch (error) {
      for (const { topic, partition } of partitions)
        this.#errors.tell(handlerError('cleanup has failed for', { topic, partition, offset: -1 }, error));
    }
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    void this.#endClaims([...this.#claims.values()]);
    this.#host.reading.wake();
  }

  /** The partitions are read by whoever reads next, from where their loops have ended. */
  #giveBack(): void {
    const { delivery, isClosing, seek } = this.#host;
    for (const partition of delivery.partitions) {
      partition.onReady = null;
      if (partition.isBlocked || isClosing()) continue;
      const { finished } = partition.ledger;
      if (this.#host.isStoring && finished >= 0 && finished < partition.position) seek(partition, finished);
      delivery.setHeld(partition, true);
      delivery.setHeld(partition, false); // back into the line of those that have something
    }
  }
}

function named({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}
