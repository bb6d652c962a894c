import type { KafkaError } from '../errors.ts';

/** Waits that all end when their owner closes, so that no timer keeps the process alive. */
export class Pauses {
  #waiting = new Map<NodeJS.Timeout, (error: KafkaError) => void>();
  #ended: KafkaError | null = null;

  /** Resolves after `ms`, or rejects with what `end` was given. */
  wait(ms: number): Promise<void> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(timer);
        resolve();
      }, ms);
      this.#waiting.set(timer, reject);
    });
  }

  end(error: KafkaError): void {
    this.#ended = error;
    for (const [timer, reject] of this.#waiting) {
      clearTimeout(timer);
      reject(error);
    }
    this.#waiting.clear();
  }
}
