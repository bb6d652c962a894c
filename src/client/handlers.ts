import { ConfigError } from '../errors.ts';
import { checkRun, Claims, type ClaimHandler, type RunOptions } from './claims.ts';
import { ForEach } from './for-each.ts';
import { forEachSettings, type ForEachOptions, type RecordHandler } from './for-each-options.ts';
import type { HandlingHost } from './handling.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import type { Unfinished } from './unfinished.ts';
import { show } from './validate.ts';

/** `forEach` and `run`: one of them at a time, and no loop beside it. */
export class Handlers<K, V> {
  readonly #host: HandlingHost<K, V>;
  readonly #maxPollRecords: number;
  #forEach: ForEach<K, V> | null = null;
  #claims: Claims<K, V> | null = null;

  constructor(host: HandlingHost<K, V>, maxPollRecords: number) {
    this.#host = host;
    this.#maxPollRecords = maxPollRecords;
  }

  async forEach(handler: RecordHandler<K, V>, options: ForEachOptions<K, V>): Promise<void> {
    if (typeof handler !== 'function')
      throw new ConfigError(`forEach() takes a function (record, context), not ${show(handler)}`);
    const forEach = new ForEach(this.#host, handler, forEachSettings(options), this.#maxPollRecords);
    this.#mustBeAlone();
    this.#forEach = forEach;
    try {
      await forEach.run();
    } finally {
      this.#forEach = null;
    }
  }

  async run(handler: ClaimHandler<K, V>, options: RunOptions): Promise<void> {
    checkRun(handler, options);
    this.#mustBeAlone();
    this.#claims = new Claims(this.#host, handler, options, this.#maxPollRecords);
    try {
      await this.#claims.run();
    } finally {
      this.#claims = null;
    }
  }

  unfinished(): Unfinished[] {
    return (this.#forEach ?? this.#claims)?.unfinished(performance.now()) ?? [];
  }

  /** `setup` of these, before they are read. */
  async setUp(assigned: readonly PartitionDelivery<K, V>[]): Promise<void> {
    await this.#claims?.onAssigned(assigned);
  }

  /** A second one is refused before it touches what the first one works on. */
  #mustBeAlone(): void {
    if (this.#forEach !== null || this.#claims !== null) this.#host.reading.claim();
  }
}
