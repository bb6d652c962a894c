import { expect, it } from 'vitest';
import { runKills } from '../chaos/kills.ts';
import { useRig } from './rig.ts';

const rig = useRig();

// The small version of `npx tsx test/chaos/run-kills.ts`.
it.each([
  ['SIGKILL', 'range'],
  ['SIGTERM', 'cooperative-sticky'],
] as const)(
  'processes with 64 handlers each, ended by %s (%s): every record handled, in order of the keys',
  async (signal, assignor) => {
    const verdict = await runKills({
      bootstrapServers: rig.bootstrapServers,
      records: 60_000,
      partitions: 6,
      kills: 3,
      signal,
      assignor,
      sessionTimeoutMs: rig.sessionTimeoutMs,
      autoCommitIntervalMs: 300,
    });
    expect(verdict.faults).toEqual([]);
    expect(verdict).toMatchObject({ handled: 60_000 });
    if (signal === 'SIGTERM') expect(verdict.duplicates).toBe(0);
  },
  240_000,
);
