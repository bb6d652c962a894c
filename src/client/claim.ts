import type { TopicPartition } from '../fetch/partition.ts';
import type { KafkaRecord } from '../protocol/record.ts';
import { abortError } from './handler-job.ts';
import type { HandlingHost } from './handling.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import type { RecordBatch } from './record-batch.ts';
import type { Stopped } from './unfinished.ts';

/**
 * One partition while this consumer has it: an async iterable of its records, which ends when the partition is given back, when the
 * consumer closes, or when `run` is told to end. A record is finished when the loop asks for the next one.
 */
export interface Claim<K = Buffer | null, V = Buffer | null> extends TopicPartition, AsyncIterable<KafkaRecord<K, V>> {
  /** Where reading begins; −1 while that is looked up. */
  readonly initialOffset: number;
  /** One past the last record that the broker had when it was last asked; −1 before. */
  readonly highWatermark: number;
  /** Aborted when the claim ends. */
  readonly signal: AbortSignal;
  /** The same by batches of up to `maxPollRecords`. */
  batches(): AsyncIterableIterator<RecordBatch<K, V>, undefined>;
}

/** See `Claim`. One loop at a time. */
export class PartitionClaim<K, V> implements Claim<K, V> {
  readonly topic: string;
  readonly partition: number;
  readonly delivery: PartitionDelivery<K, V>;
  readonly initialOffset: number;
  /** `consume` has returned or thrown. */
  isDone = false;
  /** It has ended, and only waits for the others that end together with it. */
  isWaitingForOthers = false;
  /** What `consume` has thrown before the claim ended. */
  failure: Stopped | null = null;
  /** Resolves when `consume` has ended: `onDone`. */
  readonly done: Promise<void>;
  onDone: () => void = () => undefined;
  /** Resolves when `consume` has ended, or is not waited for any more: `giveUp`. */
  readonly released: Promise<void>;
  giveUp: () => void = () => undefined;
  #host: HandlingHost<K, V>;
  #maxRecords: number;
  #controller = new AbortController();
  #wake: (() => void) | null = null;

  constructor(host: HandlingHost<K, V>, delivery: PartitionDelivery<K, V>, maxRecords: number) {
    this.#host = host;
    this.#maxRecords = maxRecords;
    this.delivery = delivery;
    this.done = new Promise((resolve) => (this.onDone = resolve));
    const givenUp = new Promise<void>((resolve) => (this.giveUp = resolve));
    this.released = Promise.race([this.done, givenUp]);
    this.topic = delivery.topic;
    this.partition = delivery.partition;
    this.initialOffset = delivery.position;
    delivery.onReady = () => this.#wake?.();
  }

  get highWatermark(): number {
    return this.delivery.highWatermark;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get hasEnded(): boolean {
    return this.#controller.signal.aborted;
  }

  get isWaiting(): boolean {
    return this.#wake !== null;
  }

  end(): void {
    if (this.hasEnded) return;
    this.#controller.abort(abortError(this));
    this.#wake?.();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<KafkaRecord<K, V>, undefined> {
    return this.#iterator(() => this.delivery.nextRecord());
  }

  batches(): AsyncIterableIterator<RecordBatch<K, V>, undefined> {
    return this.#iterator(() => this.delivery.nextBatch(this.#maxRecords));
  }

  #iterator<T>(take: () => T | undefined): AsyncIterableIterator<T, undefined> {
    return {
      next: () => this.#next(take),
      // As in a loop over the consumer: what was in hand is not finished, and the next loop begins with it.
      return: () => {
        this.delivery.rewind();
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  async #next<T>(take: () => T | undefined): Promise<IteratorResult<T, undefined>> {
    const { delivery } = this;
    const { reading, delivery: all } = this.#host;
    reading.polls++;
    if (delivery.isInHand) delivery.finish();
    if (reading.isTurnOver()) await reading.nextTurn();
    for (;;) {
      if (this.hasEnded) return { done: true, value: undefined };
      const value = delivery.isPaused || delivery.isBlocked || all.isHeldBack ? undefined : take();
      if (value !== undefined) {
        delivery.isInHand = true;
        return { done: false, value };
      }
      const arrival = new Promise<void>((resolve) => (this.#wake = resolve));
      reading.wake(); // one more waits
      await arrival;
      this.#wake = null;
      reading.lookAtClock();
    }
  }
}
