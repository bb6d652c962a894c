import type { ConsumerOptions } from '../../src/index.ts';
import { interfere } from './actions.ts';
import { plague } from './faults.ts';
import type { Member, MemberOptions } from './member.ts';
import { pause } from './promises.ts';
import { Random } from './random.ts';
import { SHORT } from './short.ts';
import { GROUP, Stage } from './stage.ts';
import type { Timeline } from './timeline.ts';

export interface Outcome {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly timeline: Timeline;
  readonly records: number;
  readonly ms: number;
}

/**
 * One history: a few members of a group, or one alone, read a topic in every way there is, with habits, mishaps and broken brokers. Then all is
 * calm, and every record has to be handled and committed; every promise has to settle. The seed decides what is done, not how it interleaves.
 */
export async function history(seed: number): Promise<Outcome> {
  const random = new Random(seed);
  const beganAt = performance.now();
  const setting = settingOf(random);
  const stage = await Stage.set(setting.partitions, { seed });
  const { kafka, scene, members } = stage;
  const { timeline, truth } = scene;
  timeline.note('', `seed ${seed}: ${JSON.stringify(setting)}`);
  const begin = (): Member => stage.begin(random.fork(), memberOptions(random, kafka.bootstrapServers, setting));
  const append = async (most: number): Promise<void> => {
    for (const { partition } of truth.partitions)
      await stage.append(random, partition, random.int(0, most), random.int(1, 12));
  };
  try {
    await append(random.int(0, 60));
    for (let count = 0; count < setting.members; count++) {
      void interfere(begin(), setting.closings);
      if (random.chance(0.3)) await pause(random.int(0, 40));
    }
    const ill = plague(kafka, scene, random.fork(), { groupId: GROUP, faults: setting.faults });
    const endsAt = performance.now() + setting.ms;
    while (performance.now() < endsAt && !stage.isOver) {
      await pause(random.int(5, 50));
      await append(random.int(0, 20));
      const open = members.filter(({ isClosed }) => !isClosed).length;
      if (open < setting.members && random.chance(0.3)) void interfere(begin(), setting.closings);
    }
    await ill;
    kafka.faults.clear();
    stage.calmDown();
    if (members.every(({ isClosed }) => isClosed)) begin();
    await append(random.int(0, 10));
    await stage.finish();
  } finally {
    await stage.strike();
  }
  const records = truth.partitions.reduce((sum, partition) => sum + truth.end(partition), 0);
  return { seed, violations: timeline.violations, timeline, records, ms: performance.now() - beganAt };
}

interface Setting {
  readonly partitions: number;
  readonly members: number;
  readonly isManual: boolean;
  readonly protocol: 'classic' | 'consumer';
  readonly assignors: readonly string[];
  readonly faults: number;
  readonly closings: number;
  readonly ms: number;
}

const MEMBERS = [
  [3, 1],
  [4, 2],
  [3, 3],
] as const;
const FAULTS = [
  [3, 0],
  [2, 1],
  [3, 3],
  [2, 6],
] as const;

function settingOf(random: Random): Setting {
  const isManual = random.chance(0.12);
  return {
    partitions: random.int(1, 5),
    members: isManual ? 1 : random.weighted(MEMBERS),
    isManual,
    protocol: random.pick(['classic', 'classic', 'consumer'] as const),
    assignors: random.pick([['range'], ['roundrobin'], ['sticky'], ['cooperative-sticky'], ['cooperative-sticky']]),
    faults: random.weighted(FAULTS),
    closings: random.pick([0, 0, 2, 5]),
    ms: random.int(60, 500),
  };
}

function memberOptions(random: Random, bootstrapServers: string, setting: Setting): MemberOptions {
  const classic = { sessionTimeoutMs: 1500, heartbeatIntervalMs: 30, partitionAssignmentStrategy: setting.assignors };
  const consumer: ConsumerOptions = {
    ...SHORT,
    bootstrapServers,
    groupProtocol: setting.protocol,
    ...(setting.protocol === 'classic' ? classic : {}),
    ...(random.chance(0.05) && !setting.isManual ? { groupInstanceId: `static-${random.int(0, 1_000_000)}` } : {}),
    enableAutoCommit: random.chance(0.7),
    autoCommitIntervalMs: random.int(10, 150),
    enableAutoOffsetStore: random.chance(0.8),
    maxPollIntervalMs: random.pick([300, 600, 5000]),
    maxPollRecords: random.pick([1, 3, 10, 500]),
    maxPartitionFetchBytes: random.pick([100, 400, 2000, 1_000_000]),
    fetchMaxBytes: random.pick([500, 4000, 1_000_000]),
    fetchMaxWaitMs: random.pick([5, 50]),
    fetchMinBytes: random.pick([1, 1, 200]),
    requestTimeoutMs: random.pick([700, 1500]),
    metadataMaxAgeMs: random.pick([100, 5000]),
  };
  return { consumer, isManual: setting.isManual };
}
