/**
 * After so long without a turn of the event loop a read waits for one: a loop over buffered records is all microtasks, and
 * would hold up heartbeats and fetches for as long as there are records.
 */
const TURN_MS = 5;
/** The clock is read this seldom at the most, and more often the slower the application handles records. */
const MOST_READS_PER_CHECK = 64;
/** A session may have ended in a pause of this length, or a longer one: no session is shorter. */
const LONG_MS = 100;

/** The clock of whoever reads: says when the event loop has to turn, and notices when it has not turned for long. */
export class TurnClock {
  readonly #onLongPause: () => void;
  #readsToCheck = 1;
  #readsPerCheck = 1;
  #checkedAt = 0;
  #turnBeganAt = 0;
  #lookedAt = Infinity;

  /** @param onLongPause nobody has looked at the clock for long; called before anything else is handed out */
  constructor(onLongPause: () => void) {
    this.#onLongPause = onLongPause;
  }

  /** Of `performance.now()`, when it was last looked at: some milliseconds ago at the most while records are taken. */
  get checkedAt(): number {
    return this.#checkedAt;
  }

  /** Makes the next two `isOver` read the clock: nobody knows how long the last wait was, nor how long one record takes now. */
  expire(): void {
    this.#readsToCheck = 0;
    this.#readsPerCheck = 0.5;
  }

  /** Asked before every record: the event loop has to turn now. */
  isOver(): boolean {
    if (--this.#readsToCheck > 0) return false;
    const now = performance.now();
    const perRead = (now - this.#checkedAt) / this.#readsPerCheck;
    const wanted = Math.floor(TURN_MS / 2 / Math.max(perRead, 0.001));
    this.#readsPerCheck = Math.max(1, Math.min(wanted, this.#readsPerCheck * 2, MOST_READS_PER_CHECK));
    this.#readsToCheck = this.#readsPerCheck;
    this.#checkedAt = now;
    this.#look(now);
    return now - this.#turnBeganAt >= TURN_MS;
  }

  async next(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.hasTurned();
    this.#checkedAt = this.#turnBeganAt;
    this.expire();
  }

  /** What the reader has waited for came in a turn of its own. */
  hasTurned(): void {
    this.#turnBeganAt = performance.now();
    this.#look(this.#turnBeganAt);
  }

  /** For who has waited without a turn of his own. */
  look(): void {
    this.#look(performance.now());
  }

  #look(now: number): void {
    const pauseMs = now - this.#lookedAt;
    this.#lookedAt = now;
    if (pauseMs >= LONG_MS) this.#onLongPause();
  }
}
