import { describe, expect, it } from 'vitest';
import { consumeBeside, deadlineFor } from './consumption.ts';
import { MISDEEDS, type Misdeed } from './misdeeds.ts';

const MIB = 1024 * 1024;
/** A busy machine may be late; a deadline that was waited for in vain takes longer than that. */
const GRACE_MS = 7000;

// Strangers on the port, and one of each kind of the others: what is in the way of ApiVersions is in no answer's own code.
const FROM_THE_FIRST = /2 GiB|whole|version|^silence|reset in|end of the connection in|TLS|HTTP|text|unknown/;
const CASES: readonly (readonly [name: string, spared: readonly string[], misdeed: Misdeed])[] = [
  ...MISDEEDS.map((misdeed) => [`after ApiVersions: ${misdeed.name}`, ['ApiVersions'], misdeed] as const),
  ...MISDEEDS.filter(({ name }) => FROM_THE_FIRST.test(name)).map(
    (misdeed) => [`from its first answer on: ${misdeed.name}`, [], misdeed] as const,
  ),
];

// One of two brokers misbehaves: what the other one has is read all the same, and the rest as soon as the bad one is good again.
describe('a broker that misbehaves', () => {
  it.each(CASES)(
    '%s',
    async (_, spared, misdeed) => {
      const outcome = await consumeBeside(misdeed, spared, deadlineFor(misdeed));
      const { told, thrown, otherMs, healedMs, connections, toldMs, memory, left } = outcome;
      if (misdeed.error === null) expect({ told, thrown }).toEqual({ told: [], thrown: [] });
      else expect([...told, ...thrown].join('\n')).toMatch(misdeed.error);
      // Only what the broker itself has refused is the application's to decide; all else is tried again.
      if (misdeed.isRefusal !== true) expect(thrown).toEqual([]);
      for (const each of thrown) expect(each).toMatch(misdeed.error ?? /never/);
      // At most a question each to the hostile one for the metadata and for its own partition, before the other one is asked.
      expect(otherMs).toBeLessThan(2 * Math.min(deadlineFor(misdeed), 1000) + GRACE_MS);
      expect(healedMs).toBeLessThan(2 * Math.min(deadlineFor(misdeed), 1000) + GRACE_MS);
      // Backed off: not as fast as it can.
      expect(connections).toBeLessThan(10 + toldMs / 20);
      expect(memory.arrayBuffers).toBeLessThan(16 * MIB);
      expect(left).toEqual([]);
    },
    60_000,
  );
});
