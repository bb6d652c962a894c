import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAdmin } from '../../harness/admin.ts';
import type { TestBroker } from '../../harness/broker.ts';
import { answersApiVersions } from '../../harness/ports.ts';
import { startBroker } from '../../harness/provide.ts';

describe('a broker of the harness', () => {
  let broker: TestBroker;
  let admin: TestAdmin;
  const answers = () => {
    const [host = '', port] = broker.bootstrapServers.split(':');
    return answersApiVersions(host, Number(port), 500);
  };

  beforeAll(async () => {
    broker = await startBroker({ properties: { 'log.segment.bytes': '1048576' } });
    admin = await TestAdmin.connect(broker.bootstrapServers);
    await admin.createTopic('kept');
    await admin.produce('kept', 0, [{ value: 'one' }]);
  });
  afterAll(async () => {
    admin.close();
    await broker.stop();
  });

  it('answers nothing while it is frozen, and goes on afterwards', async () => {
    await broker.pause();
    expect(await answers()).toBe(false);
    await broker.resume();
    expect(await answers()).toBe(true);
    expect(await admin.endOffsets('kept')).toEqual([1]);
  });

  it('keeps port and data when it is killed and started again', async () => {
    await broker.kill();
    expect(await answers()).toBe(false);
    await broker.restart();
    expect(await admin.produce('kept', 0, [{ value: 'two' }])).toBe(1);
    expect(await admin.endOffsets('kept')).toEqual([2]);
  });

  it('keeps them when it is restarted in order, and shows its log', async () => {
    await broker.restart();
    expect(await admin.endOffsets('kept')).toEqual([2]);
    expect(await broker.logTail(200)).toContain('Kafka Server started');
  });
});
