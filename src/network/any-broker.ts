import { ConnectionError, toKafkaError, type KafkaError } from '../errors.ts';
import { addressOf, type Candidates, type HostPort } from './candidates.ts';
import type { Connection } from './connection.ts';
import { isUsable, watched, type Opening } from './opening.ts';
import { Question } from './question.ts';

/** What a question may take at first, connecting included; more where brokers have shown that they need it. */
const FIRST_TIMEOUT_MS = 5000;
/** An answer may take so many times as long as the one before. */
const TIMEOUT_FACTOR = 4;
/** So many connections are kept for the next question. */
const MOST_KEPT = 3;
/** That nobody answers is told no more often than this. */
const TELL_MS = 10_000;
/** An answer that is older than this says little about the broker that gave it. */
const RECENT_MS = 10_000;

export interface AnyBrokerOptions {
  requestTimeoutMs: number;
  /** One broker could not be asked; another one is. */
  onPassedOver: (error: KafkaError) => void;
  /** Nobody has answered for long: who is being waited for. */
  onWaiting: (message: string) => void;
}

/**
 * Whichever broker answers: metadata and coordinators are known to all of them. Each question goes to a broker that is likely to answer, and
 * beside it to another one when no answer comes soon. Its deadline is short, so that a broker that has died without a word is given up
 * early; it grows as far as `requestTimeoutMs` where brokers are slow.
 */
export class AnyBroker {
  readonly #options: AnyBrokerOptions;
  readonly #candidates: Candidates;
  readonly #connect: (candidate: HostPort, timeoutMs: number) => Promise<Connection>;
  readonly #questions = new Set<{ end: (error: KafkaError) => void }>();
  /** By address; whoever answered last is the last one. */
  readonly #kept = new Map<string, Opening>();
  #timeoutMs: number;
  #lastAnswer = { address: '', at: -Infinity };
  #toldAt = -Infinity;
  #closed: KafkaError | null = null;

  constructor(
    options: AnyBrokerOptions,
    candidates: Candidates,
    connect: (candidate: HostPort, timeoutMs: number) => Promise<Connection>,
  ) {
    this.#options = options;
    this.#candidates = candidates;
    this.#connect = connect;
    this.#timeoutMs = this.#leastTimeoutMs;
  }

  /**
   * The first answer of any broker. Rejects when all have failed: retriable, unless all have refused for good.
   *
   * @param ask sends the question over the connection that it gets, and waits for `timeoutMs` at the most
   */
  async ask<T>(what: string, ask: (connection: Connection, timeoutMs: number) => Promise<T>): Promise<T> {
    if (this.#closed !== null) throw this.#closed;
    const question = new Question<T>({
      what,
      candidates: () => this.#candidates.inOrder((address) => this.#isOpen(address)),
      ask: (candidate) => this.#askOne(candidate, ask),
      onSlow: (address) => this.#candidates.failed(address),
      onPassedOver: this.#options.onPassedOver,
      onWaiting: (message) => this.#tellWaiting(message),
      told: (failures) => this.#candidates.told(failures),
    });
    this.#questions.add(question);
    try {
      return await question.answer;
    } finally {
      this.#questions.delete(question);
    }
  }

  /** The last answer, if it is recent, did not help: the next question goes to another broker, if there is one. */
  doubt(): void {
    const { address, at } = this.#lastAnswer;
    if (performance.now() - at < RECENT_MS) this.#candidates.doubt(address);
  }

  close(error: KafkaError): void {
    this.#closed = error;
    for (const question of this.#questions) question.end(error);
  }

  #tellWaiting(message: string): void {
    const now = performance.now();
    if (now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    this.#options.onWaiting(message);
  }

  get #leastTimeoutMs(): number {
    return Math.min(FIRST_TIMEOUT_MS, this.#options.requestTimeoutMs);
  }

  #isOpen(address: string): boolean {
    return this.#kept.get(address)?.connection?.isOpen === true;
  }

  async #askOne<T>(candidate: HostPort, ask: (connection: Connection, timeoutMs: number) => Promise<T>): Promise<T> {
    const address = addressOf(candidate);
    const startedAt = performance.now();
    const timeoutMs = this.#timeoutMs;
    let connection: Connection | null = null;
    try {
      connection = await this.#connection(candidate, timeoutMs);
      const answer = await ask(connection, timeoutMs);
      this.#answered(address, performance.now() - startedAt);
      return answer;
    } catch (error) {
      if (this.#closed !== null) throw this.#closed;
      this.#candidates.failed(address);
      if (performance.now() - startedAt >= timeoutMs)
        this.#timeoutMs = Math.min(this.#options.requestTimeoutMs, Math.max(this.#timeoutMs, 2 * timeoutMs));
      // It may have something against this question that another broker has not: its version, an error code.
      connection?.close(new ConnectionError(`${address} is left for another broker`, { cause: error }));
      throw toKafkaError(error);
    }
  }

  #connection(candidate: HostPort, timeoutMs: number): Promise<Connection> {
    const address = addressOf(candidate);
    const known = this.#kept.get(address);
    if (known !== undefined && isUsable(known)) return known.promise;
    const opening = watched(
      () => this.#connect(candidate, timeoutMs),
      () => {
        if (this.#kept.get(address) === opening) this.#kept.delete(address);
      },
    );
    this.#kept.set(address, opening);
    return opening.promise;
  }

  #answered(address: string, elapsedMs: number): void {
    this.#candidates.succeeded(address);
    this.#lastAnswer = { address, at: performance.now() };
    const { requestTimeoutMs } = this.#options;
    this.#timeoutMs = Math.min(requestTimeoutMs, Math.max(this.#leastTimeoutMs, TIMEOUT_FACTOR * elapsedMs));
    const opening = this.#kept.get(address);
    if (opening === undefined) return;
    this.#kept.delete(address);
    this.#kept.set(address, opening);
    const idle = [...this.#kept.values()].filter((each) => each !== opening && each.connection?.isIdle === true);
    for (const { connection } of idle.slice(0, Math.max(0, this.#kept.size - MOST_KEPT)))
      connection?.close(new ConnectionError(`the connection to ${connection.address} is not needed any more`));
  }
}
