/**
 * What the coordinator says about a member between rebalances, in answer to its heartbeats and commits.
 */
import type { HeartbeatResponse } from '../protocol/api/heartbeat.ts';
import { describeCode, fatalError, verdictOf } from './answers.ts';
import type { GroupEvent } from './events.ts';
import type { Membership } from './membership.ts';
import { never } from './never.ts';

export class Standing {
  readonly #member: Membership;

  constructor(member: Membership) {
    this.#member = member;
  }

  onHeartbeatAnswered(id: number, response: HeartbeatResponse, now: number): void {
    const member = this.#member;
    const sent = member.heartbeats.take(id);
    if (sent === null) return;
    if (this.#isCurrent(sent)) this.#onAnswer('Heartbeat', response.errorCode, now);
    else
      member.log(
        'debug',
        `Heartbeat of generation ${sent.generation} was answered too late: ${describeCode(response.errorCode)}`,
      );
  }

  onCommitFenced(event: GroupEvent & { type: 'commitFenced' }, now: number): void {
    if (this.#isCurrent(event)) this.#onAnswer('OffsetCommit', event.errorCode, now);
  }

  /** What the coordinator says about the present generation, in answer to a heartbeat or to a commit. */
  #onAnswer(api: 'Heartbeat' | 'OffsetCommit', errorCode: number, now: number): void {
    const member = this.#member;
    if (!member.isBeating()) return;
    const verdict = verdictOf(api, errorCode);
    const cause = `${api} was answered ${describeCode(errorCode)}`;
    switch (verdict) {
      case 'ok':
        if (api === 'Heartbeat') this.#onAlive(now);
        return;
      case 'rejoin':
        if (api === 'Heartbeat') this.#onAlive(now);
        // While SyncGroup is out, its own answer will say so; while revoking, the rejoin is under way.
        if (member.state === 'stable' || (member.state === 'completing-rebalance' && member.sync.id === null)) {
          member.giveUp(cause, now);
        }
        return;
      case 'retry':
        member.log('info', cause);
        member.tellOf(api, errorCode);
        return member.heartbeats.retryAt(now + member.heartbeatBackOff.next());
      case 'rediscover':
        return member.loseCoordinator(cause, now);
      case 'lostGeneration':
      case 'lostMember':
        return member.throwOut(verdict === 'lostGeneration', cause, now);
      case 'takeMemberId':
      case 'fatal':
        return member.fail(fatalError(api, errorCode, member.options));
      default:
        return never(verdict);
    }
  }

  /** The broker counts the session from here, also where it asks for a rejoin. */
  #onAlive(now: number): void {
    this.#member.heartbeats.extendSession(now);
    this.#member.heartbeatBackOff.reset();
    this.#member.search.confirm();
    this.#member.troubles.over('Heartbeat');
  }

  /** The group may have moved on while the request was out; what it then says about the older generation is stale. */
  #isCurrent(sent: { generation: number; memberId: string }): boolean {
    const { generation, memberId } = this.#member.identity;
    return sent.generation === generation && sent.memberId === memberId;
  }
}
