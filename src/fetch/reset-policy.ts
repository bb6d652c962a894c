import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP } from './partition.ts';

/** `autoOffsetReset`, as it is written. `by_duration:` takes an ISO-8601 duration of days and less, such as `PT12H` (KIP-1106). */
export type AutoOffsetReset = 'earliest' | 'latest' | 'none' | `by_duration:${string}`;

/** For error messages. */
export const RESET_POLICIES = "'earliest', 'latest', 'none' or 'by_duration:' and an ISO-8601 duration such as PT12H";

const BY_DURATION = 'by_duration:';
const UNIT_MS = [86_400_000, 3_600_000, 60_000, 1000];

/** Milliseconds; null for what is no duration, or a negative one. As `java.time.Duration.parse` reads it. */
export function parseDuration(text: string): number | null {
  const match = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{0,9})?)S)?)?$/i.exec(text);
  if (match === null || /[PT]$/i.test(text)) return null;
  const ms = UNIT_MS.reduce((sum, unitMs, index) => sum + Number(match[index + 1] ?? 0) * unitMs, 0);
  return Number.isSafeInteger(Math.round(ms)) ? Math.round(ms) : null;
}

export function isAutoOffsetReset(value: unknown): value is AutoOffsetReset {
  if (typeof value !== 'string') return false;
  if (value === 'earliest' || value === 'latest' || value === 'none') return true;
  return value.startsWith(BY_DURATION) && parseDuration(value.slice(BY_DURATION.length)) !== null;
}

/** What ListOffsets is asked where there is no offset; null for nothing: it is an error. @param wallClock milliseconds since 1970 */
export function resetTimestamp(policy: AutoOffsetReset, wallClock: () => number): number | null {
  switch (policy) {
    case 'earliest':
      return EARLIEST_TIMESTAMP;
    case 'latest':
      return LATEST_TIMESTAMP;
    case 'none':
      return null;
    default:
      return Math.max(0, wallClock() - (parseDuration(policy.slice(BY_DURATION.length)) ?? 0));
  }
}

/** For a log line. */
export function describeReset(timestamp: number): string {
  if (timestamp === LATEST_TIMESTAMP) return 'the latest one';
  if (timestamp === EARLIEST_TIMESTAMP) return 'the earliest one';
  return `the first one since ${timestamp} ms`;
}
