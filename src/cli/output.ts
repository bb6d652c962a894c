import { fstatSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { CommandError } from './usage-error.ts';

/**
 * A pipe tells that nobody reads any more at the next write only, and where a topic has no more records there may be none.
 * So the first write gets this much time for its reader to have seen enough: `| head -1`.
 */
const HEAD_MS = 50;

/** Standard output, or what takes its place: one write at a time, each until the system has taken it. */
export class Output {
  readonly isPipe: boolean;
  readonly #stream: Writable;
  #isGone = false;
  #isAbandoned = false;
  #failure: Error | null = null;
  #wake: () => void = () => undefined;
  #isFirstWrite = true;

  /** @param isPipe another program reads this, which may end before we do */
  constructor(stream: Writable, isPipe: boolean) {
    this.#stream = stream;
    this.isPipe = isPipe;
    stream.on('error', (error) => this.#onError(error));
    stream.on('close', () => {
      this.#isGone = true;
      this.#wake();
    });
  }

  /** A write was given up: the system still holds it, and with it the process. */
  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  /**
   * Waits until the bytes are written, however long the reader takes; the buffer is free again then.
   *
   * @returns false where nobody reads any more, or after `abandon`
   * @throws CommandError where the output cannot be written, such as a full disk
   */
  async write(bytes: Buffer): Promise<boolean> {
    if (bytes.length > 0 && this.#isOpen) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#stream.write(bytes, (error) => {
          if (error != null) this.#onError(error); // before the stream's own event
          resolve();
        });
      });
      if (this.#isFirstWrite && this.isPipe) await new Promise((resolve) => setTimeout(resolve, HEAD_MS));
      this.#isFirstWrite = false;
    }
    if (this.#failure !== null) throw this.#failure;
    return this.#isOpen;
  }

  /** Waits no longer for a reader that does not read. */
  abandon(): void {
    this.#isAbandoned = this.#stream.writableLength > 0;
    this.#isGone ||= this.#isAbandoned;
    this.#wake();
  }

  #onError(error: NodeJS.ErrnoException): void {
    // EPIPE: `| head` has seen enough, which is no error.
    if (error.code === 'EPIPE') this.#isGone = true;
    else this.#failure ??= new CommandError(`cannot write to standard output: ${error.message}`, { cause: error });
    this.#wake();
  }

  get #isOpen(): boolean {
    return !this.#isGone && this.#failure === null;
  }
}

/** Whether a file descriptor, such as standard output's 1, is a pipe. */
export function isPipe(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    return stat.isFIFO() || stat.isSocket();
  } catch {
    return false; // closed: the first write will tell
  }
}
