import { setTimeout as sleep } from 'node:timers/promises';

export interface UntilOptions {
  /** What is awaited, for the error. */
  what: string;
  timeoutMs: number;
  intervalMs?: number;
  /** More to say in the error, such as the end of a log. */
  details?: () => string | Promise<string>;
}

/** Polls `condition` until it is true. Throws when the deadline passes; what `condition` throws passes through. */
export async function until(condition: () => boolean | Promise<boolean>, options: UntilOptions): Promise<void> {
  const deadline = performance.now() + options.timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) {
      const details = options.details === undefined ? '' : `\n${await options.details()}`;
      throw new Error(`no ${options.what} within ${options.timeoutMs} ms${details}`);
    }
    await sleep(options.intervalMs ?? 50);
  }
}
