import type { StatusLine } from './status-line.ts';

const INTERVAL_MS = 1000;

/** Says once a second how it goes, and once more at the end. */
export class Progress {
  readonly #line: StatusLine;
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  #records = 0;
  #bytes = 0;
  #toldAt = this.#startedAt;
  #toldRecords = 0;
  #toldBytes = 0;

  constructor(line: StatusLine) {
    this.#line = line;
    this.#timer = setInterval(() => this.#tell(), INTERVAL_MS);
    this.#timer.unref();
  }

  add(records: number, bytes: number): void {
    this.#records += records;
    this.#bytes += bytes;
  }

  end(): void {
    clearInterval(this.#timer);
    const ms = performance.now() - this.#startedAt;
    this.#line.status(`${rates(this.#records, this.#bytes, ms)} on average, ${totals(this.#records, ms)}`);
    this.#line.end();
  }

  #tell(): void {
    const now = performance.now();
    const text = rates(this.#records - this.#toldRecords, this.#bytes - this.#toldBytes, now - this.#toldAt);
    this.#line.status(`${text}, ${totals(this.#records, now - this.#startedAt)}`);
    this.#toldAt = now;
    this.#toldRecords = this.#records;
    this.#toldBytes = this.#bytes;
  }
}

/** `1,234,567 records/s, 123.5 MB/s`; 1 MB is 1,000,000 bytes. */
export function rates(records: number, bytes: number, ms: number): string {
  const seconds = Math.max(ms, 1) / 1000;
  return `${grouped(Math.round(records / seconds))} records/s, ${(bytes / seconds / 1e6).toFixed(1)} MB/s`;
}

export function totals(records: number, ms: number): string {
  return `${grouped(records)} records in ${(ms / 1000).toFixed(1)} s`;
}

function grouped(value: number): string {
  return value.toLocaleString('en-US');
}
