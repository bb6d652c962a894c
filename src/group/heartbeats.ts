/** A heartbeat that is out, with whom it spoke for. */
export interface PendingHeartbeat {
  id: number;
  generation: number;
  memberId: string;
}

/** When the next heartbeat is due, and until when the broker surely keeps the member. Holds numbers only, no timers. */
export class Heartbeats {
  readonly #intervalMs: number;
  readonly #sessionTimeoutMs: number;
  #nextAt = Infinity;
  #sessionEndsAt = Infinity;
  #pending: PendingHeartbeat | null = null;

  constructor(options: { intervalMs: number; sessionTimeoutMs: number }) {
    this.#intervalMs = options.intervalMs;
    this.#sessionTimeoutMs = options.sessionTimeoutMs;
  }

  /** When the next one may go out; Infinity while one is out: never two in flight. */
  get dueAt(): number {
    return this.#pending === null ? this.#nextAt : Infinity;
  }

  get sessionEndsAt(): number {
    return this.#sessionEndsAt;
  }

  get isPending(): boolean {
    return this.#pending !== null;
  }

  /** The member is in a generation: the broker counts from now. */
  start(now: number): void {
    this.#nextAt = now + this.#intervalMs;
    this.#sessionEndsAt = now + this.#sessionTimeoutMs;
  }

  /** No longer a member, or JoinGroup keeps it alive. One that is out stays out until it is answered. */
  stop(): void {
    this.#nextAt = Infinity;
    this.#sessionEndsAt = Infinity;
  }

  /** At once, to a coordinator just found, which is given a whole session to answer. */
  restartNow(now: number): void {
    this.#nextAt = now;
    this.extendSession(now);
  }

  extendSession(now: number): void {
    this.#sessionEndsAt = now + this.#sessionTimeoutMs;
  }

  sent(pending: PendingHeartbeat, now: number): void {
    this.#pending = pending;
    this.#nextAt = now + this.#intervalMs;
  }

  /** The heartbeat with this id, no longer out; `null` where that is not the one that is out. */
  take(id: number): PendingHeartbeat | null {
    const pending = this.#pending;
    if (pending?.id !== id) return null;
    this.#pending = null;
    return pending;
  }

  /** Its connection is gone. */
  drop(): void {
    this.#pending = null;
  }

  /** Earlier than the interval says, after an answer that asks to come back. */
  retryAt(at: number): void {
    this.#nextAt = Math.min(this.#nextAt, at);
  }
}
