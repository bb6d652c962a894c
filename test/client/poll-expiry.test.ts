import { describe, expect, it } from 'vitest';
import type { ConsumerOptions } from '../../src/index.ts';
import { soon } from './consumer-rig.ts';
import { MockRig } from './mock-rig.ts';

const PROTOCOLS: { name: string; options: Partial<ConsumerOptions> }[] = [
  { name: 'classic', options: { sessionTimeoutMs: 6000 } },
  { name: 'consumer', options: { groupProtocol: 'consumer' } },
];

describe.each(PROTOCOLS)('an application that stays away for maxPollIntervalMs, protocol $name', ({ options }) => {
  it('and subscribes before it reads again: joins with the new topics once it reads', async () => {
    const { kafka, consumer } = await thrownOut();
    consumer.subscribe(['t', 'u']);
    const values = [await consumer.read(), await consumer.read(), await consumer.read()].map((each) => each?.text());
    expect(values.sort()).toEqual(['0@0', '0@1', 'x']);
    expect(kafka.members('g')).toHaveLength(1);
  });

  it('and unsubscribes, then subscribes again: joins at once', async () => {
    const { kafka, consumer } = await thrownOut();
    consumer.unsubscribe();
    consumer.subscribe(['u']);
    await soon(() => kafka.members('g').length === 1, 'member');
    expect((await consumer.read())?.text()).toBe('x');
  });

  async function thrownOut() {
    const { kafka, ...rig } = await started();
    const lost: number[] = [];
    rig.consumer.on('lost', (partitions) => lost.push(partitions.length));
    expect((await rig.consumer.read())?.text()).toBe('0@0');
    await soon(() => lost.length === 1 && kafka.members('g').length === 0, 'expiry');
    return { kafka, consumer: rig.consumer };
  }

  async function started() {
    const rig = await MockRig.start(2);
    rig.kafka.createTopic('u', 1);
    await rig.kafka.append('u', 0, ['x']);
    return { kafka: rig.kafka, consumer: rig.subscribed({ maxPollIntervalMs: 300, ...options }) };
  }
});
