/** A mock cluster with the topic `t`, and consumers of the group `g` on it, closed after each test. */
import { Consumer } from '../../src/index.ts';
import { MockCluster } from '../../src/testing/index.ts';
import { cleanups, type TestOptions } from './consumer-rig.ts';

export class MockRig {
  readonly kafka: MockCluster;

  private constructor(kafka: MockCluster) {
    this.kafka = kafka;
  }

  /** @param counts records in each partition; their values are `PARTITION@OFFSET`, their keys `k0` to `k3` */
  static async start(...counts: number[]): Promise<MockRig> {
    const kafka = await MockCluster.start({ brokers: 2, topics: { t: counts.length } });
    cleanups.push(() => kafka.close());
    for (const [partition, count] of counts.entries()) {
      const records = Array.from({ length: count }, (_, offset) => ({
        key: `k${offset % 4}`,
        value: `${partition}@${offset}`,
      }));
      await kafka.append('t', partition, records);
    }
    return new MockRig(kafka);
  }

  consumer({ isAlone = false, ...options }: TestOptions = {}): Consumer {
    const consumer = new Consumer({
      bootstrapServers: this.kafka.bootstrapServers,
      ...(isAlone ? {} : { groupId: 'g' }),
      autoOffsetReset: 'earliest',
      // In the consumer protocol it is the broker's to say.
      ...(options.groupProtocol === 'consumer' ? {} : { heartbeatIntervalMs: 30 }),
      fetchMaxWaitMs: 50,
      autoCommitIntervalMs: 60_000,
      logger: null,
      ...options,
    });
    cleanups.push(() => consumer.close({ timeoutMs: 0 }));
    return consumer;
  }

  subscribed(options: TestOptions = {}): Consumer {
    const consumer = this.consumer(options);
    consumer.subscribe(['t']);
    return consumer;
  }

  /** Of partition 0, or another; `null` for none. */
  committed(partition = 0): number | null {
    return this.kafka.committed('g')['t']?.[partition] ?? null;
  }
}

/** A promise and its ends. */
export function deferred<T = void>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (e: unknown) => void;
} {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
