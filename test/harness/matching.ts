import { expect } from 'vitest';

/** For a text inside `toMatchObject`, which takes a RegExp there for an object without properties, and so for a match of anything. */
export function matching(pattern: RegExp): string {
  return expect.stringMatching(pattern) as string; // it stands where a string is
}
