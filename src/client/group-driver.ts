import type { CommitDriver } from './commit-driver.ts';
import { FencedError, type KafkaError, toKafkaError } from '../errors.ts';
import type { PartitionInfo } from '../group/assignors/assignor.ts';
import { ClassicGroup } from '../group/classic.ts';
import type { GroupAction, GroupEvent, Leave } from '../group/events.ts';
import { partitionKey, type TopicPartition } from '../fetch/partition.ts';
import { heartbeat } from '../protocol/api/heartbeat.ts';
import { joinGroup } from '../protocol/api/join-group.ts';
import { leaveGroup, type LeaveGroupRequest } from '../protocol/api/leave-group.ts';
import { syncGroup } from '../protocol/api/sync-group.ts';
import type { EngineContext } from './engine-context.ts';
import type { MetadataWatch } from './metadata-watch.ts';
import { PollWatch } from './poll-watch.ts';

/** From this version on LeaveGroup names its members in a list (KIP-345). */
const LEAVE_MEMBERS_VERSION = 3;

export interface GroupDriverParts {
  commits: CommitDriver;
  metadata: MetadataWatch;
  /** The member has left for good. */
  onLeft: () => void;
}

/** Turns what the group machine decides into requests and events, and tells it what comes of them. */
export class GroupDriver {
  readonly #engine: EngineContext;
  readonly #parts: GroupDriverParts;
  readonly #machine: ClassicGroup;
  readonly #polls: PollWatch;
  /** What the application is giving up. */
  #revoking: readonly TopicPartition[] = [];
  /** Until when a SyncGroup may be waited for; 0 for none. */
  #syncEndsAt = 0;

  constructor(engine: EngineContext, groupId: string, parts: GroupDriverParts) {
    this.#engine = engine;
    this.#parts = parts;
    const { settings } = engine;
    this.#polls = new PollWatch(settings);
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

  deadline(): number {
    return Math.min(this.#machine.deadline(), this.#polls.deadline());
  }

  tick(now: number): void {
    this.#perform(this.#machine.tick(now));
    const due = this.#polls.tick(now);
    if (due.isCollecting) this.#engine.emit({ type: 'collect' });
    if (!due.hasExpired) return;
    const text = `no record was asked for within maxPollIntervalMs (${this.#engine.settings.maxPollIntervalMs} ms): this consumer leaves its group, and joins again when it is read from. Handle records faster, take fewer at a time (maxPollRecords), or raise maxPollIntervalMs`;
    this.#engine.emit({ type: 'log', level: 'error', message: text });
    this.#on({ type: 'pollExpired' });
  }

  /** With patterns the group has to wait for what they stand for: `topicsMatched`. */
  subscribe(topics: readonly string[], patterns: readonly RegExp[], now: number): void {
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
    if (this.#polls.progress(isWaiting, polls, now)) this.#on({ type: 'polled' });
  }

  revoked(): void {
    this.#revoking = [];
    this.#on({ type: 'revoked' });
  }

  coordinatorLost(error: KafkaError): void {
    this.#on({ type: 'coordinatorLost', error });
  }

  commitFenced(errorCode: number, { generation, memberId }: { generation: number; memberId: string }): void {
    this.#on({ type: 'commitFenced', errorCode, generation, memberId });
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
    const { committer } = this.#parts.commits;
    switch (action.type) {
      case 'findCoordinator':
        void this.#findCoordinator(action.id);
        return;
      case 'sendJoin':
        // Until the new generation is there, commits wait.
        committer.setMembership(null);
        void this.#request(
          coordinator.send(joinGroup, action.request, {
            timeoutMs: Math.max(action.timeoutMs, settings.requestTimeoutMs),
          }),
          (response) => ({ type: 'joinAnswered', id: action.id, response }),
          (error) => ({ type: 'joinFailed', id: action.id, error }),
        );
        return;
      case 'sendSync': {
        const timeoutMs = Math.max(settings.maxPollIntervalMs, settings.requestTimeoutMs);
        this.#syncEndsAt = this.#engine.now() + timeoutMs;
        void this.#request(
          coordinator.send(syncGroup, action.request, { timeoutMs }).finally(() => (this.#syncEndsAt = 0)),
          (response) => ({ type: 'syncAnswered', id: action.id, response }),
          (error) => ({ type: 'syncFailed', id: action.id, error }),
        );
        return;
      }
      case 'sendHeartbeat':
        void this.#request(
          coordinator.send(heartbeat, action.request, { timeoutMs: this.#heartbeatTimeoutMs() }),
          (response) => ({ type: 'heartbeatAnswered', id: action.id, response }),
          (error) => ({ type: 'heartbeatFailed', id: action.id, error }),
        );
        return;
      case 'sendLeave':
        void this.#request(
          coordinator
            .versionOf(leaveGroup)
            .then((version) => coordinator.send(leaveGroup, leaveRequest(action.request, version))),
          (response) => ({ type: 'leaveAnswered', id: action.id, response }),
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
        this.#revoking = action.partitions;
        if (action.lost) this.#lose();
        // A member that leaves in the middle of a rebalance commits for the generation that it is still in.
        else committer.setMembership({ memberId: action.memberId, generation: action.generation });
        this.#engine.emit({ type: 'revoking', partitions: action.partitions, lost: action.lost });
        return;
      case 'assign': {
        const { partitions, added, generation, memberId } = action;
        // What this generation takes away is still ours to commit.
        const mine = [...partitions, ...this.#revoking];
        const owned = new Set(mine.map(({ topic, partition }) => partitionKey(topic, partition)));
        const isOwned = (topic: string, partition: number): boolean => owned.has(partitionKey(topic, partition));
        this.#parts.commits.perform(committer.setMembership({ memberId, generation }, isOwned));
        this.#engine.emit({ type: 'assigned', partitions: added, memberId, generation });
        return;
      }
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

  /** Thrown out of the group: what was not committed by now will be consumed again by another member. */
  #lose(): void {
    const { commits } = this.#parts;
    const text = 'not committed: the group has gone on without this member';
    const error = new FencedError(text, { code: 25, name: 'UNKNOWN_MEMBER_ID', api: 'OffsetCommit' });
    commits.perform(commits.committer.expel(error));
  }

  /** A SyncGroup that waits for the group's leader holds up what is sent behind it on the same connection. */
  #heartbeatTimeoutMs(): number {
    const { sessionTimeoutMs, requestTimeoutMs } = this.#engine.settings;
    return Math.max(Math.min(sessionTimeoutMs, requestTimeoutMs), this.#syncEndsAt - this.#engine.now());
  }

  async #findCoordinator(id: number): Promise<void> {
    const { coordinator } = this.#engine;
    try {
      await coordinator.find();
      this.#answer({ type: 'coordinatorFound', id, coordinator: coordinator.name });
    } catch (thrown) {
      const error = toKafkaError(thrown);
      // Codes below −1000 are this side's: no broker answered.
      this.#answer({ type: 'coordinatorFailed', id, errorCode: error.code < -1000 ? null : error.code, error });
    }
  }

  async #request<Res>(
    sent: Promise<Res>,
    answered: (response: Res) => GroupEvent,
    failed: (error: KafkaError) => GroupEvent,
  ): Promise<void> {
    let event: GroupEvent;
    try {
      event = answered(await sent);
    } catch (error) {
      event = failed(toKafkaError(error));
    }
    this.#answer(event);
  }

  #answer(event: GroupEvent): void {
    if (this.#engine.isClosed) return;
    this.#on(event);
    this.#engine.step();
  }
}

function leaveRequest({ groupId, memberId, groupInstanceId, reason }: Leave, version: number): LeaveGroupRequest {
  if (version < LEAVE_MEMBERS_VERSION) return { groupId, memberId, members: [] };
  return { groupId, memberId: '', members: [{ memberId, groupInstanceId, reason }] };
}
