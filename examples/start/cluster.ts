import { MockCluster } from '../../src/testing/index.ts';
import { TestAdmin } from '../../test/harness/admin.ts';

/** Where the demo reads from. */
export interface DemoCluster {
  readonly what: string;
  readonly bootstrapServers: string;
  close(): Promise<void>;
}

/** The cluster of KAFKA_BOOTSTRAP_SERVERS, else a mock cluster in this process. */
export async function demoCluster(): Promise<DemoCluster> {
  const bootstrapServers = process.env['KAFKA_BOOTSTRAP_SERVERS'];
  if (bootstrapServers !== undefined) return { what: 'your cluster', bootstrapServers, close: () => Promise.resolve() };
  const mock = await MockCluster.start({ brokers: 3 });
  return {
    what: 'a mock cluster of 3 brokers in this process',
    bootstrapServers: mock.bootstrapServers,
    close: () => mock.close(),
  };
}

/** How many records are produced in one go; between them the members get their turn. */
const STEP = 5000;

/**
 * A producer over the wire, evenly to all partitions, until `count` records are there.
 * @param ready waited for before every step: who fills a topic faster than it is read shows nothing
 */
export async function fill(
  admin: TestAdmin,
  topic: string,
  partitions: number,
  count: number,
  ready: (produced: number) => Promise<void>,
): Promise<void> {
  for (let done = 0, partition = 0; done < count; done += STEP, partition = (partition + 1) % partitions) {
    await ready(done);
    const first = done;
    const records = Array.from({ length: Math.min(STEP, count - first) }, (_, i) => {
      return {
        key: `customer-${(first + i) % 1000}`,
        value: `{"order":${first + i},"total":${((first + i) * 7) % 500}}`,
      };
    });
    await admin.produce(topic, partition, records);
  }
}
