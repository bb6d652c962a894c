import { CLIENT_ERROR_CODES, KafkaError } from '../errors.ts';
import type { KafkaRecord } from '../protocol/record.ts';
import type { HandlerContext } from './for-each-options.ts';
import type { PartitionDelivery } from './partition-delivery.ts';

/** A record in its handler's hands, and what the handler gets beside it: one object for both. */
export class HandlerJob<K, V> implements HandlerContext {
  readonly record: KafkaRecord<K, V>;
  readonly delivery: PartitionDelivery<K, V>;
  /** What the ledger knows the record by. */
  readonly ticket: number;
  /** The partition's, when the record was handed out. */
  readonly epoch: number;
  attempt = 1;
  /** Of `performance.now()`; 0 while it is not known whether the handler takes any time at all. */
  takenAt = 0;
  isAborted = false;
  /** Its neighbours in the `JobList`. */
  before: HandlerJob<K, V> | null = null;
  behind: HandlerJob<K, V> | null = null;
  /** Ends the wait for a retry. */
  wake: (() => void) | null = null;
  #controller: AbortController | null = null;

  constructor(record: KafkaRecord<K, V>, delivery: PartitionDelivery<K, V>) {
    this.record = record;
    this.delivery = delivery;
    this.ticket = delivery.lastTicket;
    this.epoch = delivery.epoch;
  }

  /** An AbortController costs more than a record: there is none for handlers that do not ask. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.isAborted) this.#controller.abort(abortError(this.delivery));
    }
    return this.#controller.signal;
  }

  abort(): void {
    if (this.isAborted) return;
    this.isAborted = true;
    this.#controller?.abort(abortError(this.delivery));
    this.wake?.();
  }

  /** The partition was sought, or given back: nobody waits for the record any more. */
  get isStale(): boolean {
    return this.isAborted || this.epoch !== this.delivery.epoch || this.delivery.isBlocked;
  }
}

export function abortError({ topic, partition }: { topic: string; partition: number }): KafkaError {
  const text = `${topic}-${partition} is being given back, or its reading ends`;
  return new KafkaError(text, { code: CLIENT_ERROR_CODES.CLOSED, name: 'AbortError' });
}
