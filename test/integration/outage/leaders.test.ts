import { afterAll, beforeAll, expect, it } from 'vitest';
import { leaderChaos, recreationChaos, truncationChaos } from '../../chaos/leaders.ts';
import { type JvmCluster, startJvmCluster } from '../../harness/jvm-cluster.ts';

// For longer, with brokers that die over and over: `npx tsx test/chaos/leaders-run.ts`.

let cluster: JvmCluster;
beforeAll(async () => {
  cluster = await startJvmCluster();
}, 120_000);
afterAll(() => cluster.stop());

/** A broker is given up for dead by the controller after so long (`broker.session.timeout.ms`). */
const BROKER_SESSION_MS = 9000;

it('leaders that move: nothing lost, nothing twice, order kept, no stall', { timeout: 120_000 }, async () => {
  const report = await leaderChaos(cluster, { seconds: 12, moveEveryMs: 1500 });
  expect(report).toMatchObject({ problems: [], resets: [] });
  expect(report.moves).toBeGreaterThan(3);
  expect(report.longestDelayMs).toBeLessThan(1000 + 1000);
});

it(
  'a broker that is killed and comes back: the same, but for the time that the cluster needs',
  { timeout: 180_000 },
  async () => {
    const report = await leaderChaos(cluster, { seconds: 22, isKilling: true });
    expect(report).toMatchObject({ problems: [], resets: [] });
    expect(report.kills).toBeGreaterThan(0);
    expect(report.longestDelayMs).toBeLessThan(BROKER_SESSION_MS + 1000);
  },
);

it('a topic that is deleted and made again is read from its beginning', { timeout: 120_000 }, async () => {
  const { values, resets } = await recreationChaos(cluster);
  const expected = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${i}=${prefix}${i}`);
  expect(values).toEqual([...expected('old', 10), ...expected('new', 12)]);
  expect(resets).toMatchObject([{ from: 10, to: 0, reason: 'topicRecreated' }]);
});

it('an unclean election: back to the cut, then what the new leader has', { timeout: 180_000 }, async () => {
  const { values, resets } = await truncationChaos(cluster);
  const expected = (prefix: string, from: number, count: number) =>
    Array.from({ length: count }, (_, i) => `${from + i}=${prefix}${i}`);
  const before = [...expected('a', 0, 10), ...expected('lost', 10, 10)];
  expect(values).toEqual([...before, ...expected('b', 10, 10), ...expected('c', 20, 5)]);
  expect(resets).toMatchObject([{ from: 20, to: 10, reason: 'truncated' }]);
});
