import { ERROR_CODES } from '../../protocol/error-codes.ts';
import type { Timers } from '../clock.ts';
import { ClassicGroup, type ClassicGroupOptions } from './classic-group.ts';
import { failedJoin, type JoinEvent, type JoinResult, type SyncEvent, type SyncResult } from './classic-messages.ts';
import { ConsumerGroup, type ConsumerGroupOptions } from './consumer-group.ts';
import { CommittedOffsets } from './offsets.ts';

/** A group: members by one of the two protocols, and committed offsets. */
export interface Group {
  readonly id: string;
  readonly classic: ClassicGroup;
  readonly consumer: ConsumerGroup;
  readonly offsets: CommittedOffsets;
}

export interface CoordinatorOptions {
  readonly classic: ClassicGroupOptions;
  readonly consumer: ConsumerGroupOptions;
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
}

/**
 * All groups of the cluster. It gives the machines of the groups their time, one timer for all, and brings their answers to the requests that
 * wait. Which broker may speak for a group is the cluster's business.
 */
export class GroupCoordinator {
  readonly #options: CoordinatorOptions;
  readonly #timers: Timers;
  readonly #changed: () => void;
  readonly #groups = new Map<string, Group>();
  readonly #waiting = new Map<number, (result: never) => void>();
  #lastToken = 0;
  #timer: { at: number; cancel: () => void } | null = null;

  /** @param changed is called after anything has happened to a group */
  constructor(options: CoordinatorOptions, timers: Timers, changed: () => void) {
    this.#options = options;
    this.#timers = timers;
    this.#changed = changed;
  }

  get all(): Group[] {
    return [...this.#groups.values()];
  }

  find(id: string): Group | undefined {
    return this.#groups.get(id);
  }

  findOrCreate(id: string): Group {
    const known = this.#groups.get(id);
    if (known !== undefined) return known;
    const classic = new ClassicGroup(this.#options.classic);
    const group: Group = {
      id,
      classic,
      consumer: new ConsumerGroup(this.#options.consumer),
      offsets: new CommittedOffsets(),
    };
    this.#groups.set(id, group);
    return group;
  }

  join(groupId: string, event: Omit<JoinEvent, 'type' | 'token'>): Promise<JoinResult> | JoinResult {
    const { sessionTimeoutMs, memberId } = event;
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#options;
    if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs) {
      return failedJoin(ERROR_CODES.INVALID_SESSION_TIMEOUT, memberId);
    }
    if (memberId !== '' && this.find(groupId) === undefined) return failedJoin(ERROR_CODES.UNKNOWN_MEMBER_ID, memberId);
    const group = this.findOrCreate(groupId);
    if (group.consumer.members.length > 0) return failedJoin(ERROR_CODES.INCONSISTENT_GROUP_PROTOCOL, memberId);
    return this.#asking(group, (token, now) => group.classic.join({ ...event, type: 'join', token }, now));
  }

  sync(group: Group, event: Omit<SyncEvent, 'type' | 'token'>): Promise<SyncResult> {
    return this.#asking(group, (token, now) => group.classic.sync({ ...event, type: 'sync', token }, now));
  }

  /** Anything that is done to a group and answered at once. */
  step<T>(group: Group, act: (now: number) => T): T {
    const result = act(this.#timers.clock.now());
    this.#settle(group);
    return result;
  }

  /** Another broker takes over. */
  move(group: Group): void {
    this.step(group, (now) => group.classic.move(now));
  }

  #asking<T>(group: Group, ask: (token: number, now: number) => void): Promise<T> {
    const token = ++this.#lastToken;
    const answered = new Promise<T>((resolve) => this.#waiting.set(token, resolve));
    this.step(group, (now) => ask(token, now));
    return answered;
  }

  #settle({ classic }: Group): void {
    for (const { token, result } of classic.takeAnswers()) {
      this.#waiting.get(token)?.(result as never); // whoever waits under this token asked for this kind of result
      this.#waiting.delete(token);
    }
    this.#schedule();
    this.#changed();
  }

  #schedule(): void {
    let at = Infinity;
    for (const { classic, consumer } of this.#groups.values())
      at = Math.min(at, classic.deadline(), consumer.deadline());
    if (this.#timer !== null && this.#timer.at <= at) return; // comes early enough, and looks again then
    this.#timer?.cancel();
    this.#timer = at === Infinity ? null : { at, cancel: this.#timers.at(at, () => this.#tick()) };
  }

  #tick(): void {
    this.#timer = null;
    const now = this.#timers.clock.now();
    for (const group of this.#groups.values()) {
      if (group.classic.deadline() <= now) group.classic.tick(now);
      if (group.consumer.deadline() <= now) group.consumer.tick(now);
      this.#settle(group);
    }
    this.#schedule();
  }
}
