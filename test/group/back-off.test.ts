import { describe, expect, it } from 'vitest';
import { BackOff } from '../../src/group/back-off.ts';

function waits(random: number, count: number): number[] {
  const backOff = new BackOff({ firstMs: 100, maxMs: 1_000, random: () => random });
  return Array.from({ length: count }, () => backOff.next());
}

describe('BackOff', () => {
  it('doubles up to the limit, ±20 %', () => {
    expect(waits(0.5, 6)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    expect(waits(0, 6)).toEqual([80, 160, 320, 640, 800, 800]);
    expect(waits(0.999_999, 6)).toEqual([120, 240, 480, 960, 1_000, 1_000]);
  });

  it('stays a number after any count of tries', () => {
    expect(waits(0.5, 5_000).at(-1)).toBe(1_000);
  });

  it('gives one free try after a success, none after a wait', () => {
    const backOff = new BackOff({ firstMs: 100, maxMs: 1_000, random: () => 0.5 });
    expect([backOff.nextAfterFreeTry(), backOff.nextAfterFreeTry(), backOff.next()]).toEqual([0, 100, 200]);
    expect(backOff.nextAfterFreeTry()).toBe(400);
    backOff.reset();
    expect(backOff.nextAfterFreeTry()).toBe(0);
  });
});
