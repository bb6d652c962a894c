import { HandlerError } from '../errors.ts';
import type { Delivery } from './delivery.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import type { Reading } from './reading.ts';
import { messageOf, type Reporting } from './reporting.ts';

/** What `forEach` and `run` need of the session. */
export interface HandlingHost<K, V> {
  readonly delivery: Delivery<K, V>;
  readonly reading: Reading<K, V>;
  readonly reporting: Reporting;
  /** False: the application says by `markConsumed` what is finished. */
  readonly isStoring: boolean;
  /** The consumer is being closed: nothing is read again. */
  isClosing: () => boolean;
  /** Somebody has let go of something. */
  handChanged: () => void;
  /** Goes on reading there. */
  seek: (delivery: PartitionDelivery<K, V>, offset: number) => void;
}

/** Errors of handlers: told at once, and the first of them thrown when all has ended. */
export class HandlerErrors {
  readonly #reporting: Reporting;
  first: HandlerError | null = null;

  constructor(reporting: Reporting) {
    this.#reporting = reporting;
  }

  add(what: string, where: { topic: string; partition: number; offset: number }, cause: unknown): void {
    const at = where.offset < 0 ? '' : ` at offset ${where.offset}`;
    const text = `${what} ${where.topic}-${where.partition}${at}: ${messageOf(cause)}`;
    const { topic, partition, offset } = where;
    const error = new HandlerError(text, { topic, partition, offset }, cause);
    this.first ??= error;
    this.#reporting.error(error);
  }
}
