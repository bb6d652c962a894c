import type { KafkaError } from '../errors.ts';

/** Calls that were sent through the port and wait for their answer. Each settles once. */
export class Calls<T> {
  #waiting = new Map<number, { resolve: (value: T) => void; reject: (error: KafkaError) => void }>();
  #lastId = 0;

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** @param send gets the id that the answer will carry */
  start(send: (id: number) => void): Promise<T> {
    const id = ++this.#lastId;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      send(id);
    });
  }

  /** As `start`, but rejects with `error` when no answer has come within `timeoutMs`. */
  async startWithin(timeoutMs: number, error: KafkaError, send: (id: number) => void): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await this.start((id) => {
        timer = setTimeout(() => this.#waiting.get(id)?.reject(error), timeoutMs);
        send(id);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  settle(id: number, value: T, error: KafkaError | null): void {
    const call = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === null) call?.resolve(value);
    else call?.reject(error);
  }

  failAll(error: KafkaError): void {
    const calls = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const call of calls) call.reject(error);
  }
}
