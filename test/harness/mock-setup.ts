import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestProject } from 'vitest/node';
import { MockCluster } from '../../src/testing/index.ts';

/**
 * Gives the integration tests a mock cluster where they would get a real broker. Three brokers, so that leaders and coordinators are
 * not all at one place. It runs in vitest's own process: a test that blocks its event loop does not block it.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const kafka = await MockCluster.start({ brokers: 3, replicationFactor: 1 });
  // What tests ask of a broker by an API that the mock does not have.
  const control = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
    kafka.createPartitions(searchParams.get('topic') ?? '', Number(searchParams.get('count')));
    response.end();
  });
  await new Promise<void>((resolve) => control.listen(0, '127.0.0.1', resolve));
  const { port } = control.address() as AddressInfo; // listens, and not on a pipe
  project.provide('broker', {
    kind: 'mock',
    bootstrapServers: kafka.bootstrapServers,
    containerId: null,
    growTopicUrl: `http://127.0.0.1:${port}/`,
  });
  return async () => {
    control.close();
    await kafka.close();
  };
}
