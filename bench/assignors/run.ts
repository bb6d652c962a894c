/**
 * 200 members and 1,000 partitions in one group, for each assignor: `npx tsx bench/assignors/run.ts [--write] [--no-java] [--rounds N]`.
 * Each assignor runs in a process of its own, for the first rebalance in a process's life is the slow one.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { PartitionInfo } from '../../src/group/assignors/assignor.ts';
import { ASSIGNORS } from '../../src/group/assignors/index.ts';
import { VERSION } from '../../src/version.ts';
import { classPath, fetchJars, javaCommand } from '../../test/harness/kafka-jars.ts';
import { type Settled, Simulation } from './simulation.ts';

const MEMBERS = 200;
const PARTITIONS = 1_000;
const KAFKA_VERSION = '4.2.0';
const SELF = fileURLToPath(import.meta.url);

type Step = 'all start' | 'one joins' | 'one leaves';
const STEPS: readonly Step[] = ['all start', 'one joins', 'one leaves'];

interface Figure {
  assignor: string;
  subscriptions: 'equal' | 'different';
  step: Step;
  rebalances: number;
  moved: number;
  /** Fewest and most partitions of a member afterwards. */
  shares: [number, number];
  /** In the first round, and the median of all rounds. */
  leaderMs: { first: number; median: number };
  kilobytes: { total: number; leader: number; member: number };
}

/** As Java's assignor has it: `assign` alone, without reading and writing the messages. */
interface JavaFigure {
  assignor: string;
  subscriptions: string;
  step: string;
  ms: { first: number; median: number };
}

/** `equal`: one topic. `different`: ten topics, of which each member reads seven. */
function topicsOf(subscriptions: 'equal' | 'different'): { names: string[]; size: number } {
  const count = subscriptions === 'equal' ? 1 : 10;
  return { names: Array.from({ length: count }, (_, index) => `orders-${index}`), size: PARTITIONS / count };
}

function subscriptionOf(names: readonly string[], member: number): string[] {
  return names.length === 1 ? [...names] : Array.from({ length: 7 }, (_, index) => names[(member + index) % 10] ?? '');
}

function measure(assignorName: string, subscriptions: 'equal' | 'different', rounds: number): Figure[] {
  const assignor = ASSIGNORS.find(({ name }) => name === assignorName);
  if (assignor === undefined) throw new Error(`no assignor ${assignorName}`);
  const { names, size } = topicsOf(subscriptions);
  const infos: PartitionInfo[] = Array.from({ length: size }, (_, partition) => ({ partition, replicaRacks: [] }));
  const cluster = new Map(names.map((name) => [name, infos]));
  const members = Array.from({ length: MEMBERS }, (_, member) => subscriptionOf(names, member));
  const results = new Map<Step, (Settled & { shares: [number, number] })[]>(STEPS.map((step) => [step, []]));
  for (let round = 0; round < rounds; round++) {
    const group = new Simulation(assignor, cluster);
    const changes = [{ join: members }, { join: [subscriptionOf(names, 3)] }, { leave: 1 }];
    for (const [index, step] of STEPS.entries()) {
      const settled = group.change(changes[index] ?? {});
      results.get(step)?.push({ ...settled, shares: [Math.min(...group.shares), Math.max(...group.shares)] });
    }
  }
  return [...results].map(([step, runs]) => {
    const [first] = runs;
    if (first === undefined) throw new Error('no rounds');
    return {
      assignor: assignorName,
      subscriptions,
      step,
      rebalances: first.rebalances,
      moved: first.moved,
      shares: first.shares,
      leaderMs: { first: rounded(first.leaderMs), median: rounded(median(runs.map(({ leaderMs }) => leaderMs))) },
      kilobytes: {
        total: rounded(first.totalBytes / 1000),
        leader: rounded(first.leaderBytes / 1000),
        member: rounded(first.memberBytes / 1000),
      },
    };
  });
}

async function measureJava(rounds: number): Promise<JavaFigure[]> {
  await fetchJars(KAFKA_VERSION);
  const classes = join(tmpdir(), 'samsa-bench-assignors');
  mkdirSync(classes, { recursive: true });
  const source = join(import.meta.dirname, '../peers/Assign.java');
  execFileSync('javac', ['-cp', classPath(KAFKA_VERSION), '-d', classes, source]);
  const figures: JavaFigure[] = [];
  for (const { name } of ASSIGNORS) {
    for (const subscriptions of ['equal', 'different'] as const) {
      const level = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error';
      const args = [level, '-cp', `${classes}:${classPath(KAFKA_VERSION)}`, 'Assign', name, subscriptions];
      const lines = execFileSync(javaCommand(), [...args, String(rounds)], { encoding: 'utf8' })
        .trim()
        .split('\n');
      for (const line of lines) {
        const [step = '', ...times] = line.split('\t');
        const ms = { first: rounded(Number(times[0])), median: rounded(median(times.map(Number))) };
        figures.push({ assignor: name, subscriptions, step, ms });
      }
    }
  }
  return figures;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

const { values } = parseArgs({
  options: {
    write: { type: 'boolean' },
    'no-java': { type: 'boolean' },
    rounds: { type: 'string', default: '21' },
    child: { type: 'string' },
  },
});
const rounds = Number(values.rounds);

if (values.child !== undefined) {
  const [assignor = '', subscriptions] = values.child.split('/');
  const figures = measure(assignor, subscriptions === 'equal' ? 'equal' : 'different', rounds);
  process.stdout.write(JSON.stringify(figures));
} else {
  const figures = ASSIGNORS.flatMap(({ name }) =>
    ['equal', 'different'].flatMap((subscriptions) => {
      const args = ['--import', 'tsx', SELF, '--rounds', String(rounds), '--child', `${name}/${subscriptions}`];
      return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Figure[];
    }),
  );
  const java = values['no-java'] === true ? [] : await measureJava(rounds);
  console.table(
    figures.map(({ leaderMs, kilobytes, shares, ...rest }) => {
      const ms = java.find(
        (each) =>
          each.assignor === rest.assignor && each.subscriptions === rest.subscriptions && each.step === rest.step,
      )?.ms;
      return {
        ...rest,
        shares: shares.join('–'),
        'leader ms': `${leaderMs.first} / ${leaderMs.median}`,
        'Java assign() ms': ms === undefined ? '' : `${ms.first} / ${ms.median}`,
        'kB total': kilobytes.total,
        leader: kilobytes.leader,
        member: kilobytes.member,
      };
    }),
  );
  if (values.write === true) {
    const result = {
      command: 'npx tsx bench/assignors/run.ts --write',
      date: new Date().toISOString().slice(0, 10),
      machine: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores, shared`,
      loadAverage: rounded(loadavg()[0] ?? 0),
      node: process.version,
      samsa: VERSION,
      members: MEMBERS,
      partitions: PARTITIONS,
      rounds,
      figures,
      java: { kafka: KAFKA_VERSION, figures: java },
    };
    writeFileSync(new URL('../results/assignors.json', import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
  }
}
