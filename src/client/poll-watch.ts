import type { EngineContext } from './engine-context.ts';

/** `expired`: the application stayed away too long. `back`: it reads again after that. */
export type PollNews = 'expired' | 'back' | null;

/**
 * Whether the application still comes for records. It is asked for its count of reads now and then, rather than
 * reporting each: a read costs nothing that way. At the end of `maxPollIntervalMs` it is asked once more, and only that
 * answer decides. So an application that reads in time is never thrown out, and one that does not is noticed at most a
 * third of the interval, or a heartbeat, too late.
 */
export class PollWatch {
  readonly #maxPollIntervalMs: number;
  readonly #collectIntervalMs: number;
  #expiresAt = Infinity;
  #collectAt = Infinity;
  #polls = -1;
  /** The time is up, and the count that decides has been asked for. */
  #isDue = false;
  #hasExpired = false;

  constructor(settings: { maxPollIntervalMs: number; heartbeatIntervalMs: number }) {
    this.#maxPollIntervalMs = settings.maxPollIntervalMs;
    this.#collectIntervalMs = Math.max(
      1,
      Math.min(settings.heartbeatIntervalMs, Math.floor(settings.maxPollIntervalMs / 3)),
    );
  }

  /** At each subscription. An application that was thrown out has to read before it counts as back: this is no read. */
  start(now: number): void {
    this.#collectAt = now + this.#collectIntervalMs;
    if (!this.#hasExpired) this.#postpone(now);
  }

  stop(): void {
    this.#expiresAt = Infinity;
    this.#collectAt = Infinity;
    this.#isDue = false;
    this.#hasExpired = false;
  }

  deadline(): number {
    return Math.min(this.#expiresAt, this.#collectAt);
  }

  /** Returns true where the application is to be asked for its count: `progress` brings it. */
  tick(now: number): boolean {
    const isDue = now >= this.#expiresAt;
    if (isDue) {
      this.#expiresAt = Infinity;
      this.#isDue = true;
    }
    const isCollecting = isDue || now >= this.#collectAt;
    if (isCollecting) this.#collectAt = now + this.#collectIntervalMs;
    return isCollecting;
  }

  progress(isWaiting: boolean, polls: number, now: number): PollNews {
    const isThere = isWaiting || polls !== this.#polls;
    this.#polls = polls;
    if (this.#collectAt === Infinity) return null;
    if (isThere) {
      const isBack = this.#hasExpired;
      this.#hasExpired = false;
      this.#postpone(now);
      return isBack ? 'back' : null;
    }
    if (!this.#isDue) return null;
    this.#isDue = false;
    this.#hasExpired = true;
    return 'expired';
  }

  #postpone(now: number): void {
    this.#isDue = false;
    this.#expiresAt = now + this.#maxPollIntervalMs;
  }
}

/** Says aloud that a member leaves its group because nobody reads from it. */
export function tellExpired(engine: EngineContext): void {
  const limit = `maxPollIntervalMs (${engine.settings.maxPollIntervalMs} ms)`;
  const message =
    `no record was asked for within ${limit}: this consumer leaves its group, and joins again when it is read from. ` +
    'Handle records faster, take fewer at a time (maxPollRecords), or raise maxPollIntervalMs';
  engine.emit({ type: 'log', level: 'error', message });
}
