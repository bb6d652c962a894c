import type { KafkaError } from '../errors.ts';
import type { PartitionInfo } from '../group/assignors/assignor.ts';
import { ClassicGroup } from '../group/classic.ts';
import type { GroupAction, GroupEvent, Leave } from '../group/events.ts';
import { heartbeat } from '../protocol/api/heartbeat.ts';
import { joinGroup, type JoinGroupRequest, type JoinGroupResponse } from '../protocol/api/join-group.ts';
import { leaveGroup, type LeaveGroupRequest, type LeaveGroupResponse } from '../protocol/api/leave-group.ts';
import { syncGroup } from '../protocol/api/sync-group.ts';
import { ERROR_CODES } from '../protocol/error-codes.ts';
import type { Membership } from '../commit/committer.ts';
import { CommitAuthority } from './commit-authority.ts';
import type { EngineContext } from './engine-context.ts';
import { GroupAnswers } from './group-answers.ts';
import type { GroupMember, GroupMemberParts, Wanted } from './group-member.ts';
import { PollWatch, tellExpired } from './poll-watch.ts';

/** From this version on JoinGroup sends a newcomer away with a member id, to come again with it. */
const MEMBER_ID_REQUIRED_VERSION = 4;
/** From this version on LeaveGroup names its members in a list (KIP-345). */
const LEAVE_MEMBERS_VERSION = 3;

/** Turns what the classic group machine decides into requests and events, and tells it what comes of them. */
export class GroupDriver implements GroupMember {
  readonly identity = null;
  readonly #engine: EngineContext;
  readonly #parts: GroupMemberParts;
  readonly #machine: ClassicGroup;
  readonly #polls: PollWatch;
  readonly #authority: CommitAuthority;
  readonly #answers: GroupAnswers<GroupEvent>;
  /** No JoinGroup has gone out since the group has said goodbye. */
  #hasLeft = true;
  /** Until when a SyncGroup may be waited for; 0 for none. */
  #syncEndsAt = 0;

  constructor(engine: EngineContext, groupId: string, parts: GroupMemberParts) {
    this.#engine = engine;
    this.#parts = parts;
    const { settings } = engine;
    this.#polls = new PollWatch(settings);
    this.#authority = new CommitAuthority(engine, parts.commits);
    this.#answers = new GroupAnswers(engine, (event) => this.#on(event));
    this.#machine = new ClassicGroup({
      groupId,
      groupInstanceId: settings.groupInstanceId,
      sessionTimeoutMs: settings.sessionTimeoutMs,
      rebalanceTimeoutMs: settings.maxPollIntervalMs,
      heartbeatIntervalMs: settings.heartbeatIntervalMs,
      retryBackoffMs: settings.retryBackoffMs,
      retryBackoffMaxMs: settings.retryBackoffMaxMs,
      clientRack: settings.clientRack,
      assignors: settings.partitionAssignmentStrategy,
      random: Math.random,
    });
  }

  get state(): string {
    return this.#machine.state;
  }

  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  get isOut(): boolean {
    return this.#machine.state === 'unjoined' || this.#machine.state === 'leaving';
  }

  deadline(): number {
    return Math.min(this.#machine.deadline(), this.#polls.deadline());
  }

  tick(now: number): void {
    this.#perform(this.#machine.tick(now));
    if (this.#polls.tick(now)) this.#engine.emit({ type: 'collect' });
  }

  /** With patterns the group has to wait for what they stand for: `topicsMatched`. */
  subscribe({ topics, patterns }: Wanted, now: number): void {
    this.#polls.start(now);
    if (patterns.length === 0) this.#on({ type: 'subscribed', topics });
  }

  /** What names and patterns stand for, now that all topics are known; again whenever that changes. */
  topicsMatched(topics: readonly string[]): void {
    this.#on({ type: 'subscribed', topics });
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
  }

  coordinatorLost(error: KafkaError): void {
    this.#on({ type: 'coordinatorLost', error });
  }

  commitFenced(errorCode: number, { generation, memberId }: Membership): void {
    this.#on({ type: 'commitFenced', errorCode, generation, memberId });
  }

  fail(error: KafkaError): void {
    this.#polls.stop();
    this.#on({ type: 'failed', error });
  }

  close(): void {
    this.#polls.stop();
    this.#on({ type: 'close' });
  }

  metadataChanged(asked: ReadonlySet<string>): void {
    const partitions = new Map<string, PartitionInfo[]>();
    const { metadata } = this.#engine.cluster;
    for (const topic of asked) {
      // A leader election is no change of the group's topics; only what the broker does not know at all is gone.
      const known = metadata.topics.get(topic)?.partitions ?? [];
      const infos = known.map(({ partition, replicas }) => {
        const racks = replicas.map((nodeId) => metadata.brokers.get(nodeId)?.rack ?? null);
        return { partition, replicaRacks: racks.filter((rack) => rack !== null) };
      });
      partitions.set(topic, infos);
    }
    this.#on({ type: 'metadata', partitions });
    this.#parts.metadata.watch(this.#machine.watchedTopics);
  }

  #on(event: GroupEvent): void {
    this.#perform(this.#machine.on(event, this.#engine.now()));
  }

  #perform(actions: readonly GroupAction[]): void {
    for (const action of actions) this.#performOne(action);
  }

  #performOne(action: GroupAction): void {
    const { coordinator, settings } = this.#engine;
    switch (action.type) {
      case 'findCoordinator':
        void this.#answers.findCoordinator(action.id);
        return;
      case 'sendJoin':
        // Until the new generation is there, commits wait.
        this.#authority.suspend();
        this.#hasLeft = false;
        void this.#answers.ofGroup(
          this.#join(action.request, Math.max(action.timeoutMs, settings.requestTimeoutMs)),
          (response) => ({ type: 'joinAnswered', id: action.id, response }),
          (error) => ({ type: 'joinFailed', id: action.id, error }),
        );
        return;
      case 'sendSync': {
        // The machine's own limit comes first.
        const timeoutMs = Math.max(2 * action.timeoutMs, settings.requestTimeoutMs);
        this.#syncEndsAt = this.#engine.now() + timeoutMs;
        void this.#answers.ofGroup(
          coordinator.send(syncGroup, action.request, { timeoutMs }).finally(() => (this.#syncEndsAt = 0)),
          (response) => ({ type: 'syncAnswered', id: action.id, response }),
          (error) => ({ type: 'syncFailed', id: action.id, error }),
        );
        return;
      }
      case 'sendHeartbeat':
        void this.#answers.ofGroup(
          coordinator.send(heartbeat, action.request, { timeoutMs: this.#heartbeatTimeoutMs() }),
          (response) => ({ type: 'heartbeatAnswered', id: action.id, response }),
          (error) => ({ type: 'heartbeatFailed', id: action.id, error }),
        );
        return;
      case 'sendLeave':
        void this.#answers.ofGroup(
          coordinator.send(leaveGroup, (version) => leaveRequest(action.request, version)),
          (response) => {
            this.#hasLeft = isGone(response);
            return { type: 'leaveAnswered', id: action.id, response };
          },
          (error) => ({ type: 'leaveFailed', id: action.id, error }),
        );
        return;
      case 'dropConnection':
        coordinator.disconnect();
        return;
      case 'coordinatorUnknown':
        coordinator.forget();
        return;
      case 'refreshMetadata':
        this.#parts.metadata.watch(this.#machine.watchedTopics);
        this.#engine.refreshMetadata(action.topics);
        return;
      case 'revoke':
        this.#authority.revoke(action);
        return;
      case 'rebalancing':
        this.#engine.emit(action);
        return;
      case 'assign':
        this.#authority.assign(action);
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

  /** The answer to a newcomer is its member id and comes at once (KIP-394): a silent coordinator need not be waited for as long as a rebalance. */
  async #join(request: JoinGroupRequest, timeoutMs: number): Promise<JoinGroupResponse> {
    const { coordinator, settings } = this.#engine;
    const isNewcomer = request.memberId === '' && request.groupInstanceId === null;
    const isAnsweredAtOnce = isNewcomer && (await coordinator.versionOf(joinGroup)) >= MEMBER_ID_REQUIRED_VERSION;
    return coordinator.send(joinGroup, request, {
      timeoutMs: isAnsweredAtOnce ? settings.requestTimeoutMs : timeoutMs,
    });
  }

  /** A SyncGroup that waits for the group's leader holds up what is sent behind it on the same connection. */
  #heartbeatTimeoutMs(): number {
    const { sessionTimeoutMs, requestTimeoutMs } = this.#engine.settings;
    return Math.max(Math.min(sessionTimeoutMs, requestTimeoutMs), this.#syncEndsAt - this.#engine.now());
  }
}

/** UNKNOWN_MEMBER_ID says it, too. */
function isGone({ errorCode, members }: LeaveGroupResponse): boolean {
  const code = errorCode || (members[0]?.errorCode ?? 0);
  return code === ERROR_CODES.NONE || code === ERROR_CODES.UNKNOWN_MEMBER_ID;
}

function leaveRequest({ groupId, memberId, groupInstanceId, reason }: Leave, version: number): LeaveGroupRequest {
  if (version < LEAVE_MEMBERS_VERSION) return { groupId, memberId, members: [] };
  return { groupId, memberId: '', members: [{ memberId, groupInstanceId, reason }] };
}
