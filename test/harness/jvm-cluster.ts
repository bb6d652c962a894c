import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JvmBroker, startJvmBroker } from './jvm-broker.ts';
import { freePort } from './ports.ts';

const HOST = '127.0.0.1';

export interface JvmClusterOptions {
  /** Brokers, each a controller of the quorum too. Default 3: one may be away. */
  brokers?: number;
  /** Kafka's release. Default: that of `startJvmBroker`. */
  version?: string;
  /** Lines of every broker's server.properties, stronger than the harness's own. */
  properties?: Record<string, string>;
  /** Java heap of each. Default 320m. */
  heap?: string;
}

/**
 * Several Apache Kafka brokers in JVMs of their own, for tests that kill one of them: every internal topic is on all of them.
 * Node ids are 1 … n, racks `a`, `b`, `c` …; leaders stay where they are put (no automatic rebalance of leaders).
 */
export async function startJvmCluster(options: JvmClusterOptions = {}): Promise<JvmCluster> {
  const count = options.brokers ?? 3;
  const folder = mkdtempSync(join(tmpdir(), 'samsa-cluster-'));
  const ports: { port: number; controllerPort: number }[] = [];
  for (let i = 0; i < count; i++) ports.push({ port: await freePort(), controllerPort: await freePort() });
  const voters = ports.map(({ controllerPort }, i) => `${i + 1}@${HOST}:${controllerPort}`).join(',');
  // Together: a broker says that it has started when the quorum has a leader.
  const started = await Promise.allSettled(
    ports.map(({ port, controllerPort }, i) =>
      startJvmBroker({
        port,
        dataDir: join(folder, String(i + 1)),
        heap: options.heap ?? '320m',
        ...(options.version === undefined ? {} : { version: options.version }),
        properties: {
          ...clusterProperties(count),
          'node.id': String(i + 1),
          'broker.rack': String.fromCharCode('a'.charCodeAt(0) + i),
          'controller.quorum.voters': voters,
          listeners: `PLAINTEXT://${HOST}:${port},CONTROLLER://${HOST}:${controllerPort}`,
          ...options.properties,
        },
      }),
    ),
  );
  const brokers = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const cluster = new JvmCluster(brokers, folder);
  const failure = started.find((each) => each.status === 'rejected');
  if (failure === undefined) return cluster;
  await cluster.stop();
  throw failure.reason;
}

export class JvmCluster {
  readonly #folder: string;
  /** The broker of node id `i` is `brokers[i - 1]`. */
  readonly brokers: readonly JvmBroker[];
  /** Has no container beside it: what Kafka's tools are given. */
  readonly containerId = null;

  constructor(brokers: readonly JvmBroker[], folder: string) {
    this.brokers = brokers;
    this.#folder = folder;
  }

  get bootstrapServers(): string {
    return this.brokers.map(({ bootstrapServers }) => bootstrapServers).join(',');
  }

  broker(nodeId: number): JvmBroker {
    const broker = this.brokers[nodeId - 1];
    if (broker === undefined) throw new Error(`no broker ${nodeId} in this cluster`);
    return broker;
  }

  async stop(): Promise<void> {
    // Without the quorum a controlled shutdown waits for ever.
    await Promise.all(this.brokers.map((broker) => broker.kill('SIGKILL')));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function clusterProperties(brokers: number): Record<string, string> {
  const all = String(brokers);
  return {
    'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
    'default.replication.factor': all,
    'min.insync.replicas': '1',
    'offsets.topic.replication.factor': all,
    'transaction.state.log.replication.factor': all,
    'share.coordinator.state.topic.replication.factor': all,
    'auto.leader.rebalance.enable': 'false',
    'group.consumer.min.session.timeout.ms': '1000',
    'group.consumer.min.heartbeat.interval.ms': '100',
    'group.consumer.heartbeat.interval.ms': '500',
    // A follower that was killed is out of the way soon.
    'replica.lag.time.max.ms': '5000',
    'num.network.threads': '2',
    'num.io.threads': '4',
  };
}
