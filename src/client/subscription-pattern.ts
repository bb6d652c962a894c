import { ConfigError } from '../errors.ts';

/**
 * A regular expression that the broker matches topic names with, for `subscribe` with `groupProtocol: 'consumer'`, as in Java. It is
 * RE2J's syntax (no look-around, no back references), it must match the whole name, and the broker looks for new topics itself.
 */
export class SubscriptionPattern {
  readonly pattern: string;

  /** @throws ConfigError for what is no text, or an empty one; whether it is a regular expression the broker says */
  constructor(pattern: string) {
    if (typeof pattern !== 'string' || pattern === '')
      throw new ConfigError('new SubscriptionPattern(pattern) takes a regular expression as text');
    this.pattern = pattern;
  }

  toString(): string {
    return this.pattern;
  }
}
