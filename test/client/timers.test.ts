import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Calls } from '../../src/client/calls.ts';
import { PollWatch } from '../../src/client/poll-watch.ts';
import { Timer } from '../../src/client/timer.ts';
import { KafkaError } from '../../src/errors.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('Timer', () => {
  function made(): { timer: Timer; fired: number[]; begin: number } {
    const begin = performance.now();
    const fired: number[] = [];
    return { timer: new Timer(() => fired.push(performance.now() - begin)), fired, begin };
  }

  it('runs once, never early, at what it was last set to', () => {
    const { timer, fired, begin } = made();
    timer.set(begin + 500, begin);
    timer.set(begin + 10.4, begin);
    vi.advanceTimersByTime(10);
    expect(fired).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(fired).toEqual([11]);
    vi.advanceTimersByTime(1000);
    expect(fired).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a deadline in the past fires soon, but lets the event loop turn', () => {
    const { timer, fired, begin } = made();
    timer.set(begin - 100, begin);
    expect(fired).toEqual([]);
    vi.advanceTimersToNextTimer();
    expect(fired).toHaveLength(1);
  });

  it('the same time again is the same timer; a fired one can be set to it anew', () => {
    const { timer, fired, begin } = made();
    for (let i = 0; i < 5; i++) timer.set(begin + 10, begin);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(10);
    timer.set(begin + 10, begin + 10);
    vi.advanceTimersToNextTimer();
    expect(fired).toHaveLength(2);
  });

  it('Infinity is never, also after something else', () => {
    const { timer, begin } = made();
    timer.set(begin + 10, begin);
    timer.set(Infinity, begin);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('more than 2^31 ms do not overflow to none', () => {
    const { timer, fired, begin } = made();
    timer.set(begin + 2 ** 40, begin);
    vi.advanceTimersByTime(0x7ffffffe);
    expect(fired).toEqual([]);
  });
});

describe('PollWatch', () => {
  const settings = { maxPollIntervalMs: 900, heartbeatIntervalMs: 3000 };

  it('asks for progress often enough, and expires without any', () => {
    const watch = new PollWatch(settings);
    expect(watch.deadline()).toBe(Infinity);
    watch.start(0);
    const seen: [number, boolean][] = [];
    for (let now = watch.deadline(); now <= 1200; now = watch.deadline()) {
      const { isCollecting, hasExpired } = watch.tick(now);
      expect(isCollecting).toBe(true);
      watch.progress(false, 0, now);
      seen.push([now, hasExpired]);
    }
    // The first report of a count counts as progress.
    expect(seen).toEqual([
      [300, false],
      [600, false],
      [900, false],
      [1200, true],
    ]);
  });

  it('waiting, or another count, is progress; so is coming back after it expired, once', () => {
    const watch = new PollWatch(settings);
    watch.start(0);
    expect(watch.progress(true, 0, 300)).toBe(false);
    expect(watch.tick(1199).hasExpired).toBe(false);
    expect(watch.tick(1200).hasExpired).toBe(true);
    expect(watch.tick(5000).hasExpired).toBe(false);
    expect(watch.progress(false, 0, 5000)).toBe(false); // the same count as before
    expect(watch.progress(false, 1, 5001)).toBe(true);
    expect(watch.progress(false, 2, 5002)).toBe(false);
    expect(watch.tick(5901).hasExpired).toBe(false);
    expect(watch.tick(5902).hasExpired).toBe(true);
  });

  it('stopped, it wants nothing', () => {
    const watch = new PollWatch(settings);
    watch.start(0);
    watch.stop();
    expect(watch.deadline()).toBe(Infinity);
    expect(watch.tick(10_000)).toEqual({ isCollecting: false, hasExpired: false });
    expect(watch.progress(true, 5, 10_000)).toBe(false);
  });
});

describe('Calls', () => {
  it('settle each once, by answer, by time or all together', async () => {
    const calls = new Calls<string>();
    const late = new KafkaError('late');
    const ids: number[] = [];
    const send = (id: number): void => void ids.push(id);
    const answered = calls.startWithin(100, late, send);
    const timedOut = expect(calls.startWithin(100, late, send)).rejects.toBe(late);
    const unbounded = calls.start(send);
    calls.settle(ids[0] ?? 0, 'yes', null);
    expect(await answered).toBe('yes');
    vi.advanceTimersByTime(100);
    await timedOut;
    calls.settle(ids[1] ?? 0, 'too late', null);
    const all = expect(unbounded).rejects.toThrow('closed');
    calls.failAll(new KafkaError('closed'));
    await all;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('an answer within the question', async () => {
    const calls = new Calls<number>();
    expect(await calls.startWithin(10, new KafkaError('late'), (id) => calls.settle(id, 5, null))).toBe(5);
    expect(vi.getTimerCount()).toBe(0);
  });
});
