import { afterEach, describe, expect, test } from 'vitest';
import { Consumer, KafkaError, RequestTimeoutError, type ConsumerOptions } from '../../src/index.ts';
import { misadvertisedBroker, type TestServer } from '../cli/servers.ts';
import { freePort } from '../harness/ports.ts';

let server: TestServer | undefined;
let consumer: Consumer | undefined;
afterEach(async () => {
  await consumer?.close();
  await server?.close();
  server = consumer = undefined;
});

function open(
  bootstrapServers: string,
  options: Partial<ConsumerOptions> = {},
): { consumer: Consumer; errors: string[] } {
  consumer = new Consumer({ bootstrapServers, logger: null, ...options });
  const errors: string[] = [];
  consumer.on('error', ({ message }) => errors.push(message));
  return { consumer, errors };
}

describe('what can be asked at any time', () => {
  test('is bounded by defaultApiTimeoutMs, and says meanwhile what is wrong', async () => {
    const { consumer, errors } = open(`127.0.0.1:${await freePort()}`, { defaultApiTimeoutMs: 200 });
    const startedAt = performance.now();
    await expect(consumer.partitionsFor('orders')).rejects.toThrow(RequestTimeoutError);
    await expect(consumer.endOffsets([{ topic: 'orders', partition: 0 }])).rejects.toThrow('within 200 ms');
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(errors[0]).toContain('connection refused');
  });

  test('tells of a broker that is out of reach', async () => {
    const port = await freePort();
    server = await misadvertisedBroker('127.0.0.1', port, ['orders']);
    const { consumer, errors } = open(server.address, { defaultApiTimeoutMs: 1000 });
    expect(await consumer.partitionsFor('orders')).toEqual([{ topic: 'orders', partition: 0 }]);
    await expect(consumer.beginningOffsets([{ topic: 'orders', partition: 0 }])).rejects.toThrow(KafkaError);
    expect(errors).toEqual([`127.0.0.1:${port}: connection refused: nothing listens on that port`]);
  });

  test('is not waited for where the broker does not know it', async () => {
    server = await misadvertisedBroker('nonexistent.invalid', 9092, ['orders']);
    const { consumer } = open(server.address);
    const unknown = { name: 'UNKNOWN_TOPIC_OR_PARTITION', code: 3 };
    await expect(consumer.partitionsFor('other')).rejects.toMatchObject(unknown);
    await expect(consumer.endOffsets([{ topic: 'orders', partition: 1 }])).rejects.toMatchObject(unknown);
  });

  test('settles on close()', async () => {
    const { consumer } = open(`127.0.0.1:${await freePort()}`);
    const asked = [consumer.partitionsFor('orders'), consumer.endOffsets([{ topic: 'orders', partition: 0 }])];
    const settled = Promise.allSettled(asked);
    await consumer.close();
    for (const result of await settled) expect(result).toMatchObject({ reason: { name: 'ConsumerClosedError' } });
    await expect(consumer.partitionsFor('orders')).rejects.toThrow('the consumer is closed');
  });

  test('nothing asked is nothing sent; wrong arguments are told', async () => {
    const { consumer } = open('127.0.0.1:1');
    expect(await consumer.endOffsets([])).toEqual([]);
    await expect(consumer.partitionsFor('a b')).rejects.toThrow('partitionsFor() takes topic names');
    const withoutTime = [{ topic: 'orders', partition: 0 }] as unknown as Parameters<
      typeof consumer.offsetsForTimes
    >[0];
    await expect(consumer.offsetsForTimes(withoutTime)).rejects.toThrow('takes a timestamp in milliseconds');
  });
});
