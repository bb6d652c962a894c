import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { isBuilt, ROOT } from '../harness/built.ts';

/** What `npm ci` has built, unless the source is newer: it starts in a quarter of the time that compiling on the way takes. */
const COMMAND = isBuilt()
  ? [join(ROOT, 'dist', 'cli', 'main.js')]
  : ['--import', 'tsx', join(ROOT, 'src', 'cli', 'main.ts')];

/** What still runs then hangs, and is killed, so that the test says so and nothing stays behind. */
const LIMIT_MS = 25_000;

export interface Run {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  /** Whole lines of standard error. */
  errors: string[];
  ms: number;
}

export interface Running {
  process: ChildProcessByStdio<null, Readable, Readable>;
  /** Resolves when it has ended. */
  ended: Promise<Run>;
}

/** Starts the command, as `samsa ARGS` would. */
export function start(...args: string[]): Running {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [...COMMAND, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Run>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const errors = stderr.split('\n').slice(0, -1);
      resolve({ code, signal, stdout, errors, ms: performance.now() - startedAt });
    });
  });
  return { process: child, ended };
}

export function run(...args: string[]): Promise<Run> {
  return start(...args).ended;
}

/** A shell's pipeline: `samsa ARGS | reader`; standard error is the command's own. */
export function runPiped(reader: string, ...args: string[]): Promise<Run> {
  const startedAt = performance.now();
  const command = [process.execPath, ...COMMAND, ...args].map((arg) => `'${arg}'`).join(' ');
  // The exit code wanted is the command's, not the reader's: it comes back through a descriptor of its own.
  const script = `{ ${command}; echo $? >&3; } | ${reader}`;
  // A process group of its own: the shell's children hang, not the shell.
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], detached: true });
  const limit = setTimeout(() => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL'), LIMIT_MS);
  const texts = ['', '', '', ''];
  for (const fd of [1, 2, 3]) {
    const stream = child.stdio[fd] as Readable; // asked for with 'pipe'
    stream.setEncoding('utf8').on('data', (text: string) => (texts[fd] += text));
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (_, signal) => {
      clearTimeout(limit);
      const [, stdout = '', stderr = '', code = ''] = texts;
      const errors = stderr.split('\n').slice(0, -1);
      resolve({ code: code === '' ? null : Number(code), signal, stdout, errors, ms: performance.now() - startedAt });
    });
  });
}
