import { errorCodeOf, type ErrorName } from './error-codes.ts';

/**
 * What follows from the error codes of one API: the verdict on each code that has one of its own, and the one on all
 * others, those of newer brokers among them. docs/error-fates.md shows every such table beside Java's; a test holds the two together.
 */
export interface ErrorFates<Fate extends string> {
  /** The title of its section in docs/error-fates.md. */
  readonly title: string;
  readonly codes: Readonly<Partial<Record<ErrorName, Fate>>>;
  readonly others: Fate;
}

export function fateOf<Fate extends string>({ codes, others }: ErrorFates<Fate>, code: number): Fate {
  const { name } = errorCodeOf(code);
  return (name === 'UNKNOWN_ERROR_CODE' ? undefined : codes[name]) ?? others;
}
