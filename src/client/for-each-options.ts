import { ConfigError } from '../errors.ts';
import type { KafkaRecord } from '../protocol/record.ts';
import { isSignal, show } from './validate.ts';

/** What a handler gets beside the record. */
export interface HandlerContext {
  /**
   * Aborted when the record's partition is being given back, or the consumer closes: finish soon, or give up. What is given up (the
   * handler throws) is not finished and comes again, here or elsewhere. Made when first asked for.
   */
  readonly signal: AbortSignal;
  /** 1, and one more with every retry. */
  readonly attempt: number;
}

/** A promise is waited for; anything else means that the record is finished when the handler returns, and costs no promise. */
export type RecordHandler<K, V> = (record: KafkaRecord<K, V>, context: HandlerContext) => unknown;

export interface ForEachOptions<K = Buffer | null, V = Buffer | null> {
  /** How many records are handled at the same time, over all partitions. Default 1. */
  concurrency?: number;
  /**
   * Which records are never handled at the same time, but one after the other as they were written: those of a partition
   * (default), those of a partition with the same key (records without a key have no order), or none.
   */
  ordering?: 'partition' | 'key' | 'none';
  /** How often a record whose handler has failed is tried again before that counts. Default 0. */
  retries?: number;
  /** Before the first retry; doubled with every further one, up to `retryBackoffMaxMs`. Default 100. */
  retryBackoffMs?: number;
  /** Default 10,000. */
  retryBackoffMaxMs?: number;
  /**
   * Gets a record that could not be handled, and what its handler threw last. When it returns (or its promise resolves) the record
   * is finished; when it throws, that is the record's error. `record.keyBytes` and `valueBytes` are there even if a deserializer has failed.
   */
  deadLetter?: (record: KafkaRecord<K, V>, error: unknown, context: HandlerContext) => unknown;
  /**
   * What a record stops that could not be handled: its `'partition'` (default), from which nothing more is handed out until it is assigned
   * anew or sought, while the others go on; or `'all'`. Either way `forEach` rejects with the first `HandlerError` when it ends, which
   * it does when nothing is left that goes on.
   */
  stopOnError?: 'partition' | 'all';
  /**
   * How many records of a partition are handed out at the most from its oldest unfinished one on. With
   * `ordering: 'key'` so many of each partition may wait in memory behind their key. Default 1000.
   */
  maxAhead?: number;
  /** Aborted: nothing more is handed out, what runs is finished, and `forEach` resolves. The consumer stays open. */
  signal?: AbortSignal;
}

export type ForEachSettings<K, V> = Required<Omit<ForEachOptions<K, V>, 'deadLetter' | 'signal'>> &
  Pick<ForEachOptions<K, V>, 'deadLetter' | 'signal'>;

const MAX_INT32 = 0x7fffffff;
const INTEGERS = {
  concurrency: { least: 1, otherwise: 1 },
  retries: { least: 0, otherwise: 0 },
  retryBackoffMs: { least: 0, otherwise: 100 },
  retryBackoffMaxMs: { least: 0, otherwise: 10_000 },
  maxAhead: { least: 1, otherwise: 1000 },
} as const;
const CHOICES = { ordering: ['partition', 'key', 'none'], stopOnError: ['partition', 'all'] } as const;

/** @throws ConfigError that names the option and what it takes */
export function forEachSettings<K, V>(options: ForEachOptions<K, V>): ForEachSettings<K, V> {
  const given = checkedNames(
    options,
    [...Object.keys(INTEGERS), ...Object.keys(CHOICES), 'deadLetter', 'signal'],
    'forEach()',
  );
  const settings: Record<string, unknown> = {};
  for (const [name, { least, otherwise }] of Object.entries(INTEGERS)) {
    const value = given[name] ?? otherwise;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > MAX_INT32)
      throw new ConfigError(`forEach(): ${name} takes an integer from ${least} to ${MAX_INT32}, not ${show(value)}`);
    settings[name] = value;
  }
  for (const [name, values] of Object.entries(CHOICES)) settings[name] = choice(given[name] ?? values[0], name, values);
  const { deadLetter } = given;
  if (deadLetter !== undefined && typeof deadLetter !== 'function')
    throw new ConfigError(`forEach(): deadLetter takes a function (record, error, context), not ${show(deadLetter)}`);
  return { ...settings, deadLetter, signal: optionalSignal(given, 'forEach()') } as ForEachSettings<K, V>; // each was checked

  function choice(value: unknown, name: string, values: readonly string[]): unknown {
    if (values.some((each) => each === value)) return value;
    throw new ConfigError(
      `forEach(): ${name} takes one of ${values.map((each) => `'${each}'`).join(', ')}, not ${show(value)}`,
    );
  }
}

export function checkedNames(options: unknown, names: readonly string[], where: string): Record<string, unknown> {
  if (typeof options !== 'object' || options === null) throw new ConfigError(`${where} takes an object of options`);
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown === undefined) return options as Record<string, unknown>;
  throw new ConfigError(`${where}: unknown option '${unknown}'; there are ${names.join(', ')}`);
}

export function optionalSignal(given: Record<string, unknown>, where: string): AbortSignal | undefined {
  const { signal } = given;
  if (signal === undefined || isSignal(signal)) return signal;
  throw new ConfigError(`${where}: signal takes an AbortSignal, not ${show(signal)}`);
}
