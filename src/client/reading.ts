import { CLIENT_ERROR_CODES, KafkaError, toKafkaError } from '../errors.ts';
import type { KafkaRecord } from '../protocol/record.ts';
import { closedError } from './closed-error.ts';
import type { Delivery } from './delivery.ts';
import type { RecordBatch } from './record-batch.ts';

/**
 * After so long without a turn of the event loop a read waits for one: a loop over buffered records is all microtasks, and
 * would hold up heartbeats and fetches for as long as there are records.
 */
const TURN_MS = 5;
/** The clock is read this seldom at the most, and more often the slower the application handles records. */
const MOST_READS_PER_CHECK = 256;

export interface ReadingEvents {
  /** The application holds nothing any more, or something else than before. */
  onHandChanged: () => void;
  /** There is nothing to hand out: the application waits. */
  onWaiting: () => void;
}

/** The application's side of reading: one reader at a time, which waits where there is nothing yet. */
export class Reading<K, V> {
  /** How often the application has come for more. */
  polls = 0;
  #delivery: Delivery<K, V>;
  #events: ReadingEvents;
  #wake: (() => void) | null = null;
  /** A read waits, for a record or for a turn of the event loop. */
  #isReading = false;
  #hasEnded = false;
  #failure: KafkaError | null = null;
  /** Thrown to the next reads, one each, with what is to be done at the read after that. */
  #raised: { error: KafkaError; again: (() => void) | null }[] = [];
  #again: (() => void)[] = [];
  #isPollInHand = false;
  #readsToCheck = 1;
  #readsPerCheck = 1;
  #checkedAt = 0;
  #turnBeganAt = 0;

  constructor(delivery: Delivery<K, V>, events: ReadingEvents) {
    this.#delivery = delivery;
    this.#events = events;
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
    this.#comeForMore();
    if (this.#hasEnded) throw closedError();
    if (this.#failure !== null) throw this.#failure;
    this.#isReading = true;
  }

  unclaim(): void {
    this.#isReading = false;
  }

  /** Until there may be something new, or `wake()`. @param isIdle nothing is left to do */
  async arrival(isIdle: boolean): Promise<void> {
    const arrival = new Promise<void>((resolve) => (this.#wake = resolve));
    if (isIdle) this.#events.onWaiting();
    await arrival; // no turn of the event loop: a handler's end wakes, too
    this.#wake = null;
    this.#readsToCheck = 0; // nobody knows how long that was
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

  /** The next record; `done` after `end()`. */
  nextRecord(): Promise<IteratorResult<KafkaRecord<K, V>, undefined>> {
    let isTurnOver: boolean;
    try {
      this.#comeForMore();
      isTurnOver = this.isTurnOver();
      if (!this.isInterrupted && !isTurnOver) {
        const record = this.#delivery.nextRecord();
        if (record !== null) return Promise.resolve({ done: false, value: record });
      }
    } catch (error) {
      return Promise.reject(toKafkaError(error)); // what a partition failed with
    }
    return this.#later(isTurnOver, () => this.#delivery.nextRecord());
  }

  /** The next batch; `done` after `end()`. */
  nextBatch(maxRecords: number): Promise<IteratorResult<RecordBatch<K, V>, undefined>> {
    let isTurnOver: boolean;
    try {
      this.#comeForMore();
      this.#readsToCheck = 0; // a batch is worth a look at the clock
      isTurnOver = this.isTurnOver();
      if (!this.isInterrupted && !isTurnOver) {
        const batch = this.#delivery.nextBatch(maxRecords);
        if (batch !== null) return Promise.resolve({ done: false, value: batch });
      }
    } catch (error) {
      return Promise.reject(toKafkaError(error));
    }
    return this.#later(isTurnOver, () => this.#delivery.nextBatch(maxRecords));
  }

  /** Up to `maxRecords` in all, a batch per partition; empty when the time is up, or `end()` comes meanwhile. */
  async poll(maxRecords: number, timeoutMs: number): Promise<RecordBatch<K, V>[]> {
    this.#comeForMore();
    // Not an empty array: a loop that polls for ever would then never let the event loop turn.
    if (this.#hasEnded) throw closedError();
    let isTimeUp = timeoutMs <= 0;
    const timer = setTimeout(() => {
      isTimeUp = true;
      this.wake();
    }, timeoutMs);
    this.#readsToCheck = 0;
    try {
      const result = await this.#later(
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
    this.#comeForMore();
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

  /** The application has stopped reading without coming for more: what it holds stays unfinished. */
  abandon(): void {
    this.#delivery.abandonInHand();
    this.#isPollInHand = false;
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
        break; // what the other partitions gave first; it is thrown at the next call
      }
      if (batch === null) break;
      batches.push(batch);
      left -= batch.recordCount;
    }
    return batches.length === 0 ? null : batches;
  }

  #comeForMore(): void {
    if (this.#isReading) {
      const text = 'this consumer is being read already: one loop, or one poll() at a time';
      throw new KafkaError(text, { code: CLIENT_ERROR_CODES.STATE, name: 'ConcurrentReadError' });
    }
    this.polls++;
    this.#isPollInHand = false;
    if (this.#again.length > 0) for (const again of this.#again.splice(0)) again();
    if (!this.#delivery.hasInHand) return;
    this.#delivery.finishInHand();
    this.#events.onHandChanged();
  }

  async #later<T>(
    isTurnOver: boolean,
    take: () => T | null,
    isTimeUp: () => boolean = () => false,
  ): Promise<IteratorResult<T, undefined>> {
    this.#isReading = true;
    try {
      if (isTurnOver) await this.nextTurn();
      for (;;) {
        if (this.#hasEnded) return { done: true, value: undefined };
        this.throwIfInterrupted();
        const value = take();
        if (value !== null) return { done: false, value };
        if (isTimeUp()) return { done: true, value: undefined };
        const arrival = new Promise<void>((resolve) => (this.#wake = resolve));
        this.#events.onWaiting();
        await arrival;
        this.#wake = null;
        this.#turnBeganAt = performance.now();
      }
    } finally {
      this.#isReading = false;
    }
  }

  /** Of `performance.now()`, when it was last looked at: some milliseconds ago at the most while records are taken. */
  get clock(): number {
    return this.#checkedAt;
  }

  /** Asked before every record: the event loop has to turn now. */
  isTurnOver(): boolean {
    if (--this.#readsToCheck > 0) return false;
    const now = performance.now();
    const perRead = (now - this.#checkedAt) / this.#readsPerCheck;
    const wanted = Math.floor(TURN_MS / 2 / Math.max(perRead, 0.001));
    this.#readsPerCheck = Math.max(1, Math.min(wanted, this.#readsPerCheck * 2, MOST_READS_PER_CHECK));
    this.#readsToCheck = this.#readsPerCheck;
    this.#checkedAt = now;
    return now - this.#turnBeganAt >= TURN_MS;
  }

  async nextTurn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#turnBeganAt = performance.now();
    this.#checkedAt = this.#turnBeganAt;
  }
}
