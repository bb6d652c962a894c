import { describe, expect, it } from 'vitest';
import type { ConsumerOptions, KafkaError } from '../../src/index.ts';
import { soon } from './consumer-rig.ts';
import { MockRig } from './mock-rig.ts';

const CLASSIC = ['FindCoordinator', 'JoinGroup', 'SyncGroup', 'Heartbeat'];
const CASES: { api: string; options: Partial<ConsumerOptions> }[] = [
  ...CLASSIC.map((api) => ({ api, options: {} })),
  { api: 'FindCoordinator', options: { groupProtocol: 'consumer' } },
  { api: 'ConsumerGroupHeartbeat', options: { groupProtocol: 'consumer' } },
];

describe.each(CASES)('$api ($options) of a broker that fails for reasons of its own', ({ api, options }) => {
  it.each([-1, 222])('%i, three times: told, and the group goes on', async (errorCode) => {
    const rig = await MockRig.start(2);
    rig.kafka.fail(api, { errorCode, times: 3 });
    const consumer = rig.consumer(options);
    const errors: KafkaError[] = [];
    consumer.on('error', (error) => errors.push(error));
    consumer.subscribe(['t']);
    expect((await consumer.read())?.offset).toBe(0);
    expect((await consumer.read())?.offset).toBe(1);
    await soon(() => errors.some(({ api: of, code }) => of === api && code === errorCode), 'word of it');
    await rig.kafka.append('t', 0, ['more']);
    expect((await consumer.read())?.offset).toBe(2);
    expect(rig.kafka.members('g')).toHaveLength(1);
  });
});
