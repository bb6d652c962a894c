import { describe, expect, it } from 'vitest';
import { ConfigError, HandlerError, type Claim, type KafkaError } from '../../src/index.ts';
import { soon, T0, take } from './consumer-rig.ts';
import { deferred, MockRig } from './mock-rig.ts';

const numbers = (partitions: readonly { partition: number }[]): string =>
  partitions
    .map(({ partition }) => partition)
    .sort()
    .join();

describe('run', () => {
  it('setup, a loop for each partition at the same time, cleanup, and then the last commit', async () => {
    const rig = await MockRig.start(20, 20);
    const consumer = rig.subscribed();
    const events: string[] = [];
    const seen: Record<number, number[]> = { 0: [], 1: [] };
    const both = deferred();
    let loops = 0;
    consumer.on('committed', () => events.push('committed'));
    consumer.on('revoked', () => events.push('revoked'));
    const done = consumer.run({
      setup: (partitions) => {
        events.push(`setup ${numbers(partitions)}`);
        consumer.seek({ ...T0, offset: 5 });
      },
      consume: async (claim) => {
        if (++loops === 2) both.resolve();
        await both.promise; // no loop waits for another
        for await (const record of claim) {
          expect(record.partition).toBe(claim.partition);
          seen[claim.partition]?.push(record.offset);
        }
        expect(claim.signal.aborted).toBe(true);
        expect(claim.highWatermark).toBe(20);
        events.push('loop');
      },
      cleanup: (partitions) => {
        events.push(`cleanup ${numbers(partitions)}`);
      },
    });
    await soon(() => seen[0]?.length === 15 && seen[1]?.length === 20, 'all');
    expect(seen[0]?.[0]).toBe(5);
    await consumer.close();
    await done;
    expect(events).toEqual(['setup 0,1', 'loop', 'loop', 'cleanup 0,1', 'committed', 'revoked']);
    expect(rig.kafka.committed('g')).toEqual({ t: { 0: 20, 1: 20 } });
  });

  it('a cooperative rebalance ends the claims that move, and no other', async () => {
    const rig = await MockRig.start(0, 0);
    const options = { partitionAssignmentStrategy: 'cooperative-sticky' };
    const consumer = rig.subscribed(options);
    const events: string[] = [];
    const done = consumer.run({
      setup: (partitions) => void events.push(`setup ${numbers(partitions)}`),
      consume: async (claim) => {
        for await (const record of claim) events.push(`${record.partition}@${record.offset}`);
        events.push(`end ${claim.partition}`);
      },
      cleanup: (partitions) => void events.push(`cleanup ${numbers(partitions)}`),
    });
    await soon(() => events.length === 1, 'setup');
    const other = rig.subscribed(options);
    const others = take(other, 1);
    await soon(() => consumer.assignment().length === 1 && events.some((each) => each.startsWith('cleanup')), 'one');
    const mine = consumer.assignment()[0]?.partition ?? -1;
    await rig.kafka.append('t', mine, ['x']);
    await rig.kafka.append('t', 1 - mine, ['y']);
    await soon(() => events.includes(`${mine}@0`), 'a record');
    expect(events).toEqual(['setup 0,1', `end ${1 - mine}`, `cleanup ${1 - mine}`, `${mine}@0`]);
    expect(await others).toEqual([0]);
    await consumer.close();
    await done;
    expect(events.slice(4)).toEqual([`end ${mine}`, `cleanup ${mine}`]);
  });

  it('batches(); what a loop was left with is not finished', async () => {
    const rig = await MockRig.start(10);
    const consumer = rig.subscribed({ maxPollRecords: 4 });
    const sizes: number[] = [];
    const done = consumer.run({
      consume: async (claim) => {
        for await (const batch of claim.batches()) {
          sizes.push(batch.recordCount);
          if (sizes.length === 2) break;
        }
      },
    });
    await soon(() => sizes.length === 2, 'two batches');
    await consumer.close();
    await done;
    expect(sizes).toEqual([4, 4]);
    expect(rig.committed()).toBe(4);
  });

  it('an error stops its partition and no other, is an event at once, and is thrown in the end', async () => {
    const rig = await MockRig.start(5, 5);
    const consumer = rig.subscribed();
    const errors: KafkaError[] = [];
    consumer.on('error', (error) => errors.push(error));
    let seen = 0;
    const consume = async (claim: Claim): Promise<void> => {
      for await (const record of claim) {
        if (record.partition === 0 && record.offset === 2) throw new Error('poison');
        seen++;
      }
    };
    const outcome = consumer.run({ consume }).catch((error: unknown) => error);
    await soon(() => seen === 7 && errors.length === 1, 'what is left');
    expect(errors).toMatchObject([{ name: 'HandlerError', partition: 0, offset: 2, cause: { message: 'poison' } }]);
    await rig.kafka.append('t', 1, ['more']);
    await soon(() => seen === 8, 'more');
    await consumer.close();
    expect(await outcome).toBe(errors[0]);
    expect(rig.kafka.committed('g')).toEqual({ t: { 0: 2, 1: 6 } });
  });

  it('stopOnError: all ends them all; what was in hand is read again by whoever reads next', async () => {
    const rig = await MockRig.start(5, 5);
    const consumer = rig.subscribed();
    const cleaned: string[] = [];
    const outcome = await consumer
      .run(
        {
          consume: async (claim) => {
            for await (const record of claim)
              if (record.partition === 1 && record.offset === 3) throw new Error('poison');
          },
          cleanup: (partitions) => void cleaned.push(numbers(partitions)),
        },
        { stopOnError: 'all' },
      )
      .catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(HandlerError);
    expect(cleaned).toEqual(['0,1']);
    for await (const record of consumer) {
      if (record.partition === 0) continue;
      expect(record.offset).toBe(3);
      break;
    }
  });

  it('setup that throws is thrown by run', async () => {
    const rig = await MockRig.start(1);
    const consumer = rig.subscribed();
    const setup = (): never => {
      throw new Error('no database');
    };
    await expect(consumer.run({ setup, consume: () => undefined })).rejects.toThrow(
      /setup has failed for t-0: no database/,
    );
  });

  it('its signal ends it and leaves the consumer open; partitions that were there before are claimed, too', async () => {
    const rig = await MockRig.start(5);
    const consumer = rig.consumer();
    consumer.assign([{ ...T0, offset: 1 }]);
    const controller = new AbortController();
    const seen: number[] = [];
    await consumer.run(
      {
        consume: async (claim) => {
          for await (const record of claim) {
            seen.push(record.offset);
            if (record.offset === 2) controller.abort();
          }
        },
      },
      { signal: controller.signal },
    );
    expect(seen).toEqual([1, 2]);
    expect(await take(consumer, 1)).toEqual([3]);
    await consumer.close();
    expect(rig.committed()).toBe(3);
  });

  it('is let live while its loops wait, and ends where nobody comes back', async () => {
    const rig = await MockRig.start(1);
    const consumer = rig.subscribed({ maxPollIntervalMs: 300, heartbeatIntervalMs: 30 });
    let lost = 0;
    let seen = 0;
    const stuck = deferred();
    consumer.on('lost', () => lost++);
    const done = consumer.run({
      consume: async (claim) => {
        for await (const record of claim) {
          seen++;
          if (record.offset === 1) await stuck.promise;
        }
      },
    });
    await soon(() => seen === 1, 'a record');
    const until = performance.now() + 700;
    await soon(() => performance.now() > until, 'time');
    expect(lost).toBe(0);
    await rig.kafka.append('t', 0, ['stuck']);
    await soon(() => lost === 1, 'expiry');
    stuck.resolve();
    await consumer.close();
    await done;
  });

  it('ends with what ends the consumer; so does forEach', async () => {
    const rig = await MockRig.start(1);
    rig.kafka.fail('JoinGroup', { errorCode: 'GROUP_AUTHORIZATION_FAILED', times: Infinity });
    const failure = { name: 'GROUP_AUTHORIZATION_FAILED' };
    await expect(rig.subscribed().run({ consume: () => undefined })).rejects.toMatchObject(failure);
    await expect(rig.subscribed().forEach(() => undefined)).rejects.toMatchObject(failure);
  });

  it('calls the listeners of subscribe(), too, whatever they are made of', async () => {
    const rig = await MockRig.start(1);
    const consumer = rig.consumer();
    const events: string[] = [];
    class Listener {
      name = 'mine';
      onAssigned(): void {
        events.push(`assigned ${this.name}`);
      }
      onRevoked(): void {
        events.push(`revoked ${this.name}`);
      }
    }
    consumer.subscribe(['t'], new Listener());
    const done = consumer.run({
      setup: () => void events.push('setup'),
      consume: async (claim) => {
        for await (const record of claim) events.push(`${record.offset}`);
      },
      cleanup: () => void events.push('cleanup'),
    });
    await soon(() => events.includes('0'), 'a record');
    await consumer.close();
    await done;
    expect(events).toEqual(['assigned mine', 'setup', '0', 'cleanup', 'revoked mine']);
  });

  it('onAssigned that throws: thrown by run(), nothing is set up or read; called again by the next run()', async () => {
    const rig = await MockRig.start(2, 2);
    const consumer = rig.consumer();
    const events: string[] = [];
    consumer.subscribe(['t'], {
      onAssigned: (partitions) => {
        events.push(`assigned ${numbers(partitions)}`);
        if (events.length === 1) throw new Error('no database');
      },
    });
    let read = 0;
    const handler = {
      setup: (partitions: readonly { partition: number }[]) => void events.push(`setup ${numbers(partitions)}`),
      consume: async (claim: Claim) => {
        for await (const record of claim) if (record.offset >= 0) read++;
      },
    };
    await expect(consumer.run(handler)).rejects.toThrow(/no database/);
    expect(events).toEqual(['assigned 0,1']);
    const done = consumer.run(handler);
    await soon(() => read === 4, 'all');
    expect(events).toEqual(['assigned 0,1', 'assigned 0,1', 'setup 0,1']);
    await consumer.close();
    await done;
  });

  it('takes no nonsense', async () => {
    const rig = await MockRig.start(1);
    const consumer = rig.subscribed();
    await expect(consumer.run({} as never)).rejects.toBeInstanceOf(ConfigError);
    await expect(consumer.run({ consume: 1 } as never)).rejects.toThrow(/consume must be a function/);
    await expect(consumer.run({ consume: () => undefined, claim: 1 } as never)).rejects.toThrow(
      /unknown option 'claim'/,
    );
    await expect(consumer.run({ consume: () => undefined }, { stopOnError: 'x' } as never)).rejects.toThrow(
      /stopOnError/,
    );
  });
});
