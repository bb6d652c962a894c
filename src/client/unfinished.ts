import type { HandlerError } from '../errors.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import type { PartitionWork } from './partition-work.ts';

/** A record that is not finished, and for how long. */
export interface Unfinished {
  topic: string;
  partition: number;
  /** The oldest unfinished record's: what holds back the commit. */
  offset: number;
  /** Milliseconds since it was handed out. */
  ageMs: number;
  /** Records handed out from it on, finished ones among them included. */
  outstanding: number;
  /**
   * The error that has stopped this partition: nothing more of it is handed out until it is sought, or
   * assigned anew. `null` while it goes on.
   */
  error: HandlerError | null;
}

/** The error that a partition has stopped with, and when: by `performance.now()`. */
export interface Stopped {
  readonly error: HandlerError;
  readonly since: number;
}

/** Returns the oldest unfinished record of this partition; `null` where there is none, or nobody waits for it any more. */
export function oldestOf<K, V>({ delivery, jobs, stopped }: PartitionWork<K, V>, now: number): Unfinished | null {
  const { epoch, isBlocked, ledger } = delivery;
  const oldest = [...jobs].find((each) => each.epoch === epoch);
  if (isBlocked || (oldest === undefined && stopped === null)) return null;
  if (stopped !== null) return stoppedAt(delivery, stopped, now);
  const { topic, partition } = delivery;
  const { offset } = oldest?.record ?? { offset: -1 };
  const ageMs = now - (oldest?.takenAt ?? now);
  return { topic, partition, offset, ageMs, outstanding: ledger.outstandingCount, error: null };
}

/** Describes a partition that was stopped. */
export function stoppedAt<K, V>(
  { topic, partition, ledger }: PartitionDelivery<K, V>,
  { error, since }: Stopped,
  now: number,
): Unfinished {
  const { oldestUnfinished: offset, outstandingCount: outstanding } = ledger;
  return { topic, partition, offset, ageMs: now - since, outstanding, error };
}
