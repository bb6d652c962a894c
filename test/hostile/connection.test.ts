import { describe, expect, it } from 'vitest';
import { deadlineFor, leftSince, resources } from './consumption.ts';
import { MISDEEDS } from './misdeeds.ts';
import { meet } from './on-connection.ts';

const MIB = 1024 * 1024;
/** A busy machine may be late; what has a deadline of its own has ended long before. */
const GRACE_MS = 5000;

describe.each(['at ApiVersions', 'later'] as const)('a peer that misbehaves %s', (when) => {
  it.each(MISDEEDS.map((misdeed) => [misdeed.name, misdeed] as const))(
    '%s',
    async (_, misdeed) => {
      const before = resources();
      const { error, ms, othersToo, isOpen, memory } = await meet(misdeed, when, deadlineFor(misdeed));
      if (misdeed.error === null) {
        expect(error).toBeNull();
        expect(isOpen).toBe(true);
      } else {
        expect(error && `${error.name}: ${error.message}`).toMatch(misdeed.error);
        expect(error?.retriable).toBe(true);
        // An error code is an answer: what it means is for the one who asked to decide.
        expect(isOpen).toBe(misdeed.isRefusal === true && when === 'later');
        if (misdeed.isRefusal !== true) expect(othersToo || /one more/.test(misdeed.name)).toBe(true);
      }
      expect(ms).toBeLessThan(Math.min(deadlineFor(misdeed), 2000) + GRACE_MS);
      expect(memory.arrayBuffers).toBeLessThan(8 * MIB);
      expect(await leftSince(before)).toEqual([]);
    },
    30_000,
  );
});
