import { expect, it } from 'vitest';
import { runScenario } from '../chaos/scenario.ts';
import { useRig } from './rig.ts';

const rig = useRig();

// The small version of `npx tsx test/chaos/run.ts`.
it('three processes, one SIGKILL, one SIGTERM, a fourth joins: all delivered, in order, again only what was uncommitted', async () => {
  const { bootstrapServers } = rig;
  const sessionTimeoutMs = Math.max(8000, rig.sessionTimeoutMs);
  const verdict = await runScenario({
    bootstrapServers,
    records: 100_000,
    partitions: 6,
    sessionTimeoutMs,
    autoCommitIntervalMs: 300,
    pauseMs: 20,
    longestGapMs: sessionTimeoutMs + 2000,
  });
  expect(verdict.faults).toEqual([]);
  expect(verdict).toMatchObject({ records: 100_000, deliveries: 100_000 + verdict.duplicates });
  expect(verdict.duplicates).toBe(verdict.duplicatesOfKilled);
  expect(verdict.duplicates).toBeLessThanOrEqual(verdict.uncommittedOfKilled);
});
