/**
 * A member of a classic consumer group (JoinGroup, SyncGroup, Heartbeat, LeaveGroup), eager or cooperative (KIP-429), without
 * I/O: events and the time go in, actions come out. https://kafka.apache.org/protocol#The_Messages_JoinGroup
 *
 * Here: which event leads to which move. The moves: membership.ts; the states: states.ts; events and actions: events.ts;
 * what an error code means: answers.ts; from JoinGroup to the assignment: rebalance.ts, the leader's part: leader.ts; between
 * rebalances: standing.ts.
 */
import type { KafkaError } from '../errors.ts';
import type { LeaveGroupResponse } from '../protocol/api/leave-group.ts';
import { fateOf } from '../protocol/error-fates.ts';
import { describeCode, fatalError, isFinal, LEAVE_FATES, verdictOf } from './answers.ts';
import { compareStrings } from './assignors/assignor.ts';
import type { ClassicGroupOptions, GroupAction, GroupEvent, TopicPartition } from './events.ts';
import { Membership } from './membership.ts';
import { never } from './never.ts';
import { Rebalance } from './rebalance.ts';
import { Standing } from './standing.ts';
import type { GroupState } from './states.ts';

/** A new cluster has no coordinators for a moment: only what lasts is worth waking somebody. */
const FAILURES_WORTH_A_WARNING = 6;

/** The way out of the group. */
const HEARD_WHEN_FAILED: readonly GroupEvent['type'][] = [
  'close',
  'revoked',
  'leaveAnswered',
  'leaveFailed',
  'coordinatorLost',
];

export class ClassicGroup {
  readonly #member: Membership;
  readonly #rebalance: Rebalance;
  readonly #standing: Standing;

  constructor(options: ClassicGroupOptions) {
    this.#member = new Membership(options);
    this.#rebalance = new Rebalance(this.#member);
    this.#standing = new Standing(this.#member);
  }

  get state(): GroupState {
    return this.#member.state;
  }

  /** −1 outside of any generation. */
  get generation(): number {
    return this.#member.identity.generation;
  }

  /** `''` before the broker gave one. */
  get memberId(): string {
    return this.#member.identity.memberId;
  }

  /** Name of this generation's assignor; `null` outside of any. */
  get protocol(): string | null {
    return this.#member.identity.protocol;
  }

  get isLeader(): boolean {
    return this.#member.led !== null;
  }

  /** What is owned; not what is being revoked. */
  get owned(): readonly TopicPartition[] {
    return this.#member.owned;
  }

  /** The topics that every metadata refresh must ask for: the subscription, and the whole group's while this is its leader. */
  get watchedTopics(): readonly string[] {
    return this.#rebalance.watchedTopics;
  }

  /** One line for logs. */
  describe(): string {
    const { state, identity, options, owned, search } = this.#member;
    return (
      `group '${options.groupId}': ${state}, ${this.isLeader ? 'leader' : 'member'} '${identity.memberId}', ` +
      `generation ${identity.generation}, assignor ${identity.protocol ?? 'none'}, ${owned.length} partitions, ` +
      `coordinator ${search.state}`
    );
  }

  /** When `tick` next has something to do, in the time of `now`; Infinity while only an event can move things. */
  deadline(): number {
    return this.#member.deadline();
  }

  tick(now: number): GroupAction[] {
    const member = this.#member;
    member.pursue(now);
    if (member.state === 'failed' && member.goal === 'left') member.leave(now);
    return member.takeActions();
  }

  on(event: GroupEvent, now: number): GroupAction[] {
    // Closed or failed for good: late answers and the application's last words change nothing.
    const isOver = this.state === 'left' || (this.state === 'failed' && !HEARD_WHEN_FAILED.includes(event.type));
    if (!isOver) this.#handle(event, now);
    return this.tick(now);
  }

  #handle(event: GroupEvent, now: number): void {
    const member = this.#member;
    switch (event.type) {
      case 'subscribed':
        return this.#onSubscribed(event.topics, now);
      case 'unsubscribed':
        return this.#onUnsubscribed(now);
      case 'coordinatorFound':
        return this.#onCoordinatorFound(event.id, event.coordinator, now);
      case 'coordinatorFailed':
        return this.#onCoordinatorFailed(event, now);
      case 'coordinatorLost':
        return this.#onNoAnswer(event.error, now);
      case 'joinAnswered':
        return this.#rebalance.onJoinAnswered(event.id, event.response, now);
      case 'joinFailed':
        if (event.id === member.joinId) this.#onNoAnswer(event.error, now);
        return;
      case 'syncAnswered':
        return this.#rebalance.onSyncAnswered(event.id, event.response, now);
      case 'syncFailed':
        if (event.id === member.sync.id) this.#onNoAnswer(event.error, now);
        return;
      case 'heartbeatAnswered':
        return this.#standing.onHeartbeatAnswered(event.id, event.response, now);
      case 'heartbeatFailed':
        if (member.heartbeats.take(event.id) !== null) this.#onNoAnswer(event.error, now);
        return;
      case 'leaveAnswered':
        return this.#onLeaveAnswered(event.id, event.response, now);
      case 'leaveFailed':
        return this.#onLeaveFailed(event.id, event.error, now);
      case 'metadata':
        return this.#rebalance.onMetadata(event.partitions, now);
      case 'revoked':
        return this.#member.revoked(now);
      case 'commitFenced':
        return this.#standing.onCommitFenced(event, now);
      case 'pollExpired':
        return this.#onPollExpired(now);
      case 'polled':
        return this.#onPolled();
      case 'failed':
        return this.#onFailed(event.error, now);
      case 'close':
        return this.#onClose(now);
      default:
        return never(event);
    }
  }

  // ---- what the application wants

  #onSubscribed(topics: readonly string[], now: number): void {
    const member = this.#member;
    if (member.goal === 'left') return;
    const sorted = [...new Set(topics)].sort(compareStrings);
    const isSame = sorted.length === member.topics.length && sorted.every((topic, i) => topic === member.topics[i]);
    member.topics = sorted;
    this.#rebalance.forgetUnwatched();
    if (member.goal === 'unjoined') {
      member.goal = 'member';
      member.joinReason = 'subscribed';
      if (this.state === 'unjoined') member.settle('subscribed');
    } else if (member.goal === 'member' && !isSame) {
      this.#rebalance.request('the subscription has changed', now);
    }
  }

  #onUnsubscribed(now: number): void {
    const member = this.#member;
    if (member.goal === 'left') return;
    member.topics = [];
    this.#part('unjoined', 'the consumer unsubscribed from all topics', now);
  }

  #onClose(now: number): void {
    if (this.#member.goal !== 'left') this.#part('left', 'the consumer is being closed', now);
  }

  #onFailed(error: KafkaError, now: number): void {
    const { goal } = this.#member;
    if (goal === 'member' && this.#member.needsCoordinator()) this.#member.fail(error);
    else if (goal !== 'left') this.#part('unjoined', 'the consumer has failed', now);
  }

  /** Out of the group in good order: revoke, then leave. */
  #part(goal: 'unjoined' | 'left', reason: string, now: number): void {
    const member = this.#member;
    const isThere = this.state === goal;
    member.goal = goal;
    member.leaveReason = reason;
    switch (this.state) {
      case 'unjoined':
      case 'stale':
        if (!isThere) member.settle(reason);
        return;
      case 'preparing-rebalance':
      case 'completing-rebalance':
      case 'stable':
        return member.giveUp(reason, now);
      case 'failed':
        return member.leave(now);
      case 'revoking':
      case 'leaving':
      case 'left':
        return; // under way
      default:
        return never(this.state);
    }
  }

  #onPollExpired(now: number): void {
    const member = this.#member;
    if (member.goal !== 'member') return;
    member.log(
      'info', // the driver, who watches the polls, has said it aloud
      `no poll for ${member.options.rebalanceTimeoutMs} ms (maxPollIntervalMs): leaves the group until the next one`,
    );
    member.goal = 'stale';
    member.leaveReason = 'consumer poll timeout has expired.'; // the words of Java's consumer, which operators search for
    member.loseAll();
    if (this.state !== 'leaving') member.leave(now);
  }

  #onPolled(): void {
    const member = this.#member;
    if (member.goal !== 'stale') return;
    member.goal = 'member';
    if (this.state === 'stale') member.settle('polled again');
  }

  // ---- the coordinator

  #onCoordinatorFound(id: number, coordinator: string, now: number): void {
    const { search, heartbeats } = this.#member;
    if (!search.isCurrent(id)) return;
    search.found();
    this.#member.troubles.over('FindCoordinator');
    this.#member.log('info', `coordinator is ${coordinator}`);
    if (this.#member.isBeating()) heartbeats.restartNow(now);
    if (this.#member.leaving.isLooking) this.#member.sendLeave();
  }

  #onCoordinatorFailed(event: GroupEvent & { type: 'coordinatorFailed' }, now: number): void {
    const member = this.#member;
    const { id, errorCode, error } = event;
    if (!member.search.isCurrent(id)) return;
    const waitMs = member.search.failed(now);
    const isFatal = errorCode === null ? !error.retriable : verdictOf('FindCoordinator', errorCode) === 'fatal';
    if (isFatal && this.state === 'leaving') return member.settle(error.message);
    if (isFatal && member.needsCoordinator()) {
      // What concerns the group we can say best; what concerns the connection (credentials, versions) the one who made it.
      return member.fail(errorCode === null ? error : fatalError('FindCoordinator', errorCode, member.options));
    }
    if (errorCode !== null) member.tellOf('FindCoordinator', errorCode);
    const level = member.search.failures === FAILURES_WORTH_A_WARNING ? 'warn' : 'info';
    member.log(level, `no coordinator found, again in ${waitMs} ms: ${error.message}`);
  }

  #onNoAnswer(error: KafkaError, now: number): void {
    const member = this.#member;
    if (isFinal(error) && member.needsCoordinator()) member.fail(error);
    else member.loseCoordinator(error.message, now);
  }

  #onLeaveAnswered(id: number, response: LeaveGroupResponse, now: number): void {
    const member = this.#member;
    if (id !== member.leaving.id) return;
    if (this.state === 'failed') return member.leaving.over();
    const errorCode = response.errorCode || (response.members[0]?.errorCode ?? 0);
    if (errorCode === 0) return member.settle('left the group');
    const cause = `LeaveGroup was answered ${describeCode(errorCode)}`;
    // Whatever else it says, we are out: at worst the broker finds out when the session ends.
    if (fateOf(LEAVE_FATES, errorCode) === 'rediscover') member.leaveElsewhere(cause, now);
    else member.settle(cause);
  }

  #onLeaveFailed(id: number, error: KafkaError, now: number): void {
    const member = this.#member;
    if (id !== member.leaving.id) return;
    const cause = `LeaveGroup: ${error.message}`;
    if (this.state === 'failed') member.leaving.over();
    else if (isFinal(error)) member.settle(cause);
    else member.leaveElsewhere(cause, now);
  }
}
