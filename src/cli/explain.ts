import { ConfigError, ConnectionError, RequestTimeoutError } from '../index.ts';
import { UsageError } from './usage-error.ts';

/** One line that says what is wrong and, where that is not plain, what to do about it. */
export function explain(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return `${message}${adviceFor(error)}`.replaceAll(/\s*[\r\n]+\s*/g, ' ');
}

export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError || error instanceof ConfigError ? 2 : 1;
}

function adviceFor(error: unknown): string {
  if (error instanceof ConnectionError) return '; check -b/--bootstrap-servers, and that the broker runs';
  if (error instanceof RequestTimeoutError)
    return '; check that -b/--bootstrap-servers names a Kafka broker that can be reached from here';
  return '';
}
