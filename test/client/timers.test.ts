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

  /** What comes of an application that has read `polls(now)` times by then and never waits, up to `end`. */
  function watchTo(end: number, polls: (now: number) => number, options = settings): [number, string][] {
    const watch = new PollWatch(options);
    watch.start(0);
    const news: [number, string][] = [];
    for (let now = watch.deadline(); now <= end; now = watch.deadline()) {
      if (!watch.tick(now)) throw new Error(`nothing was due at ${now}`);
      const one = watch.progress(false, polls(now), now);
      if (one !== null) news.push([now, one]);
    }
    return news;
  }

  it('asks for progress often enough, and expires without any', () => {
    // The first report of a count, at 300, counts as progress.
    expect(watchTo(1199, () => 0)).toEqual([]);
    expect(watchTo(60_000, () => 0)).toEqual([[1200, 'expired']]);
  });

  it('an application that reads in time is never thrown out, however its reads and the looks at them fall', () => {
    for (let every = 100; every < 900; every += 7) {
      for (let first = 0; first < every; first += 13) {
        const polls = (now: number): number => Math.floor((now + first) / every);
        expect(watchTo(30_000, polls), `a read every ${every} ms, the first at ${every - first}`).toEqual([]);
      }
    }
    const slow = { maxPollIntervalMs: 3000, heartbeatIntervalMs: 1000 };
    expect(watchTo(3_600_000, (now) => Math.floor(now / 2800), slow)).toEqual([]);
  });

  it('one that reads too seldom expires, and is back with each read', () => {
    const news = watchTo(20_000, (now) => Math.floor(now / 2000));
    expect(news.slice(0, 4).map(([, one]) => one)).toEqual(['expired', 'back', 'expired', 'back']);
    for (const [at, one] of news) if (one === 'expired') expect(at % 2000).toBeGreaterThanOrEqual(900);
  });

  it('waiting, or another count, is progress; so is coming back after it expired, once', () => {
    const watch = new PollWatch(settings);
    watch.start(0);
    expect(watch.progress(true, 0, 300)).toBeNull();
    expect(watch.progress(false, 0, 1199)).toBeNull(); // asked for before the time was up
    expect(watch.tick(1200)).toBe(true);
    expect(watch.progress(false, 0, 1200)).toBe('expired');
    expect(watch.progress(false, 0, 5000)).toBeNull(); // the same count as before
    expect(watch.progress(false, 1, 5001)).toBe('back');
    expect(watch.progress(false, 2, 5002)).toBeNull();
    expect(watch.tick(5902)).toBe(true);
    expect(watch.progress(false, 2, 5902)).toBe('expired');
  });

  it('a read that is reported at the very end counts', () => {
    const watch = new PollWatch(settings);
    watch.start(0);
    watch.progress(false, 0, 0);
    expect(watch.tick(900)).toBe(true);
    expect(watch.progress(false, 1, 900)).toBeNull();
    expect(watch.tick(1800)).toBe(true);
    expect(watch.progress(true, 1, 1800)).toBeNull();
    expect(watch.tick(2700)).toBe(true);
    expect(watch.progress(false, 1, 2700)).toBe('expired');
  });

  it('a new subscription gives new time, but is no read of one that was thrown out', () => {
    const watch = new PollWatch(settings);
    watch.start(0);
    watch.progress(false, 0, 0);
    watch.start(800);
    expect(watch.tick(1600)).toBe(true);
    expect(watch.progress(false, 0, 1600)).toBeNull();
    expect(watch.tick(1700)).toBe(true);
    expect(watch.progress(false, 0, 1700)).toBe('expired');
    watch.start(1800);
    expect(watch.tick(2700)).toBe(true);
    expect(watch.progress(false, 0, 2700)).toBeNull(); // is out already
    expect(watch.progress(false, 1, 2800)).toBe('back');
  });

  it('stopped, it wants nothing', () => {
    const watch = new PollWatch(settings);
    watch.start(0);
    watch.stop();
    expect(watch.deadline()).toBe(Infinity);
    expect(watch.tick(10_000)).toBe(false);
    expect(watch.progress(true, 5, 10_000)).toBeNull();
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
