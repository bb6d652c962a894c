import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { classPath } from './kafka-jars.ts';
import { JvmProcess } from './jvm-process.ts';
import { until } from './waiting.ts';

const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 30_000;

/** The ZooKeeper that a broker of a release before KRaft needs: one server, from that release's own jars. */
export async function startZooKeeper(version: string, port: number, folder: string): Promise<JvmProcess> {
  const data = join(folder, 'zookeeper');
  mkdirSync(data, { recursive: true });
  const jvm = ['-Xmx96m', '-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
  const main = ['-Dzookeeper.admin.enableServer=false', 'org.apache.zookeeper.server.ZooKeeperServerMain'];
  const args = [...jvm, '-cp', classPath(version), ...main, String(port), data];
  const server = new JvmProcess(args, join(folder, 'zookeeper.log'), null);
  const isUp = (): Promise<boolean> => {
    server.mustHaveStarted();
    if (server.hasExited) throw new Error(`ZooKeeper has ended by itself; see ${join(folder, 'zookeeper.log')}`);
    return isListening(port);
  };
  await until(isUp, { what: `ZooKeeper on ${HOST}:${port}`, timeoutMs: START_TIMEOUT_MS, intervalMs: 100 });
  return server;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
