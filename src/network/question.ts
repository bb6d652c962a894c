import { ConnectionError, KafkaError, toKafkaError } from '../errors.ts';
import { addressOf, type HostPort } from './candidates.ts';

/** After so long without an answer another broker is asked beside the first. */
const HEDGE_MS = 1000;
/** So many at the same time, at the most: a cluster that is slow for all must not be asked by all for all. */
const MOST_AT_ONCE = 4;
/** After so long without an answer somebody is told who is being waited for. */
const NOTICE_MS = 3000;

export interface QuestionOptions<T> {
  /** For the log, such as `Metadata`. */
  readonly what: string;
  /** Who may be asked, the best first; asked for anew each time. */
  readonly candidates: () => readonly HostPort[];
  readonly ask: (candidate: HostPort) => Promise<T>;
  /** One has not answered in time; another one is asked beside it. */
  readonly onSlow: (address: string) => void;
  /** One has failed while there are others. */
  readonly onPassedOver: (error: KafkaError) => void;
  /** Nobody has answered for long. */
  readonly onWaiting: (message: string) => void;
  /** Which of the failures are worth telling. */
  readonly told: (failures: ReadonlyMap<string, KafkaError>) => readonly KafkaError[];
}

/**
 * One question that any broker can answer, until one has: the next broker is asked when one fails, and beside one that keeps silent.
 * The first answer counts. Whoever was asked in vain ends by a deadline of its own.
 */
export class Question<T> {
  readonly answer: Promise<T>;
  readonly #options: QuestionOptions<T>;
  readonly #asked = new Set<string>();
  readonly #running = new Set<string>();
  readonly #failures = new Map<string, KafkaError>();
  #resolve: (answer: T) => void = () => undefined;
  #reject: (error: KafkaError) => void = () => undefined;
  #hedge: NodeJS.Timeout | undefined;
  readonly #notice: NodeJS.Timeout;
  #isOver = false;

  constructor(options: QuestionOptions<T>) {
    this.#options = options;
    this.answer = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#notice = setTimeout(() => {
      const { what, onWaiting } = options;
      onWaiting(`${what}: no answer for ${NOTICE_MS} ms; waiting for ${[...this.#running].join(', ')}`);
    }, NOTICE_MS);
    this.#askNext();
  }

  /** Rejects with `error`; nobody else is asked. */
  end(error: KafkaError): void {
    if (this.#isOver) return;
    this.#finish();
    this.#reject(error);
  }

  #finish(): void {
    this.#isOver = true;
    clearTimeout(this.#hedge);
    clearTimeout(this.#notice);
  }

  #askNext(): void {
    const candidate = this.#options.candidates().find((each) => !this.#asked.has(addressOf(each)));
    if (candidate === undefined) {
      if (this.#running.size === 0) this.#fail();
      return;
    }
    const address = addressOf(candidate);
    this.#asked.add(address);
    this.#running.add(address);
    this.#options.ask(candidate).then(
      (answer) => this.#onAnswer(answer),
      (error: unknown) => this.#onFailure(address, toKafkaError(error)),
    );
    this.#setHedge();
  }

  #setHedge(): void {
    clearTimeout(this.#hedge);
    // A loop that stood still reads what has arrived meanwhile before anybody counts as slow.
    this.#hedge = setTimeout(() => setImmediate(() => this.#onSlow()), HEDGE_MS);
  }

  #onSlow(): void {
    if (this.#isOver) return;
    for (const address of this.#running) this.#options.onSlow(address);
    if (this.#running.size < MOST_AT_ONCE) this.#askNext();
    else this.#setHedge();
  }

  #onAnswer(answer: T): void {
    if (this.#isOver) return;
    this.#finish();
    this.#resolve(answer);
  }

  #onFailure(address: string, error: KafkaError): void {
    this.#running.delete(address);
    if (this.#isOver) return;
    this.#failures.set(address, error);
    const others = this.#options.candidates().some((each) => !this.#asked.has(addressOf(each)));
    if (others || this.#running.size > 0) this.#options.onPassedOver(error);
    this.#askNext();
  }

  #fail(): void {
    this.#finish();
    const told = this.#options.told(this.#failures);
    const [first] = told;
    // Only where all have refused is there nothing to wait for.
    const isFinal = this.#failures.size > 0 && [...this.#failures.values()].every(({ retriable }) => !retriable);
    if (first === undefined) return this.#reject(new ConnectionError('there is no broker to ask'));
    if (told.length === 1 && (first.retriable || isFinal)) return this.#reject(first);
    const text = told.map(({ message }) => message).join('; ');
    const { code, name } = first;
    this.#reject(
      isFinal ? new KafkaError(text, { code, name, cause: first }) : new ConnectionError(text, { cause: first }),
    );
  }
}
