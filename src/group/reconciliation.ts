/**
 * The way from what a member owns to what the coordinator wants it to own (KIP-848): give up first, acknowledge, then take on; one
 * step after the other. A target that comes while a step is running is looked at when that has ended.
 */
import { BackOff } from './back-off.ts';
import type { ConsumerMembership } from './consumer-membership.ts';
import type { TopicIdPartitions } from '../protocol/topic-id-partitions.ts';
import { type OwnedPartition, TopicIdPartitionSet } from './topic-ids.ts';

export class Reconciliation {
  readonly #member: ConsumerMembership;
  readonly #backOff: BackOff;
  /** `null` while the coordinator has not said any. */
  #target: TopicIdPartitionSet | null = null;
  /** Something was given up since the last `assign`. */
  #hasGivenUp = false;
  /** Ids of the target without a name. */
  #unresolved: readonly string[] = [];
  /** When metadata is asked about them again. */
  #resolveAt = Infinity;
  /** The names of what was resolved: metadata may forget a topic before its partitions are revoked. */
  #names = new Map<string, string>();

  constructor(member: ConsumerMembership) {
    this.#member = member;
    const { retryBackoffMs: firstMs, retryBackoffMaxMs: maxMs, random } = member.options;
    this.#backOff = new BackOff({ firstMs, maxMs, random });
  }

  /** Ids that metadata should be asked about as long as they are without a name. */
  get unresolved(): readonly string[] {
    return this.#unresolved;
  }

  /** Outside of the group there is no target. */
  reset(): void {
    this.#target = null;
    this.#hasGivenUp = false;
    this.#unresolved = [];
    this.#resolveAt = Infinity;
    this.#names.clear();
    this.#backOff.reset();
  }

  setTarget(topics: readonly TopicIdPartitions[]): void {
    this.#target = new TopicIdPartitionSet(topics);
    const targeted = new Set(this.#target.topicIds);
    for (const topicId of this.#names.keys()) if (!targeted.has(topicId)) this.#names.delete(topicId);
    this.#backOff.reset();
    this.#resolveAt = Infinity;
    this.#unresolved = [];
  }

  deadline(): number {
    return this.#resolveAt;
  }

  tick(now: number): void {
    if (now < this.#resolveAt) return;
    this.#resolveAt = Infinity;
    this.#member.emit({ type: 'resolveTopics', topicIds: this.#unresolved });
  }

  /** Metadata has come, and may know more. */
  metadataChanged(now: number): void {
    if (this.#unresolved.length === 0) return;
    this.proceed(now);
    if (this.#unresolved.length > 0) this.#resolveAt = Math.min(this.#resolveAt, now + this.#backOff.next());
  }

  /** The next step, where none is running. Nothing where the member owns its target. */
  proceed(now: number): void {
    const member = this.#member;
    const target = this.#target;
    const mayProceed = member.state === 'joining' || member.state === 'reconciling' || member.state === 'stable';
    if (!mayProceed || member.revoking !== null || target === null) return;
    const isJoining = member.state === 'joining';
    const removed = member.owned.filter(({ topicId, partition }) => !target.has(topicId, partition));
    const added = this.#resolve(target, now);
    const counts = `${removed.length} to give up, ${added.length} to take on, ${this.#unresolved.length} topics without a name yet`;
    if (removed.length > 0) {
      if (member.state !== 'reconciling') member.moveTo('reconciling', counts);
      member.revoke(removed);
      this.#hasGivenUp = true;
    } else if (added.length > 0) {
      if (member.state !== 'reconciling') member.moveTo('reconciling', counts);
      if (!member.mayTakeOn) return; // the answer, or that of the next heartbeat, goes on here
      this.#assign(added);
      this.acknowledge('has taken on what is new', now);
    } else {
      const isThere = this.#unresolved.length === 0;
      // An application hears of its first assignment also where that is empty, and of the end of a rebalance that has
      // only taken away, as in Java.
      if (isJoining || (isThere && this.#hasGivenUp)) this.#assign([]);
      if (isThere && member.state !== 'stable') member.moveTo('stable', `owns ${member.owned.length} partitions`);
      if (!isThere && member.state !== 'reconciling') member.moveTo('reconciling', counts);
    }
  }

  #assign(added: readonly OwnedPartition[]): void {
    this.#hasGivenUp = false;
    this.#member.assign(added);
  }

  /** What is owned has changed: the next heartbeat says so, at once. */
  acknowledge(cause: string, now: number): void {
    this.#member.moveTo('acknowledging', cause);
    this.#member.heartbeatAt = now;
  }

  /** The heartbeat that acknowledges is out. */
  acknowledged(now: number): void {
    this.#member.moveTo(this.#isThere() ? 'stable' : 'reconciling', 'acknowledged');
    this.proceed(now);
  }

  #isThere(): boolean {
    const { owned } = this.#member;
    const target = this.#target ?? new TopicIdPartitionSet();
    const size = target.topicIds.reduce((sum, topicId) => sum + target.partitionsOf(topicId).length, 0);
    return size === owned.length && owned.every(({ topicId, partition }) => target.has(topicId, partition));
  }

  /** What of the target is not owned and has a name. */
  #resolve(target: TopicIdPartitionSet, now: number): OwnedPartition[] {
    const owned = new TopicIdPartitionSet(
      this.#member.owned.map(({ topicId, partition }) => ({ topicId, partitions: [partition] })),
    );
    const added: OwnedPartition[] = [];
    const unresolved: string[] = [];
    for (const topicId of target.topicIds) {
      const partitions = target.partitionsOf(topicId).filter((partition) => !owned.has(topicId, partition));
      if (partitions.length === 0) continue;
      const topic = this.#names.get(topicId) ?? this.#member.options.topicName(topicId);
      if (topic === undefined) {
        unresolved.push(topicId);
        continue;
      }
      this.#names.set(topicId, topic);
      added.push(...partitions.map((partition) => ({ topicId, topic, partition })));
    }
    const isNews = unresolved.some((topicId) => !this.#unresolved.includes(topicId));
    this.#unresolved = unresolved;
    if (isNews) this.#resolveAt = now;
    else if (unresolved.length === 0) this.#resolveAt = Infinity;
    return added;
  }
}
