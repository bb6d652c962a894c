import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { TopicPartition } from '../../src/index.ts';

/** An external store of positions: a JSON file that is replaced as a whole, so that a crash leaves the old one or the new one. */
export class Positions {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** The next record to read, or `undefined` where nothing of the partition was saved. */
  read({ topic, partition }: TopicPartition): number | undefined {
    return this.all()[`${topic}-${partition}`];
  }

  /** Several members may save at a time, each its own partitions: what is in the file is read again. */
  save({ topic, partition }: TopicPartition, position: number): void {
    const temporary = `${this.#file}.${process.pid}`;
    writeFileSync(temporary, JSON.stringify({ ...this.all(), [`${topic}-${partition}`]: position }));
    renameSync(temporary, this.#file);
  }

  all(): Record<string, number> {
    if (!existsSync(this.#file)) return {};
    return JSON.parse(readFileSync(this.#file, 'utf8')) as Record<string, number>; // nobody else writes it
  }
}
