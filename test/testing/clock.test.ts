import { describe, expect, it } from 'vitest';
import { Timers } from '../../src/testing/clock.ts';
import { ManualClock } from '../../src/testing/index.ts';
import { Random } from '../../src/testing/random.ts';
import { connect, join, startKafka } from './rig.ts';

describe('ManualClock', () => {
  it('runs what falls due, in its order and at its time', () => {
    const clock = new ManualClock(1000);
    const ran: string[] = [];
    const note = (name: string) => () => ran.push(`${name} ${clock.now()}`);
    clock.after(30, note('c'));
    clock.after(10, note('a'));
    clock.after(10, note('b'));
    const cancel = clock.after(20, note('never'));
    clock.after(20, () => clock.after(5, note('inner')));
    cancel();
    clock.advance(29);
    expect(ran).toEqual(['a 1010', 'b 1010', 'inner 1025']);
    expect(clock.now()).toBe(1029);
    clock.advance(1);
    expect(ran.at(-1)).toBe('c 1030');
  });
});

describe('Timers', () => {
  it('are gone when they are closed', () => {
    const clock = new ManualClock(0);
    const timers = new Timers(clock);
    let count = 0;
    timers.at(5, () => count++);
    timers.at(5, () => count++)();
    clock.advance(5);
    expect(count).toBe(1);
    timers.at(9, () => count++);
    timers.close();
    timers.at(9, () => count++);
    clock.advance(100);
    expect(count).toBe(1);
  });
});

describe('Random', () => {
  it('is even, in its range, and makes ids that differ', () => {
    const random = new Random(3);
    const numbers = Array.from({ length: 3000 }, () => random.below(3));
    for (const value of [0, 1, 2]) expect(numbers.filter((each) => each === value).length).toBeGreaterThan(900);
    const ids = Array.from({ length: 500 }, () => random.kafkaUuid());
    expect(new Set(ids).size).toBe(500);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9][A-Za-z0-9_-]{21}$/);
    expect(random.uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe('the time of groups', () => {
  it('is that of the cluster, for each group its own', async () => {
    const clock = new ManualClock();
    const kafka = await startKafka({ clock });
    for (const [groupId, sessionTimeoutMs] of [
      ['slow', 60_000],
      ['fast', 1000],
    ] as const) {
      await join(await connect(kafka), { groupId, sessionTimeoutMs, rebalanceTimeoutMs: 120_000 });
    }
    clock.advance(1000);
    expect([kafka.members('slow').length, kafka.members('fast').length]).toEqual([1, 0]);
    clock.advance(59_000);
    expect(kafka.members('slow')).toHaveLength(0);
  });
});
