import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ConnectionError, KafkaError } from '../../src/errors.ts';
import { addressOf } from '../../src/network/candidates.ts';
import { Question } from '../../src/network/question.ts';

const SERVERS = ['a', 'b', 'c', 'd', 'e', 'f'].map((host) => ({ host, port: 1 }));

interface Asked {
  resolve: (answer: string) => void;
  reject: (error: KafkaError) => void;
}

/** A question to the first `count` servers, and what has come of it so far. */
function question(count: number) {
  const asked = new Map<string, Asked>();
  const seen = { slow: [] as string[], passedOver: [] as string[], waiting: [] as string[] };
  const it = new Question<string>({
    what: 'Metadata',
    candidates: () => SERVERS.slice(0, count),
    ask: ({ host }) => new Promise((resolve, reject) => asked.set(host, { resolve, reject })),
    onSlow: (address) => seen.slow.push(address),
    onPassedOver: ({ message }) => seen.passedOver.push(message),
    onWaiting: (message) => seen.waiting.push(message),
    told: (failures) => [...failures.values()],
  });
  const settled: unknown[] = [];
  it.answer.then(
    (answer) => settled.push(answer),
    (error: unknown) => settled.push(error),
  );
  return { it, asked, seen, settled, hosts: () => [...asked.keys()].join('') };
}

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'] }));
afterEach(() => vi.useRealTimers());

/** Time passes, and a turn of the event loop with it. */
async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await vi.advanceTimersByTimeAsync(0);
}

it('goes to one broker, and to nobody else where that answers at once', async () => {
  const { asked, hosts, settled, seen } = question(3);
  await pass(900);
  asked.get('a')?.resolve('yes');
  await pass(10_000);
  expect(hosts()).toBe('a');
  expect(settled).toEqual(['yes']);
  expect(seen).toEqual({ slow: [], passedOver: [], waiting: [] });
  expect(vi.getTimerCount()).toBe(0);
});

it('goes to another one beside it after a second, and whoever answers first counts', async () => {
  const { asked, hosts, settled, seen } = question(3);
  await pass(1001);
  expect(hosts()).toBe('ab');
  expect(seen.slow).toEqual([addressOf({ host: 'a', port: 1 })]);
  asked.get('b')?.resolve('b');
  await pass(0);
  asked.get('a')?.resolve('a');
  await pass(10_000);
  expect(settled).toEqual(['b']);
  expect(hosts()).toBe('ab');
});

it('the first one still counts where it answers before the second', async () => {
  const { asked, settled } = question(2);
  await pass(1500);
  asked.get('a')?.resolve('a');
  await pass(0);
  expect(settled).toEqual(['a']);
});

it('goes to no more than four at the same time', async () => {
  const { asked, hosts } = question(6);
  await pass(20_000);
  expect(hosts()).toBe('abcd');
  asked.get('a')?.reject(new ConnectionError('a is gone'));
  await pass(0);
  expect(hosts()).toBe('abcde');
});

it('goes to the next one at once where one fails, and is told when all have', async () => {
  const { asked, hosts, settled, seen } = question(2);
  asked.get('a')?.reject(new ConnectionError('a is gone'));
  await pass(0);
  expect(hosts()).toBe('ab');
  expect(seen.passedOver).toEqual(['a is gone']);
  asked.get('b')?.reject(new ConnectionError('b is gone'));
  await pass(0);
  expect(settled).toMatchObject([{ retriable: true, message: 'a is gone; b is gone' }]);
  expect(vi.getTimerCount()).toBe(0);
});

it.each([
  ['all have refused for good', false, false],
  ['one of them may pass', true, true],
])('has failed for good only where all have: %s', async (_, isRetriable, expected) => {
  const { asked, settled } = question(2);
  asked.get('a')?.reject(new KafkaError('never', { code: 29, name: 'TOPIC_AUTHORIZATION_FAILED' }));
  await pass(0);
  asked.get('b')?.reject(new KafkaError('no', { code: 29, retriable: isRetriable }));
  await pass(0);
  expect(settled).toMatchObject([{ retriable: expected, message: 'never; no' }]);
});

it('says after three seconds who is being waited for', async () => {
  const { asked, seen } = question(2);
  await pass(2999);
  expect(seen.waiting).toEqual([]);
  await pass(2);
  expect(seen.waiting).toEqual(['Metadata: no answer for 3000 ms; waiting for a:1, b:1']);
  asked.get('a')?.resolve('a');
  await pass(0);
});

it('ends when its owner is closed, and asks nobody any more', async () => {
  const { it: asking, settled, hosts } = question(2);
  const closed = new ConnectionError('closed', { retriable: false });
  asking.end(closed);
  await pass(10_000);
  expect(settled).toEqual([closed]);
  expect(hosts()).toBe('a');
  expect(vi.getTimerCount()).toBe(0);
});
