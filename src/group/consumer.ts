/**
 * A member of a consumer group of the new protocol (KIP-848), without I/O: events and the time go in, actions come out. One request,
 * ConsumerGroupHeartbeat, joins, keeps alive, acknowledges and leaves; the coordinator decides who gets what.
 * https://cwiki.apache.org/confluence/display/KAFKA/KIP-848
 *
 * Here: which event leads to which move. The moves: consumer-membership.ts; the states: consumer-states.ts; events and actions:
 * consumer-events.ts; what the coordinator says: consumer-standing.ts, consumer-answers.ts; from the old assignment to the new one: reconciliation.ts.
 */
import { compareStrings } from './assignors/assignor.ts';
import type {
  ConsumerGroupAction,
  ConsumerGroupEvent,
  ConsumerGroupOptions,
  ConsumerSubscription,
} from './consumer-events.ts';
import { ConsumerMembership } from './consumer-membership.ts';
import { ConsumerStanding } from './consumer-standing.ts';
import type { ConsumerGroupState } from './consumer-states.ts';
import type { TopicPartition } from './events.ts';
import { never } from './never.ts';
import { Reconciliation } from './reconciliation.ts';
import { named } from './topic-ids.ts';

/** In all others nothing of a target is followed, nor remembered for the next membership. */
const RECONCILES: readonly ConsumerGroupState[] = ['reconciling', 'acknowledging', 'stable'];

/** The way out of the group. */
const HEARD_WHEN_FATAL: readonly ConsumerGroupEvent['type'][] = [
  'close',
  'revoked',
  'heartbeatAnswered',
  'heartbeatFailed',
  'coordinatorLost',
];

export class ConsumerGroup {
  readonly #member: ConsumerMembership;
  readonly #reconciliation: Reconciliation;
  readonly #standing: ConsumerStanding;
  #isOver = false;

  constructor(options: ConsumerGroupOptions) {
    this.#member = new ConsumerMembership(options);
    this.#reconciliation = new Reconciliation(this.#member);
    this.#standing = new ConsumerStanding(this.#member, this.#reconciliation);
  }

  get state(): ConsumerGroupState {
    return this.#member.state;
  }

  /** 0 outside of the group. */
  get memberEpoch(): number {
    return this.#member.identity.memberEpoch;
  }

  get memberId(): string {
    return this.#member.identity.memberId;
  }

  /** What the application has, with what it is giving up at the moment. */
  get owned(): readonly TopicPartition[] {
    return named(this.#member.owned);
  }

  /** Topic ids that metadata refreshes must ask about. */
  get unresolvedTopicIds(): readonly string[] {
    return this.#reconciliation.unresolved;
  }

  /** One line for logs. */
  describe(): string {
    const { state, identity, options, owned, search } = this.#member;
    return (
      `group '${options.groupId}': ${state}, member '${identity.memberId}', epoch ${identity.memberEpoch}, ` +
      `assignor ${options.serverAssignor ?? "of the broker's choice"}, ${owned.length} partitions, coordinator ${search.state}`
    );
  }

  /** When `tick` next has something to do, in the time of `now`; Infinity while only an event can move things. */
  deadline(): number {
    return Math.min(this.#member.deadline(), this.#reconciliation.deadline());
  }

  tick(now: number): ConsumerGroupAction[] {
    const member = this.#member;
    this.#reconciliation.tick(now);
    const before = member.pending;
    member.pursue(now);
    if (member.state === 'acknowledging' && member.pending !== null && member.pending !== before) {
      this.#reconciliation.acknowledged(now);
      this.#reconciliation.tick(now);
    }
    return member.takeActions();
  }

  on(event: ConsumerGroupEvent, now: number): ConsumerGroupAction[] {
    // Closed or failed for good: late answers and the application's last words change nothing.
    const isDeaf = this.#isOver || (this.state === 'fatal' && !HEARD_WHEN_FATAL.includes(event.type));
    if (!isDeaf) this.#handle(event, now);
    if (!RECONCILES.includes(this.state)) this.#reconciliation.reset();
    const actions = this.tick(now);
    this.#isOver ||= actions.some(({ type }) => type === 'left');
    return actions;
  }

  #handle(event: ConsumerGroupEvent, now: number): void {
    const member = this.#member;
    switch (event.type) {
      case 'subscribed':
        return this.#onSubscribed(event.subscription, now);
      case 'unsubscribed':
        member.subscription = { topics: [], regex: null };
        return this.#part('unsubscribed', 'the consumer unsubscribed from all topics');
      case 'close':
        return this.#part('closed', 'the consumer is being closed');
      case 'coordinatorFound':
        return this.#standing.onCoordinatorFound(event.id, event.coordinator, now);
      case 'coordinatorFailed':
        return this.#standing.onCoordinatorFailed(event, now);
      case 'coordinatorLost':
        return this.#standing.onNoAnswer(event.error, now);
      case 'heartbeatAnswered':
        if (event.id === member.pending?.id) this.#standing.onAnswered(event.response, now);
        return;
      case 'heartbeatFailed':
        if (event.id === member.pending?.id) this.#standing.onNoAnswer(event.error, now);
        return;
      case 'metadataChanged':
        return this.#reconciliation.metadataChanged(now);
      case 'revoked':
        return this.#onRevoked(now);
      case 'commitFenced':
        return this.#standing.onCommitFenced(event, now);
      case 'pollExpired':
        return this.#onPollExpired();
      case 'polled':
        return this.#onPolled();
      case 'failed':
        if (member.goal === 'member' && member.isBeating) return member.fail(event.error);
        return this.#part('unsubscribed', 'the consumer has failed');
      default:
        return never(event);
    }
  }

  // ---- what the application wants

  #onSubscribed({ topics, regex }: ConsumerSubscription, now: number): void {
    const member = this.#member;
    if (member.goal === 'closed') return;
    const before = member.subscription;
    member.subscription = { topics: [...new Set(topics)].sort(compareStrings), regex };
    const isSame = JSON.stringify(before) === JSON.stringify(member.subscription);
    if (member.goal === 'unsubscribed') {
      member.goal = 'member';
      if (this.state === 'unsubscribed') member.settle('subscribed');
    } else if (!isSame && member.isBeating && (member.pending !== null || this.state !== 'joining')) {
      member.heartbeatAt = Math.min(member.heartbeatAt, now);
    }
  }

  /** Out of the group in good order: revoke, then leave. */
  #part(goal: 'unsubscribed' | 'closed', reason: string): void {
    const member = this.#member;
    if (member.goal === 'closed') return;
    member.goal = goal;
    switch (this.state) {
      case 'unsubscribed':
        if (goal === 'closed') member.settle(reason);
        return;
      case 'stale':
        return member.settle(reason);
      case 'joining':
      case 'reconciling':
      case 'acknowledging':
      case 'stable':
        member.moveTo('prepare-leaving', reason);
        return member.giveUp(reason);
      case 'fatal':
        if (goal === 'closed') member.leave(reason);
        return;
      case 'fenced':
      case 'prepare-leaving':
      case 'leaving':
        return; // under way, or once the application has given up what is lost
      default:
        return never(this.state);
    }
  }

  #onRevoked(now: number): void {
    const member = this.#member;
    const { revoking } = member;
    if (revoking === null) return;
    member.revoking = null;
    const gone = new Set(revoking.partitions);
    member.owned = member.owned.filter((each) => !gone.has(each));
    const cause = `the application has given up ${revoking.partitions.length} partitions`;
    switch (this.state) {
      case 'reconciling':
        return this.#reconciliation.acknowledge(cause, now);
      case 'prepare-leaving':
        return member.giveUp(cause);
      case 'fenced':
        return member.settle(cause);
      case 'stale':
        if (member.goal !== 'stale') member.settle(cause);
        return;
      case 'leaving':
        if (member.pending === null) member.settle(cause);
        return;
      case 'fatal':
        if (member.goal === 'closed') member.settle(cause);
        return;
      case 'unsubscribed':
      case 'joining':
      case 'acknowledging':
      case 'stable':
        throw new Error(`group: revoked in state ${this.state}`);
      default:
        return never(this.state);
    }
  }

  #onPollExpired(): void {
    const member = this.#member;
    if (member.goal !== 'member') return;
    member.goal = 'stale';
    member.loseAll();
    if (!member.isBeating) return; // fenced or leaving: `settle` sees the goal
    const cause = `no poll for ${member.options.rebalanceTimeoutMs} ms (maxPollIntervalMs)`;
    if (this.state !== 'prepare-leaving') member.moveTo('prepare-leaving', cause);
    member.leave(cause);
  }

  #onPolled(): void {
    const member = this.#member;
    if (member.goal !== 'stale') return;
    member.goal = 'member';
    if (this.state === 'stale') member.settle('polled again');
  }
}
