/**
 * What a member of a consumer group (KIP-848) knows and can do: its state and the moves, the epoch, what it owns, what is out. It holds
 * the facts and sends what is due; which event leads to which move is in consumer.ts, the way to the target in reconciliation.ts.
 */
import { ERROR_CODES } from '../protocol/error-codes.ts';
import type { KafkaError } from '../errors.ts';
import { BackOff } from './back-off.ts';
import type { ConsumerGroupAction, ConsumerGroupOptions, ConsumerSubscription } from './consumer-events.ts';
import { type ConsumerGroupState, isLegalConsumerMove } from './consumer-states.ts';
import { CoordinatorSearch } from './coordinator-search.ts';
import type { LogLevel } from './events.ts';
import { HeartbeatFields, JOIN_EPOCH, type MemberIdentity } from './heartbeat-fields.ts';
import { Troubles } from './troubles.ts';
import { named, type OwnedPartition } from './topic-ids.ts';

/** Where the member wants to end up; how far it has come is its state. */
export type ConsumerGoal = 'unsubscribed' | 'member' | 'stale' | 'closed';

/** Kafka's default, until the broker says its own. */
const HEARTBEAT_INTERVAL_MS = 5_000;

/** States in which the broker counts on heartbeats, or is to take the member in. */
const BEATING: readonly ConsumerGroupState[] = ['joining', 'reconciling', 'acknowledging', 'stable', 'prepare-leaving'];

export class ConsumerMembership {
  readonly options: ConsumerGroupOptions;
  readonly search: CoordinatorSearch;
  readonly fields: HeartbeatFields;
  /** After errors that pass. */
  readonly retryBackOff: BackOff;
  /** After being thrown out; a member that is taken in and thrown out again and again must not spin. */
  readonly rejoinBackOff: BackOff;
  readonly troubles = new Troubles();
  /** An `obstacle` stands. */
  isRefused = false;
  goal: ConsumerGoal = 'unsubscribed';
  identity: MemberIdentity;
  subscription: ConsumerSubscription = { topics: [], regex: null };
  /** What the application has, or is giving up at the moment: what the broker is told. */
  owned: readonly OwnedPartition[] = [];
  /** What `revoke` named, until `revoked`; `null` where the application holds nothing of ours back. */
  revoking: { partitions: readonly OwnedPartition[]; lost: boolean } | null = null;
  /** Not before this may the next heartbeat go out. */
  heartbeatAt = 0;
  /** Not before this may one go out that joins. */
  #joinAt = 0;
  heartbeatIntervalMs = HEARTBEAT_INTERVAL_MS;
  /** The heartbeat that is out. */
  pending: { id: number; sentAt: number; isJoin: boolean; saysOwned: boolean } | null = null;
  /** A heartbeat that joins has gone out since the last one that leaves: the broker may count on this member. */
  #mayBeKnown = false;
  /** While the coordinator is looked for once more, to leave there: until when. */
  leaveBy = Infinity;
  #hasLeftTwice = false;
  #state: ConsumerGroupState = 'unsubscribed';
  #lastId = 0;
  #actions: ConsumerGroupAction[] = [];

  constructor(options: ConsumerGroupOptions) {
    this.options = options;
    this.identity = { memberId: options.memberId, memberEpoch: JOIN_EPOCH };
    const backOff = { firstMs: options.retryBackoffMs, maxMs: options.retryBackoffMaxMs, random: options.random };
    this.search = new CoordinatorSearch(new BackOff(backOff));
    this.retryBackOff = new BackOff(backOff);
    this.rejoinBackOff = new BackOff(backOff);
    this.fields = new HeartbeatFields(options);
  }

  get state(): ConsumerGroupState {
    return this.#state;
  }

  emit(action: ConsumerGroupAction): void {
    this.#actions.push(action);
  }

  log(level: LogLevel, message: string): void {
    this.emit({ type: 'log', level, message: `group '${this.options.groupId}': ${message}` });
  }

  takeActions(): ConsumerGroupAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  moveTo(next: ConsumerGroupState, cause: string): void {
    const from = this.#state;
    if (!isLegalConsumerMove(from, next)) throw new Error(`group: illegal move ${from} → ${next} (${cause})`);
    this.#state = next;
    const { memberId, memberEpoch } = this.identity;
    this.log(
      next === 'fatal' ? 'error' : 'info',
      `${from} → ${next}: ${cause} (member '${memberId}', epoch ${memberEpoch})`,
    );
  }

  get isBeating(): boolean {
    return BEATING.includes(this.#state);
  }

  /**
   * False while the coordinator may be reading that this member owns less than its target. What it has not then may be given to others
   * at once, so nothing of it is taken on before the answer says what is ours still.
   */
  get mayTakeOn(): boolean {
    return !this.fields.isForgotten && this.pending?.saysOwned !== true;
  }

  /** Takes in what the broker says about who this is. */
  identify(memberId: string | null, memberEpoch: number): void {
    const before = this.identity;
    this.identity = { memberId: memberId === null || memberId === '' ? before.memberId : memberId, memberEpoch };
    if (before.memberEpoch === memberEpoch && before.memberId === this.identity.memberId) return;
    this.emit({ type: 'epochChanged', ...this.#authority });
  }

  revoke(partitions: readonly OwnedPartition[]): void {
    this.revoking = { partitions, lost: false };
    this.emit({ type: 'revoke', partitions: named(partitions), lost: false, ...this.#authority });
  }

  assign(added: readonly OwnedPartition[]): void {
    this.owned = [...this.owned, ...added];
    this.emit({ type: 'assign', partitions: named(this.owned), added: named(added), ...this.#authority });
  }

  /** What is owned, or being revoked, is another member's by now: nothing of it can be committed. */
  loseAll(): void {
    const isLostAlready = this.revoking?.lost === true;
    const partitions = [...new Set([...(this.revoking?.partitions ?? []), ...this.owned])]; // in this order
    this.owned = [];
    if (partitions.length === 0 || isLostAlready) return;
    this.revoking = { partitions, lost: true };
    this.emit({ type: 'revoke', partitions: named(partitions), lost: true, ...this.#authority });
  }

  /** The group has gone on without this member. */
  throwOut(cause: string, now: number): void {
    this.#mayBeKnown = false;
    this.pending = null;
    this.#joinAt = now + this.rejoinBackOff.nextAfterFreeTry();
    this.loseAll();
    this.moveTo('fenced', cause);
    if (this.revoking === null) this.settle(cause);
  }

  /** Gives up what is owned, one revocation after the other, then leaves. Heartbeats go on meanwhile. */
  giveUp(cause: string): void {
    if (this.revoking !== null) return;
    if (this.owned.length > 0) this.revoke(this.owned);
    else this.leave(cause);
  }

  /** The last heartbeat, where the broker would miss us; does not wait for the application. Then `settle`. */
  leave(cause: string): void {
    const isOut = this.#state === 'fatal' && this.pending !== null;
    if (!isOut && !this.#mayLeave) return this.settle(cause);
    this.moveTo('leaving', cause);
    if (!isOut) this.sayGoodbye();
  }

  get #mayLeave(): boolean {
    return this.#mayBeKnown && this.search.isKnown;
  }

  sayGoodbye(): void {
    this.#mayBeKnown = false;
    this.leaveBy = Infinity;
    const id = this.#nextId();
    this.pending = { id, sentAt: 0, isJoin: false, saysOwned: false };
    this.emit({ type: 'sendHeartbeat', id, request: this.fields.leave(this.identity) });
  }

  /**
   * The broker that was asked to let this member go is not the coordinator (any more). One more try where it is now, within a
   * short time: else the partitions would lie idle until the session ends, as in every rolling restart of the brokers.
   */
  leaveElsewhere(cause: string, now: number): void {
    if (this.#hasLeftTwice || this.pending === null) return this.settle(cause);
    this.#hasLeftTwice = true;
    this.pending = null;
    this.leaveBy = now + this.options.retryBackoffMaxMs;
    this.log('info', `${cause}: looks for the coordinator once more`);
    if (!this.search.isKnown) return;
    this.emit({ type: 'coordinatorUnknown' });
    this.search.lost(now);
  }

  /** In no group: to where the goal is, which may have changed meanwhile, as soon as the application is done, too. */
  settle(cause: string): void {
    this.pending = null;
    this.leaveBy = Infinity;
    this.#hasLeftTwice = false;
    this.identity = { ...this.identity, memberEpoch: JOIN_EPOCH };
    this.fields.forget();
    if (this.revoking !== null && this.goal !== 'stale') return; // `revoked` calls again
    if (this.goal === 'member') {
      this.heartbeatAt = this.#joinAt;
      this.moveTo('joining', cause);
    } else if (this.goal === 'stale') this.moveTo('stale', cause);
    else if (this.#state !== 'unsubscribed') this.moveTo('unsubscribed', cause);
    if (this.goal === 'closed') this.emit({ type: 'left' });
  }

  /** For good: leaves the group, so that others get the partitions at once. */
  fail(error: KafkaError): void {
    const { code } = error;
    // The place is another's, or there is none: nothing to leave.
    const isPlaceless = code === ERROR_CODES.FENCED_INSTANCE_ID || code === ERROR_CODES.UNRELEASED_INSTANCE_ID;
    if (isPlaceless || this.identity.memberEpoch <= JOIN_EPOCH) this.#mayBeKnown = false;
    this.pending = null;
    this.loseAll();
    this.moveTo('fatal', error.message);
    this.emit({ type: 'fail', error });
    if (this.#mayLeave) this.sayGoodbye();
  }

  /** Looks for the coordinator again; what was out on its connection is void, the membership is not. */
  loseCoordinator(cause: string, now: number): void {
    if (!this.search.isKnown) return;
    this.log('warn', `coordinator lost: ${cause}`);
    this.emit({ type: 'coordinatorUnknown' });
    this.search.lost(now);
    this.fields.forget();
    if (this.#state === 'leaving') this.leaveElsewhere(cause, now);
    this.pending = null;
  }

  /** Sends what is due. */
  pursue(now: number): void {
    if (now >= this.leaveBy) this.settle('the time for leaving is up');
    if (this.#isSearching && now >= this.search.dueAt) {
      const id = this.#nextId();
      this.search.begin(id);
      this.emit({ type: 'findCoordinator', id });
    }
    if (now >= this.#heartbeatDueAt()) this.#sendHeartbeat(now);
  }

  /** When `pursue` next has something to do; Infinity while only an answer or the application can move things. */
  deadline(): number {
    return Math.min(this.#isSearching ? this.search.dueAt : Infinity, this.#heartbeatDueAt(), this.leaveBy);
  }

  get #isSearching(): boolean {
    return this.isBeating || this.leaveBy < Infinity;
  }

  #heartbeatDueAt(): number {
    return this.isBeating && this.search.isKnown && this.pending === null ? this.heartbeatAt : Infinity;
  }

  #sendHeartbeat(now: number): void {
    const id = this.#nextId();
    const isJoin = this.identity.memberEpoch === JOIN_EPOCH;
    if (isJoin) this.#mayBeKnown = true;
    const request = this.fields.next(this.identity, this.subscription, this.owned);
    this.pending = { id, sentAt: now, isJoin, saysOwned: request.topicPartitions !== null };
    this.heartbeatAt = now + this.heartbeatIntervalMs;
    this.emit({ type: 'sendHeartbeat', id, request });
  }

  get #authority(): { generation: number; memberId: string } {
    return { generation: this.identity.memberEpoch, memberId: this.identity.memberId };
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}
