import { readFileSync, writeSync } from 'node:fs';

/** An index, and when it was handled. */
export interface Handled {
  index: number;
  /** Microseconds of a clock that all processes of the machine share. */
  atUs: number;
}

const ENTRY_BYTES = 12;

/** What a process has handled: `index uint32 | time float64`, an entry a write. */
export class HandledLog {
  readonly #file: number;
  readonly #entry = Buffer.alloc(ENTRY_BYTES);

  constructor(file: number) {
    this.#file = file;
  }

  now(): number {
    return Number(process.hrtime.bigint() / 1000n);
  }

  add(index: number): void {
    this.#entry.writeUInt32LE(index, 0);
    this.#entry.writeDoubleLE(this.now(), 4);
    writeSync(this.#file, this.#entry);
  }
}

/** A last entry that is cut off is left out. */
export function readHandled(file: string): Handled[] {
  const bytes = readFileSync(file);
  const entries: Handled[] = [];
  for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
    entries.push({ index: bytes.readUInt32LE(at), atUs: bytes.readDoubleLE(at + 4) });
  }
  return entries;
}
