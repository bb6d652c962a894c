import os from 'node:os';
import { expect, it } from 'vitest';
import { Consumer } from '../../src/index.ts';
import { MockCluster } from '../../src/testing/index.ts';

const hasIpv6 = Object.values(os.networkInterfaces()).some((each) => each?.some(({ address }) => address === '::1'));

it.runIf(hasIpv6)('a cluster that listens on ::1 can be read by what it says about itself', async () => {
  await using kafka = await MockCluster.start({ host: '::1', topics: { t: 1 } });
  expect(kafka.bootstrapServers).toMatch(/^\[::1\]:\d+$/);
  expect(kafka.broker(1).address).toBe(kafka.bootstrapServers);
  await kafka.append('t', 0, ['a']);
  const consumer = new Consumer({ bootstrapServers: kafka.bootstrapServers, logger: null });
  consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
  expect((await consumer.read({ timeoutMs: 20_000 }))?.text()).toBe('a');
  expect(consumer.metrics().brokers.map(({ address }) => address)).toContain(kafka.bootstrapServers);
  await consumer.close();
});
