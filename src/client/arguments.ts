import { ConfigError } from '../errors.ts';
import {
  EARLIEST_LOCAL_TIMESTAMP,
  LATEST_TIERED_TIMESTAMP,
  MAX_TIMESTAMP,
  type TopicPartition,
} from '../fetch/partition.ts';
import type { SpecialTimestamp } from './events.ts';
import { SubscriptionPattern } from './subscription-pattern.ts';
import { show } from './validate.ts';

// Arguments of the consumer's methods, checked as strictly as its options: JavaScript has no types at run time.

const LEGAL_TOPIC = /^[a-zA-Z0-9._-]{1,249}$/;

export function topicName(value: unknown, where: string): string {
  if (typeof value === 'string' && LEGAL_TOPIC.test(value) && value !== '.' && value !== '..') return value;
  const takes = 'topic names: up to 249 of the letters a-z A-Z 0-9 . _ -';
  throw new ConfigError(`${where} takes ${takes}, not ${value instanceof RegExp ? String(value) : show(value)}`);
}

const SPECIAL_TIMESTAMPS: Readonly<Record<SpecialTimestamp, number>> = {
  max: MAX_TIMESTAMP,
  'earliest-local': EARLIEST_LOCAL_TIMESTAMP,
  'latest-tiered': LATEST_TIERED_TIMESTAMP,
};

/** What `subscribe` was given: names, patterns for names, and a pattern for the broker. */
export interface Subscription {
  topics: readonly string[];
  patterns: readonly RegExp[];
  brokerPattern: string | null;
}

/** Names, RegExps, and strings that begin with `^`: regular expressions, as in librdkafka. */
export function subscription(value: unknown, where: string): Subscription {
  const list: unknown[] = Array.isArray(value) ? value : value === undefined ? [] : [value];
  if (list.length === 0)
    throw new ConfigError(`${where} takes an array of topic names and patterns with at least one in it`);
  const topics = new Set<string>();
  const patterns: RegExp[] = [];
  const brokerPatterns: string[] = [];
  for (const each of list) {
    if (each instanceof SubscriptionPattern) brokerPatterns.push(each.pattern);
    else if (each instanceof RegExp) patterns.push(stateless(each));
    else if (typeof each === 'string' && each.startsWith('^')) patterns.push(compiled(each, where));
    else topics.add(topicName(each, where));
  }
  const [first, ...others] = brokerPatterns;
  if (first === undefined) return { topics: [...topics], patterns, brokerPattern: null };
  // Each matches whole names, and so does one of them all.
  const brokerPattern = others.length === 0 ? first : brokerPatterns.map((each) => `(?:${each})`).join('|');
  return { topics: [...topics], patterns, brokerPattern };
}

/** With `g` or `y` a RegExp remembers where it was, and matches every other time. */
function stateless(pattern: RegExp): RegExp {
  return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
}

function compiled(pattern: string, where: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (cause) {
    throw new ConfigError(`${where}: '${pattern}' is not a regular expression: ${(cause as Error).message}`, { cause });
  }
}

export function topicPartition(value: unknown, where: string): TopicPartition {
  const { topic, partition } = (value ?? {}) as Partial<TopicPartition>;
  if (typeof partition !== 'number' || !Number.isInteger(partition) || partition < 0) {
    throw new ConfigError(`${where} takes { topic, partition } with a partition from 0 on, not ${show(value)}`);
  }
  return { topic: topicName(topic, where), partition };
}

export function topicPartitions(value: unknown, where: string): TopicPartition[] {
  if (!Array.isArray(value))
    throw new ConfigError(`${where} takes an array of { topic, partition }, not ${show(value)}`);
  return value.map((each) => topicPartition(each, where));
}

export function partitionsAtTime(value: unknown, where: string): (TopicPartition & { timestamp: number })[] {
  return topicPartitions(value, where).map((each, index) => {
    const { timestamp } = (value as { timestamp?: unknown }[])[index] ?? {}; // topicPartitions has found an array of objects
    if (typeof timestamp === 'number' && Number.isSafeInteger(timestamp) && timestamp >= 0)
      return { ...each, timestamp };
    if (typeof timestamp === 'string' && Object.hasOwn(SPECIAL_TIMESTAMPS, timestamp))
      return { ...each, timestamp: SPECIAL_TIMESTAMPS[timestamp as SpecialTimestamp] };
    const names = Object.keys(SPECIAL_TIMESTAMPS).join("', '");
    throw new ConfigError(
      `${where} takes a timestamp in milliseconds since 1970, or '${names}', not ${show(timestamp)}`,
    );
  });
}

export function offset(value: unknown, where: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new ConfigError(`${where} takes an offset from 0 on, not ${show(value)}`);
}

export function milliseconds(value: unknown, where: string): number {
  if (typeof value === 'number' && value >= 0) return Math.min(value, 0x7fffffff);
  throw new ConfigError(`${where} takes milliseconds, not ${show(value)}`);
}
