import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Reporting } from '../../src/client/reporting.ts';
import { ConnectionError } from '../../src/errors.ts';

beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => vi.useRealTimers());

function rig() {
  const told: string[] = [];
  const listeners = {
    emit: (_name: string, ...[error]: unknown[]) => void told.push((error as Error).message),
    hasListener: () => true,
  };
  const reporting = new Reporting(listeners, null);
  return { told, trouble: (message: string) => reporting.trouble(new ConnectionError(message)) };
}

it('each trouble is told at most every ten seconds, also where several alternate', () => {
  const { told, trouble } = rig();
  for (let i = 0; i < 99; i++) {
    trouble('reset by the other side');
    trouble('closed instead of answering');
    vi.advanceTimersByTime(100);
  }
  expect(told).toEqual(['reset by the other side', 'closed instead of answering']);
  vi.advanceTimersByTime(100);
  trouble('closed instead of answering');
  trouble('reset by the other side');
  expect(told).toHaveLength(4);
});

it('of more than a thousand different ones within that time the oldest are forgotten', () => {
  const { told, trouble } = rig();
  for (let i = 0; i < 1500; i++) trouble(`partition ${i}`);
  trouble('partition 1499');
  expect(told).toHaveLength(1500);
  trouble('partition 0');
  expect(told).toHaveLength(1501);
});
