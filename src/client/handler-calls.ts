import { backoffMs } from '../backoff.ts';
import type { ForEachSettings, RecordHandler } from './for-each-options.ts';
import type { HandlerJob } from './handler-job.ts';
import { isAbort } from './handling.ts';
import { messageOf, type Reporting } from './reporting.ts';

/** What has become of a record whose handler had failed: handled, or taken as a dead letter; given up; or failed for good. */
export type Attempted = 'finished' | 'givenUp' | { readonly what: string; readonly error: unknown };

/** Calls the application's handler, again where it fails, and `deadLetter` in the end. */
export class HandlerCalls<K, V> {
  readonly #handler: RecordHandler<K, V>;
  readonly #settings: ForEachSettings<K, V>;
  readonly #reporting: Reporting;
  readonly #isOver: () => boolean;

  /** @param isOver nothing more is begun, retries included */
  constructor(
    handler: RecordHandler<K, V>,
    settings: ForEachSettings<K, V>,
    reporting: Reporting,
    isOver: () => boolean,
  ) {
    this.#handler = handler;
    this.#settings = settings;
    this.#reporting = reporting;
    this.#isOver = isOver;
  }

  /** @returns what to wait for; `null` where the handler is done already */
  call(job: HandlerJob<K, V>): Promise<unknown> | null {
    try {
      const result = this.#handler(job.record, job);
      if (result instanceof Promise) return result;
      return isThenable(result) ? Promise.resolve(result) : null;
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what the handler has thrown, as it is
      return Promise.reject(error);
    }
  }

  /** @param error what the first attempt has failed with */
  async tryAgain(job: HandlerJob<K, V>, error: unknown): Promise<Attempted> {
    const { retries, deadLetter } = this.#settings;
    let failure = error;
    while (!this.#isGivenUp(job) && job.attempt <= retries) {
      await this.#backOff(job);
      if (this.#isGivenUp(job)) break;
      job.attempt++;
      try {
        await this.call(job);
        return 'finished';
      } catch (again) {
        failure = again;
      }
    }
    if (this.#isGivenUp(job)) {
      this.#tellAborted(job, failure);
      return 'givenUp';
    }
    if (deadLetter === undefined) return { what: 'the handler has failed at', error: failure };
    try {
      await deadLetter(job.record, failure, job);
      return 'finished';
    } catch (thrown) {
      if (this.#isGivenUp(job)) {
        this.#tellAborted(job, thrown);
        return 'givenUp';
      }
      return { what: 'deadLetter has failed at', error: thrown };
    }
  }

  #isGivenUp(job: HandlerJob<K, V>): boolean {
    return job.isStale || this.#isOver();
  }

  #tellAborted({ record: { topic, partition, offset } }: HandlerJob<K, V>, error: unknown): void {
    if (isAbort(error)) return;
    const text = `a handler has failed at ${topic}-${partition} at offset ${offset}, which is handled again: ${messageOf(error)}`;
    this.#reporting.log('warn', text);
  }

  #backOff(job: HandlerJob<K, V>): Promise<void> {
    const { retryBackoffMs, retryBackoffMaxMs } = this.#settings;
    const waitMs = backoffMs(job.attempt - 1, retryBackoffMs, retryBackoffMaxMs, Math.random());
    return new Promise((resolve) => {
      const timer = setTimeout(() => job.wake?.(), waitMs);
      job.wake = () => {
        clearTimeout(timer);
        job.wake = null;
        resolve();
      };
    });
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
