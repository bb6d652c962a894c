/**
 * What a classic member is, and the moves that it can make: give up its partitions, be thrown out, leave, settle, fail.
 * classic.ts decides which event leads to which move.
 *
 * A move only changes what is known and wanted; `pursue` then sends what is due. So nothing depends on the order in which
 * coordinator, back-off and answers come about, and `deadline` looks at the same conditions as `pursue`.
 */
import { type KafkaError, toKafkaError } from '../errors.ts';
import { ERROR_CODES } from '../protocol/error-codes.ts';
import { fatalError, isUnexpected, type GroupApi } from './answers.ts';
import type { JoinGroupRequest } from '../protocol/api/join-group.ts';
import type { SyncGroupAssignment } from '../protocol/api/sync-group.ts';
import type { LastAssignment } from './assignors/assignor.ts';
import { BackOff } from './back-off.ts';
import { CoordinatorSearch } from './coordinator-search.ts';
import type { ClassicGroupOptions, GroupAction, LogLevel, TopicPartition } from './events.ts';
import { Heartbeats } from './heartbeats.ts';
import type { LedGroup } from './leader.ts';
import { Leaving } from './leaving.ts';
import type { Identity } from './requests.ts';
import { NO_IDENTITY, heartbeatRequest, joinRequest, joinTimeoutMs, leaveOf, syncRequest } from './requests.ts';
import type { GroupState } from './states.ts';
import { isLegalMove } from './states.ts';
import { rebalanceProtocolOf } from './partitions.ts';
import type { RebalanceProtocol } from './assignors/assignor.ts';
import { Syncing } from './syncing.ts';
import { Troubles } from './troubles.ts';

/** Where the member wants to end up; how far it has come is its state. */
export type Goal = 'unjoined' | 'member' | 'stale' | 'left';

export class Membership {
  readonly options: ClassicGroupOptions;
  readonly rebalanceProtocol: RebalanceProtocol;
  readonly search: CoordinatorSearch;
  readonly heartbeats: Heartbeats;
  readonly joinBackOff: BackOff;
  readonly heartbeatBackOff: BackOff;
  readonly troubles = new Troubles();
  readonly leaving = new Leaving();
  goal: Goal = 'unjoined';
  identity: Identity = NO_IDENTITY;
  /** What the assignors of JoinGroup may want to know of the past; it stays when partitions are revoked or lost. */
  lastAssignment: LastAssignment | null = null;
  /** Sorted, without duplicates. */
  topics: readonly string[] = [];
  owned: readonly TopicPartition[] = [];
  /** What `revoke` named, until `revoked`; `null` where the application holds nothing of ours back. Nothing of it is in `owned`. */
  revoking: { partitions: readonly TopicPartition[]; lost: boolean } | null = null;
  /** The group, while this member leads it. */
  led: LedGroup | null = null;
  /** Ids of the requests that are out; `null` for none. */
  joinId: number | null = null;
  readonly sync: Syncing;
  /** Not before this may JoinGroup go out. */
  joinAt = 0;
  /** Why this member joins or leaves, for the broker's log (KIP-800). */
  joinReason = '';
  leaveReason = '';
  /** Set where the pending join or sync will not do: join again as soon as it is answered. */
  rejoinReason: string | null = null;
  #state: GroupState = 'unjoined';
  #lastId = 0;
  #actions: GroupAction[] = [];

  constructor(options: ClassicGroupOptions) {
    this.options = options;
    this.rebalanceProtocol = rebalanceProtocolOf(options.assignors);
    const backOff = { firstMs: options.retryBackoffMs, maxMs: options.retryBackoffMaxMs, random: options.random };
    this.search = new CoordinatorSearch(new BackOff(backOff));
    this.joinBackOff = new BackOff(backOff);
    this.heartbeatBackOff = new BackOff(backOff);
    this.heartbeats = new Heartbeats({
      intervalMs: options.heartbeatIntervalMs,
      sessionTimeoutMs: options.sessionTimeoutMs,
    });
    this.sync = new Syncing(options.sessionTimeoutMs);
  }

  get state(): GroupState {
    return this.#state;
  }

  emit(action: GroupAction): void {
    this.#actions.push(action);
  }

  log(level: LogLevel, message: string): void {
    this.emit({ type: 'log', level, message: `group '${this.options.groupId}': ${message}` });
  }

  /** Tells of a code that belongs to no healthy group, though it is tried again. */
  tellOf(api: GroupApi, errorCode: number): void {
    if (!isUnexpected(api, errorCode) || !this.troubles.isNews(api, errorCode)) return;
    this.emit({ type: 'trouble', error: fatalError(api, errorCode, this.options) });
  }

  takeActions(): GroupAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  moveTo(next: GroupState, cause: string): void {
    const from = this.#state;
    if (!isLegalMove(from, next)) throw new Error(`group: illegal move ${from} → ${next} (${cause})`);
    this.#state = next;
    if (next === 'preparing-rebalance') this.#rebalancing(cause);
    const { memberId, generation } = this.identity;
    this.log(
      next === 'failed' ? 'error' : 'info',
      `${from} → ${next}: ${cause} (member '${memberId}', generation ${generation})`,
    );
  }

  /** True where the broker counts this member in a generation and expects heartbeats. */
  isBeating(): boolean {
    if (this.identity.generation === -1) return false;
    return this.#state === 'completing-rebalance' || this.#state === 'stable' || this.#state === 'revoking';
  }

  /** True where a request can be waiting on, or is about to go to, the coordinator. */
  needsCoordinator(): boolean {
    return this.#state === 'preparing-rebalance' || this.isBeating();
  }

  /** Revokes what must not be kept on the way, then goes on as the goal says. Heartbeats go on meanwhile. */
  giveUp(cause: string, now: number): void {
    this.joinReason = cause;
    this.joinAt = now;
    this.#rebalancing(cause);
    this.#advance(cause, now);
  }

  /** Before what is revoked for it. */
  #rebalancing(cause: string): void {
    if (this.goal === 'member') this.emit({ type: 'rebalancing', cause });
  }

  /** The application is through with what it was to give up. */
  revoked(now: number): void {
    this.revoking = null;
    if (this.#state === 'revoking') this.#advance(this.goal === 'member' ? this.joinReason : this.leaveReason, now);
  }

  #advance(cause: string, now: number): void {
    const surplus = this.#surplus();
    if (surplus.length > 0 && this.revoking === null) {
      this.#dropRequests(now);
      this.revoke(surplus);
    }
    if (this.revoking === null) this.#goOn(cause, now);
    else if (this.#state !== 'revoking') this.moveTo('revoking', cause);
  }

  /** What may not be kept: eager, or on the way out, everything; cooperative (KIP-429), what is not subscribed to any more. */
  #surplus(): readonly TopicPartition[] {
    if (this.goal !== 'member' || this.rebalanceProtocol === 'eager') return this.owned;
    return this.owned.filter(({ topic }) => !this.topics.includes(topic));
  }

  #goOn(cause: string, now: number): void {
    if (this.goal !== 'member') this.leave(now);
    else if (this.#state !== 'preparing-rebalance') this.prepare(cause);
  }

  /** Towards the next generation; `joinAt` says from when. */
  prepare(cause: string): void {
    this.joinReason = cause;
    this.led = null;
    this.sync.over();
    this.rejoinReason = null;
    this.heartbeats.stop();
    this.moveTo('preparing-rebalance', cause);
  }

  /** The group has gone on without this member: what it owned is lost. */
  throwOut(keepsMemberId: boolean, cause: string, now: number): void {
    this.identity = keepsMemberId ? { ...NO_IDENTITY, memberId: this.identity.memberId } : NO_IDENTITY;
    this.heartbeats.stop();
    this.led = null;
    this.joinReason = cause;
    this.joinAt = now + this.joinBackOff.nextAfterFreeTry();
    this.#rebalancing(cause);
    this.loseAll();
    if (this.#state === 'revoking') this.log('warn', `partitions lost while they were being revoked: ${cause}`);
    else if (this.revoking !== null) this.moveTo('revoking', cause);
    else if (this.#state !== 'preparing-rebalance') this.prepare(cause);
  }

  /** LeaveGroup where the broker would miss us; does not wait for the application. Then `settle`. */
  leave(now: number): void {
    this.led = null;
    this.sync.assignments = null;
    this.rejoinReason = null;
    this.heartbeats.stop();
    const { memberId } = this.identity;
    // The goodbye of a member that has failed is out already.
    if (this.leaving.id !== null) return this.moveTo('leaving', this.leaveReason);
    const mayLeave = this.#mayLeave;
    if (mayLeave && memberId === '' && this.joinId !== null) {
      // KIP-394: a broker that has seen this first JoinGroup keeps a place for the member id that its answer brings, and the
      // group waits for it up to a session timeout. The answer is a round trip away: worth a short wait, but not more.
      this.leaving.endsAt = now + this.options.retryBackoffMaxMs;
      this.moveTo('leaving', `${this.leaveReason}; waits for its member id`);
      return;
    }
    this.#abandonRequests();
    if (mayLeave && memberId !== '') {
      this.moveTo('leaving', this.leaveReason);
      this.sendLeave();
    } else {
      this.settle(this.leaveReason);
    }
  }

  /** Static members stay in the group until their session ends, so that a restart causes no rebalance (KIP-345). */
  get #mayLeave(): boolean {
    return this.options.groupInstanceId === null && this.search.isKnown;
  }

  sendLeave(): void {
    const id = this.#nextId();
    this.leaving.sent(id);
    this.emit({ type: 'sendLeave', id, request: leaveOf(this.options, this.identity, this.leaveReason) });
  }

  /**
   * The broker that was asked to let this member go is not the coordinator (any more). One more try where it is now, within a
   * short time: else the partitions would lie idle until the session ends, as in every rolling restart of the brokers.
   */
  leaveElsewhere(cause: string, now: number): void {
    const { id } = this.leaving;
    if (id === null || !this.leaving.tryAgain(now + this.options.retryBackoffMaxMs)) return this.settle(cause);
    this.log('info', `${cause}: looks for the coordinator once more`);
    if (!this.search.isKnown) return;
    this.emit({ type: 'coordinatorUnknown' });
    this.search.lost(now);
  }

  /** In no group and with no request out: to where the goal is, which may have changed meanwhile. */
  settle(cause: string): void {
    this.identity = NO_IDENTITY;
    this.joinId = null;
    this.leaving.over();
    const waitsForApplication = this.revoking !== null && (this.goal === 'member' || this.goal === 'left');
    if (waitsForApplication) this.moveTo('revoking', cause);
    else if (this.goal === 'member') this.prepare(cause);
    else this.moveTo(this.goal, cause);
    if (this.#state === 'left') this.emit({ type: 'left' });
  }

  /** For good: leaves the group, so that others get the partitions at once. */
  fail(error: KafkaError): void {
    this.heartbeats.stop();
    this.led = null;
    this.sync.assignments = null;
    this.#abandonRequests();
    if (error.code === ERROR_CODES.FENCED_INSTANCE_ID) this.identity = NO_IDENTITY;
    this.loseAll();
    this.leaving.over();
    this.moveTo('failed', error.message);
    this.emit({ type: 'fail', error });
    if (this.goal !== 'left') this.leaveReason = 'the consumer has failed';
    if (this.#mayLeave && this.identity.memberId !== '') this.sendLeave();
    this.identity = NO_IDENTITY;
  }

  /** Looks for the coordinator again; what was out on its connection is void, the membership is not. */
  loseCoordinator(cause: string, now: number): void {
    if (!this.search.isKnown) return;
    this.log('warn', `coordinator lost: ${cause}`);
    this.emit({ type: 'coordinatorUnknown' });
    this.search.lost(now);
    this.heartbeats.drop();
    this.joinId = null;
    if (this.#state === 'failed') this.leaving.over();
    else if (this.#state === 'leaving') this.leaveElsewhere(cause, now);
    else if (this.sync.id !== null) this.prepare(cause);
  }

  /** Sends what is due. */
  pursue(now: number): void {
    if (now >= this.sync.endsAt) {
      this.sync.again();
      this.loseCoordinator('SyncGroup was not answered in time; sends it again', now);
    }
    if (now >= this.leaving.endsAt) this.settle('the time for LeaveGroup is up');
    if (this.#watchesSession() && now >= this.heartbeats.sessionEndsAt) {
      this.loseCoordinator(`no heartbeat was answered for ${this.options.sessionTimeoutMs} ms`, now);
    }
    if (this.#isSearching && now >= this.search.dueAt) {
      const id = this.#nextId();
      this.search.begin(id);
      this.emit({ type: 'findCoordinator', id });
    }
    if (!this.search.isKnown) return;
    if (this.#mayJoin() && now >= this.joinAt) this.#join(now);
    if (this.sync.assignments !== null) this.#sendSync(this.sync.assignments, now);
    if (this.isBeating() && now >= this.heartbeats.dueAt) this.#sendHeartbeat(now);
  }

  /** When `pursue` next has something to do; Infinity while only an answer or the application can move things. */
  deadline(): number {
    const { isKnown, dueAt } = this.search;
    return Math.min(
      this.#isSearching ? dueAt : Infinity,
      isKnown && this.#mayJoin() ? this.joinAt : Infinity,
      isKnown && this.isBeating() ? this.heartbeats.dueAt : Infinity,
      this.#watchesSession() ? this.heartbeats.sessionEndsAt : Infinity,
      this.leaving.endsAt,
      this.sync.endsAt,
    );
  }

  get #isSearching(): boolean {
    return this.needsCoordinator() || this.leaving.isLooking;
  }

  #mayJoin(): boolean {
    return this.#state === 'preparing-rebalance' && this.joinId === null;
  }

  /** Not while SyncGroup is out: the broker keeps such a member, and reads no heartbeat from its connection. */
  #watchesSession(): boolean {
    return this.isBeating() && this.search.isKnown && this.sync.id === null;
  }

  #join(now: number): void {
    // The subscription may have changed since the last look, as while a request was out whose connection then broke.
    if (this.#surplus().length > 0) return this.#advance(this.joinReason, now);
    this.rejoinReason = null;
    const { options, identity, topics, owned, lastAssignment, joinReason } = this;
    let request: JoinGroupRequest;
    try {
      request = joinRequest(options, identity, topics, owned, lastAssignment, joinReason);
    } catch (error) {
      return this.fail(toKafkaError(error)); // an assignor of the application
    }
    this.joinId = this.#nextId();
    this.emit({ type: 'sendJoin', id: this.joinId, request, timeoutMs: joinTimeoutMs(options) });
  }

  #sendSync(assignments: SyncGroupAssignment[], now: number): void {
    const id = this.#nextId();
    const timeoutMs = this.sync.sent(id, assignments, now);
    this.emit({ type: 'sendSync', id, request: syncRequest(this.options, this.identity, assignments), timeoutMs });
  }

  #sendHeartbeat(now: number): void {
    const id = this.#nextId();
    const { generation, memberId } = this.identity;
    this.heartbeats.sent({ id, generation, memberId }, now);
    this.emit({ type: 'sendHeartbeat', id, request: heartbeatRequest(this.options, this.identity) });
  }

  /** In good order: what is finished of these is committed. */
  revoke(partitions: readonly TopicPartition[]): void {
    this.#revoke(partitions, false);
    const gone = new Set(partitions);
    this.owned = this.owned.filter((partition) => !gone.has(partition));
  }

  /** What is owned, or being revoked, is another member's by now: nothing of it can be committed. */
  loseAll(): void {
    if (this.owned.length === 0 && (this.revoking === null || this.revoking.lost)) return;
    this.#revoke([...(this.revoking?.partitions ?? []), ...this.owned], true);
    this.owned = [];
  }

  #revoke(partitions: readonly TopicPartition[], lost: boolean): void {
    const { memberId, generation } = this.identity;
    this.revoking = { partitions, lost };
    this.emit({ type: 'revoke', partitions, lost, memberId, generation });
  }

  /** Cooperative, with JoinGroup or SyncGroup out: a commit would wait behind it. Heartbeats go on instead. */
  #dropRequests(now: number): void {
    this.#abandonRequests();
    this.sync.assignments = null;
    this.rejoinReason = null;
    if (this.#state === 'preparing-rebalance') this.heartbeats.restartNow(now);
  }

  /** A later LeaveGroup must not queue behind an answer that may take as long as the rebalance. */
  #abandonRequests(): void {
    if (this.joinId === null && this.sync.id === null) return;
    this.joinId = null;
    this.sync.over();
    this.heartbeats.drop();
    this.emit({ type: 'dropConnection' });
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}
