import { describe, expect, it } from 'vitest';
import { befall, EVENTS } from './in-hand.ts';
import { ALL_STYLES } from './styles.ts';

/**
 * Every way to read, and everything that may happen with a record in hand: each record is handled, nothing is committed before it is, nothing is
 * passed over, and all comes to its end.
 */
describe.each(EVENTS)('with a record in hand: %s', (event) => {
  it.concurrent.each(Object.keys(ALL_STYLES))('%s', { timeout: 120_000 }, async (name) => {
    const style = ALL_STYLES[name];
    if (style === undefined) throw new Error(name);
    const seed = EVENTS.indexOf(event) + Object.keys(ALL_STYLES).indexOf(name);
    expect(await befall(event, style, seed)).toEqual([]);
  });
});
