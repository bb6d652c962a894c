import type { EngineContext } from './engine-context.ts';

/**
 * Whether the application still comes for records. It is asked for its count of reads now and then, rather than
 * reporting each: a read costs nothing that way, and `maxPollIntervalMs` is exact to a third of itself or a heartbeat.
 */
export class PollWatch {
  readonly #maxPollIntervalMs: number;
  readonly #collectIntervalMs: number;
  #expiresAt = Infinity;
  #collectAt = Infinity;
  #polls = -1;
  #hasExpired = false;

  constructor(settings: { maxPollIntervalMs: number; heartbeatIntervalMs: number }) {
    this.#maxPollIntervalMs = settings.maxPollIntervalMs;
    this.#collectIntervalMs = Math.max(
      1,
      Math.min(settings.heartbeatIntervalMs, Math.floor(settings.maxPollIntervalMs / 3)),
    );
  }

  start(now: number): void {
    this.#hasExpired = false;
    this.#expiresAt = now + this.#maxPollIntervalMs;
    this.#collectAt = now + this.#collectIntervalMs;
  }

  stop(): void {
    this.#expiresAt = Infinity;
    this.#collectAt = Infinity;
  }

  deadline(): number {
    return Math.min(this.#expiresAt, this.#collectAt);
  }

  tick(now: number): { isCollecting: boolean; hasExpired: boolean } {
    const isCollecting = now >= this.#collectAt;
    if (isCollecting) this.#collectAt = now + this.#collectIntervalMs;
    const hasExpired = now >= this.#expiresAt;
    if (hasExpired) {
      this.#expiresAt = Infinity;
      this.#hasExpired = true;
    }
    return { isCollecting, hasExpired };
  }

  /** Returns true where the application is back after it had stayed away too long. */
  progress(isWaiting: boolean, polls: number, now: number): boolean {
    if (!isWaiting && polls === this.#polls) return false;
    this.#polls = polls;
    if (this.#collectAt === Infinity) return false;
    this.#expiresAt = now + this.#maxPollIntervalMs;
    const isBack = this.#hasExpired;
    this.#hasExpired = false;
    return isBack;
  }
}

/** What a member does about its polls when time has passed. True where it has to leave its group, which is said aloud. */
export function checkPolls(polls: PollWatch, engine: EngineContext, now: number): boolean {
  const { isCollecting, hasExpired } = polls.tick(now);
  if (isCollecting) engine.emit({ type: 'collect' });
  if (!hasExpired) return false;
  const message = `no record was asked for within maxPollIntervalMs (${engine.settings.maxPollIntervalMs} ms): this consumer leaves its group, and joins again when it is read from. Handle records faster, take fewer at a time (maxPollRecords), or raise maxPollIntervalMs`;
  engine.emit({ type: 'log', level: 'error', message });
  return true;
}
