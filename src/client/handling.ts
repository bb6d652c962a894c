import { HandlerError } from '../errors.ts';
import type { Delivery } from './delivery.ts';
import type { TopicPartitionOffset } from './events.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import type { Reading } from './reading.ts';
import { messageOf, type Reporting } from './reporting.ts';

/** An error may wrap another, and that one more; a ring of them is possible, too. */
const MOST_CAUSES = 5;

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
  /** Commits what is finished, where that is done automatically. Resolves whether it worked or not. */
  commitFinished: () => Promise<void>;
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

  tell(error: HandlerError): void {
    this.first ??= error;
    this.#reporting.error(error);
  }
}

/** @param where offset −1 where it is about no record */
export function handlerError(
  what: string,
  { topic, partition, offset }: TopicPartitionOffset,
  cause: unknown,
): HandlerError {
  const at = offset < 0 ? '' : ` at offset ${offset}`;
  const text = `${what} ${topic}-${partition}${at}: ${messageOf(cause)}`;
  return new HandlerError(text, { topic, partition, offset }, cause);
}

/** Handlers that give up because their signal is aborted throw this: ours, or that of whatever they gave the signal to. */
export function isAbort(error: unknown): boolean {
  for (let each = error, depth = 0; isObject(each) && depth < MOST_CAUSES; each = each.cause, depth++) {
    if (each.name === 'AbortError' || each.code === 'ABORT_ERR') return true;
  }
  return false;
}

function isObject(value: unknown): value is { name?: unknown; code?: unknown; cause?: unknown } {
  return typeof value === 'object' && value !== null;
}
