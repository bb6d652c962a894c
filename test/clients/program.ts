import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { onTestFinished } from 'vitest';
import { until } from '../harness/waiting.ts';

/** A program that a test runs against the mock cluster; killed when the test is over. */
export class Program {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #name: string;
  readonly ended: Promise<number | null>;
  #stdout = '';
  #stderr = '';

  constructor(command: string, args: readonly string[]) {
    this.#name = command;
    this.#process = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.ended = new Promise((resolve) => this.#process.once('close', resolve));
    onTestFinished(() => void this.#process.kill('SIGKILL'));
  }

  /** Whole lines of standard output so far. */
  get lines(): string[] {
    return this.#stdout.split('\n').slice(0, -1);
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Closes standard input behind this text. */
  write(text: string): this {
    this.#process.stdin.end(text);
    return this;
  }

  async untilLines(count: number, timeoutMs = 20_000): Promise<string[]> {
    const what = `${count} lines from ${this.#name}`;
    const details = (): string => `${this.lines.length} lines; ${this.#stderr.slice(-1000)}`;
    await until(() => this.lines.length >= count, { what, timeoutMs, details });
    return this.lines;
  }

  /** Waits for its end; throws what it wrote to standard error unless that was a good one. */
  async untilEnd(): Promise<string[]> {
    const code = await this.ended;
    if (code !== 0) throw new Error(`${this.#name} ended with ${code}: ${this.#stderr}`);
    return this.lines;
  }

  /** Asks it to end, as Ctrl-C does. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<string[]> {
    this.#process.kill(signal);
    await this.ended;
    return this.lines;
  }
}
