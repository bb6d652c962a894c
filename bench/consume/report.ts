import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { barChart } from '../chart.ts';
import type { Client } from './clients.ts';
import type { Run } from './measure.ts';
import { RESULTS } from './places.ts';
import { TOPICS, type BenchTopic } from './topics.ts';

export interface Row {
  readonly client: string;
  readonly version: string;
  readonly topic: string;
  readonly millionRecordsPerSecond: number;
  readonly cpuSecondsPerMillionRecords: number;
  readonly peakMegabytes: number | null;
  readonly startMs: number | null;
  readonly rounds: number;
}

/** Medians over the rounds of one client on one topic. */
export function rowOf(client: Client, { name, records }: BenchTopic, runs: readonly Run[]): Row {
  const own = runs.filter((run) => run.client === client.name && run.topic === name);
  return {
    client: client.name,
    version: client.version(),
    topic: name,
    millionRecordsPerSecond: rounded(records / 1e6 / median(own.map(({ seconds }) => seconds))),
    cpuSecondsPerMillionRecords: rounded(median(own.map(({ cpuSeconds }) => cpuSeconds)) / (records / 1e6)),
    peakMegabytes: medianOf(own.map(({ peakMegabytes }) => peakMegabytes)),
    startMs: medianOf(own.map(({ startMs }) => startMs)),
    rounds: own.length,
  };
}

export function printTable(topic: BenchTopic, rows: readonly Row[]): void {
  const samsa = rows.find(({ client }) => client === 'samsa')?.cpuSecondsPerMillionRecords ?? Number.NaN;
  console.log(`\n${topic.name}: ${topic.about}`);
  console.table(
    rows.map((row) => ({
      client: row.client,
      version: row.version,
      'CPU s per M': row.cpuSecondsPerMillionRecords,
      'x samsa': Math.round((row.cpuSecondsPerMillionRecords / samsa) * 100) / 100,
      'M records/s': row.millionRecordsPerSecond,
      'peak MB': row.peakMegabytes,
      'start ms': row.startMs,
    })),
  );
}

interface Result {
  readonly topic: { readonly name: string; readonly about: string };
  readonly medians: readonly Row[];
}

/** Results of topics that were not measured this time stay as they were. */
export function writeResults(
  topics: readonly BenchTopic[],
  rows: readonly Row[],
  runs: readonly Run[],
  command: string,
): void {
  for (const topic of topics) {
    const { name, about, records, partitions } = topic;
    const ofTopic = rows.filter((row) => row.topic === name);
    const raw = runs.filter((run) => run.topic === name);
    writeResult(`consume-${name}`, {
      command,
      topic: { name, about, records, partitions },
      medians: ofTopic,
      runs: raw,
    });
  }
}

/** `bench/results/NAME.json`: when and where, and these. */
export function writeResult(name: string, fields: object): void {
  const result = { date: new Date().toISOString().slice(0, 10), machine: machine(), ...fields };
  writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
}

function machine(): object {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    // The runs themselves keep one to two cores busy; more than that was somebody else.
    loadAverage: rounded(loadavg()[0] ?? Number.NaN),
  };
}

/** Pictures of all results there are: the README's of the first topic, another of the rest. */
export function writeCharts(): void {
  const results = TOPICS.flatMap(({ name }) => {
    const file = join(RESULTS, `consume-${name}.json`);
    return existsSync(file) ? [JSON.parse(readFileSync(file, 'utf8')) as Result] : []; // as `writeResults` has made it
  });
  const [first, ...rest] = results;
  if (first !== undefined) writeFileSync(join(RESULTS, '..', 'consume.svg'), chartOf([first]));
  if (rest.length > 0) writeFileSync(join(RESULTS, '..', 'consume-more.svg'), chartOf(rest));
}

function chartOf(results: readonly Result[]): string {
  return barChart({
    title: 'CPU seconds per million records, whole consumers in a group',
    subtitle: 'user and system time of the whole process; shorter is better',
    ownScales: true,
    groups: results.map(({ topic: { name, about }, medians }) => ({
      title: `${name}: ${about}`,
      bars: [...medians]
        .sort((a, b) => a.cpuSecondsPerMillionRecords - b.cpuSecondsPerMillionRecords)
        .map(({ client, cpuSecondsPerMillionRecords: value, millionRecordsPerSecond: rate }) => ({
          label: client === 'null' ? 'read and thrown away' : client,
          value,
          note: `${rate} M records/s`,
          isAccented: client.startsWith('samsa'),
        })),
    })),
  });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

function medianOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.round(median(known));
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
