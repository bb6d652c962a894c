import { type ChildProcess, fork } from 'node:child_process';
import type { Answer, Question } from './work.ts';

/** The process of one decoder, see `decoder.ts`: a question, then its answer. */
export class DecoderProcess {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #ready: Promise<Answer>;

  constructor(name: string, subject: string, options: { isPure?: boolean; nodeFlags?: readonly string[] } = {}) {
    this.name = name;
    this.#process = fork(new URL('decoder.ts', import.meta.url), [subject], {
      execArgv: ['--import', 'tsx', ...(options.nodeFlags ?? [])],
      env: { ...process.env, SAMSA_PURE: options.isPure === true ? '1' : '' },
    });
    this.#ready = this.#answer();
  }

  async caseNames(): Promise<readonly string[]> {
    const answer = await this.#ask({ kind: 'cases' });
    return answer.kind === 'cases' ? answer.names : [];
  }

  /** Seconds; `null` with a reason on stderr for what this decoder cannot read. */
  async round(name: string, files: readonly string[], passes: number): Promise<number | null> {
    const answer = await this.#ask({ kind: 'round', name, files, passes });
    if (answer.kind === 'time') return answer.seconds;
    console.error(`${this.name}: ${name}: ${answer.kind === 'error' ? answer.message : answer.kind}`);
    return null;
  }

  async heap(files: readonly string[]): Promise<{ kept: number; allocated: number }> {
    const answer = await this.#ask({ kind: 'heap', files });
    if (answer.kind !== 'heap') throw new Error(`${this.name}: ${JSON.stringify(answer)}`);
    return answer;
  }

  stop(): void {
    this.#process.kill();
  }

  async #ask(question: Question): Promise<Answer> {
    await this.#ready;
    const answer = this.#answer();
    this.#process.send(question);
    return answer;
  }

  #answer(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const ended = (code: unknown): void => reject(new Error(`${this.name} has ended: ${String(code)}`));
      this.#process.once('exit', ended);
      this.#process.once('message', (answer: Answer) => {
        this.#process.off('exit', ended);
        resolve(answer);
      });
    });
  }
}
