import { describe, expect, it } from 'vitest';
import { LoopWatch } from '../../src/client/loop-watch.ts';

/** Watched from time 0 on; `lateBy` is how much later than asked for the loop comes. */
function watched(sessionTimeoutMs: number): { watch: LoopWatch; come: (lateBy: number) => unknown } {
  const watch = new LoopWatch({ sessionTimeoutMs });
  watch.start(0);
  return { watch, come: (lateBy) => watch.tick(watch.deadline() + lateBy) };
}

describe('an event loop that stands still', () => {
  it('for a third of the session: a warning that names both times; for all of it: an error', () => {
    const { watch, come } = watched(45_000);
    expect(come(0)).toBeNull();
    expect(come(14_999)).toBeNull();
    expect(come(15_000)).toEqual({
      level: 'warn',
      message: expect.stringMatching(
        /^the event loop stood still for 15000 ms, and no heartbeat could be sent: at sessionTimeoutMs \(45000 ms\) the group takes/,
      ) as string,
      mayBeOver: false,
    });
    expect(come(45_000)).toMatchObject({
      level: 'error',
      mayBeOver: true,
      message: expect.stringContaining('longer than sessionTimeoutMs (45000 ms)') as string,
    });
    expect(come(3)).toBeNull();
    expect(watch.longestMs).toBe(45_000);
  });

  it('may have outlasted the session as soon as it was last seen a session ago', () => {
    const { come } = watched(45_000);
    expect(come(43_999)).toMatchObject({ level: 'warn', mayBeOver: false });
    expect(come(44_000)).toMatchObject({ level: 'warn', mayBeOver: true });
  });

  it('is looked at often enough for a short session', () => {
    const { watch, come } = watched(300);
    expect(watch.deadline()).toBe(50);
    expect(come(100)).toMatchObject({ level: 'warn' });
  });

  it('is not looked at before start and after stop', () => {
    const watch = new LoopWatch({ sessionTimeoutMs: 300 });
    expect(watch.deadline()).toBe(Infinity);
    expect(watch.tick(1e9)).toBeNull();
    watch.start(0);
    watch.start(40);
    expect(watch.deadline()).toBe(50);
    watch.stop();
    expect(watch.tick(1e9)).toBeNull();
  });
});
