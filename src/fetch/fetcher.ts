import { backoffMs } from '../backoff.ts';
import type { KafkaError } from '../errors.ts';
import { asked, listed, mustValidate, push, SHORT_POLL_MS, validated, waitFor } from './asks.ts';
import { PartitionState, partitionKey } from './partition.ts';
import type { FetchAction, StartAt, TopicPartition } from './partition.ts';
import { topicRecreated } from './positions.ts';
import { resetTimestamp, type AutoOffsetReset } from './reset-policy.ts';
import { Room } from './room.ts';
import { noSuchPartitions } from './trouble.ts';

export interface FetchSettings {
  autoOffsetReset: AutoOffsetReset;
  fetchMaxBytes: number;
  fetchMaxWaitMs: number;
  maxPartitionFetchBytes: number;
  /** How long a follower is read from before the leader is asked again (KIP-392). */
  metadataMaxAgeMs: number;
  requestTimeoutMs: number;
  retryBackoffMs: number;
  retryBackoffMaxMs: number;
  random: () => number;
  /** Milliseconds since 1970, for `by_duration`. */
  wallClock: () => number;
}

/** What the fetcher has to know of the cluster. */
export interface LeaderView {
  partition(topic: string, partition: number): { leader: number; leaderEpoch: number } | undefined;
  topicId(topic: string): string | null;
  /** How many partitions the topic has; null while that is not known for sure. */
  partitionCount(topic: string): number | null;
  hasBroker(nodeId: number): boolean;
}

const NO_LEADER = { leader: -1, leaderEpoch: -1 } as const;

/** What was sent and not yet answered. */
interface Request {
  readonly nodeId: number;
  reservedBytes: number;
  readonly isFetch: boolean;
  readonly states: readonly PartitionState[];
}

/** So often metadata is asked for an epoch as new as a position's, before that is taken for a mistake. */
const TRIES_FOR_EPOCH = 3;

/**
 * Decides who is asked for what and when; does no I/O. The driver calls `plan(now)` after every event, does what it
 * says, and comes back by `deadline()` at the latest. What answers mean is in `answers.ts`.
 */
export class Fetcher {
  readonly settings: FetchSettings;
  #leaders: LeaderView;
  /** In the order in which they are asked: who got records goes to the end. */
  #partitions = new Map<string, PartitionState>();
  #requests = new Map<number, Request>();
  #busyNodes = new Set<number>();
  #shortPollAt = new Map<number, number>();
  #lastId = 0;
  #room: Room;
  /** When `plan` was called last: `release` comes without a time. */
  #now = 0;
  #deadline = Infinity;
  #jitter = { at: -1, value: 0 };

  constructor(settings: FetchSettings, leaders: LeaderView) {
    this.settings = settings;
    this.#leaders = leaders;
    this.#room = new Room(settings);
  }

  /** Bytes handed on and not yet released, of all partitions. */
  get bufferedBytes(): number {
    return this.#room.buffered;
  }

  /** When `plan` has something to do without a further event; Infinity for never. */
  deadline(): number {
    return this.#deadline;
  }

  get partitions(): Iterable<PartitionState> {
    return this.#partitions.values();
  }

  get(topic: string, partition: number): PartitionState | undefined {
    return this.#partitions.get(partitionKey(topic, partition));
  }

  /** Begins, or begins anew after a seek. A pause outlives a seek, as in Java. */
  start(partitions: readonly (TopicPartition & { epoch: number; startAt: StartAt })[]): void {
    for (const { topic, partition, epoch, startAt } of partitions) {
      const key = partitionKey(topic, partition);
      const state = new PartitionState(topic, partition, epoch, startAt);
      const before = this.#partitions.get(key);
      state.paused = before?.paused ?? false;
      state.meter = before?.meter ?? state.meter;
      state.topicId = this.#leaders.topicId(topic);
      if (startAt === 'reset') state.resetTimestamp = this.resetTimestamp() ?? state.resetTimestamp;
      this.#partitions.set(key, state);
    }
  }

  stop(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) this.#partitions.delete(partitionKey(topic, partition));
  }

  setPaused(partitions: readonly TopicPartition[], paused: boolean): void {
    for (const { topic, partition } of partitions) {
      const state = this.get(topic, partition);
      if (state !== undefined) state.paused = paused;
    }
  }

  /**
   * The application's side has used or dropped bytes that it was given.
   * @returns whether that may make a difference to `plan`
   */
  release(topic: string, partition: number, epoch: number, bytes: number): boolean {
    this.#room.buffered -= bytes;
    const state = this.get(topic, partition);
    if (state?.epoch === epoch) {
      state.buffered -= bytes;
      state.takenAt = this.#now;
    }
    return this.#room.isShort;
  }

  /** New metadata is in: whoever waited for it tries again, after a back-off where it had failed. */
  metadataChanged(now: number): FetchAction[] {
    const actions: FetchAction[] = [];
    for (const state of this.#partitions.values()) {
      state.needsMetadata = false;
      this.#leaveOldLeader(state);
      this.#lookAtTopicId(state, now, actions);
    }
    return actions;
  }

  /** Whoever asked for metadata, another id means that the topic was deleted and made again. @returns whether it was */
  #lookAtTopicId(state: PartitionState, now: number, actions: FetchAction[]): boolean {
    const topicId = this.#leaders.topicId(state.topic);
    if (topicId === null || topicId === state.topicId) return false;
    const isOther = state.topicId !== null;
    state.topicId = topicId;
    if (isOther) topicRecreated(this, state, now, actions);
    return isOther;
  }

  /**
   * Another broker leads by now: what the old one was asked need not be waited for, its machine may be dark. That blocks
   * the old broker until the time is up, and not the partition.
   */
  #leaveOldLeader(state: PartitionState): void {
    const request = this.#requests.get(state.inFlight);
    if (request === undefined || request.nodeId < 0 || state.hasAskedFollower) return;
    const { leader, leaderEpoch } = this.leaderOf(state);
    if (leader < 0 || leader === request.nodeId || leaderEpoch <= state.askedEpoch) return;
    state.inFlight = 0;
    if (!request.isFetch) return;
    const left = request.states.filter(({ inFlight }) => this.#requests.get(inFlight) === request).length;
    this.#room.reserved -= request.reservedBytes;
    request.reservedBytes = Math.min(request.reservedBytes, left * this.settings.maxPartitionFetchBytes);
    this.#room.reserved += request.reservedBytes;
  }

  leaderOf(state: PartitionState): { leader: number; leaderEpoch: number } {
    return this.#leaders.partition(state.topic, state.partition) ?? NO_LEADER;
  }

  hasBroker(nodeId: number): boolean {
    return this.#leaders.hasBroker(nodeId);
  }

  plan(now: number): FetchAction[] {
    const actions: FetchAction[] = [];
    const committed: PartitionState[] = [];
    const resets = new Map<number, PartitionState[]>();
    const validations = new Map<number, PartitionState[]>();
    const fetches = new Map<number, PartitionState[]>();
    const nodes = new Set<number>();
    /** Of brokers with a partition whose buffer is full: when something was last taken from one of them. */
    const fullNodes = new Map<number, number>();
    const needMetadata = new Set<string>();
    const missing: PartitionState[] = [];
    this.#now = now;
    this.#deadline = Infinity;
    this.#room.begin();
    for (const state of this.#partitions.values()) {
      this.#room.look(state, now);
      if (state.stage === 'failed') continue;
      const { leader, leaderEpoch } = this.leaderOf(state);
      if (leader >= 0 && !state.paused) nodes.add(state.readFrom(leader, now));
      if (!state.isReady(now)) {
        if (state.inFlight === 0 && !state.needsMetadata) this.#deadline = Math.min(this.#deadline, state.retryAt);
        continue;
      }
      if (state.stage === 'committed') {
        committed.push(state);
        continue;
      }
      if (state.paused && state.stage !== 'reset') continue;
      if (this.#lookAtTopicId(state, now, actions) && !canGoOn(state, now)) {
        this.#deadline = Math.min(this.#deadline, state.retryAt);
        continue;
      }
      // The leader may be elected any moment: ask, and if the answer does not know it, back off before asking again.
      if (leader < 0 || !this.#isEpochKnown(state, leaderEpoch)) {
        if (state.failures > 0) this.backOff(state, state.failures - 1, now);
        state.failures++;
        if (leader < 0 && state.partition >= (this.#leaders.partitionCount(state.topic) ?? Infinity))
          missing.push(state);
        state.needsMetadata = true;
        needMetadata.add(state.topic);
        continue;
      }
      if (state.stage === 'reset') push(resets, leader, state);
      else if (mustValidate(state, leaderEpoch)) {
        state.stage = 'validate';
        push(validations, leader, state);
      } else {
        state.stage = 'fetch';
        const nodeId = state.readFrom(leader, now);
        if (state.buffered < this.settings.maxPartitionFetchBytes) push(fetches, nodeId, state);
        else {
          fullNodes.set(nodeId, Math.max(fullNodes.get(nodeId) ?? 0, state.takenAt));
          this.#room.isShort = true;
        }
      }
    }
    if (committed.length > 0) {
      actions.push({ type: 'fetchOffsets', id: this.#sent(-1, 0, committed, now), partitions: committed });
    }
    for (const [nodeId, states] of resets) {
      const partitions = states.map((state) => listed(state, this.#epochFor(state)));
      actions.push({ type: 'listOffsets', id: this.#sent(nodeId, 0, states, now), nodeId, partitions });
    }
    for (const [nodeId, states] of validations) {
      const partitions = states.map((state) => validated(state, this.#epochFor(state)));
      actions.push({ type: 'validate', id: this.#sent(nodeId, 0, states, now), nodeId, partitions });
    }
    // Each broker gets its share, or one that has nothing to give would hold on to all the room while it waits.
    const share = Math.max(1, Math.floor(this.settings.fetchMaxBytes / Math.max(1, nodes.size)));
    for (const [nodeId, states] of fetches) {
      this.#planFetch(nodeId, states, share, fullNodes.get(nodeId) ?? null, now, actions);
    }
    actions.push(...noSuchPartitions(missing, (topic) => this.#leaders.partitionCount(topic)));
    if (needMetadata.size > 0) actions.push({ type: 'refreshMetadata', topics: [...needMetadata] });
    return actions;
  }

  /**
   * Takes a request off the list, once it was answered or failed.
   *
   * @returns its partitions that are still assigned and were not sought away from since, now free for the next request
   */
  finished(id: number): PartitionState[] {
    const request = this.#requests.get(id);
    if (request === undefined) return [];
    this.#requests.delete(id);
    if (request.isFetch) {
      this.#room.reserved -= request.reservedBytes;
      this.#busyNodes.delete(request.nodeId);
    }
    const current: PartitionState[] = [];
    for (const state of request.states) {
      if (state.inFlight !== id) continue; // it has left for another broker
      state.inFlight = 0;
      if (this.#partitions.get(state.key) === state) current.push(state);
    }
    return current;
  }

  handedOn(state: PartitionState, bytes: number): void {
    if (state.buffered === 0) state.takenAt = this.#now;
    state.buffered += bytes;
    this.#room.buffered += bytes;
    this.#partitions.delete(state.key);
    this.#partitions.set(state.key, state);
  }

  /** Backs off, the longer the more often it failed in a row; with `needsMetadata` it also waits for the next metadata. */
  retryLater(state: PartitionState, now: number, needsMetadata: boolean): void {
    this.backOff(state, state.failures++, now);
    state.needsMetadata = needsMetadata;
  }

  backOff(state: PartitionState, attempt: number, now: number): void {
    const { retryBackoffMs, retryBackoffMaxMs, random } = this.settings;
    // One jitter for all that fail at once: they are asked for together again, or the first one's long poll would hold up the rest.
    if (now !== this.#jitter.at) this.#jitter = { at: now, value: random() };
    state.retryAt = now + backoffMs(attempt, retryBackoffMs, retryBackoffMaxMs, this.#jitter.value);
  }

  resetTimestamp(): number | null {
    return resetTimestamp(this.settings.autoOffsetReset, this.settings.wallClock);
  }

  fail(state: PartitionState, error: KafkaError): FetchAction {
    state.stage = 'failed';
    return { type: 'partitionFailed', topic: state.topic, partition: state.partition, epoch: state.epoch, error };
  }

  /** @param takenAt when something was last taken from a full buffer of this broker's; null where none is full */
  #planFetch(
    nodeId: number,
    ready: PartitionState[],
    share: number,
    takenAt: number | null,
    now: number,
    actions: FetchAction[],
  ): void {
    const { fetchMaxWaitMs } = this.settings;
    if (this.#busyNodes.has(nodeId)) return;
    const suspect = ready.find(({ isSuspect }) => isSuspect);
    const grant = this.#room.grant(suspect === undefined ? ready : [suspect], share);
    if (grant === null) {
      this.#deadline = Math.min(this.#deadline, this.#room.nextGrantAt(ready));
      return;
    }
    const { states, maxBytes, partitionMaxBytes } = grant;
    const fullForMs = takenAt === null ? null : now - takenAt;
    if (fullForMs !== null && fullForMs < SHORT_POLL_MS && states.every(({ isIdle }) => isIdle)) {
      const due = this.#shortPollAt.get(nodeId) ?? 0;
      if (now < due) {
        this.#deadline = Math.min(this.#deadline, due);
        return;
      }
      this.#shortPollAt.set(nodeId, now + Math.min(SHORT_POLL_MS, fetchMaxWaitMs));
    }
    const reserved = Math.min(maxBytes, states.length * partitionMaxBytes);
    const topicIds = new Map(states.map(({ topic, topicId }) => [topic, topicId]));
    const partitions = states.map((state) => asked(state, this.#epochFor(state), partitionMaxBytes));
    const id = this.#sent(nodeId, reserved, states, now);
    this.#busyNodes.add(nodeId);
    const maxWaitMs = suspect === undefined ? waitFor(fullForMs, fetchMaxWaitMs) : 0;
    actions.push({ type: 'fetch', id, nodeId, maxWaitMs, maxBytes, partitions, topicIds });
  }

  /** A position of a newer epoch than any leader's that is known: metadata is behind, or the epoch was never one. */
  #isEpochKnown(state: PartitionState, leaderEpoch: number): boolean {
    if (leaderEpoch < 0 || state.offsetEpoch <= leaderEpoch) return true;
    if (state.failures < TRIES_FOR_EPOCH) return false;
    state.offsetEpoch = -1;
    state.failures = 0;
    return true;
  }

  /** @param reservedBytes of a fetch, which takes the broker as well; 0 for what is no fetch */
  #sent(nodeId: number, reservedBytes: number, states: readonly PartitionState[], now: number): number {
    const id = ++this.#lastId;
    this.#room.reserved += reservedBytes;
    for (const state of states) {
      state.inFlight = id;
      state.askedNode = nodeId;
      state.sentAt = now;
    }
    this.#requests.set(id, { nodeId, reservedBytes, isFetch: reservedBytes > 0, states });
    return id;
  }

  #epochFor(state: PartitionState): number {
    state.askedEpoch = this.leaderOf(state).leaderEpoch;
    return state.askedEpoch;
  }
}

/** After its position was reset or has failed. */
function canGoOn(state: PartitionState, now: number): boolean {
  return state.stage !== 'failed' && state.isReady(now);
}
