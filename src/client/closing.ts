import type { KafkaError } from '../errors.ts';
import { closedError } from './closed-error.ts';
import type { Commits } from './commits.ts';
import type { Delivery } from './delivery.ts';
import type { TopicPartitionOffset } from './events.ts';
import type { Lookups } from './lookups.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import type { EnginePort } from './port.ts';
import type { Reading } from './reading.ts';
import type { Rebalances } from './rebalances.ts';
import type { Reporting } from './reporting.ts';

/** A quarter of `timeoutMs`, and this at the most, is kept for the commit and the goodbye. */
const MOST_RESERVE_MS = 5000;
/** So long after the last handler the last commit is given up, or after a fifth of `timeoutMs`. */
const COMMIT_MS = 6000;
/** So much of the end of each time, a quarter at the most, is for what comes after it. */
const END_MS = 1000;
/** So long after the last commit and the last listener the answer to LeaveGroup is waited for. */
const LEAVE_MS = 2000;
/** A handler may well take so long; a loop that waits for its own `close()` would never come back. */
const WARNING_MS = 1000;
/** What an aborted signal allows, as `close()` does by default. */
const ABORT_CLOSE_MS = 30_000;

/** What `close()` could not bring to its end. */
export interface CloseResult {
  /**
   * Partitions with records that were handed out and not finished, each with the offset of the oldest
   * one: whoever reads the partition next gets them again.
   */
  unfinished: TopicPartitionOffset[];
  /**
   * Partitions of which more was finished than is committed, each with the offset that a commit would
   * have named: whoever reads the partition next gets those records again. With
   * `enableAutoCommit: false` this is whatever the application has not committed by itself; without a
   * `groupId` it is empty.
   */
  uncommitted: TopicPartitionOffset[];
  /**
   * The group knows that this member is gone, or never had it. `false` for static members, which stay
   * in the group on purpose, and where the coordinator has not answered: the group then notices at the
   * end of `sessionTimeoutMs`.
   */
  hasLeft: boolean;
}

/** What `close()` needs of the session. */
export interface ClosingHost<K, V> {
  readonly delivery: Delivery<K, V>;
  readonly reading: Reading<K, V>;
  readonly rebalances: Rebalances<K, V>;
  readonly commits: Commits<K, V>;
  readonly lookups: Lookups;
  readonly engine: EnginePort;
  readonly reporting: Reporting;
  readonly hasGroup: boolean;
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
  #closing: Promise<CloseResult> | null = null;
  #isClosed = false;
  /** All by `performance.now()`. A later call may bring them forward. */
  #deadline = Infinity;
  #handsBy = Infinity;
  #commitBy = Infinity;
  #commitMs = 0;
  #isEngineClosing = false;
  #resolveClosed: (hasLeft: boolean) => void = () => undefined;
  /** End the waits for commits: see `whileCommitting`. */
  readonly #commitWaits = new Set<() => void>();
  /** Looks again at what is waited for: something was let go of, or there is less time. */
  #look: () => void = () => undefined;
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

  /** Until when the last commit is tried; Infinity before `close()` has come to it. */
  get commitBy(): number {
    return this.#commitBy;
  }

  /** Waits for this commit, but not beyond `commitBy`, also where `close()` is called meanwhile. */
  async whileCommitting(commit: Promise<void>): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#commitWaits.add(resolve);
      void commit.finally(() => {
        this.#commitWaits.delete(resolve);
        resolve();
      });
    });
  }

  /** The same for all calls; the shortest time counts. */
  close(timeoutMs: number): Promise<CloseResult> {
    const deadline = performance.now() + timeoutMs;
    const reserveMs = Math.min(MOST_RESERVE_MS, timeoutMs / 4);
    this.#host.rebalances.closing(reserveMs);
    if (deadline < this.#deadline) {
      this.#deadline = deadline;
      this.#handsBy = deadline - reserveMs;
      this.#commitMs = Math.max(COMMIT_MS, timeoutMs / 5);
      if (this.#isEngineClosing) this.#closeEngine();
      this.#look();
    }
    this.#closing ??= this.#close(timeoutMs);
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
    this.#look();
  }

  /** The engine has closed its connections. */
  onEngineClosed(hasLeft: boolean): void {
    this.#resolveClosed(hasLeft);
  }

  /** Semantics §8: let handlers end, commit, tell the listener, leave, close the sockets. */
  async #close(timeoutMs: number): Promise<CloseResult> {
    const { delivery, reading, rebalances, commits, lookups, isSubscribed, failure, onClosed } = this.#host;
    this.#unfollowSignal();
    reading.end();
    const partitions = [...delivery.partitions];
    await this.#untilHandIsEmpty();
    // Whatever is still in hand stays unfinished: the commit of the rest and the goodbye must not wait for it.
    const unfinished = partitions.filter(isUnfinished).map((each) => ({ each, offset: each.ledger.oldestUnfinished }));
    this.#tellAbandoned(timeoutMs);
    delivery.abandonWork();
    // But not what `poll()` gave: a `commit()` in `onRevoked` covers that, and nobody waits for it.
    if (!reading.isPollInHand) reading.abandon();
    rebalances.handChanged();
    // Where no coordinator answers there is nothing to wait for: the time of these is bounded by itself.
    const now = performance.now();
    this.#commitBy = Math.min(now + this.#commitMs, beforeEnd(now, this.#deadline));
    const commitTimer = setTimeout(() => this.#endCommitWaits(), Math.max(0, this.#commitBy - now));
    if (failure() === null) await this.#within(commits.beforeClose(beforeEnd(now, this.#commitBy)));
    // A group's partitions are committed when they are revoked, which `close` brings about.
    if (failure() === null && !isSubscribed())
      await this.#within(commits.beforeRevocation([...delivery.partitions], this.#commitBy));
    const closed = new Promise<boolean>((resolve) => (this.#resolveClosed = resolve));
    this.#closeEngine();
    const hasLeft = await closed;
    clearTimeout(commitTimer);
    this.#isClosed = true;
    rebalances.close();
    commits.failAll(closedError());
    lookups.failAll(closedError());
    delivery.remove([...delivery.partitions]);
    onClosed();
    return {
      // A listener may have committed what `poll()` gave.
      unfinished: unfinished
        .filter(({ each, offset }) => each.ledger.finished <= offset)
        .map(({ each, offset }) => at(each, offset)),
      uncommitted: this.#host.hasGroup ? partitions.filter(isUncommitted).map((each) => at(each)) : [],
      hasLeft,
    };
  }

  #endCommitWaits(): void {
    for (const end of [...this.#commitWaits]) end();
  }

  #closeEngine(): void {
    this.#isEngineClosing = true;
    const timeoutMs = Math.max(0, this.#deadline - performance.now());
    this.#host.engine.send({ type: 'close', timeoutMs, leaveTimeoutMs: LEAVE_MS });
  }

  /** A loop comes back when its handler is done. After `poll()` nobody can tell whether the application still works on it. */
  async #untilHandIsEmpty(): Promise<void> {
    const { delivery, reading } = this.#host;
    let warning: NodeJS.Timeout | undefined;
    while (delivery.hasInHand && !reading.isPollInHand) {
      const waitMs = this.#handsBy - performance.now();
      if (waitMs <= 0) break;
      warning ??= setTimeout(() => this.#tellWaiting(), WARNING_MS);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs);
        this.#look = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#look = () => undefined;
    clearTimeout(warning);
  }

  /** Until it settles, or the time is up. */
  async #within(work: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#look = () => {
        clearTimeout(timer);
        timer = setTimeout(resolve, Math.max(0, this.#deadline - performance.now()));
      };
      this.#look();
      void work.finally(resolve);
    });
    clearTimeout(timer);
    this.#look = () => undefined;
  }

  #tellWaiting(): void {
    const { delivery, reporting } = this.#host;
    const leftMs = Math.max(0, Math.round(this.#handsBy - performance.now()));
    const text = `close() waits, ${leftMs} ms at the most, for the application to finish ${describe(delivery)}`;
    reporting.log('warn', text);
  }

  #tellAbandoned(timeoutMs: number): void {
    const { delivery, reading, reporting } = this.#host;
    if (!delivery.hasInHand) return;
    if (reading.isPollInHand) {
      const advice = 'where it is handled, await commit() before close()';
      reporting.log('info', `close(): not finished, so handed out again: ${describe(delivery)}; ${advice}`);
      return;
    }
    const advice =
      'allow close() more timeoutMs, or let handlers heed their signal; ' +
      'inside a loop or a handler do not await close(), but break, or return, first';
    reporting.log('warn', `close() of ${timeoutMs} ms does not wait any longer for ${describe(delivery)}; ${advice}`);
  }
}

function beforeEnd(now: number, end: number): number {
  return end - Math.min(END_MS, (end - now) / 4);
}

function isUnfinished<K, V>({ isInHand, ledger }: PartitionDelivery<K, V>): boolean {
  return isInHand || ledger.outstandingCount > 0;
}

function isUncommitted<K, V>({ ledger }: PartitionDelivery<K, V>): boolean {
  return ledger.isDirty && ledger.finished !== ledger.startedAt;
}

function at<K, V>(delivery: PartitionDelivery<K, V>, offset = delivery.ledger.finished): TopicPartitionOffset {
  const { topic, partition } = delivery;
  return { topic, partition, offset };
}

/** `t-0 from offset 3 on, t-1 from offset 7 on`. */
function describe<K, V>(delivery: Delivery<K, V>): string {
  const names = [...delivery.partitions]
    .filter((each) => each.running > 0 || isUnfinished(each))
    .map(({ topic, partition, ledger }) => `${topic}-${partition} from offset ${ledger.oldestUnfinished} on`);
  const more = names.length > 5 ? ` and ${names.length - 5} more partitions` : '';
  return `what it has of ${names.slice(0, 5).join(', ')}${more}`;
}
