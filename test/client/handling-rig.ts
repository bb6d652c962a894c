/** Handlers of `forEach` that end when the test says so. */
import type { Consumer, HandlerContext, KafkaError, KafkaRecord } from '../../src/index.ts';
import { soon } from './consumer-rig.ts';
import { deferred } from './mock-rig.ts';

export const nameOf = ({ partition, offset }: KafkaRecord): string => `${partition}@${offset}`;

export class Handling {
  readonly begun: string[] = [];
  readonly contexts = new Map<string, HandlerContext>();
  readonly #ends = new Map<string, { resolve: () => void; reject: (error: unknown) => void }>();

  readonly handler = (record: KafkaRecord, context: HandlerContext): Promise<void> => {
    const name = nameOf(record);
    this.begun.push(name);
    this.contexts.set(name, context);
    const { promise, resolve, reject } = deferred();
    this.#ends.set(name, { resolve, reject });
    return promise;
  };

  async until(...names: string[]): Promise<void> {
    await soon(
      () => names.every((name) => this.begun.includes(name)),
      `${names.join(', ')} of ${this.begun.join(', ')}`,
    );
  }

  end(...names: string[]): void {
    for (const name of names) this.#take(name).resolve();
  }

  fail(name: string, error: unknown): void {
    this.#take(name).reject(error);
  }

  get running(): string[] {
    return [...this.#ends.keys()].sort();
  }

  #take(name: string): { resolve: () => void; reject: (error: unknown) => void } {
    const ends = this.#ends.get(name);
    if (ends === undefined) throw new Error(`${name} does not run`);
    this.#ends.delete(name);
    return ends;
  }
}

/** Microtasks, and what they have set up. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

export function errorsOf(consumer: Consumer): KafkaError[] {
  const errors: KafkaError[] = [];
  consumer.on('error', (error) => errors.push(error));
  return errors;
}
