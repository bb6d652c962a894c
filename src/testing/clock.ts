/** Where a mock cluster has its time from: the machine's clock, or one that a test moves by hand. */
export interface Clock {
  /** Milliseconds since 1970; never goes back. */
  now(): number;
  /** Calls `callback` once, `delayMs` from now; gives what cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

/** More would overflow in `setTimeout`, and fire at once. */
const MAX_DELAY_MS = 0x7fffffff;

/** The machine's time. Its timers keep no process alive. */
export const systemClock: Clock = {
  now: () => Math.floor(performance.timeOrigin + performance.now()),
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(0, delayMs), MAX_DELAY_MS)).unref();
    return () => clearTimeout(timer);
  },
};

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/**
 * Time that stands still until it is told to go on: session timeouts and long polls of a cluster in a test, without waiting. The client has
 * its own clock, so this is for what the broker does by itself.
 */
export class ManualClock implements Clock {
  #now: number;
  readonly #timers = new Set<Timer>();

  /** @param startMs milliseconds since 1970 */
  constructor(startMs = 1_700_000_000_000) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, delayMs), callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Goes on by `ms`; what falls due on the way runs in its order, at its time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#timers.delete(next);
      this.#now = next.at;
      next.callback();
    }
    this.#now = end;
  }

  /** The earliest one that is due by `end`; of several at one time the one that was set first. */
  #next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= end && (first === undefined || timer.at < first.at)) first = timer;
    }
    return first;
  }
}

/** The timers of one cluster, to be cancelled together when it is closed. */
export class Timers {
  readonly clock: Clock;
  readonly #cancels = new Set<() => void>();
  #isClosed = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Calls `callback` once, at `at` or right after; gives what cancels it. */
  at(at: number, callback: () => void): () => void {
    if (this.#isClosed) return () => undefined;
    const stop = this.clock.after(at - this.clock.now(), () => {
      this.#cancels.delete(cancel);
      callback();
    });
    const cancel = (): void => {
      this.#cancels.delete(cancel);
      stop();
    };
    this.#cancels.add(cancel);
    return cancel;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.at(this.clock.now() + ms, resolve));
  }

  close(): void {
    this.#isClosed = true;
    for (const cancel of [...this.#cancels]) cancel();
  }
}
