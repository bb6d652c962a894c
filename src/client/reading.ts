import { CLIENT_ERROR_CODES, KafkaError, toKafkaError } from '../errors.ts';
import type { KafkaRecord } from '../protocol/record.ts';
import { closedError } from './closed-error.ts';
import type { Delivery } from './delivery.ts';
import { LateResult, ReadingLoop, whenRaced } from './reading-loop.ts';
import type { RecordBatch } from './record-batch.ts';
import { TurnClock } from './turn-clock.ts';

/** Who reads, where that is no loop: `poll()` or `read()`; `forEach` or `run`. */
const CALL = Symbol('call');
const HANDLERS = Symbol('handlers');

export interface ReadingEvents {
  /** The application holds nothing any more, or something else than before. */
  onHandChanged: () => void;
  /** There is nothing to hand out: the application waits. */
  onWaiting: () => void;
  /** The event loop may have stood still since the last read: called before anything else is handed out. */
  onLongPause: () => void;
}

/** The application's side of reading: one reader at a time, which waits where there is nothing yet. */
export class Reading<K, V> {
  /** How often the application has come for more. */
  polls = 0;
  #delivery: Delivery<K, V>;
  #events: ReadingEvents;
  #wake: (() => void) | null = null;
  /** Who waits, for a record or for a turn of the event loop. */
  #reader: object | symbol | null = null;
  /** The loop that holds what was handed out last. Nobody else may finish that. */
  #holder: object | null = null;
  /** What that loop was given after a wait. */
  #late: LateResult<unknown> | null = null;
  /** The promise of it is in a race with others: nobody may ever look at it. */
  #isRacing = false;
  #hasEnded = false;
  #failure: KafkaError | null = null;
  /** Thrown to the next reads, one each, with what is to be done at the read after that. */
  #raised: { error: KafkaError; again: (() => void) | null }[] = [];
  #again: (() => void)[] = [];
  #isPollInHand = false;
  readonly #turn: TurnClock;

  constructor(delivery: Delivery<K, V>, events: ReadingEvents) {
    this.#delivery = delivery;
    this.#events = events;
    this.#turn = new TurnClock(() => events.onLongPause());
  }

  get isWaiting(): boolean {
    return this.#wake !== null && this.#delivery.isIdle;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get failure(): KafkaError | null {
    return this.#failure;
  }

  /** A read would end, or throw, though there may be records. */
  get isInterrupted(): boolean {
    return this.#hasEnded || this.#failure !== null || this.#raised.length > 0;
  }

  /** @throws what every read throws from now on, else what the next one is to throw, once */
  throwIfInterrupted(): void {
    if (this.#failure !== null) throw this.#failure;
    const raised = this.#raised.shift();
    if (raised === undefined) return;
    if (raised.again !== null) this.#again.push(raised.again);
    throw raised.error;
  }

  /** Nobody else reads until the other is called: for `forEach` and `run`, which say by themselves what is finished. */
  claim(): void {
    this.#comeForMore(null);
    if (this.#hasEnded) throw closedError();
    if (this.#failure !== null) throw this.#failure;
    this.#reader = HANDLERS;
  }

  unclaim(): void {
    this.#reader = null;
  }

  /** Until there may be something new, or `wake()`. @param isIdle nothing is left to do */
  async arrival(isIdle: boolean): Promise<void> {
    const arrival = new Promise<void>((resolve) => (this.#wake = resolve));
    if (isIdle) this.#events.onWaiting();
    await arrival; // no turn of the event loop: a handler's end wakes, too
    this.#wake = null;
    this.#turn.expire(); // nobody knows how long that was
  }

  /** There may be something new. */
  wake(): void {
    this.#wake?.();
  }

  /** Every read from now on says that there is no more. */
  end(): void {
    this.#hasEnded = true;
    this.wake();
  }

  /** Every read from now on throws this. */
  fail(error: KafkaError): void {
    this.#failure ??= error;
    this.wake();
  }

  /** The next read throws this. @param again called when the application reads again after that */
  raise(error: KafkaError, again: (() => void) | null): void {
    this.#raised.push({ error, again });
    this.wake();
  }

  /** A loop over the records; ends after `end()`. */
  records(): ReadingLoop<KafkaRecord<K, V>> {
    return new ReadingLoop({ next: (loop) => this.nextRecord(loop), leave: (loop) => this.#leave(loop) });
  }

  /** A loop over batches; ends after `end()`. */
  batches(maxRecords: number): ReadingLoop<RecordBatch<K, V>> {
    return new ReadingLoop({ next: (loop) => this.nextBatch(loop, maxRecords), leave: (loop) => this.#leave(loop) });
  }

  /** The next record of a loop; `done` after `end()`. */
  nextRecord(loop: ReadingLoop<KafkaRecord<K, V>>): Promise<IteratorResult<KafkaRecord<K, V>, undefined>> {
    let isTurnOver: boolean;
    try {
      this.#comeForMore(loop);
      isTurnOver = this.isTurnOver();
      if (!this.isInterrupted && !isTurnOver) {
        const record = this.#delivery.nextRecord();
        if (record !== null) {
          this.#holder = loop;
          return Promise.resolve({ done: false, value: record });
        }
      }
    } catch (error) {
      return Promise.reject(toKafkaError(error)); // what a partition failed with
    }
    return this.#wait(loop, isTurnOver, () => this.#delivery.nextRecord());
  }

  /** The next batch of a loop; `done` after `end()`. */
  nextBatch(
    loop: ReadingLoop<RecordBatch<K, V>>,
    maxRecords: number,
  ): Promise<IteratorResult<RecordBatch<K, V>, undefined>> {
    let isTurnOver: boolean;
    try {
      this.#comeForMore(loop);
      this.#turn.expire(); // a batch is worth a look at the clock
      isTurnOver = this.isTurnOver();
      if (!this.isInterrupted && !isTurnOver) {
        const batch = this.#delivery.nextBatch(maxRecords);
        if (batch !== null) {
          this.#holder = loop;
          return Promise.resolve({ done: false, value: batch });
        }
      }
    } catch (error) {
      return Promise.reject(toKafkaError(error));
    }
    return this.#wait(loop, isTurnOver, () => this.#delivery.nextBatch(maxRecords));
  }

  /** Up to `maxRecords` in all, a batch per partition; empty when the time is up, or `end()` comes meanwhile. */
  async poll(maxRecords: number, timeoutMs: number): Promise<RecordBatch<K, V>[]> {
    this.#comeForMore(null);
    // Not an empty array: a loop that polls for ever would then never let the event loop turn.
    if (this.#hasEnded) throw closedError();
    let isTimeUp = timeoutMs <= 0;
    const timer = setTimeout(() => {
      isTimeUp = true;
      this.wake();
    }, timeoutMs);
    this.#turn.expire();
    try {
      const result = await this.#later(
        CALL,
        this.isTurnOver(),
        () => this.#pollNow(maxRecords),
        () => isTimeUp,
      );
      this.#isPollInHand = true;
      return result.value ?? [];
    } finally {
      clearTimeout(timer);
    }
  }

  /** The next record; `null` when the time is up, or `end()` comes meanwhile. @throws what the signal was aborted with */
  async read(timeoutMs: number, signal: AbortSignal | undefined): Promise<KafkaRecord<K, V> | null> {
    signal?.throwIfAborted();
    this.#comeForMore(null);
    if (this.#hasEnded) throw closedError();
    let isTimeUp = timeoutMs <= 0;
    const wake = (): void => this.wake();
    const timer =
      timeoutMs === Infinity
        ? undefined
        : setTimeout(() => {
            isTimeUp = true;
            wake();
          }, timeoutMs);
    signal?.addEventListener('abort', wake, { once: true });
    try {
      const result = await this.#later(
        CALL,
        this.isTurnOver(),
        () => (signal?.aborted === true ? null : this.#delivery.nextRecord()),
        () => isTimeUp || signal?.aborted === true,
      );
      if (result.value === undefined) signal?.throwIfAborted();
      this.#isPollInHand = true;
      return result.value ?? null;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', wake);
    }
  }

  /** The application holds what `poll()` or `read()` gave: no loop will come back for more. */
  get isPollInHand(): boolean {
    return this.#isPollInHand && this.#delivery.hasInHand;
  }

  /**
   * The application says that it is done with what `poll()` or `read()` gave: an explicit commit covers it, as in
   * Java.
   */
  finishPolled(): void {
    if (!this.isPollInHand) return;
    this.#isPollInHand = false;
    this.#delivery.finishInHand();
    this.#events.onHandChanged();
  }

  /** The consumer closes: what the application holds stays unfinished, and is nobody's any more. */
  abandon(): void {
    this.#delivery.abandonInHand();
    this.#isPollInHand = false;
    this.#events.onHandChanged();
  }

  /** A loop was left without coming for more: what it holds is not finished and comes again. */
  #leave(loop: object): void {
    if (this.#reader === loop) {
      this.#reader = null;
      this.wake();
      this.#wake = null;
    } else if (this.#holder === loop) {
      this.#holder = null;
      this.#rewind();
    }
  }

  #rewind(): void {
    this.#late = null;
    this.#delivery.rewindInHand();
    this.#events.onHandChanged();
  }

  #pollNow(maxRecords: number): RecordBatch<K, V>[] | null {
    const batches: RecordBatch<K, V>[] = [];
    let left = maxRecords;
    while (left > 0) {
      let batch: RecordBatch<K, V> | null;
      try {
        batch = this.#delivery.nextBatch(left);
      } catch (error) {
        if (batches.length === 0) throw error;
        this.#delivery.keepFailure();
        break; // what the other partitions gave first; it is thrown at the next call
      }
      if (batch === null) break;
      batches.push(batch);
      left -= batch.recordCount;
    }
    return batches.length === 0 ? null : batches;
  }

  /** @param loop null for what is no loop */
  #comeForMore(loop: object | null): void {
    if (this.#reader !== null || (this.#holder !== null && this.#holder !== loop)) throw this.#concurrentRead();
    this.polls++;
    this.#isPollInHand = false;
    this.#holder = null;
    // Given to a promise that nobody has looked at since, as where a race with a timer was lost.
    if (this.#isRacing && this.#late?.isSeen === false) this.#rewind();
    this.#late = null;
    if (this.#again.length > 0) for (const again of this.#again.splice(0)) again();
    if (!this.#delivery.hasInHand) return;
    this.#delivery.finishInHand();
    this.#events.onHandChanged();
  }

  #concurrentRead(): KafkaError {
    const text =
      this.#reader === null
        ? 'another loop over this consumer holds a record or batch: end it by break, or its iterator by return()'
        : 'this consumer is being read already: one loop, or one poll() at a time';
    return new KafkaError(text, { code: CLIENT_ERROR_CODES.STATE, name: 'ConcurrentReadError' });
  }

  /** For a loop: its answer may be asked for more than once. */
  #wait<T>(loop: ReadingLoop<T>, isTurnOver: boolean, take: () => T | null): Promise<IteratorResult<T, undefined>> {
    this.#isRacing = false;
    const answer = this.#later(loop, isTurnOver, take);
    if (this.#reader !== loop) return answer;
    loop.answer = answer;
    return whenRaced(answer, () => (this.#isRacing = true));
  }

  async #later<T>(
    reader: ReadingLoop<T> | symbol,
    isTurnOver: boolean,
    take: () => T | null,
    isTimeUp: () => boolean = () => false,
  ): Promise<IteratorResult<T, undefined>> {
    this.#reader = reader;
    try {
      if (isTurnOver) await this.nextTurn();
      for (;;) {
        if (this.#hasEnded || this.#hasLeft(reader)) return { done: true, value: undefined };
        this.throwIfInterrupted();
        const value = take();
        if (value !== null) return typeof reader === 'symbol' ? { done: false, value } : this.#give(reader, value);
        if (isTimeUp()) return { done: true, value: undefined };
        const arrival = new Promise<void>((resolve) => (this.#wake = resolve));
        this.#events.onWaiting();
        await arrival;
        if (this.#hasLeft(reader)) continue;
        this.#wake = null;
        this.#turn.hasTurned();
      }
    } finally {
      if (!this.#hasLeft(reader)) {
        this.#reader = null;
        if (typeof reader !== 'symbol') reader.answer = null;
      }
    }
  }

  /** The loop was left while it waited; somebody else may wait now. */
  #hasLeft(reader: object | symbol): boolean {
    return this.#reader !== reader;
  }

  #give<T>(loop: object, value: T): IteratorResult<T, undefined> {
    const late = new LateResult(value);
    this.#holder = loop;
    this.#late = late;
    return late.result;
  }

  /** Of `performance.now()`, when it was last looked at: some milliseconds ago at the most while records are taken. */
  get clock(): number {
    return this.#turn.checkedAt;
  }

  /** Asked before every record: the event loop has to turn now. */
  isTurnOver(): boolean {
    return this.#turn.isOver();
  }

  nextTurn(): Promise<void> {
    return this.#turn.next();
  }

  /** For a loop of `run`, which waits by itself: notices a long pause before the next record. */
  lookAtClock(): void {
    this.#turn.look();
  }
}
