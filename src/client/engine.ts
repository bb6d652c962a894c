import type { Membership } from '../commit/committer.ts';
import { ConnectionError, type KafkaError } from '../errors.ts';
import { Cluster } from '../network/cluster.ts';
import { Coordinator } from '../network/coordinator.ts';
import { VERSION } from '../version.ts';
import { CommitDriver } from './commit-driver.ts';
import { Doubt } from './doubt.ts';
import type { EngineContext } from './engine-context.ts';
import { FetchDriver } from './fetch-driver.ts';
import { ConsumerGroupDriver } from './consumer-group-driver.ts';
import { GroupDriver } from './group-driver.ts';
import type { GroupMember } from './group-member.ts';
import { LookupDriver } from './lookup-driver.ts';
import { LoopWatch } from './loop-watch.ts';
import { MetadataWatch } from './metadata-watch.ts';
import { NO_MEMBERSHIP, type EngineCommand, type EngineEvent, type EnginePort } from './port.ts';
import { Timer } from './timer.ts';
import type { Settings } from './validate.ts';

/** Commands of which many may come in one turn of the event loop. */
const OFTEN: ReadonlySet<EngineCommand['type']> = new Set(['pause', 'resume', 'start', 'stop']);

/**
 * What lies behind `Consumer`: owns the connections and, through its drivers, the machines of group, fetch and commit.
 * After every command and every answer it asks each machine what is due, and sets one timer to the earliest deadline.
 */
export class Engine implements EnginePort, EngineContext {
  readonly settings: Settings;
  readonly cluster: Cluster;
  readonly coordinator: Coordinator;
  readonly #emit: (event: EngineEvent) => void;
  readonly #fetches: FetchDriver;
  readonly #commits: CommitDriver;
  readonly #metadata: MetadataWatch;
  readonly #lookups: LookupDriver;
  readonly #group: GroupMember | null;
  readonly #loop: LoopWatch;
  readonly #doubt = new Doubt((isHeld) => this.emit({ type: 'hold', isHeld }));
  readonly #timer = new Timer(() => this.step());
  #inbox: EngineCommand[] = [];
  #isStepping = false;
  #isStepDue = false;
  #isStarted = false;
  #isAlone = false;
  /** The last `unsubscribe`, while the group is being left. */
  #unsubscribing: number | null = null;
  #autoCommitAt = Infinity;
  #statsAt = Infinity;
  #closeBy = Infinity;
  #leaveTimeoutMs = Infinity;
  /** The application is giving up partitions. */
  #isRevoking = false;
  #isClosed = false;
  #failure: KafkaError | null = null;

  constructor(settings: Settings, emit: (event: EngineEvent) => void) {
    this.settings = settings;
    this.#loop = new LoopWatch(settings);
    this.#emit = emit;
    this.cluster = new Cluster({
      ...settings,
      softwareVersion: VERSION,
      connectTimeoutMs: settings.socketConnectionSetupTimeoutMs,
      maxFrameBytes: settings.receiveMessageMaxBytes,
      random: Math.random,
      onUnreachable: (error) => this.emit({ type: 'trouble', error }),
      onPassedOver: ({ message }) =>
        this.emit({ type: 'log', level: 'info', message: `${message}; asking another broker` }),
      onWaiting: (message) => this.emit({ type: 'log', level: 'warn', message }),
      onOddity: (message) => this.emit({ type: 'log', level: 'warn', message }),
      onOverdue: (nodeId, message) => {
        if (message !== null) this.emit({ type: 'log', level: 'info', message });
        if (this.#isClosed) return;
        this.refreshMetadata([]);
        void this.coordinator.doubt(nodeId);
      },
    });
    this.coordinator = new Coordinator(this.cluster, settings.groupId ?? '', (error) => {
      if (this.#isClosed) return;
      this.#group?.coordinatorLost(error);
      this.step();
    });
    this.#fetches = new FetchDriver(this);
    this.#commits = new CommitDriver(this, (errorCode, membership) => this.fenced(errorCode, membership));
    this.#lookups = new LookupDriver(this);
    this.#metadata = new MetadataWatch(
      this,
      (topics) => {
        this.#fetches.metadataChanged();
        this.#group?.metadataChanged(topics);
      },
      (topics) => {
        this.emit({ type: 'subscription', topics });
        if (this.#failure === null) this.#group?.topicsMatched(topics);
      },
    );
    const parts = { commits: this.#commits, metadata: this.#metadata, onLeft: () => this.#finishClosing() };
    const Driver = settings.groupProtocol === 'consumer' ? ConsumerGroupDriver : GroupDriver;
    this.#group = settings.groupId === null ? null : new Driver(this, settings.groupId, parts);
    this.#setAlone(true);
  }

  get identity(): Membership | null {
    return this.#group?.identity ?? null;
  }

  fenced(errorCode: number, membership: Membership): void {
    this.#group?.commitFenced(errorCode, membership);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  now(): number {
    return performance.now();
  }

  emit(event: EngineEvent): void {
    if (this.#isClosed) return;
    if (event.type === 'revoking') this.#isRevoking = true;
    // Reading goes back: so may what is committed.
    if (event.type === 'positioned' && event.isReset) this.#commits.committer.positioned(event.topic, event.partition);
    this.#emit(event);
    if (event.type === 'revoking' && event.lost) this.#doubt.end();
  }

  groupAsked(): number {
    this.#lookAtLoop(this.now());
    return this.#doubt.count;
  }

  groupAnswered(asked: number): void {
    this.#doubt.answered(asked);
  }

  refreshMetadata(topics: readonly string[]): void {
    this.cluster.doubtMetadata();
    this.#metadata.refresh(topics);
  }

  fail(error: KafkaError): void {
    if (this.#failure !== null || this.#closeBy !== Infinity) return;
    this.#failure = error;
    this.#commits.close(error);
    this.emit({ type: 'failed', error });
    this.#group?.fail(error);
    this.#doubt.end();
  }

  send(command: EngineCommand): void {
    // By far the most frequent command; most of the time nobody waits for the room.
    if (command.type === 'release') {
      if (this.#fetches.release(command)) this.step();
      return;
    }
    if (command.type === 'measure') {
      const brokers = this.cluster.traffic().map((each) => ({ ...each, nodeId: each.nodeId < 0 ? null : each.nodeId }));
      const groupState = this.#group?.state ?? null;
      this.emit({ type: 'measured', partitions: this.#fetches.measure(), brokers, groupState, failure: this.#failure });
      return;
    }
    this.#inbox.push(command);
    // An application that pauses or seeks thousands of partitions, each by a call, has them all looked at once and not thousands of times.
    if (OFTEN.has(command.type)) this.stepSoon();
    else this.step();
  }

  step(): void {
    if (this.#isStepping || this.#isClosed) return; // what is going on looks at the inbox again
    this.#isStepping = true;
    const now = this.now();
    try {
      do {
        for (const command of this.#inbox.splice(0)) this.#onCommand(command, now);
        this.#tick(now);
      } while (this.#inbox.length > 0 && !this.#isClosed);
    } finally {
      this.#isStepping = false;
    }
    if (!this.#isClosed) this.#timer.set(this.#deadline(), now);
  }

  stepSoon(): void {
    if (this.#isStepDue) return;
    this.#isStepDue = true;
    setImmediate(() => {
      this.#isStepDue = false;
      this.step();
    });
  }

  get #isFetching(): boolean {
    return this.#failure === null;
  }

  #tick(now: number): void {
    if (now >= this.#closeBy) this.#finishClosing();
    if (this.#isClosed) return;
    this.#lookAtLoop(now);
    this.#group?.tick(now);
    this.#tellUnsubscribed();
    this.#metadata.tick(now);
    this.#commits.tick(now);
    if (this.#isFetching) this.#fetches.tick(now);
    if (now >= this.#statsAt) {
      this.#statsAt = now + this.settings.statisticsIntervalMs;
      this.emit({ type: 'statsDue' });
    }
    if (now < this.#autoCommitAt) return;
    this.#autoCommitAt = now + this.settings.autoCommitIntervalMs;
    this.emit({ type: 'autoCommitDue' });
  }

  /** After a standstill that the session may not have survived nothing is handed out before the group has answered. */
  #lookAtLoop(now: number): void {
    const still = this.#loop.tick(now);
    if (still === null) return;
    this.emit({ type: 'log', level: still.level, message: still.message });
    const isMember = this.#group?.isOut === false && this.#failure === null && this.#closeBy === Infinity;
    if (still.mayBeOver && isMember) this.#doubt.begin();
  }

  #deadline(): number {
    return Math.min(
      this.#group?.deadline() ?? Infinity,
      this.#metadata.deadline(),
      this.#commits.committer.deadline(),
      this.#isFetching ? this.#fetches.fetcher.deadline() : Infinity,
      this.#loop.deadline(),
      this.#autoCommitAt,
      this.#statsAt,
      this.#closeBy,
    );
  }

  #onCommand(command: EngineCommand, now: number): void {
    const { fetcher } = this.#fetches;
    switch (command.type) {
      case 'subscribe':
        this.#start(now);
        this.#setAlone(false);
        this.#unsubscribing = null;
        // Of what the broker's pattern has found, and somebody deletes, asking for its leaders must not make another one, as in Java.
        this.cluster.allowAutoCreateTopics = this.settings.allowAutoCreateTopics && command.brokerPattern === null;
        this.#loop.start(now);
        this.#metadata.want(command.topics, command.patterns);
        this.#group?.subscribe(command, now);
        return;
      case 'assign':
        this.#start(now);
        this.#metadata.want(command.partitions.map(({ topic }) => topic));
        this.#setAlone(true);
        return;
      case 'unsubscribe':
        this.#loop.stop();
        this.#metadata.want([]);
        this.#unsubscribing = command.id;
        this.#group?.unsubscribe();
        this.#doubt.end();
        return;
      case 'start':
        for (const { topic, partition } of command.partitions) this.#commits.committer.positioned(topic, partition);
        fetcher.start(command.partitions);
        return;
      case 'refetch':
        this.#fetches.refetch(command, now);
        return;
      case 'halt':
        this.#fetches.halt(command);
        return;
      case 'stop':
        fetcher.stop(command.partitions);
        return;
      case 'pause':
      case 'resume':
        fetcher.setPaused(command.partitions, command.type === 'pause');
        return;
      case 'release':
      case 'measure':
        return; // `send` has seen to it
      case 'progress':
        this.#group?.progress(command.isWaiting, command.polls, now);
        return;
      case 'revoked':
        this.#isRevoking = false;
        this.#group?.revoked();
        this.#boundLeaving(now);
        return;
      case 'commit':
        this.#commit(command, now);
        return;
      case 'autoCommitAgain':
        this.#autoCommitAt = Math.min(this.#autoCommitAt, now + command.delayMs);
        return;
      case 'fetchCommitted':
        void this.#commits.fetchCommitted(command.id, command.partitions, now + command.timeoutMs);
        return;
      case 'describeTopic':
        void this.#lookups.describeTopic(command.id, command.topic, command.timeoutMs);
        return;
      case 'listTopics':
        void this.#lookups.listTopics(command.id, command.timeoutMs);
        return;
      case 'listOffsets':
        void this.#lookups.listOffsets(command.id, command.partitions, command.timeoutMs);
        return;
      case 'close':
        this.#closeBy = Math.min(this.#closeBy, now + command.timeoutMs);
        this.#leaveTimeoutMs = command.leaveTimeoutMs;
        this.#autoCommitAt = Infinity;
        fetcher.stop([...fetcher.partitions]); // from here on only what a listener asks for is looked up
        if (this.#group === null) this.#finishClosing();
        else this.#group.close();
        this.#doubt.end();
        this.#boundLeaving(now);
        return;
    }
  }

  /** While closing: all that is left to wait for is the group's answer. */
  #boundLeaving(now: number): void {
    if (!this.#isRevoking) this.#closeBy = Math.min(this.#closeBy, now + this.#leaveTimeoutMs);
  }

  #commit(command: EngineCommand & { type: 'commit' }, now: number): void {
    if (this.#failure !== null) {
      this.emit({ type: 'committed', id: command.id, committed: [], error: this.#failure });
      return;
    }
    this.#commits.committer.commit({
      id: command.id,
      offsets: command.offsets,
      deadline: now + command.timeoutMs,
      purpose: command.purpose,
      mayGoBack: command.mayGoBack === true,
    });
  }

  /** Whoever has not subscribed commits in nobody's name; a subscriber's commits wait until it is a member. */
  #setAlone(isAlone: boolean): void {
    if (isAlone === this.#isAlone) return;
    this.#isAlone = isAlone;
    this.#commits.perform(this.#commits.committer.setMembership(isAlone ? NO_MEMBERSHIP : null));
  }

  #tellUnsubscribed(): void {
    const id = this.#unsubscribing;
    if (id === null || this.#group?.isOut === false) return;
    this.#unsubscribing = null;
    this.#setAlone(true);
    this.emit({ type: 'unsubscribed', id });
  }

  #start(now: number): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const { statisticsIntervalMs } = this.settings;
    if (statisticsIntervalMs > 0) this.#statsAt = now + statisticsIntervalMs;
    if (this.settings.enableAutoCommit) this.#autoCommitAt = now + this.settings.autoCommitIntervalMs;
  }

  #finishClosing(): void {
    if (this.#isClosed) return;
    const error = new ConnectionError('the consumer is closed', { retriable: false });
    this.#commits.close(error);
    this.emit({ type: 'closed', hasLeft: this.#group?.hasLeft ?? true });
    this.#isClosed = true;
    this.#timer.set(Infinity, 0);
    this.#lookups.close(error);
    this.cluster.close(error);
  }
}
