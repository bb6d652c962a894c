import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConnectionError, type KafkaError } from '../../src/errors.ts';
import { RequestQueue } from '../../src/network/request-queue.ts';
import { apiVersions } from '../../src/protocol/api/api-versions.ts';
import { fetch } from '../../src/protocol/api/fetch.ts';
import { heartbeat } from '../../src/protocol/api/heartbeat.ts';
import { joinGroup } from '../../src/protocol/api/join-group.ts';
import { offsetCommit } from '../../src/protocol/api/offset-commit.ts';
import type { Api } from '../../src/protocol/api.ts';

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => vi.useRealTimers());

/** Time passes; then the event loop turns. */
async function pass(ms: number): Promise<void> {
  vi.advanceTimersByTime(ms);
  await turn();
}

/** Immediates are real, and so run in the turn that follows. */
async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

function rig() {
  const seen = { written: [] as string[], expired: [] as string[], overdue: [] as string[], failed: [] as string[] };
  const socket = { bytesRead: 0 };
  const queue = new RequestQueue({
    address: 'kafka:9092',
    write: (frame) => seen.written.push(frame.toString()),
    bytesRead: () => socket.bytesRead,
    onExpired: ({ message }) => seen.expired.push(message),
    onOverdue: ({ api }, waitedMs, isFirst) => seen.overdue.push(`${api.name} ${waitedMs}${isFirst ? ' first' : ''}`),
  });
  const push = (api: { name: string }, timeoutMs = 30_000, brokerWaitMs = 0): void =>
    queue.push({
      api: api as Api<unknown, unknown>,
      version: 0,
      correlationId: 0,
      frame: Buffer.from(api.name),
      timeoutMs,
      brokerWaitMs,
      answerBytes: 0,
      resolve: () => undefined,
      reject: ({ message }: KafkaError) => seen.failed.push(message),
    });
  return { queue, push, seen, socket };
}

describe('while the broker holds back (KIP-219)', () => {
  it('nothing is sent, and when it is over what waited is sent before anything new, in its order', async () => {
    const { queue, push, seen } = rig();
    queue.mute(1000);
    push(offsetCommit);
    push(heartbeat);
    await pass(999);
    expect(seen.written).toEqual([]);
    await pass(2);
    push(apiVersions);
    expect(seen.written).toEqual(['OffsetCommit', 'Heartbeat', 'ApiVersions']);
  });

  it('each answer may prolong it, and what waits is sent at its end all the same', async () => {
    const { queue, push, seen } = rig();
    push(heartbeat);
    queue.mute(1000);
    push(offsetCommit);
    await pass(500);
    queue.answered();
    queue.mute(1000);
    await pass(600);
    expect(seen.written).toEqual(['Heartbeat']);
    await pass(500);
    expect(seen.written).toEqual(['Heartbeat', 'OffsetCommit']);
  });

  it('what waits for too long fails by itself: nothing is wrong with the connection', async () => {
    const { queue, push, seen } = rig();
    queue.mute(5000);
    push(offsetCommit, 1000);
    push(heartbeat, 30_000);
    await pass(1001);
    expect(seen.failed).toEqual([
      'OffsetCommit to kafka:9092 could not be sent within 1000 ms: the broker holds this client back (quota)',
    ]);
    expect(seen.expired).toEqual([]);
    await pass(4000);
    expect(seen.written).toEqual(['Heartbeat']);
  });

  it('what was held back has its whole time from when it was sent', async () => {
    const { queue, push, seen } = rig();
    queue.mute(900);
    push(heartbeat, 1000);
    await pass(901);
    await pass(950);
    expect(seen.expired).toEqual([]);
    await pass(100);
    expect(seen.expired).toEqual(['Heartbeat to kafka:9092 was not answered within 1000 ms']);
  });

  it('a failed connection fails what is sent and what is held back, and leaves no timer', () => {
    const { queue, push, seen } = rig();
    push(heartbeat);
    queue.mute(1000);
    push(offsetCommit);
    queue.fail(new ConnectionError('gone'));
    expect(seen.failed).toEqual(['gone', 'gone']);
    expect(queue.isIdle).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a deadline that comes late, for the event loop stood still', () => {
  it('counts only when what had arrived by then was read', async () => {
    const { queue, push, seen } = rig();
    push(heartbeat, 1000);
    vi.advanceTimersByTime(1000); // the timer has fired, the socket was not looked at yet
    queue.answered();
    await turn();
    expect(seen.expired).toEqual([]);
  });

  it('counts in the next turn where nothing has arrived', async () => {
    const { push, seen } = rig();
    push(heartbeat, 1000);
    vi.advanceTimersByTime(1000);
    expect(seen.expired).toEqual([]);
    await turn();
    expect(seen.expired).toHaveLength(1);
  });
});

describe('an answer that is overdue', () => {
  it('is told after two seconds beyond what the broker may wait, and every two seconds from then on', async () => {
    const { queue, push, seen } = rig();
    push(fetch, 30_500, 500);
    await pass(2499);
    expect(seen.overdue).toEqual([]);
    expect(queue.isOverdue).toBe(false);
    await pass(2);
    await pass(2000);
    expect(seen.overdue).toMatchObject(
      [/^Fetch 25.. first$/, /^Fetch 45..$/].map((text) => expect.stringMatching(text) as unknown),
    );
    expect(queue.isOverdue).toBe(true);
    queue.answered();
    expect(queue.isOverdue).toBe(false);
    await pass(60_000);
    expect(seen.overdue).toHaveLength(2);
    expect(seen.expired).toEqual([]);
  });

  it('is none while bytes come', async () => {
    const { push, seen, socket } = rig();
    push(fetch);
    for (let i = 0; i < 5; i++) {
      socket.bytesRead += 1000;
      await pass(2000);
    }
    expect(seen.overdue).toEqual([]);
  });

  it('is none where the rest of the group is waited for, nor what stands behind that', async () => {
    const { queue, push, seen } = rig();
    push(joinGroup, 300_000);
    push(heartbeat);
    expect(queue.isHeldUpByGroup).toBe(true);
    await pass(20_000);
    expect(seen.overdue).toEqual([]);
  });
});
