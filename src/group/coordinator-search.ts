import type { BackOff } from './back-off.ts';

/**
 * Whether the group's coordinator is known, being looked up, or to be looked up at a certain time.
 *
 * Its back-off is reset by `confirm`, not by `found`: a broker that is named as coordinator but denies being it, or does not
 * answer, must not be asked in a tight loop.
 */
export class CoordinatorSearch {
  readonly #backOff: BackOff;
  #state: 'known' | 'searching' | 'unknown' = 'unknown';
  #searchId = -1;
  #searchAt = 0;

  constructor(backOff: BackOff) {
    this.#backOff = backOff;
  }

  get state(): 'known' | 'searching' | 'unknown' {
    return this.#state;
  }

  get isKnown(): boolean {
    return this.#state === 'known';
  }

  /** When the next look-up may go out; Infinity where none is wanted. */
  get dueAt(): number {
    return this.#state === 'unknown' ? this.#searchAt : Infinity;
  }

  begin(id: number): void {
    this.#state = 'searching';
    this.#searchId = id;
  }

  /** True where `id` is the look-up that is out, and not one that was given up. */
  isCurrent(id: number): boolean {
    return this.#state === 'searching' && this.#searchId === id;
  }

  found(): void {
    this.#state = 'known';
  }

  /** The look-up failed; returns the wait before the next one in milliseconds. */
  failed(now: number): number {
    const waitMs = this.#backOff.next();
    this.#state = 'unknown';
    this.#searchAt = now + waitMs;
    return waitMs;
  }

  /** How often in a row it failed; the group is told of it once it no longer looks like a broker that is just starting. */
  get failures(): number {
    return this.#backOff.waits;
  }

  /** The coordinator is gone: look for it at once the first time, later with growing waits. */
  lost(now: number): void {
    this.#state = 'unknown';
    this.#searchAt = now + this.#backOff.nextAfterFreeTry();
  }

  /** The coordinator did what only a coordinator can do. */
  confirm(): void {
    this.#backOff.reset();
  }
}
