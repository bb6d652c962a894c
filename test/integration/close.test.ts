import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Consumer } from '../../src/index.ts';
import { GroupMember } from './group-member.ts';
import { failureOf, quick, take, useRig, waitFor } from './rig.ts';

const rig = useRig();
const CLOSE_MS = 1500;

async function timed(closing: Promise<unknown>): Promise<number> {
  const before = performance.now();
  await closing;
  return performance.now() - before;
}

describe('close() in every state is quick', () => {
  const states: Record<string, (consumer: Consumer, topic: string) => Promise<void> | void> = {
    'never used': () => undefined,
    'just subscribed': (consumer, topic) => consumer.subscribe([topic]),
    'just assigned': (consumer, topic) => consumer.assign([{ topic, partition: 0 }]),
    'in the middle of joining': async (consumer, topic) => {
      consumer.subscribe([topic]);
      await sleep(20);
    },
    'subscribed to a topic that is not there': async (consumer) => {
      consumer.subscribe([rig.name('nowhere')]);
      await sleep(300);
    },
    'waiting for records': async (consumer, topic) => {
      consumer.subscribe([topic]);
      const ended = once(consumer, 'partitionEnd');
      void (async () => {
        for await (const record of consumer) expect(record.topic).toBe(topic);
      })();
      await ended;
    },
    'after a break': async (consumer, topic) => {
      consumer.subscribe([topic]);
      await take(consumer, 5);
    },
    paused: async (consumer, topic) => {
      consumer.assign([{ topic, partition: 0 }]);
      await take(consumer, 5);
      consumer.pause();
    },
    'after unsubscribe()': async (consumer, topic) => {
      consumer.subscribe([topic]);
      await take(consumer, 5);
      consumer.unsubscribe();
    },
    'after an error': async (consumer, topic) => {
      consumer.assign([{ topic, partition: 77, offset: 1 }]);
      await consumer.poll({ timeoutMs: 200 }).catch(() => undefined);
    },
    'after poll(), as one does in Java': async (consumer, topic) => {
      consumer.subscribe([topic]);
      expect(await consumer.poll({ timeoutMs: 10_000 })).toHaveLength(1);
    },
  };

  it.each(Object.keys(states))('%s', async (state) => {
    const topic = await rig.filled(100);
    const consumer = new Consumer(quick({ bootstrapServers: rig.bootstrapServers, groupId: rig.name('group') }));
    await states[state]?.(consumer, topic);
    const closing = [consumer.close(), consumer.close()];
    try {
      expect(await timed(Promise.race([Promise.all(closing).then(() => undefined), sleep(CLOSE_MS)]))).toBeLessThan(
        CLOSE_MS,
      );
    } finally {
      await Promise.all(closing);
    }
    expect(() => consumer.subscribe([topic])).toThrow(/closed/);
    await expect(consumer.committed([{ topic, partition: 0 }])).rejects.toThrow(/closed/);
    expect(await take(consumer, 1)).toEqual([]);
    await expect(consumer.poll({ timeoutMs: 10_000 })).rejects.toThrow(/closed/);
  });

  it('with nobody at the other end', async () => {
    const consumer = new Consumer(quick({ bootstrapServers: '127.0.0.1:1', groupId: rig.name('group') }));
    consumer.subscribe(['any']);
    const reading = take(consumer, 1);
    const asking = failureOf(consumer.committed([{ topic: 'any', partition: 0 }]));
    await sleep(200);
    expect(await timed(consumer.close())).toBeLessThan(CLOSE_MS);
    expect(await reading).toEqual([]);
    expect(await asking).toMatchObject({ name: 'ConsumerClosedError' });
  });
});

describe('close() keeps its promises', () => {
  it('waits for the handler, commits what it finished, and leaves so that others go on at once', async () => {
    const topic = await rig.filled(100);
    const options = { groupId: rig.name('group'), sessionTimeoutMs: 30_000 };
    let isHandled = false;
    const first = new GroupMember(rig, [topic], options, {
      onRecord: async ({ offset }) => {
        if (offset !== 20) return;
        await sleep(500);
        isHandled = true;
      },
    });
    await waitFor('the slow record', () => first.records.length === 21);
    await first.close();
    expect(isHandled).toBe(true);
    expect(first.events).toEqual(['+0', '-0']);
    const second = new GroupMember(rig, [topic], options);
    await waitFor('the rest', () => second.records.length === 79, 5000);
    expect(second.records[0]?.offset).toBe(21);
  });

  it('with a handler that does not end: by timeoutMs, having committed what was finished and left the group', async () => {
    const topic = await rig.filled(100);
    const options = { groupId: rig.name('group'), sessionTimeoutMs: 30_000 };
    let letGo: () => void = () => undefined;
    const first = new GroupMember(rig, [topic], options, {
      onRecord: ({ offset }) => (offset === 20 ? new Promise<void>((resolve) => (letGo = resolve)) : undefined),
    });
    await waitFor('the stuck record', () => first.records.length === 21);
    expect(await timed(first.consumer.close({ timeoutMs: 6000 }))).toBeLessThan(6500);
    const second = new GroupMember(rig, [topic], options);
    try {
      await waitFor('the rest', () => second.records.length > 0, 5000);
      expect(second.records[0]?.offset).toBe(20);
    } finally {
      letGo();
    }
  });

  it('commits and leaves also in the middle of a rebalance', async () => {
    const topic = await rig.filled(400, { partitions: 4 });
    const options = { groupId: rig.name('group'), sessionTimeoutMs: 30_000 };
    const members = [new GroupMember(rig, [topic], options)];
    await waitFor('records', () => members[0]?.records.length === 400);
    members.push(new GroupMember(rig, [topic], options), new GroupMember(rig, [topic], options));
    await Promise.all(members.map((member) => member.close()));
    const last = new GroupMember(rig, [topic], options);
    await waitFor('assignment', () => last.partitions.length === 4, 5000);
    await rig.admin.produce(topic, 2, [{ value: 'new' }]);
    await waitFor('the new record', () => last.records.length > 0);
    expect(last.records).toEqual([{ partition: 2, offset: 100 }]);
  });

  it('an aborted signal does the same; one that is aborted already too', async () => {
    const topic = await rig.filled(100);
    const groupId = rig.name('group');
    const controller = new AbortController();
    const consumer = rig.consumer({ groupId, signal: controller.signal });
    consumer.subscribe([topic]);
    const offsets: number[] = [];
    for await (const { offset } of consumer) {
      offsets.push(offset);
      if (offset === 9) controller.abort();
    }
    expect(offsets).toHaveLength(10);
    await consumer.close();
    const next = rig.consumer({ groupId });
    next.subscribe([topic]);
    expect((await take(next, 1))[0]?.offset).toBe(10);
    const late = rig.consumer({ groupId, signal: controller.signal });
    expect(await take(late, 1)).toEqual([]);
  });
});

describe('a process that is done with its consumer ends by itself', () => {
  const program = fileURLToPath(new URL('exits.ts', import.meta.url));

  it.each([
    'never used',
    'read and closed',
    'await using',
    'closed while joining',
    'nobody there',
    'aborted',
    'SIGTERM while waiting',
  ])('%s', async (scenario) => {
    const topic = await rig.filled(10);
    const args = ['--import', 'tsx', program, scenario, rig.bootstrapServers, topic, rig.name('group')];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    let doneAt = Infinity;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      doneAt = performance.now();
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    clearTimeout(timer);
    expect({ code, signal, output }).toEqual({ code: 0, signal: null, output: 'done\n' });
    expect(performance.now() - doneAt).toBeLessThan(1000);
  });
});
