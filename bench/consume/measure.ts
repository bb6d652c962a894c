import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Client, Task } from './clients.ts';

const TIMEOUT_MS = 300_000;
const PEAK_INTERVAL_MS = 20;

/** What a client says of itself; null for what it does not know. */
export interface Tally {
  readonly records: number;
  /** Of keys and values. */
  readonly bytes: number | null;
  /** The sum of every value's last byte: proof that it was looked at. */
  readonly lastBytes: number | null;
  /** The sum of all offsets, modulo 2^32. */
  readonly offsets: number | null;
  /** From the first record to the last. */
  readonly seconds: number;
  /** From the process's start to the first record, the join of the group included. */
  readonly startMs: number | null;
}

export interface Run extends Tally {
  readonly client: string;
  readonly topic: string;
  readonly round: number;
  /** User and system time of the whole process, its start included. */
  readonly cpuSeconds: number;
  /** The largest resident set, in megabytes; null where /proc does not say. */
  readonly peakMegabytes: number | null;
}

/**
 * Runs a client below a shell whose `times` tells what it used: the same way to measure for Node, Java, Go and C.
 * `NODE_EXTRA_CA_CERTS` is taken away, which would have every Node process parse certificates at its start.
 */
export async function measure(client: Client, task: Task): Promise<Omit<Run, 'client' | 'topic' | 'round'>> {
  const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;
  const script = '"$@" & child=$!; echo "pid $child" >&3; wait $child; code=$?; times >&3; exit $code';
  const child = spawn('sh', ['-c', script, 'sh', ...client.command(task)], {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    timeout: TIMEOUT_MS,
    env: { ...environment, ...client.environment, STARTED_AT: String(Date.now()) },
  });
  let stdout = '';
  let told = '';
  let peakMegabytes: number | null = null;
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stdio[3]?.on('data', (text: Buffer) => (told += text.toString()));
  const watch = setInterval(() => {
    peakMegabytes = peakOf(/pid (\d+)/.exec(told)?.[1]) ?? peakMegabytes;
  }, PEAK_INTERVAL_MS);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).finally(() => clearInterval(watch));
  if (code !== 0) throw new Error(`${client.name} ended with ${code}: ${stdout}`);
  const tally = JSON.parse(stdout) as Tally; // our own programs print exactly this
  return { ...tally, cpuSeconds: childrenSeconds(told), peakMegabytes };
}

/** The kernel's own high-water mark of a process, in megabytes. */
function peakOf(pid: string | undefined): number | null {
  try {
    const kilobytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? null : Math.round(Number(kilobytes) / 1024);
  } catch {
    return null;
  }
}

/** The last line of `times`: user and system time of the shell's children, as `0m1.234s 0m0.567s`. */
function childrenSeconds(told: string): number {
  const matches = [...(told.trimEnd().split('\n').at(-1) ?? '').matchAll(/(\d+)m([\d.,]+)s/g)];
  if (matches.length !== 2) throw new Error(`not what 'times' prints: ${told}`);
  return matches.reduce((sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest?.replace(',', '.')), 0);
}
