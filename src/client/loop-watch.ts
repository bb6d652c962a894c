import type { LogLevel } from './port.ts';

/** A session has room for this many such pauses: from there on it is time to say something. */
const SESSION_PARTS = 3;
/** How often a watched loop has to come by, at the least. */
const MOST_INTERVAL_MS = 1000;

/** The event loop has stood still for a good part of the session. */
export interface Standstill {
  level: LogLevel;
  message: string;
  /** The group may have ended the session. */
  mayBeOver: boolean;
}

/**
 * Whether the event loop turns. Heartbeats need it: a handler that computes, or waits synchronously, holds them up, and when that
 * lasts as long as the session the group gives the partitions to others. Nothing can be said meanwhile, so the shorter pauses are
 * told: they are the warning.
 */
export class LoopWatch {
  readonly #sessionTimeoutMs: number;
  readonly #intervalMs: number;
  #dueAt = Infinity;
  /** The longest that the loop has stood still while it was watched. */
  longestMs = 0;

  constructor({ sessionTimeoutMs }: { sessionTimeoutMs: number }) {
    this.#sessionTimeoutMs = sessionTimeoutMs;
    this.#intervalMs = Math.max(1, Math.min(MOST_INTERVAL_MS, sessionTimeoutMs / (2 * SESSION_PARTS)));
  }

  start(now: number): void {
    if (this.#dueAt === Infinity) this.#dueAt = now + this.#intervalMs;
  }

  stop(): void {
    this.#dueAt = Infinity;
  }

  deadline(): number {
    return this.#dueAt;
  }

  /** Returns what is to be said of how late this comes; `null` for nothing. */
  tick(now: number): Standstill | null {
    if (now < this.#dueAt) return null;
    const lagMs = Math.round(now - this.#dueAt);
    // The loop was last seen so long ago; when it stopped after that nobody knows.
    const mayBeOver = lagMs + this.#intervalMs >= this.#sessionTimeoutMs;
    this.#dueAt = now + this.#intervalMs;
    this.longestMs = Math.max(this.longestMs, lagMs);
    if (lagMs * SESSION_PARTS < this.#sessionTimeoutMs) return null;
    const stood = `the event loop stood still for ${lagMs} ms, and no heartbeat could be sent`;
    const limit = `sessionTimeoutMs (${this.#sessionTimeoutMs} ms)`;
    const remedy = 'Break long computations up, move them to a worker thread, or raise sessionTimeoutMs';
    if (lagMs < this.#sessionTimeoutMs) {
      return {
        level: 'warn',
        message: `${stood}: at ${limit} the group takes this member's partitions away. ${remedy}`,
        mayBeOver,
      };
    }
    const message = `${stood}: longer than ${limit}, so the group may have given this member's partitions to others. ${remedy}`;
    return { level: 'error', message, mayBeOver };
  }
}
