import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { type DeathGuard, atDeath } from '../harness/at-death.ts';

/** A process of the group under test, which gets its settings as JSON and ends with its parent. */
export class MemberProcess {
  readonly name: string;
  readonly file: string;
  stdout = '';
  stderr = '';
  /** By `process.hrtime`, in microseconds; 0 while it runs. */
  endedAtUs = 0;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<string>;
  readonly #process: ChildProcess;
  readonly #guard: DeathGuard;

  constructor(name: string, script: string, settings: { file: string }) {
    this.name = name;
    this.file = settings.file;
    writeFileSync(settings.file, '');
    this.#process = spawn(process.execPath, ['--import', 'tsx', script, JSON.stringify(settings)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#guard = atDeath('kill -9 "$1"', String(this.#process.pid));
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.#process.once('exit', () => (this.endedAtUs = Number(process.hrtime.bigint() / 1000n)));
    this.ended = new Promise((resolve) => {
      this.#process.once('close', (code, signal) => {
        this.#guard.release();
        resolve(String(signal ?? code));
      });
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }
}
