import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { barChart, type BarGroup } from '../chart.ts';

export interface Figure {
  readonly input: string;
  readonly decoder: string;
  readonly work: string;
  /** Per record, median of the rounds. */
  readonly nanoseconds: number;
  readonly fastest: number;
  /** Decompressed. */
  readonly bytesPerRecord: number;
}

/** Bytes of the JavaScript heap per record of 100 bytes. */
export interface Heap {
  readonly kept: number;
  readonly allocated: number;
}

const FOLDER = new URL('../results/', import.meta.url);

export function report(figures: readonly Figure[], heap: Heap | null, run: { rounds: number; isKept: boolean }): void {
  console.table(
    figures.map(({ input, decoder, work, nanoseconds, fastest, bytesPerRecord }) => ({
      input,
      decoder,
      work,
      'ns/record': rounded(nanoseconds),
      fastest: rounded(fastest),
      'GB/s': hundredths(bytesPerRecord / nanoseconds),
    })),
  );
  for (const line of comparisons(figures, heap)) console.log(line);
  if (!run.isKept) return;
  const cpu = cpus()[0]?.model ?? 'unknown';
  const result = {
    command: 'npx tsx bench/records/run.ts --write',
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpu}, ${cpus().length} cores, shared`,
    loadAverage: rounded(loadavg()[0] ?? 0),
    node: process.version,
    samsa: (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string })
      .version,
    rounds: run.rounds,
    heapBytesPerRecord:
      heap === null ? null : { kept: rounded(heap.kept), allocatedWhileIterating: rounded(heap.allocated) },
    nanosecondsPerRecord: figures.map(({ input, decoder, work, nanoseconds, fastest, bytesPerRecord }) => ({
      input,
      decoder,
      work,
      median: rounded(nanoseconds),
      fastest: rounded(fastest),
      gigabytesPerSecond: hundredths(bytesPerRecord / nanoseconds),
    })),
  };
  writeFileSync(new URL('records.json', FOLDER), `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(new URL('records.svg', FOLDER), picture(figures));
}

/** What the issue of speed is about: the same values read by others, and by nothing but a loop over varints. */
function comparisons(figures: readonly Figure[], heap: Heap | null): string[] {
  const of = (decoder: string, work: string): number | undefined =>
    figures.find((f) => f.input === '100 B' && f.decoder.startsWith(decoder) && f.work === work)?.nanoseconds;
  const lines: string[] = [];
  const ranges = of('samsa', 'ranges');
  const value = of('samsa', 'value');
  const varints = of('varints alone', 'value');
  for (const [name, ours] of [
    ['samsa, values as Buffers', value],
    ['samsa, values as ranges', ranges],
  ] as const) {
    if (ours === undefined) continue;
    for (const [other, theirs] of [
      ['varints alone', varints],
      ['kafkajs', of('kafkajs', 'value')],
      ['@platformatic/kafka, decoder alone', of('@platformatic', 'value')],
      ['@platformatic/kafka, messages', of('@platformatic', 'message')],
    ] as const) {
      if (theirs === undefined) continue;
      const times = other === 'varints alone' ? `${hundredths(ours / theirs)} times` : `1/${rounded(theirs / ours)} of`;
      lines.push(`${name}, CRC checked: ${times} the time of ${other}`);
    }
  }
  if (heap !== null)
    lines.push(`heap: ${rounded(heap.kept)} bytes a kept record, ${rounded(heap.allocated)} allocated a record read`);
  return lines;
}

function picture(figures: readonly Figure[]): string {
  const inputs = [...new Set(figures.map(({ input }) => input))];
  const groups: BarGroup[] = inputs.map((input) => ({
    title: input,
    bars: figures
      .filter((figure) => figure.input === input && ['value', 'ranges', 'message'].includes(figure.work))
      .map(({ decoder, work, nanoseconds, bytesPerRecord }) => ({
        label: work === 'value' ? decoder : `${decoder}, ${work === 'message' ? 'messages' : work}`,
        value: nanoseconds,
        note: `· ${hundredths(bytesPerRecord / nanoseconds)} GB/s`,
        isAccented: decoder.startsWith('samsa'),
      })),
  }));
  return barChart({
    title: 'From record batches to values',
    subtitle: 'Nanoseconds per record, every value touched; less is better. samsa checks CRCs, the others do not.',
    groups,
    ownScales: true,
  });
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
