/*
 * Decoders side by side on the same bytes, in turns, each in a process of its own: what a record costs on its way out of a batch.
 *
 *   npm ci --prefix bench/peers && npx tsx bench/records/run.ts [--rounds 15] [--only '100 B'] [--write]
 *
 * `--write` puts the figures into bench/results/records.json and the picture into bench/results/records.svg.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DecoderProcess } from './decoder-process.ts';
import { type Input, INPUT_NAMES, makeInput } from './inputs.ts';
import { peerVersion } from './peers.ts';
import { type Figure, type Heap, report } from './results.ts';

const { values: args } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    only: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const ROUNDS = Number(args.rounds);
/** Not counted: for the compiler. */
const WARM_UP_ROUNDS = 2;
const ROUND_SECONDS = 0.03;
const BASIC = '100 B';

interface Entry {
  readonly decoder: DecoderProcess;
  readonly input: Input;
  readonly files: readonly string[];
  readonly work: string;
  passes: number;
  readonly nanoseconds: number[];
  isRefused: boolean;
}

const folder = mkdtempSync(join(tmpdir(), 'bench-records-'));
const decoders = [
  new DecoderProcess('varints alone', 'floor'),
  new DecoderProcess('samsa', 'samsa'),
  new DecoderProcess('samsa, pure', 'samsa', { isPure: true }),
];
for (const [name, packageName] of [
  ['kafkajs', 'kafkajs'],
  ['platformatic', '@platformatic/kafka'],
] as const) {
  try {
    decoders.push(new DecoderProcess(`${packageName} ${peerVersion(packageName)}`, name));
  } catch {
    console.error(`left out: ${packageName} (npm ci --prefix bench/peers)`);
  }
}

try {
  const entries = await makeEntries();
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    for (const entry of entries) await turn(entry, round >= 0);
  }
  const heap = await measureHeap(entries);
  report(figuresOf(entries), heap, { rounds: ROUNDS, isKept: args.write });
} finally {
  for (const decoder of decoders) decoder.stop();
  rmSync(folder, { recursive: true });
}

async function makeEntries(): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const name of INPUT_NAMES) {
    if (args.only !== undefined && args.only !== name) continue;
    let input: Input;
    try {
      input = makeInput(name);
    } catch (error) {
      console.error(`left out: ${name} (${String(error)})`);
      continue;
    }
    const files = input.responses.map((bytes, index) => {
      const file = join(folder, `${name.replace(/\W+/g, '-')}-${index}`);
      writeFileSync(file, bytes);
      return file;
    });
    for (const decoder of decoders) {
      for (const work of await decoder.caseNames()) {
        if (!isWanted(decoder.name, name, work)) continue;
        entries.push({ decoder, input, files, work, passes: 1, nanoseconds: [], isRefused: false });
      }
    }
  }
  return entries;
}

/** All cases on the basic input, elsewhere the values; headers where there are some; the floor cannot decompress. */
function isWanted(decoder: string, input: string, work: string): boolean {
  if (work === 'headers') return input.includes('headers');
  if (decoder === 'varints alone') return !/gzip|snappy|lz4|zstd/.test(input) && (work === 'value' || input === BASIC);
  return work === 'value' || input === BASIC;
}

async function turn(entry: Entry, counts: boolean): Promise<void> {
  if (entry.isRefused) return;
  const seconds = await entry.decoder.round(entry.work, entry.files, entry.passes);
  if (seconds === null) {
    entry.isRefused = true;
    return;
  }
  if (counts) entry.nanoseconds.push((seconds * 1e9) / (entry.passes * entry.input.records));
  else entry.passes = Math.max(1, Math.round((entry.passes * ROUND_SECONDS) / seconds));
}

function figuresOf(entries: readonly Entry[]): Figure[] {
  return entries
    .filter(({ isRefused }) => !isRefused)
    .map(({ decoder, input, work, nanoseconds }) => ({
      input: input.name,
      decoder: decoder.name,
      work,
      nanoseconds: median(nanoseconds),
      fastest: Math.min(...nanoseconds),
      bytesPerRecord: input.decodedBytes / input.records,
    }));
}

/** In a process with a young generation so large that nothing is collected while it is counted. */
async function measureHeap(entries: readonly Entry[]): Promise<Heap | null> {
  const files = entries.find(({ input }) => input.name === BASIC)?.files;
  if (files === undefined) return null;
  const nodeFlags = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256'];
  const decoder = new DecoderProcess('samsa', 'samsa', { nodeFlags });
  try {
    return await decoder.heap(files);
  } finally {
    decoder.stop();
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
