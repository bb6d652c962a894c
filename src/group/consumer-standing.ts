/**
 * What the coordinator says to a member of a consumer group (KIP-848), in answer to its heartbeats, its commits and the question who it
 * is; and what follows from silence.
 */
import { UnsupportedVersionError, type KafkaError } from '../errors.ts';
import type { ConsumerGroupHeartbeatResponse } from '../protocol/api/consumer-group-heartbeat.ts';
import { describeCode, isFinal, isUnexpected, verdictOf } from './answers.ts';
import {
  fatalHeartbeatError,
  heartbeatVerdict,
  isUnexpectedHeartbeat,
  unsupportedHeartbeat,
} from './consumer-answers.ts';
import type { ConsumerGroupEvent } from './consumer-events.ts';
import type { ConsumerMembership } from './consumer-membership.ts';
import { never } from './never.ts';
import type { Reconciliation } from './reconciliation.ts';

/** A new cluster has no coordinators for a moment: only what lasts is worth waking somebody. */
const FAILURES_WORTH_A_WARNING = 6;

export class ConsumerStanding {
  readonly #member: ConsumerMembership;
  readonly #reconciliation: Reconciliation;

  constructor(member: ConsumerMembership, reconciliation: Reconciliation) {
    this.#member = member;
    this.#reconciliation = reconciliation;
  }

  onCoordinatorFound(id: number, coordinator: string, now: number): void {
    const member = this.#member;
    if (!member.search.isCurrent(id)) return;
    member.search.found();
    member.troubles.over('FindCoordinator');
    member.log('info', `coordinator is ${coordinator}`);
    if (member.leaveBy < Infinity) return member.sayGoodbye();
    // After being thrown out, and after errors, the back-off still counts.
    if (member.state !== 'joining') member.heartbeatAt = now;
  }

  onCoordinatorFailed(event: ConsumerGroupEvent & { type: 'coordinatorFailed' }, now: number): void {
    const member = this.#member;
    const { id, errorCode, error } = event;
    if (!member.search.isCurrent(id)) return;
    const waitMs = member.search.failed(now);
    const isFatal = errorCode === null ? !error.retriable : verdictOf('FindCoordinator', errorCode) === 'fatal';
    if (isFatal && member.isBeating) return member.fail(error);
    if (isFatal && member.state === 'leaving') return member.settle(error.message);
    if (errorCode !== null && isUnexpected('FindCoordinator', errorCode))
      this.#tell('FindCoordinator', errorCode, error);
    const level = member.search.failures === FAILURES_WORTH_A_WARNING ? 'warn' : 'info';
    member.log(level, `no coordinator found, again in ${waitMs} ms: ${error.message}`);
  }

  onNoAnswer(error: KafkaError, now: number): void {
    const member = this.#member;
    if (!isFinal(error) || !member.isBeating) {
      const isRetriedSoon = member.isBeating && member.pending !== null;
      member.loseCoordinator(error.message, now);
      if (isRetriedSoon) member.heartbeatAt = now;
    } else {
      member.fail(error instanceof UnsupportedVersionError ? unsupportedHeartbeat(error, member.subscription) : error);
    }
  }

  onAnswered(response: ConsumerGroupHeartbeatResponse, now: number): void {
    const member = this.#member;
    const { pending } = member;
    if (pending === null) return;
    member.pending = null;
    const { errorCode, errorMessage } = response;
    const cause = `ConsumerGroupHeartbeat was answered ${describeCode(errorCode)}${errorMessage === null ? '' : `, ${errorMessage}`}`;
    if (member.state === 'fatal') return; // the goodbye
    const verdict = heartbeatVerdict(errorCode, !pending.isJoin);
    if (member.state === 'leaving') {
      if (verdict === 'rediscover') {
        member.pending = pending;
        return member.leaveElsewhere(cause, now);
      }
      // Whatever else it says, we are out: at worst the broker finds out when the session ends.
      return member.settle(errorCode === 0 ? 'left the group' : cause);
    }
    if (verdict !== 'ok') {
      member.fields.forget();
      member.log('info', cause);
    }
    const error = (): KafkaError => fatalHeartbeatError(errorCode, errorMessage, member.options, member.subscription);
    switch (verdict) {
      case 'ok':
        return this.#onAlive(response, pending, now);
      case 'refuse':
        member.isRefused = true;
        member.emit({ type: 'obstacle', error: error() });
        member.heartbeatAt = now + member.retryBackOff.next();
        return;
      case 'retry':
        if (isUnexpectedHeartbeat(errorCode)) this.#tell('ConsumerGroupHeartbeat', errorCode, error());
        member.heartbeatAt = now + member.retryBackOff.next();
        return;
      case 'rediscover':
        member.heartbeatAt = now;
        return member.loseCoordinator(cause, now);
      case 'lostMember':
        return member.throwOut(cause, now);
      case 'fatal':
        return member.fail(error());
      default:
        return never(verdict);
    }
  }

  #tell(api: string, errorCode: number, error: KafkaError): void {
    if (this.#member.troubles.isNews(api, errorCode)) this.#member.emit({ type: 'trouble', error });
  }

  #onAlive(response: ConsumerGroupHeartbeatResponse, sent: { sentAt: number; isJoin: boolean }, now: number): void {
    const member = this.#member;
    const { memberId, memberEpoch, heartbeatIntervalMs, assignment } = response;
    member.search.confirm();
    member.troubles.over('ConsumerGroupHeartbeat');
    if (member.isRefused) member.emit({ type: 'obstacle', error: null });
    member.isRefused = false;
    member.retryBackOff.reset();
    if (!sent.isJoin) member.rejoinBackOff.reset();
    if (heartbeatIntervalMs > 0) member.heartbeatIntervalMs = heartbeatIntervalMs;
    const isHastened = member.heartbeatAt <= now;
    if (!isHastened) member.heartbeatAt = Math.max(now, sent.sentAt + member.heartbeatIntervalMs);
    member.identify(memberId, memberEpoch);
    if (assignment !== null) this.#reconciliation.setTarget(assignment.topicPartitions);
    else if (sent.isJoin) this.#reconciliation.setTarget([]);
    this.#reconciliation.proceed(now);
  }

  /** The heartbeat decides: a commit may have been overtaken by a new epoch whose answer is on its way. */
  onCommitFenced(event: ConsumerGroupEvent & { type: 'commitFenced' }, now: number): void {
    const member = this.#member;
    const { memberId, memberEpoch } = member.identity;
    if (!member.isBeating || event.generation !== memberEpoch || event.memberId !== memberId) return;
    member.log('info', `a commit was answered ${describeCode(event.errorCode)}: asks the coordinator`);
    member.heartbeatAt = Math.min(member.heartbeatAt, now);
  }
}
