import { expect, inject } from 'vitest';
import { start } from '../cli/run.ts';
import { startTool } from '../harness/kafka-tools.ts';

// `samsa verifiable-consumer` and org.apache.kafka.tools.VerifiableConsumer: two programs with the same flags and lines.

export interface Event {
  timestamp: number;
  name: string;
  partitions?: { topic: string; partition: number; count?: number }[];
}

export class Verifiable {
  readonly #lines: () => readonly string[];
  readonly #end: (stop: boolean) => Promise<unknown>;
  #ended: Promise<unknown> | null = null;

  /** @param end waits for the end, which it asks for first where `stop` is true */
  constructor(lines: () => readonly string[], end: (stop: boolean) => Promise<unknown>) {
    this.#lines = lines;
    this.#end = end;
  }

  get lines(): readonly string[] {
    return this.#lines();
  }

  get events(): Event[] {
    return this.lines.map((line) => JSON.parse(line) as Event);
  }

  has(name: string): boolean {
    return this.events.some((event) => event.name === name);
  }

  /** What it owns by what it has told, sorted. */
  get partitions(): number[] {
    const owned = new Set<number>();
    for (const { name, partitions = [] } of this.events) {
      if (name === 'partitions_assigned') for (const { partition } of partitions) owned.add(partition);
      if (name === 'partitions_revoked') for (const { partition } of partitions) owned.delete(partition);
    }
    return [...owned].sort((a, b) => a - b);
  }

  /** How many records it has told of. */
  get consumed(): number {
    const sets = this.events.flatMap(({ name, partitions = [] }) => (name === 'records_consumed' ? partitions : []));
    return sets.reduce((sum, { count = 0 }) => sum + count, 0);
  }

  /** Waits until it ends by itself. */
  untilEnd(): Promise<unknown> {
    this.#ended ??= this.#end(false);
    return this.#ended;
  }

  /** SIGTERM, unless it has ended. */
  stop(): Promise<unknown> {
    this.#ended ??= this.#end(true);
    return this.#ended;
  }
}

export type Start = (...args: string[]) => Promise<Verifiable>;

export const java: Start = async (...args) => {
  const tool = await startTool(inject('broker'), 'org.apache.kafka.tools.VerifiableConsumer', args);
  return new Verifiable(
    () => tool.lines,
    (stop) => (stop ? tool.stop() : tool.untilEnd()),
  );
};

export const samsa: Start = (...args) => {
  const child = start('verifiable-consumer', '--bootstrap-server', inject('broker').bootstrapServers, ...args);
  let text = '';
  child.process.stdout.on('data', (chunk: string) => (text += chunk));
  const end = async (stop: boolean): Promise<void> => {
    if (stop) child.process.kill('SIGTERM');
    const { code, errors } = await child.ended;
    // A broker that has just started may not know its coordinators yet, which is worth a warning.
    const failures = errors.filter((line) => !line.startsWith('samsa: warning:'));
    expect({ code, failures }).toEqual({ code: 0, failures: [] });
  };
  return Promise.resolve(new Verifiable(() => text.split('\n').slice(0, -1), end));
};
