/**
 * Exponential back-off with ±20 % jitter, as Kafka's clients do (KIP-580): `initialMs · 2^attempt`, at most `maxMs`.
 *
 * @param attempt 0 for the first failure
 * @param random  a number in [0, 1), such as `Math.random()`; an argument so that tests decide it
 * @returns milliseconds to wait, never below 0 and never above `maxMs`
 */
export function backoffMs(attempt: number, initialMs: number, maxMs: number, random: number): number {
  const exponential = Math.min(maxMs, initialMs * 2 ** Math.min(attempt, 30));
  return Math.max(0, Math.min(maxMs, Math.round(exponential * (0.8 + 0.4 * random))));
}
