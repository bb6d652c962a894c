import { afterEach } from 'vitest';
import { Authentication } from '../../../src/testing/authentication.ts';
import type { ClientConnection } from '../../../src/testing/client-connection.ts';
import { Cluster } from '../../../src/testing/cluster.ts';
import type { RequestContext } from '../../../src/testing/handler.ts';
import { settingsOf, type MockClusterOptions } from '../../../src/testing/options.ts';

const clusters: Cluster[] = [];
afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.close();
});

/** A handler is a function of the cluster's state: no codec and no connection of a client is needed to ask it. */
export class HandlerRig {
  readonly cluster: Cluster;
  isEnded = false;

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  static async start(options: MockClusterOptions = {}): Promise<HandlerRig> {
    const nothing = (): void => undefined;
    const fail = (error: unknown): void => {
      throw error;
    };
    const cluster = new Cluster(settingsOf(options), { failed: fail, committed: nothing, changed: nothing });
    clusters.push(cluster);
    for (const broker of cluster.brokers) await broker.listen();
    return new HandlerRig(cluster);
  }

  context(version: number, nodeId = 1, sasl: MockClusterOptions['sasl'] = undefined): RequestContext {
    const authentication = new Authentication(sasl ?? null, this.cluster.timers.clock);
    const connection = { clientHost: '/1.2.3.4', authentication, endAfterAnswer: () => (this.isEnded = true) };
    return {
      cluster: this.cluster,
      broker: this.cluster.broker(nodeId),
      connection: connection as unknown as ClientConnection, // all that these handlers use of it
      version,
      clientId: 'client',
      errorFor: () => 0,
    };
  }
}
