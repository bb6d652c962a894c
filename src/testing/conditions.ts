import { RequestTimeoutError } from '../errors.ts';

/** Less than the five seconds after which test runners give up: then the message here says what was missing. */
export const DEFAULT_TIMEOUT_MS = 4000;

interface Waiting {
  /** What is still missing; null for nothing. */
  readonly missing: () => string | null;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Promises that settle when something in the cluster has become true. */
export class Conditions {
  readonly #waiting = new Set<Waiting>();

  /**
   * Settles when `missing` gives null; looked at after every change. Real time, whatever clock the cluster has.
   * @throws RequestTimeoutError that says what was missing after `timeoutMs`
   */
  async until(what: string, missing: () => string | null, timeoutMs: number): Promise<void> {
    if (missing() === null) return;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const waiting: Waiting = { missing, resolve, reject };
        this.#waiting.add(waiting);
        timer = setTimeout(() => {
          this.#waiting.delete(waiting);
          reject(new RequestTimeoutError(`${what}: not within ${timeoutMs} ms; ${missing() ?? 'now it is'}`));
        }, timeoutMs);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  changed(): void {
    for (const waiting of [...this.#waiting]) {
      if (waiting.missing() !== null) continue;
      this.#waiting.delete(waiting);
      waiting.resolve();
    }
  }

  close(): void {
    for (const { reject, missing } of this.#waiting) reject(new Error(`the cluster was closed; ${missing() ?? ''}`));
    this.#waiting.clear();
  }
}
