/** The one timer of a driver: runs `onDue` once, at the time it was last set to. */
export class Timer {
  #onDue: () => void;
  #timeout: NodeJS.Timeout | undefined;
  #dueAt = Infinity;

  constructor(onDue: () => void) {
    this.#onDue = onDue;
  }

  /** Infinity for never. A timer that is already set to this time is left alone. */
  set(dueAt: number, now: number): void {
    if (dueAt === this.#dueAt) return;
    clearTimeout(this.#timeout);
    this.#dueAt = dueAt;
    if (dueAt === Infinity) return;
    // Node takes 32 bits of milliseconds; a longer wait comes by here again. Rounded up, or it would fire a moment early.
    const waitMs = Math.min(Math.max(0, Math.ceil(dueAt - now)), 0x7fffffff);
    this.#timeout = setTimeout(() => {
      this.#dueAt = Infinity;
      this.#onDue();
    }, waitMs);
  }
}
