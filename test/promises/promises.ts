import { setTimeout as sleep } from 'node:timers/promises';
import type { Timeline } from './timeline.ts';

export const pause = (ms: number): Promise<void> => sleep(ms);

/** Every promise that the library has given: each has to settle. */
export class Promises {
  readonly #timeline: Timeline;
  readonly #open = new Map<number, string>();
  #lastId = 0;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  /** @returns the same promise; how it ends goes to the timeline */
  async watch<T>(who: string, what: string, promise: Promise<T>): Promise<T> {
    const id = ++this.#lastId;
    this.#open.set(id, `${who}: ${what}`);
    try {
      const value = await promise;
      this.#timeline.note(who, `${what} is done`);
      return value;
    } catch (error) {
      this.#timeline.note(who, `${what} is rejected: ${textOf(error)}`);
      throw error;
    } finally {
      this.#open.delete(id);
    }
  }

  /** The same for somebody who does not care how it ends. */
  start(who: string, what: string, promise: Promise<unknown>): void {
    this.watch(who, what, promise).catch(() => undefined);
  }

  get open(): string[] {
    return [...this.#open.values()];
  }
}

export function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** @returns whether the promise has settled before the time was up */
export async function settles(promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  const over = new AbortController();
  const late = sleep(limitMs, false, { signal: over.signal }).catch(() => false);
  const isSettled = await Promise.race([promise.then(settled, settled), late]);
  over.abort();
  return isSettled;
}

const settled = (): boolean => true;

/** @returns whether it was so before the time was up */
export async function until(condition: () => boolean, limitMs: number): Promise<boolean> {
  const endsAt = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() >= endsAt) return false;
    await pause(3);
  }
  return true;
}
