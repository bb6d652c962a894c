import { CLIENT_ERROR_CODES, KafkaError } from '../errors.ts';
import type { TopicPartition } from '../fetch/partition.ts';
import { Bounded } from './bounded.ts';
import { messageOf } from './reporting.ts';

/**
 * Called, and waited for, while the group stands still; for `maxPollIntervalMs` at the most. `position`, `seek`, `pause`, `commit` and
 * questions about offsets and topics work inside them, also while the consumer closes. Cooperative (KIP-429): they get the
 * partitions that are added and taken away, while the rest is delivered.
 */
export interface RebalanceListener {
  /**
   * Nothing of these is read before it returns: `seek` here decides where reading begins. Where it throws, or takes too long, the next
   * read throws that, nothing of these is read, and the read after that calls it again.
   */
  onAssigned?: (partitions: TopicPartition[]) => unknown;
  /** What was finished is committed; nothing of these is delivered any more. Where it throws, the next read does, once. */
  onRevoked?: (partitions: TopicPartition[]) => unknown;
  /**
   * The group has gone on without this member: others may consume these already, and nothing can be committed. Without it
   * `onRevoked` is called, as in Java.
   */
  onLost?: (partitions: TopicPartition[]) => unknown;
}

/** From `subscribe` to `unsubscribe`. Another `subscribe` meanwhile replaces the listener, also for what was assigned before. */
export interface ListenerHolder {
  listener: RebalanceListener;
}

/** Calls what the application wants to be told, one listener at a time. */
export class Listeners {
  readonly #timeoutMs: number;
  readonly #bounded = new Bounded();
  #running: { readonly name: keyof RebalanceListener; isOnStack: boolean; limit?: NodeJS.Timeout } | null = null;
  #isClosed = false;

  /** @param timeoutMs so long may a listener take */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** One was called and has not returned. */
  get isRunning(): boolean {
    return this.#running !== null;
  }

  /**
   * Returns `null`, or what the listener has thrown; never rejects.
   * @param then what else is done, once the listener has returned
   */
  async call(
    name: keyof RebalanceListener,
    partitions: readonly TopicPartition[],
    { listener }: ListenerHolder,
    then?: () => unknown,
  ): Promise<KafkaError | null> {
    if (this.#isClosed) return null;
    const copy = partitions.map(({ topic, partition }) => ({ topic, partition }));
    const running = { name, isOnStack: true };
    this.#running = running;
    try {
      let returned: unknown =
        name === 'onLost' && listener.onLost === undefined ? listener.onRevoked?.(copy) : listener[name]?.(copy);
      running.isOnStack = false;
      if (then !== undefined) returned = Promise.resolve(returned).then(then);
      const waiting = this.#bounded.wait(returned, this.#timeoutMs);
      if (this.#running === null) this.#bounded.release(); // it has closed the consumer
      if (await waiting) return null;
      return listenerError(`${name} has not returned within maxPollIntervalMs (${this.#timeoutMs} ms)`);
    } catch (cause) {
      return listenerError(`${name} has thrown: ${messageOf(cause)}`, cause);
    } finally {
      this.#stop();
    }
  }

  /**
   * `close()` is called, maybe by the listener that runs, which then waits for that. So where it certainly does, or where nothing depends
   * on its end, it is not waited for any more; an `onRevoked` that was called before may take this much longer.
   */
  closing(graceMs: number): void {
    const running = this.#running;
    if (running === null) return;
    if (!running.isOnStack && running.name === 'onRevoked')
      running.limit ??= setTimeout(() => this.#bounded.release(), graceMs);
    else if (running.isOnStack) this.#stop();
    else this.#bounded.release();
  }

  /** The consumer is closed: none is called any more, and none is waited for. */
  close(): void {
    this.#isClosed = true;
    this.#bounded.close();
  }

  #stop(): void {
    clearTimeout(this.#running?.limit);
    this.#running = null;
  }
}

function listenerError(text: string, cause?: unknown): KafkaError {
  return new KafkaError(text, { code: CLIENT_ERROR_CODES.STATE, name: 'ListenerError', cause });
}
