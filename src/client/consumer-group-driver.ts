import type { Membership } from '../commit/committer.ts';
import type { KafkaError } from '../errors.ts';
import { ConsumerGroup } from '../group/consumer.ts';
import type { ConsumerGroupAction, ConsumerGroupEvent } from '../group/consumer-events.ts';
import { consumerGroupHeartbeat } from '../protocol/api/consumer-group-heartbeat.ts';
import { ERROR_CODES } from '../protocol/error-codes.ts';
import { CommitAuthority } from './commit-authority.ts';
import type { EngineContext } from './engine-context.ts';
import { GroupAnswers } from './group-answers.ts';
import type { GroupMember, GroupMemberParts, Wanted } from './group-member.ts';
import { PollWatch, tellExpired } from './poll-watch.ts';

/** A static member says −2 instead: its place is kept. */
const LEAVES_FOR_GOOD = -1;

/** Turns what the machine of a KIP-848 member decides into requests and events, and tells it what comes of them. */
export class ConsumerGroupDriver implements GroupMember {
  readonly #engine: EngineContext;
  readonly #parts: GroupMemberParts;
  readonly #machine: ConsumerGroup;
  readonly #polls: PollWatch;
  readonly #authority: CommitAuthority;
  readonly #answers: GroupAnswers<ConsumerGroupEvent>;
  #brokerPattern: string | null = null;
  /** No heartbeat that joins has gone out since the group has said goodbye. */
  #hasLeft = true;

  constructor(engine: EngineContext, groupId: string, parts: GroupMemberParts) {
    this.#engine = engine;
    this.#parts = parts;
    const { settings, cluster } = engine;
    this.#polls = new PollWatch(settings);
    this.#authority = new CommitAuthority(engine, parts.commits);
    this.#answers = new GroupAnswers(engine, (event) => this.#on(event));
    this.#machine = new ConsumerGroup({
      groupId,
      memberId: crypto.randomUUID(),
      groupInstanceId: settings.groupInstanceId,
      rebalanceTimeoutMs: settings.maxPollIntervalMs,
      serverAssignor: settings.groupRemoteAssignor,
      clientRack: settings.clientRack,
      retryBackoffMs: settings.retryBackoffMs,
      retryBackoffMaxMs: settings.retryBackoffMaxMs,
      random: Math.random,
      topicName: (topicId) => cluster.metadata.topicName(topicId),
    });
  }

  get identity(): Membership | null {
    const { memberId, memberEpoch } = this.#machine;
    return memberEpoch > 0 ? { memberId, generation: memberEpoch } : null;
  }

  get state(): string {
    return this.#machine.state;
  }

  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  get isOut(): boolean {
    return this.#machine.state === 'unsubscribed' || this.#machine.state === 'leaving';
  }

  deadline(): number {
    return Math.min(this.#machine.deadline(), this.#polls.deadline());
  }

  tick(now: number): void {
    this.#perform(this.#machine.tick(now));
    if (this.#polls.tick(now)) this.#engine.emit({ type: 'collect' });
  }

  subscribe({ topics, patterns, brokerPattern }: Wanted, now: number): void {
    this.#polls.start(now);
    this.#brokerPattern = brokerPattern;
    if (patterns.length === 0) this.topicsMatched(topics);
  }

  topicsMatched(topics: readonly string[]): void {
    this.#on({ type: 'subscribed', subscription: { topics, regex: this.#brokerPattern } });
  }

  unsubscribe(): void {
    this.#polls.stop();
    this.#on({ type: 'unsubscribed' });
  }

  progress(isWaiting: boolean, polls: number, now: number): void {
    const news = this.#polls.progress(isWaiting, polls, now);
    if (news === 'expired') tellExpired(this.#engine);
    if (news !== null) this.#on({ type: news === 'expired' ? 'pollExpired' : 'polled' });
  }

  revoked(): void {
    this.#authority.revoked();
    this.#on({ type: 'revoked' });
    this.#watchOwned();
  }

  coordinatorLost(error: KafkaError): void {
    this.#on({ type: 'coordinatorLost', error });
  }

  commitFenced(errorCode: number, { generation, memberId }: Membership): void {
    this.#on({ type: 'commitFenced', errorCode, generation, memberId });
  }

  metadataChanged(): void {
    this.#on({ type: 'metadataChanged' });
  }

  fail(error: KafkaError): void {
    this.#polls.stop();
    this.#on({ type: 'failed', error });
  }

  close(): void {
    this.#polls.stop();
    this.#on({ type: 'close' });
  }

  /** What the broker's pattern has found nobody else asks metadata for; what is gone must not be asked for any more. */
  #watchOwned(): void {
    if (this.#brokerPattern === null) return;
    this.#parts.metadata.watch([...new Set(this.#machine.owned.map(({ topic }) => topic))]);
    this.#engine.refreshMetadata([]);
  }

  #on(event: ConsumerGroupEvent): void {
    this.#perform(this.#machine.on(event, this.#engine.now()));
  }

  #perform(actions: readonly ConsumerGroupAction[]): void {
    for (const action of actions) this.#performOne(action);
  }

  #performOne(action: ConsumerGroupAction): void {
    const { coordinator } = this.#engine;
    const { commits } = this.#parts;
    switch (action.type) {
      case 'findCoordinator':
        void this.#answers.findCoordinator(action.id);
        return;
      case 'sendHeartbeat': {
        const { id, request } = action;
        if (request.memberEpoch === 0) {
          this.#authority.suspend();
          this.#hasLeft = false;
        }
        void this.#answers.ofGroup(
          coordinator.send(consumerGroupHeartbeat, request),
          (response) => {
            if (request.memberEpoch === LEAVES_FOR_GOOD) this.#hasLeft = isGone(response.errorCode);
            return { type: 'heartbeatAnswered', id, response };
          },
          (error) => ({ type: 'heartbeatFailed', id, error }),
        );
        return;
      }
      case 'coordinatorUnknown':
        coordinator.forget();
        return;
      case 'resolveTopics':
        // Metadata has an answer for some of them, or is asked again: the machine knows when.
        void this.#answers.of(
          this.#engine.cluster.resolveTopics(action.topicIds),
          () => ({ type: 'metadataChanged' }),
          () => ({ type: 'metadataChanged' }),
        );
        return;
      case 'revoke':
        this.#authority.revoke(action);
        return;
      case 'assign':
        this.#watchOwned();
        this.#authority.assign(action);
        return;
      case 'epochChanged': {
        const { memberId, generation } = action;
        commits.committer.setMembership({ memberId, generation });
        this.#engine.emit({ type: 'membershipChanged', memberId, generation });
        return;
      }
      case 'obstacle':
        this.#engine.emit({ type: 'refused', what: 'group', error: action.error });
        return;
      case 'trouble':
        this.#engine.emit(action);
        return;
      case 'fail':
        this.#engine.fail(action.error);
        return;
      case 'left':
        this.#parts.onLeft();
        return;
      case 'log':
        this.#engine.emit(action);
        return;
    }
  }
}

/** UNKNOWN_MEMBER_ID says it, too. */
function isGone(errorCode: number): boolean {
  return errorCode === ERROR_CODES.NONE || errorCode === ERROR_CODES.UNKNOWN_MEMBER_ID;
}
