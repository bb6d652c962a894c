import { HandlerError, type KafkaError } from '../errors.ts';
import type { TopicPartition } from '../fetch/partition.ts';
import type { ConsumerEvents, RebalanceEvent } from './events.ts';
import type { Logger } from './logger.ts';
import type { LogLevel } from './port.ts';

/** The same trouble is not told more often than this. */
const TROUBLE_REPEAT_MS = 10_000;
/** So many different ones are remembered: with more than that within that time, the oldest is told again. */
const MOST_TROUBLES = 1000;

/** A partition whose records somebody still works on. */
interface UnfinishedWork extends TopicPartition {
  readonly position: number;
  readonly ledger: { readonly oldestUnfinished: number };
}

export interface Listeners {
  emit<E extends keyof ConsumerEvents>(name: E, ...values: ConsumerEvents[E]): void;
  hasListener(name: keyof ConsumerEvents): boolean;
}

/** What the application is told without having asked: events, log lines, errors that nobody waits for. */
export class Reporting {
  readonly #listeners: Listeners;
  readonly #logger: Logger | null;
  /** By message: when it was told; the oldest first. */
  readonly #troubles = new Map<string, number>();

  constructor(listeners: Listeners, logger: Logger | null) {
    this.#listeners = listeners;
    this.#logger = logger;
  }

  /** A listener that throws is its own affair: it must not end a rebalance or a read. */
  tell<E extends keyof ConsumerEvents>(name: E, ...values: ConsumerEvents[E]): void {
    try {
      this.#listeners.emit(name, ...values);
    } catch (error) {
      if (name !== 'log') this.log('error', `a listener of '${name}' has thrown: ${messageOf(error)}`);
    }
  }

  log(level: LogLevel, message: string): void {
    try {
      this.#logger?.[level](message);
    } catch {
      // A logger that throws has nobody to be told of it, and must not end a rebalance or a metadata refresh.
    }
    this.tell('log', { level, message });
  }

  rebalanced(rebalance: RebalanceEvent): void {
    const { cause, durationMs, generation, assigned, revoked, lost } = rebalance;
    const moved = `${assigned.length} partitions assigned, ${revoked.length} revoked, ${lost.length} lost`;
    this.log('info', `rebalance to generation ${generation} took ${Math.round(durationMs)} ms: ${moved} (${cause})`);
    this.tell('rebalance', rebalance);
  }

  /** Something failed that no call will throw: to the listeners of `error`, or, where there are none, to the log. */
  error(error: KafkaError): void {
    if (this.#listeners.hasListener('error')) this.tell('error', error);
    else this.log('warn', error.message);
  }

  /** So long were handlers waited for that hold back a revocation; the group does not wait any longer. */
  givenUp(deliveries: readonly UnfinishedWork[], maxPollIntervalMs: number): void {
    for (const { topic, partition, ledger, position } of deliveries) {
      const offset = ledger.oldestUnfinished < 0 ? position : ledger.oldestUnfinished;
      const text = `${topic}-${partition} is given back with offset ${offset} still in work: its handler has not ended within maxPollIntervalMs (${maxPollIntervalMs} ms), so whoever gets the partition consumes that record again`;
      this.error(new HandlerError(text, { topic, partition, offset }));
    }
  }

  /** Something failed that is tried again, and may fail many times a second. */
  trouble(error: KafkaError): void {
    const now = performance.now();
    // Several may alternate: brokers that fail in different ways, or one that fails in two.
    for (const [message, toldAt] of this.#troubles) {
      if (now - toldAt < TROUBLE_REPEAT_MS && this.#troubles.size <= MOST_TROUBLES) break;
      this.#troubles.delete(message);
    }
    if (this.#troubles.has(error.message)) return;
    this.#troubles.set(error.message, now);
    this.error(error);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
