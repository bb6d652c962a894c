import type { ForEachSettings, RecordHandler } from './for-each-options.ts';
import { HandlerCalls } from './handler-calls.ts';
import { HandlerJob } from './handler-job.ts';
import { handlerError, HandlerErrors, type HandlingHost } from './handling.ts';
import type { KafkaRecord } from '../protocol/record.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import { laneOf, PartitionWork } from './partition-work.ts';
import { oldestOf, type Stopped, type Unfinished } from './unfinished.ts';
import type { Worker } from './worker.ts';

/** The lane of all records of a partition that are handled one after the other. */
const ONLY_LANE = 0;

/**
 * `forEach`: takes records while there is room, hands each to the handler, and notes in the partition's ledger what is finished.
 * A handler that returns no promise costs none. One reader, which is woken by what arrives and by what ends.
 */
export class ForEach<K, V> implements Worker<K, V> {
  readonly #host: HandlingHost<K, V>;
  readonly #calls: HandlerCalls<K, V>;
  readonly #settings: ForEachSettings<K, V>;
  /** So many records of a partition in a row, then it is the others' turn. */
  readonly #turn: number;
  readonly #errors: HandlerErrors;
  #work = new Map<PartitionDelivery<K, V>, PartitionWork<K, V>>();
  /** Handlers whose promises are under way, waits for retries included. */
  #running = 0;
  /** Lanes of a paused partition may wait for `resume`. */
  #hasParked = false;
  /** The reader waits, for room or for records. */
  #isParked = false;
  /** Nothing is taken before the event loop has turned. */
  #isTurnOver = false;
  #isOver = false;
  #isAbandoned = false;

  constructor(host: HandlingHost<K, V>, handler: RecordHandler<K, V>, settings: ForEachSettings<K, V>, turn: number) {
    this.#host = host;
    this.#calls = new HandlerCalls(handler, settings, host.reporting, () => this.#isOver);
    this.#settings = settings;
    this.#turn = turn;
    this.#errors = new HandlerErrors(host.reporting);
  }

  async run(): Promise<void> {
    const { delivery, reading, commitFinished } = this.#host;
    const { signal } = this.#settings;
    reading.claim();
    delivery.setWorker(this);
    delivery.setTracking(true);
    const stop = (): void => this.#finish();
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted === true) stop();
    try {
      await this.#read();
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#finish();
      await this.#untilIdle();
      this.#giveBack();
      await commitFinished();
      delivery.setWorker(null);
      reading.unclaim();
    }
    reading.throwIfInterrupted();
    if (this.#errors.first !== null) throw this.#errors.first;
  }

  /**
   * Something could begin if it came: a handler that hangs takes up its own place, and none of the
   * application's presence. Where every partition waits for its handlers, nothing could.
   */
  get isIdle(): boolean {
    if (this.#running === 0) return true;
    if (this.#running >= this.#settings.concurrency) return false;
    const assigned = [...this.#host.delivery.partitions].filter(({ isBlocked }) => !isBlocked);
    return assigned.length === 0 || assigned.some(({ isHeld }) => !isHeld);
  }

  /** The oldest unfinished record of each partition that has one. */
  unfinished(now: number): Unfinished[] {
    return [...this.#work.values()].map((work) => oldestOf(work, now)).filter((each) => each !== null);
  }

  onBlocked(partitions: readonly PartitionDelivery<K, V>[]): void {
    for (const delivery of partitions) {
      const work = this.#work.get(delivery);
      if (work === undefined) continue;
      this.#work.delete(delivery);
      this.#dropWaiting(work, delivery.isPaused);
      for (const job of [...work.jobs]) job.abort();
    }
    this.#host.reading.wake();
  }

  onResumed(): void {
    if (this.#hasParked) this.#host.reading.wake();
  }

  onAbandoned(): void {
    this.#isAbandoned = true;
    this.#host.reading.wake();
  }

  async #read(): Promise<void> {
    const { reading } = this.#host;
    while (!this.#isOver && !reading.isInterrupted) {
      this.#isTurnOver ||= this.#take();
      if (this.#isOver) return;
      if (this.#isTurnOver) {
        await reading.nextTurn();
        this.#isTurnOver = false;
      } else {
        this.#isParked = true;
        await reading.arrival(this.#running === 0);
        this.#isParked = false;
      }
      // What was marked or sought meanwhile may have made room.
      for (const work of this.#work.values()) this.#regulate(work);
    }
  }

  /** Takes what there is and room for. @returns true where the event loop has to turn before more is taken */
  #take(): boolean {
    const { delivery, reading } = this.#host;
    const { concurrency } = this.#settings;
    if (this.#hasParked) this.#unpark();
    while (this.#running < concurrency && !this.#isOver && !reading.hasEnded) {
      if (reading.isTurnOver()) return true;
      let job: HandlerJob<K, V>;
      try {
        const record = delivery.takeRecord();
        if (record === null || delivery.current === null) return false;
        job = new HandlerJob(record, delivery.current);
      } catch (error) {
        if (delivery.current !== null) this.#partitionFailed(delivery.current, error);
        continue;
      }
      reading.polls++;
      this.#dispatch(job);
    }
    return false;
  }

  #dispatch(job: HandlerJob<K, V>): void {
    const work = this.#work.get(job.delivery);
    // Without anything under way in its partition no order has to be looked at.
    if (work === undefined || work.lanes.size === 0) return this.#begin(job);
    const lane = this.#laneOf(job);
    const waiting = lane === null ? undefined : work.lanes.get(lane);
    if (waiting === undefined) return this.#begin(job);
    waiting.push(job);
    this.#keep(job, work);
    this.#regulate(work);
  }

  #laneOf({ record }: HandlerJob<K, V>): number | null {
    if (this.#settings.ordering === 'none') return null;
    if (this.#settings.ordering === 'partition') return ONLY_LANE;
    const { keyBytes } = record;
    return keyBytes === null ? null : laneOf(keyBytes);
  }

  /** The first attempt of what was just taken. */
  #begin(job: HandlerJob<K, V>): void {
    const outcome = this.#calls.call(job);
    if (outcome === null) {
      const { ledger } = job.delivery;
      if (this.#host.isStoring) ledger.end(job.ticket);
      if (ledger.outstandingCount > 0) {
        const work = this.#workOf(job.delivery);
        work.begun(job);
        if (ledger.outstandingCount >= this.#settings.maxAhead) this.#regulate(work);
      }
      return;
    }
    const work = this.#workOf(job.delivery);
    work.begun(job);
    const lane = this.#laneOf(job);
    if (lane !== null) work.lanes.set(lane, []);
    this.#keep(job, work);
    this.#running++;
    this.#regulate(work);
    void this.#follow(work, job, lane, outcome);
  }

  /**
   * Waits for the job, then for those of its lane that come behind it. As a loop: `await` costs half of what `then` does, and nothing
   * has to be looked up or made anew from one record to the next. Never rejects.
   */
  async #follow(
    work: PartitionWork<K, V>,
    first: HandlerJob<K, V>,
    lane: number | null,
    begun: Promise<unknown> | null,
  ): Promise<void> {
    let job: HandlerJob<K, V> | null = first;
    let outcome: Promise<unknown> | null = begun;
    for (let left = this.#turn; job !== null; left--) {
      let isFinished = true;
      try {
        if (outcome !== null) await outcome;
      } catch (error) {
        isFinished = await this.#tryAgain(work, job, error);
      }
      const next: HandlerJob<K, V> | null = this.#waitingBehind(work, lane) ?? this.#takeBehind(work, job, left);
      this.#release(work, job, isFinished);
      job = next;
      if (job === null) break;
      work.begun(job);
      outcome = this.#calls.call(job);
    }
    if (lane !== null && work.endLane(lane)) this.#hasParked = true;
    this.#running--;
    this.#regulate(work);
    // As long as there is more, the next one begins at once; the reader is woken for what only it can do.
    if (this.#isParked && !this.#isOver) this.#isTurnOver ||= this.#take();
    if (this.#isOver || this.#isTurnOver || this.#running === 0) this.#host.reading.wake();
  }

  /** The next one that waits in the lane. */
  #waitingBehind(work: PartitionWork<K, V>, lane: number | null): HandlerJob<K, V> | null {
    const waiting = lane === null ? undefined : work.lanes.get(lane);
    if (waiting === undefined) return null;
    const { delivery } = work;
    if (waiting.length > 0) this.#host.reading.isTurnOver(); // notices a pause; the reader sees to the turn
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      // What is left of the lanes of a partition that is given back, or in the end, has been overtaken.
      const isWanted = next.epoch === delivery.epoch && !work.isStopped && !this.#isAbandoned;
      const mayBegin = isWanted && !this.#isWithheld(delivery);
      if (isWanted && !mayBegin && !this.#isOver && !delivery.isBlocked) return null; // waits for `onResumed`
      waiting.shift();
      if (mayBegin) return next;
      this.#release(work, next, false);
    }
    return null;
  }

  #isWithheld({ isPaused }: PartitionDelivery<K, V>): boolean {
    return isPaused || this.#host.delivery.isHeldBack;
  }

  /** Begins what a pause has held up, as far as there is room. */
  #unpark(): void {
    this.#hasParked = false;
    for (const work of this.#work.values()) {
      for (const lane of this.#isWithheld(work.delivery) ? [] : [...work.parked]) {
        if (this.#running >= this.#settings.concurrency || this.#isOver) break;
        work.parked.delete(lane);
        const job = this.#waitingBehind(work, lane);
        if (job === null) work.lanes.delete(lane);
        else this.#resume(work, job, lane);
      }
      this.#hasParked ||= work.parked.size > 0;
    }
  }

  #resume(work: PartitionWork<K, V>, job: HandlerJob<K, V>, lane: number): void {
    work.begun(job);
    this.#running++;
    void this.#follow(work, job, lane, this.#calls.call(job));
  }

  /** Where a partition is one lane: its next record, which nobody else takes meanwhile. `null` also where the reader has to see to it. */
  #takeBehind(work: PartitionWork<K, V>, { delivery, epoch }: HandlerJob<K, V>, left: number): HandlerJob<K, V> | null {
    const { reading, isStoring } = this.#host;
    const { ordering, maxAhead } = this.#settings;
    if (ordering !== 'partition' || left <= 1 || this.#isOver || this.#isAbandoned || this.#isTurnOver) return null;
    if (reading.hasEnded || reading.failure !== null || work.isStopped || this.#work.get(delivery) !== work)
      return null;
    if (delivery.epoch !== epoch || this.#isWithheld(delivery) || delivery.isBlocked) return null;
    if (!isStoring && delivery.ledger.outstandingCount >= maxAhead) return null;
    if (reading.isTurnOver()) {
      this.#isTurnOver = true;
      return null;
    }
    let record: KafkaRecord<K, V> | undefined;
    try {
      record = delivery.nextRecord();
    } catch {
      return null; // it is thrown to the reader as well, which tells it
    }
    if (record === undefined) return null;
    const job = new HandlerJob(record, delivery);
    this.#keep(job, work);
    return job;
  }

  /** @returns whether the record is finished: handled, or taken as a dead letter */
  async #tryAgain(work: PartitionWork<K, V>, job: HandlerJob<K, V>, error: unknown): Promise<boolean> {
    const attempted = await this.#calls.tryAgain(job, error);
    if (attempted === 'finished') return true;
    return attempted === 'givenUp' ? false : this.#failed(work, job, attempted.what, attempted.error);
  }

  #failed(work: PartitionWork<K, V>, job: HandlerJob<K, V>, what: string, error: unknown): false {
    const { topic, partition, offset } = job.record;
    this.#stop(work, { error: handlerError(what, { topic, partition, offset }, error), since: job.takenAt });
    return false;
  }

  /**
   * The partition itself has failed: a corrupt batch, a position that is gone. Told when all that was handed out before is finished, or whoever
   * seeks to where the error says would pass over what still waits in its lane.
   */
  #partitionFailed(delivery: PartitionDelivery<K, V>, error: unknown): void {
    const { topic, partition } = delivery;
    const work = this.#workOf(delivery);
    work.setUnreadable({
      error: handlerError('reading has failed at', { topic, partition, offset: -1 }, error),
      since: this.#host.reading.clock,
    });
    this.#stopIfUnreadable(work);
    this.#regulate(work);
  }

  #stopIfUnreadable(work: PartitionWork<K, V>): void {
    const { unreadable } = work;
    if (unreadable !== null && work.jobs.first === null && !work.isStopped && !this.#isOver)
      this.#stop(work, unreadable);
  }

  #stop(work: PartitionWork<K, V>, stopped: Stopped): void {
    work.stop(stopped);
    this.#errors.tell(stopped.error); // a listener may seek past the record: then the partition goes on
    if (work.delivery.isBlocked || !work.isStopped) return;
    this.#dropWaiting(work, true);
    this.#regulate(work);
    const goesOn = [...this.#host.delivery.partitions].some((each) => this.#work.get(each)?.isStopped !== true);
    if (this.#settings.stopOnError === 'all' || !goesOn) this.#finish();
  }

  #workOf(delivery: PartitionDelivery<K, V>): PartitionWork<K, V> {
    const known = this.#work.get(delivery);
    if (known !== undefined) return known;
    const work = new PartitionWork(delivery);
    this.#work.set(delivery, work);
    return work;
  }

  #keep(job: HandlerJob<K, V>, work: PartitionWork<K, V>): void {
    job.takenAt = this.#host.reading.clock;
    work.jobs.add(job);
    this.#host.delivery.beginWork(job.delivery);
  }

  #release(work: PartitionWork<K, V>, job: HandlerJob<K, V>, isFinished: boolean): void {
    const { delivery, reading, isStoring, handChanged } = this.#host;
    work.jobs.delete(job);
    if (!isFinished) work.giveUp(job);
    else if (isStoring) job.delivery.ledger.end(job.ticket);
    delivery.endWork(job.delivery);
    reading.polls++;
    if (job.delivery.running === 0) handChanged();
    this.#stopIfUnreadable(work);
  }

  #dropWaiting(work: PartitionWork<K, V>, isAll: boolean): void {
    for (const job of work.takeWaiting(isAll)) this.#release(work, job, false);
  }

  /** Takes from the partition only what may begin, or wait, now. */
  #regulate({ delivery, lanes, isStopped, unreadable }: PartitionWork<K, V>): void {
    const { ordering, maxAhead } = this.#settings;
    const isBusy = ordering === 'partition' && lanes.size > 0;
    const isHeld = isStopped || unreadable !== null || isBusy || delivery.ledger.outstandingCount >= maxAhead;
    if (!delivery.isBlocked) this.#host.delivery.setHeld(delivery, isHeld);
  }

  /** Nothing more is begun. */
  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const work of this.#work.values()) {
      this.#dropWaiting(work, work.delivery.isPaused);
      for (const job of [...work.jobs]) job.abort();
    }
    this.#host.reading.wake();
  }

  async #untilIdle(): Promise<void> {
    while (this.#running > 0 && !this.#isAbandoned) await this.#host.reading.arrival(false);
  }

  /** What was handed out and not finished is read again by whoever reads next. */
  #giveBack(): void {
    const { delivery, isClosing, isStoring, seek } = this.#host;
    for (const partition of delivery.partitions) {
      if (partition.isBlocked || isClosing()) continue;
      const offset = this.#work.get(partition)?.givenUpAt ?? Infinity;
      if (offset !== Infinity) seek(partition, isStoring ? partition.ledger.oldestUnfinished : offset);
      delivery.setHeld(partition, false);
    }
    if (isStoring && !isClosing()) delivery.setTracking(false);
  }
}
