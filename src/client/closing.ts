import type { KafkaError } from '../errors.ts';
import { closedError } from './closed-error.ts';
import type { Commits } from './commits.ts';
import type { Delivery } from './delivery.ts';
import type { Lookups } from './lookups.ts';
import type { EnginePort } from './port.ts';
import type { Reading } from './reading.ts';
import type { Rebalances } from './rebalances.ts';
import type { Reporting } from './reporting.ts';

/** The end of the time for `close()` that is kept for the commit and the goodbye, whatever the application holds. */
const CLOSE_RESERVE_MS = 5000;
/** A handler may well take so long; a loop that waits for its own `close()` would never come back. */
const CLOSE_WARNING_MS = 1000;
/** What an aborted signal allows, as `close()` does by default. */
const ABORT_CLOSE_MS = 30_000;

/** What `close()` needs of the session. */
export interface ClosingHost<K, V> {
  readonly delivery: Delivery<K, V>;
  readonly reading: Reading<K, V>;
  readonly rebalances: Rebalances<K, V>;
  readonly commits: Commits<K, V>;
  readonly lookups: Lookups;
  readonly engine: EnginePort;
  readonly reporting: Reporting;
  /** Partitions of a group, which are committed when they are revoked. */
  isSubscribed: () => boolean;
  /** What the consumer has failed with for good. */
  failure: () => KafkaError | null;
  /** Nothing is assigned any more. */
  onClosed: () => void;
}

/** `close()`: once, however often it is called. */
export class Closing<K, V> {
  readonly #host: ClosingHost<K, V>;
  #closing: Promise<void> | null = null;
  #isClosed = false;
  #resolveClosed: () => void = () => undefined;
  #wakeOnHandChange: () => void = () => undefined;
  #unfollowSignal: () => void = () => undefined;

  constructor(host: ClosingHost<K, V>) {
    this.#host = host;
  }

  /** `close()` was called. */
  get hasBegun(): boolean {
    return this.#closing !== null;
  }

  /** The group is left and the connections are closed. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(timeoutMs: number): Promise<void> {
    this.#closing ??= this.#close(performance.now() + timeoutMs);
    return this.#closing;
  }

  /** Closes when the signal is aborted, at once where it is already. */
  followSignal(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const close = (): void => void this.close(ABORT_CLOSE_MS);
    if (signal.aborted) close();
    signal.addEventListener('abort', close, { once: true });
    this.#unfollowSignal = () => signal.removeEventListener('abort', close);
  }

  /** The application has let go of something. */
  handChanged(): void {
    this.#wakeOnHandChange();
  }

  /** The engine has closed its connections. */
  onEngineClosed(): void {
    this.#resolveClosed();
  }

  /** Semantics §8: let handlers end, commit, tell the listener, leave, close the sockets. */
  async #close(deadline: number): Promise<void> {
    const { delivery, reading, rebalances, commits, lookups, engine, isSubscribed, failure, onClosed } = this.#host;
    this.#unfollowSignal();
    reading.end();
    await this.#untilHandIsEmpty(deadline);
    // Whatever is still in hand stays unfinished: the commit of the rest and the goodbye must not wait for it.
    reading.abandon();
    delivery.abandonWork();
    // A group's partitions are committed when they are revoked, which `close` brings about.
    if (failure() === null) await commits.beforeClose(deadline - CLOSE_RESERVE_MS);
    if (failure() === null) await commits.beforeRevocation(isSubscribed() ? [] : [...delivery.partitions], deadline);
    const closed = new Promise<void>((resolve) => (this.#resolveClosed = resolve));
    engine.send({ type: 'close', timeoutMs: Math.max(0, deadline - performance.now()) });
    await closed;
    this.#isClosed = true;
    rebalances.close();
    commits.failAll(closedError());
    lookups.failAll(closedError());
    delivery.remove([...delivery.partitions]);
    onClosed();
  }

  /** A loop comes back when its handler is done. After `poll()` nobody can tell whether the application still works on it. */
  async #untilHandIsEmpty(deadline: number): Promise<void> {
    const { delivery, reading, reporting } = this.#host;
    const waitMs = Math.max(0, deadline - performance.now() - CLOSE_RESERVE_MS);
    if (!delivery.hasInHand || reading.isPollInHand || waitMs === 0) return;
    const text = 'close() waits for the loop to finish what it holds; inside a loop, break before you close';
    const warning = setTimeout(() => reporting.log('warn', text), Math.min(CLOSE_WARNING_MS, waitMs));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#wakeOnHandChange = () => {
        if (delivery.hasInHand) return;
        clearTimeout(timer);
        resolve();
      };
    });
    clearTimeout(warning);
  }
}
