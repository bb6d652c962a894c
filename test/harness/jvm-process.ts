import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { type DeathGuard, atDeath } from './at-death.ts';
import { javaCommand } from './kafka-jars.ts';

const STOP_TIMEOUT_MS = 30_000;

/** A Java program that runs until it is ended, and never longer than this process. */
export class JvmProcess {
  readonly #child: ChildProcess;
  readonly #guard: DeathGuard | undefined;
  #failure: Error | undefined;

  /**
   * @param logFile both of its outputs are appended there
   * @param ownFolder removed with the program when this process dies
   */
  constructor(args: readonly string[], logFile: string, ownFolder: string | null) {
    const log = openSync(logFile, 'a');
    this.#child = spawn(javaCommand(), args, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#child.once('error', (error) => (this.#failure = error));
    if (this.#child.pid === undefined) return;
    const script = ownFolder === null ? 'kill -9 "$1"' : 'kill -9 "$1"; sleep 0.2; rm -rf "$2"';
    this.#guard = atDeath(script, String(this.#child.pid), ownFolder ?? '');
  }

  /** Undefined where it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  get hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Throws where there was no such program to start. */
  mustHaveStarted(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when it is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (!this.hasExited && this.#child.pid !== undefined) {
      const gone = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
      const hard = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      this.#child.kill('SIGCONT'); // a frozen process does not see SIGTERM
      this.#child.kill(signal);
      await gone;
      clearTimeout(hard);
    }
    this.#guard?.release();
  }
}
