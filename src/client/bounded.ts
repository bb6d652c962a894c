/** Waits for what an application's function returned, but not for ever. */
export class Bounded {
  readonly #ends = new Set<() => void>();
  #isClosed = false;

  /**
   * True when `result` has resolved, false when `timeoutMs` have passed before; what comes after that is nobody's. Rejects with
   * what it rejects with.
   */
  async wait(result: unknown, timeoutMs: number): Promise<boolean> {
    if (!isThenable(result)) return true;
    let end: () => void = () => undefined;
    const limit = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      end = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
    this.#ends.add(end);
    if (this.#isClosed) end();
    try {
      return await Promise.race([Promise.resolve(result).then(() => true), limit]);
    } finally {
      this.#ends.delete(end);
      end();
    }
  }

  /** Ends every wait that is under way, as if its result was there. */
  release(): void {
    for (const end of this.#ends) end();
  }

  /** Ends every wait, those that come, too, as if there was no more to wait for. */
  close(): void {
    this.#isClosed = true;
    this.release();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
