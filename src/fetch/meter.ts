/** How long the past counts for in a rate: an e-th of it is left after so many milliseconds. */
const MEMORY_MS = 10_000;
/** What the newest latency adds to the mean. */
const LATENCY_WEIGHT = 0.2;

/** Something per second, of late. */
class Rate {
  #perMs = 0;
  #at = 0;

  add(amount: number, now: number): void {
    this.#perMs = this.#decayed(now) + amount / MEMORY_MS;
    this.#at = now;
  }

  perSecond(now: number): number {
    return this.#decayed(now) * 1000;
  }

  #decayed(now: number): number {
    return this.#perMs * Math.exp((this.#at - now) / MEMORY_MS);
  }
}

/** What was fetched of one partition. Costs something per answer, nothing per record. */
export class FetchMeter {
  bytes = 0;
  records = 0;
  /** From the request to its answer, a running mean over answers with records; −1 before the first. */
  latencyMs = -1;
  readonly #bytes = new Rate();
  readonly #records = new Rate();

  add(bytes: number, records: number, latencyMs: number, now: number): void {
    this.bytes += bytes;
    this.records += records;
    this.latencyMs = this.latencyMs < 0 ? latencyMs : this.latencyMs + LATENCY_WEIGHT * (latencyMs - this.latencyMs);
    this.#bytes.add(bytes, now);
    this.#records.add(records, now);
  }

  bytesPerSecond(now: number): number {
    return this.#bytes.perSecond(now);
  }

  recordsPerSecond(now: number): number {
    return this.#records.perSecond(now);
  }
}
