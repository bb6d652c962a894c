import { backoffMs } from '../backoff.ts';

/** Growing waits between tries that failed: doubled each time, ±20 % so that members do not come back in step. */
export class BackOff {
  readonly #firstMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #waits = 0;
  #freeTryTaken = false;

  constructor(options: { firstMs: number; maxMs: number; random: () => number }) {
    this.#firstMs = options.firstMs;
    this.#maxMs = options.maxMs;
    this.#random = options.random;
  }

  /** The wait before the next try, in milliseconds; never above `maxMs`. */
  next(): number {
    return backoffMs(this.#waits++, this.#firstMs, this.#maxMs, this.#random());
  }

  /** How often `next` was asked since the last success. */
  get waits(): number {
    return this.#waits;
  }

  /** 0 the first time after a success, for what happens in healthy groups too; a wait as of `next` after that. */
  nextAfterFreeTry(): number {
    if (this.#freeTryTaken || this.#waits > 0) return this.next();
    this.#freeTryTaken = true;
    return 0;
  }

  /** After a success. */
  reset(): void {
    this.#waits = 0;
    this.#freeTryTaken = false;
  }
}
