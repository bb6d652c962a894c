import { expect, it } from 'vitest';
import { fetch } from '../../src/protocol/api/fetch.ts';
import { heartbeat } from '../../src/protocol/api/heartbeat.ts';
import { joinGroup } from '../../src/protocol/api/join-group.ts';
import { listOffsets } from '../../src/protocol/api/list-offsets.ts';
import { metadata } from '../../src/protocol/api/metadata.ts';
import { offsetFetch } from '../../src/protocol/api/offset-fetch.ts';
import { syncGroup } from '../../src/protocol/api/sync-group.ts';
import type { ScriptedBroker } from '../network/scripted-broker.ts';
import { consumerOf, start, take } from './consumer-rig.ts';

// Bytes that make no sense cost a connection, never the consumer: a proxy in between may have had a bad moment.

const GARBAGE = Buffer.from('0000000cffffffffffffffffffffffff', 'hex');

/** The first answer to this API is garbage, in place of what comes from the broker; all later ones are good. */
function garbleOnce(broker: ScriptedBroker, api: string): () => boolean {
  let isDone = false;
  const answered = new Map<unknown, number>();
  broker.write = (socket, bytes) => {
    const index = answered.get(socket) ?? 0;
    answered.set(socket, index + 1);
    const request = broker.received.filter((each) => each.socket === socket)[index];
    const isIt = !isDone && request?.api === api;
    if (isIt) isDone = true;
    socket.write(isIt ? GARBAGE : bytes);
  };
  return () => isDone;
}

it.each([metadata, joinGroup, syncGroup, offsetFetch, listOffsets, fetch].map(({ name }) => name))(
  'a %s answered with garbage',
  async (api) => {
    const kafka = await start(5);
    const wasGarbled = garbleOnce(kafka.broker, api);
    const consumer = consumerOf(kafka, { reconnectBackoffMs: 5, retryBackoffMs: 5 });
    consumer.subscribe(['t']);
    expect(await take(consumer, 5)).toEqual([0, 1, 2, 3, 4]);
    expect(wasGarbled()).toBe(true);
  },
);

it('a heartbeat answered with garbage', async () => {
  const kafka = await start(5);
  const consumer = consumerOf(kafka, { reconnectBackoffMs: 5, retryBackoffMs: 5, autoCommitIntervalMs: 20 });
  consumer.subscribe(['t']);
  expect(await take(consumer, 4)).toEqual([0, 1, 2, 3]);
  const wasGarbled = garbleOnce(kafka.broker, heartbeat.name);
  await expect.poll(wasGarbled).toBe(true);
  expect(await take(consumer, 2)).toEqual([3, 4]); // 3 was in hand
  expect(consumer.assignment()).toEqual([{ topic: 't', partition: 0 }]);
  await consumer.commit();
});
