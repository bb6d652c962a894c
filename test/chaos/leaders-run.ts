import { startJvmCluster } from '../harness/jvm-cluster.ts';
import { leaderChaos, recreationChaos, truncationChaos } from './leaders.ts';

// npx tsx test/chaos/leaders-run.ts [SECONDS]: three real brokers; leaders moved every 5 seconds and one broker after the other killed, for so
// long (120); then a topic made again and a log that is cut off.

const seconds = Number(process.argv[2] ?? 120);
const log = (line: string): void => console.log(`${new Date().toISOString().slice(11, 23)} ${line}`);

async function main(): Promise<void> {
  const cluster = await startJvmCluster();
  try {
    const report = await leaderChaos(cluster, { seconds, isKilling: true, log });
    console.log(report);
    const again = await recreationChaos(cluster);
    console.log('made again:', again.values.length, 'records', again.resets);
    const cut = await truncationChaos(cluster);
    console.log('cut off:', cut.values.length, 'records', cut.resets);
    process.exitCode = report.problems.length === 0 ? 0 : 1;
  } finally {
    await cluster.stop();
  }
}

await main();
