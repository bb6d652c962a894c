import type { HandlerJob } from './handler-job.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import type { Stopped } from './unfinished.ts';

/**
 * Jobs in the order in which they were taken, as a chain that they hold themselves: one is added and taken out for every record, and
 * a `Set` would take a new table every few of them.
 */
export class JobList<K, V> implements Iterable<HandlerJob<K, V>> {
  first: HandlerJob<K, V> | null = null;
  #last: HandlerJob<K, V> | null = null;

  add(job: HandlerJob<K, V>): void {
    job.before = this.#last;
    if (this.#last === null) this.first = job;
    else this.#last.behind = job;
    this.#last = job;
  }

  /** Legal also for one that is not in it. */
  delete(job: HandlerJob<K, V>): void {
    const { before, behind } = job;
    if (before !== null) before.behind = behind;
    else if (this.first === job) this.first = behind;
    else return;
    if (behind !== null) behind.before = before;
    else this.#last = before;
    job.before = null;
    job.behind = null;
  }

  *[Symbol.iterator](): Iterator<HandlerJob<K, V>> {
    for (let job = this.first; job !== null; job = job.behind) yield job;
  }
}

/** What handlers have of one partition: what runs, and what waits for something that runs. */
export class PartitionWork<K, V> {
  readonly delivery: PartitionDelivery<K, V>;
  /** Begun or waiting, in the order of their offsets: the first one is the oldest unfinished. */
  readonly jobs = new JobList<K, V>();
  /** By what orders them: each has one that runs, and these wait behind it. */
  readonly lanes = new Map<number, HandlerJob<K, V>[]>();
  /** Lanes in which nothing runs, for the partition is paused: what waits there begins after `resume`. */
  readonly parked = new Set<number>();
  /** The oldest record that was given up since the partition was positioned: where reading goes on afterwards. */
  #givenUpAt = Infinity;
  #givenUpEpoch = -1;
  #stopped: Stopped | null = null;
  #stoppedEpoch = -1;
  #unreadable: Stopped | null = null;
  #unreadableEpoch = -1;
  #begunUpTo = -1;
  #begunEpoch = -1;

  constructor(delivery: PartitionDelivery<K, V>) {
    this.delivery = delivery;
  }

  /** A record could not be handled; until the partition is positioned anew. */
  get isStopped(): boolean {
    return this.#stoppedEpoch === this.delivery.epoch;
  }

  get stopped(): Stopped | null {
    return this.isStopped ? this.#stopped : null;
  }

  stop(stopped: Stopped): void {
    this.#stopped = stopped;
    this.#stoppedEpoch = this.delivery.epoch;
  }

  /** What the partition cannot be read with: told, and stops it, when all that was handed out before has ended. */
  get unreadable(): Stopped | null {
    return this.#unreadableEpoch === this.delivery.epoch ? this.#unreadable : null;
  }

  setUnreadable(stopped: Stopped): void {
    this.#unreadable = stopped;
    this.#unreadableEpoch = this.delivery.epoch;
  }

  get givenUpAt(): number {
    return this.#givenUpEpoch === this.delivery.epoch ? this.#givenUpAt : Infinity;
  }

  giveUp(job: HandlerJob<K, V>): void {
    if (job.epoch !== this.delivery.epoch) return;
    if (this.#givenUpEpoch !== job.epoch) this.#givenUpAt = Infinity;
    this.#givenUpEpoch = job.epoch;
    this.#givenUpAt = Math.min(this.#givenUpAt, job.record.offset);
  }

  /** Something of this lane has begun to be handled. */
  begun(job: HandlerJob<K, V>): void {
    if (this.#begunEpoch !== job.epoch) this.#begunUpTo = -1;
    this.#begunEpoch = job.epoch;
    this.#begunUpTo = Math.max(this.#begunUpTo, job.record.offset);
  }

  /** Handled out of order, records behind it have begun: left out, it would hold back their commit, and they would be handled twice. */
  isOvertaken(job: HandlerJob<K, V>): boolean {
    return job.epoch === this.#begunEpoch && job.record.offset < this.#begunUpTo;
  }

  /**
   * Nothing runs in this lane any more.
   * @returns whether something waits there: for `resume`, then
   */
  endLane(lane: number): boolean {
    const isParked = (this.lanes.get(lane)?.length ?? 0) > 0;
    if (isParked) this.parked.add(lane);
    else this.lanes.delete(lane);
    return isParked;
  }

  /** Takes away what has not begun, all of it or what nothing has overtaken. Nobody would begin what waits in a parked lane. */
  takeWaiting(isAll: boolean): HandlerJob<K, V>[] {
    const taken: HandlerJob<K, V>[] = [];
    for (const [name, lane] of this.lanes) {
      const kept = isAll || this.parked.has(name) ? [] : lane.filter((job) => this.isOvertaken(job));
      taken.push(...lane.filter((job) => !kept.includes(job)));
      lane.splice(0, lane.length, ...kept);
    }
    return taken;
  }
}

/** FNV-1a. Keys that share a value are handled one after the other, too: that costs a little time and no order. */
export function laneOf(key: Buffer): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ (key[i] ?? 0), 0x01000193);
  return hash;
}
