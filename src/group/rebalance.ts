/**
 * From JoinGroup's answer to the new assignment. Eager: nothing is owned by then. Cooperative: what is owned goes on being
 * consumed, and what the new assignment takes away is given up after it, with one more rebalance for its next owner.
 */
import { KafkaError } from '../errors.ts';
import type { JoinGroupResponse } from '../protocol/api/join-group.ts';
import type { SyncGroupResponse } from '../protocol/api/sync-group.ts';
import { decodeAssignment } from '../protocol/consumer-protocol.ts';
import { describeCode, fatalError, inconsistentProtocol, verdictOf } from './answers.ts';
import type { PartitionInfo } from './assignors/assignor.ts';
import type { TopicPartition } from './events.ts';
import { LedGroup } from './leader.ts';
import type { Membership } from './membership.ts';
import { never } from './never.ts';
import { byTopic, without } from './partitions.ts';
import { assignorFailed, NO_IDENTITY, PROTOCOL_TYPE } from './requests.ts';

export class Rebalance {
  readonly #member: Membership;
  /** What refreshes told about the watched topics; one that does not exist has no partitions. */
  readonly #metadata = new Map<string, readonly PartitionInfo[]>();

  constructor(member: Membership) {
    this.#member = member;
  }

  get watchedTopics(): readonly string[] {
    const { topics, led } = this.#member;
    return led === null ? topics : [...new Set([...topics, ...led.topics])];
  }

  /** A new generation is wanted: at once where nothing is out, else when that is answered. */
  request(reason: string, now: number): void {
    const member = this.#member;
    const isIdle = member.state === 'stable' || (member.state === 'completing-rebalance' && member.sync.id === null);
    if (isIdle) member.giveUp(reason, now);
    else if (member.joinId !== null || member.sync.id !== null) member.rejoinReason = reason;
  }

  onJoinAnswered(id: number, response: JoinGroupResponse, now: number): void {
    const member = this.#member;
    if (id !== member.joinId) return;
    member.joinId = null;
    const { errorCode, memberId } = response;
    const verdict = verdictOf('JoinGroup', errorCode);
    const cause = `JoinGroup was answered ${describeCode(errorCode)}`;
    if (member.state === 'leaving') {
      // What `leave` waited for: whoever has a member id by now is to give it back.
      if (memberId === '' || (verdict !== 'ok' && verdict !== 'takeMemberId')) return member.settle(cause);
      member.identity = { ...NO_IDENTITY, memberId };
      return member.sendLeave();
    }
    // Most of these belong to a healthy group now and then (a coordinator that loads, a generation that has passed).
    if (verdict !== 'ok') member.log(verdict === 'takeMemberId' ? 'debug' : 'info', cause);
    switch (verdict) {
      case 'ok':
        return this.#onJoined(response, now);
      case 'rediscover':
        return member.loseCoordinator(cause, now);
      case 'lostMember':
        return member.throwOut(false, cause, now);
      case 'takeMemberId':
        member.identity = { ...NO_IDENTITY, memberId };
        member.joinAt = now + member.joinBackOff.nextAfterFreeTry();
        return;
      case 'retry':
        member.tellOf('JoinGroup', errorCode);
        member.joinAt = now + member.joinBackOff.next();
        return;
      case 'rejoin':
      case 'lostGeneration':
      case 'fatal':
        return member.fail(fatalError('JoinGroup', errorCode, member.options));
      default:
        return never(verdict);
    }
  }

  #onJoined(response: JoinGroupResponse, now: number): void {
    const member = this.#member;
    const { generationId, memberId, leader, members, protocolType, protocolName } = response;
    if (protocolType !== null && protocolType !== PROTOCOL_TYPE) {
      const detail = `the group is of type '${protocolType}', not a consumer group`;
      return member.fail(inconsistentProtocol('JoinGroup', detail));
    }
    if (protocolName === null || !member.options.assignors.some((assignor) => assignor.name === protocolName)) {
      const detail = `the broker chose the assignor ${String(protocolName)}, which was not offered`;
      return member.fail(inconsistentProtocol('JoinGroup', detail));
    }
    member.identity = { memberId, generation: generationId, protocol: protocolName };
    member.troubles.over('JoinGroup');
    if (member.rejoinReason !== null) {
      // Joined for a subscription that is not ours any more: the next JoinGroup goes out without a SyncGroup between.
      const reason = member.rejoinReason;
      member.rejoinReason = null;
      return member.giveUp(reason, now);
    }
    member.led = leader === memberId ? new LedGroup(members) : null;
    this.forgetUnwatched();
    member.heartbeats.start(now);
    member.moveTo(
      'completing-rebalance',
      member.led === null ? `joined; leader is '${leader}'` : `joined as leader of ${members.length}`,
    );
    if (member.led === null) member.sync.assignments = [];
    else this.#lead(member.led, response.skipAssignment);
  }

  #lead(led: LedGroup, skipAssignment: boolean): void {
    const member = this.#member;
    for (const { memberId, error } of led.unreadable) {
      member.log(
        'error',
        `the subscription of member '${memberId}' makes no sense, it gets no partitions: ${String(error)}`,
      );
    }
    if (led.missingFrom(this.#metadata).length > 0) {
      member.emit({ type: 'refreshMetadata', topics: this.watchedTopics });
    }
    if (skipAssignment) {
      // KIP-814: a static leader came back; the broker has the assignment and wants none. What that rests on nobody tells us:
      // partitions that were added while we were away are noticed with the next change only, as in Java.
      led.remember(this.#metadata);
      member.sync.assignments = [];
    } else {
      this.#assignWhenKnown(led);
    }
  }

  #assignWhenKnown(led: LedGroup): void {
    const member = this.#member;
    if (led.missingFrom(this.#metadata).length > 0) return;
    const { protocol } = member.identity;
    const assignor = member.options.assignors.find((candidate) => candidate.name === protocol);
    if (assignor === undefined) throw new Error(`group: assignor ${String(protocol)} is gone since JoinGroup`);
    try {
      member.sync.assignments = led.assign(assignor, this.#metadata, member.rebalanceProtocol);
    } catch (cause) {
      member.fail(assignorFailed(assignor.name, 'SyncGroup', cause));
    }
  }

  onSyncAnswered(id: number, response: SyncGroupResponse, now: number): void {
    const member = this.#member;
    if (id !== member.sync.id) return;
    member.sync.over();
    const { errorCode } = response;
    const verdict = verdictOf('SyncGroup', errorCode);
    const cause = `SyncGroup was answered ${describeCode(errorCode)}`;
    switch (verdict) {
      case 'ok':
        return this.#onSynced(response, now);
      case 'rejoin':
        member.joinAt = now;
        return member.prepare(cause);
      case 'retry':
        member.tellOf('SyncGroup', errorCode);
        member.joinAt = now + member.joinBackOff.next();
        return member.prepare(cause);
      case 'rediscover':
        member.prepare(cause);
        return member.loseCoordinator(cause, now);
      case 'lostGeneration':
      case 'lostMember':
        return member.throwOut(verdict === 'lostGeneration', cause, now);
      case 'takeMemberId':
      case 'fatal':
        return member.fail(fatalError('SyncGroup', errorCode, member.options));
      default:
        return never(verdict);
    }
  }

  #onSynced(response: SyncGroupResponse, now: number): void {
    const member = this.#member;
    const { generation, memberId, protocol } = member.identity;
    const { protocolType, protocolName } = response;
    // Both are null before v5 (KIP-559).
    if ((protocolType ?? PROTOCOL_TYPE) !== PROTOCOL_TYPE || (protocolName ?? protocol) !== protocol) {
      const detail = `an answer for ${String(protocolType)} ${String(protocolName)} instead of ${PROTOCOL_TYPE} ${String(protocol)}`;
      return member.fail(inconsistentProtocol('SyncGroup', detail));
    }
    member.search.confirm();
    member.troubles.over('SyncGroup');
    if (member.rejoinReason !== null) return member.giveUp(member.rejoinReason, now);
    const partitions = this.#readAssignment(response.assignment);
    if (partitions === null) return;
    const foreign = partitions.find(({ topic }) => !member.topics.includes(topic));
    if (foreign !== undefined) {
      member.joinAt = now + member.joinBackOff.next();
      return member.prepare(`the leader assigned topic '${foreign.topic}', which is not subscribed to`);
    }
    member.joinBackOff.reset();
    member.heartbeats.extendSession(now);
    // Eager: nothing is owned by now. Cooperative: what stays is consumed all the while.
    const added = without(partitions, member.owned);
    const gone = without(member.owned, partitions);
    if (gone.length > 0) member.revoke(gone);
    member.owned = partitions;
    member.lastAssignment = { partitions: byTopic(partitions), generationId: generation };
    const shares = [`assigned ${partitions.length} partitions by ${String(protocol)}`];
    if (added.length !== partitions.length) shares.push(`${added.length} of them new`);
    if (gone.length === 0) {
      member.moveTo('stable', shares.join(', '));
    } else {
      member.joinReason = `gives up ${gone.length} partitions for other members`;
      member.joinAt = now;
      member.moveTo('revoking', `${shares.join(', ')}; ${member.joinReason}, then joins again`);
    }
    member.emit({ type: 'assign', partitions, added, isSettled: gone.length === 0, generation, memberId });
  }

  /** `null` where the member failed over it. */
  #readAssignment(bytes: Buffer): TopicPartition[] | null {
    try {
      return decodeAssignment(bytes).assignedPartitions.flatMap(({ topic, partitions }) =>
        partitions.map((partition) => ({ topic, partition })),
      );
    } catch (error) {
      const cause =
        error instanceof KafkaError ? error : new KafkaError(String(error), { api: 'SyncGroup', cause: error });
      this.#member.fail(cause);
      return null;
    }
  }

  onMetadata(partitions: ReadonlyMap<string, readonly PartitionInfo[]>, now: number): void {
    const { led, sync, state } = this.#member;
    for (const [topic, infos] of partitions) this.#metadata.set(topic, infos);
    if (led === null) return;
    if (state === 'completing-rebalance' && sync.assignments === null && sync.id === null) {
      return this.#assignWhenKnown(led);
    }
    const changed = led.changedTopic(this.#metadata);
    if (changed === null) led.remember(this.#metadata);
    else this.request(`the partitions of topic '${changed}' have changed`, now);
  }

  /** What is not watched goes out of date. */
  forgetUnwatched(): void {
    const watched = new Set(this.watchedTopics);
    for (const topic of this.#metadata.keys()) {
      if (!watched.has(topic)) this.#metadata.delete(topic);
    }
  }
}
