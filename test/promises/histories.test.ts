import { describe, expect, it } from 'vitest';
import { history } from './history.ts';

/** So many at a time: they wait more than they work. */
const AT_ONCE = 8;
const HISTORIES = Number(process.env['SAMSA_HISTORIES'] ?? 8);

/**
 * Whole applications by chance, see `history.ts`. These seeds are the same each time; `npx tsx test/promises/run.ts --histories 2000` draws new ones, and
 * `--seed N --histories 1 --repeat 50` plays one of them again.
 */
describe('every promise is kept in random histories', () => {
  const seeds = Array.from({ length: HISTORIES / AT_ONCE }, (_, index) => index * AT_ONCE + 1);
  it.each(seeds)('from seed %i on', { timeout: 300_000 }, async (first) => {
    const outcomes = await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => history(first + index)));
    const failed = outcomes.filter(({ violations }) => violations.length > 0);
    const told = failed.map(({ seed, violations, timeline }) => `seed ${seed}: ${violations[0]}\n${timeline.text(80)}`);
    expect(told).toEqual([]);
  });
});
