/**
 * One of three real brokers stands still (SIGSTOP) under a group of three, for so many seconds; then consumers start whose
 * first server is frozen, and one is closed while all are. `npx tsx test/chaos/frozen-run.ts [SECONDS…]` (20 and 90)
 */
import { startJvmCluster } from '../harness/jvm-cluster.ts';
import { closeInOutage, frozenBootstrap, frozenBroker } from './frozen.ts';

const ROUNDS = 5;
const seconds = process.argv.slice(2).map(Number);

const cluster = await startJvmCluster();
try {
  for (const each of seconds.length > 0 ? seconds : [20, 90]) {
    for (const groupProtocol of ['classic', 'consumer'] as const)
      console.log(groupProtocol, `frozen for ${each} s`, await frozenBroker(cluster, groupProtocol, each));
  }
  console.log('first server frozen, no group: first record after', await frozenBootstrap(cluster, null, ROUNDS), 'ms');
  console.log('first server frozen, group: first record after', await frozenBootstrap(cluster, 'g', ROUNDS), 'ms');
  console.log('close() while all brokers are frozen:', await closeInOutage(cluster), 'ms');
} finally {
  await cluster.stop();
}
