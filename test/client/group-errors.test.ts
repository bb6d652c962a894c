import { describe, expect, it } from 'vitest';
import type { Assignor, ConsumerOptions, KafkaError } from '../../src/index.ts';
import { soon, T0, timed } from './consumer-rig.ts';
import { deferred, MockRig } from './mock-rig.ts';

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

describe.each<{ name: string; api: string; options: Partial<ConsumerOptions> }>([
  { name: 'classic', api: 'Heartbeat', options: {} },
  { name: 'consumer', api: 'ConsumerGroupHeartbeat', options: { groupProtocol: 'consumer' } },
])('a consumer that has failed for good, protocol $name', ({ api, options }) => {
  it('says so, and leaves the group to others', async () => {
    const name = 'GROUP_AUTHORIZATION_FAILED';
    const rig = await MockRig.start(2);
    const lost: number[] = [];
    const consumer = rig.consumer(options);
    const errors: (KafkaError | null)[] = [];
    const onLost = (partitions: unknown[]): void => {
      lost.push(partitions.length);
      errors.push(...consumer.metrics().partitions.map(({ error }) => error));
    };
    const listener = { onLost };
    consumer.subscribe(['t'], listener);
    expect((await consumer.read())?.offset).toBe(0);
    expect(consumer.metrics()).toMatchObject({ failure: null, group: { state: 'stable', failure: null } });
    rig.kafka.fail(api, { errorCode: name });
    consumer.subscribe(['t', 'u'], listener); // a heartbeat or a rejoin, at once
    await soon(() => lost.length === 1 && rig.kafka.members('g').length === 0, 'farewell');
    await expect(consumer.read({ timeoutMs: 0 })).rejects.toMatchObject({ name });
    const failure = expect.objectContaining({ name }) as KafkaError;
    const state = expect.stringMatching(/^(failed|fatal)$/) as string;
    expect(consumer.metrics()).toMatchObject({ failure, group: { state, failure } });
    expect(errors).toEqual([failure]);
    expect(consumer.lag([T0])).toEqual([{ ...T0, position: null, endOffset: null, lag: null, error: failure }]);
    const other = rig.consumer(options);
    other.subscribe(['t']);
    expect((await other.read())?.offset).toBe(0);
  });
});

it('an answer that is fatal while the consumer is being closed holds close() up no longer', async () => {
  const rig = await MockRig.start(2);
  const consumer = rig.consumer({ groupInstanceId: 'i' });
  const answered = deferred();
  consumer.on('log', ({ level }) => level === 'error' && answered.resolve());
  const onRevoked = async (): Promise<void> => {
    rig.kafka.fail('Heartbeat', { errorCode: 'FENCED_INSTANCE_ID' });
    await answered.promise;
  };
  consumer.subscribe(['t'], { onRevoked });
  expect((await consumer.read())?.offset).toBe(0);
  expect(await timed(consumer.close({ timeoutMs: 600_000 }))).toBeLessThan(25_000); // it took all of it
});

it('an assignor of the application that throws when the member is to join ends the consumer, and says so', async () => {
  const rig = await MockRig.start(2);
  let isBroken = false;
  const mine: Assignor = {
    name: 'mine',
    supportedProtocols: ['eager'],
    assign: (_cluster, members) => new Map(members.map(({ memberId }) => [memberId, []])),
    subscriptionUserData: () => {
      if (isBroken) throw new Error('no rack file');
      return null;
    },
  };
  const consumer = rig.subscribed({ partitionAssignmentStrategy: [mine] });
  await soon(() => rig.kafka.members('g').length === 1, 'member');
  const read = consumer.read({ timeoutMs: 20_000 });
  isBroken = true;
  consumer.subscribe(['t', 'u']);
  await expect(read).rejects.toThrow('The assignor mine failed: Error: no rack file');
});

it('a SyncGroup whose answer is lost is sent again within the session', async () => {
  const rig = await MockRig.start(2);
  let joins = 0;
  rig.kafka.on('request', ({ api }) => (joins += api === 'JoinGroup' ? 1 : 0));
  rig.kafka.faults.add({ api: 'SyncGroup', silent: true });
  const consumer = rig.subscribed({ sessionTimeoutMs: 6000 });
  expect((await consumer.read())?.offset).toBe(0);
  expect(joins).toBe(2); // for the member id, and with it
});
