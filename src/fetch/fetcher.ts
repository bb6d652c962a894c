import { backoffMs } from '../backoff.ts';
import type { KafkaError } from '../errors.ts';
import {
  EARLIEST_TIMESTAMP,
  LATEST_TIMESTAMP,
  PartitionState,
  partitionKey,
  type AskedPartition,
  type FetchAction,
  type ListedPartition,
  type StartAt,
  type TopicPartition,
} from './partition.ts';

export interface FetchSettings {
  autoOffsetReset: 'earliest' | 'latest' | 'none';
  fetchMaxBytes: number;
  fetchMaxWaitMs: number;
  maxPartitionFetchBytes: number;
  retryBackoffMs: number;
  retryBackoffMaxMs: number;
  random: () => number;
}

/** What the fetcher has to know of the cluster. */
export interface LeaderView {
  partition(topic: string, partition: number): { leader: number; leaderEpoch: number } | undefined;
}

/** What was sent and not yet answered. */
interface Request {
  readonly nodeId: number;
  readonly reservedBytes: number;
  readonly states: PartitionState[];
}

/**
 * While a partition of a broker has a full buffer, the others of that broker are asked without a long poll and at
 * this pace: so the moment the full one has room again, no waiting fetch stands in its way.
 */
const SHORT_POLL_MS = 50;

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
  #buffered = 0;
  /** Of that, what belongs to paused partitions: nobody takes it, so it must not use up the room of the others. */
  #setAside = 0;
  #reserved = 0;
  #deadline = Infinity;

  constructor(settings: FetchSettings, leaders: LeaderView) {
    this.settings = settings;
    this.#leaders = leaders;
  }

  /** Bytes handed on and not yet released, of all partitions. */
  get bufferedBytes(): number {
    return this.#buffered;
  }

  /** When `plan` has something to do without a further event; Infinity for never. */
  deadline(): number {
    return this.#deadline;
  }

  get(topic: string, partition: number): PartitionState | undefined {
    return this.#partitions.get(partitionKey(topic, partition));
  }

  /** Begins, or begins anew after a seek. A pause outlives a seek, as in Java. */
  start(partitions: readonly (TopicPartition & { epoch: number; startAt: StartAt })[]): void {
    for (const { topic, partition, epoch, startAt } of partitions) {
      const key = partitionKey(topic, partition);
      const state = new PartitionState(topic, partition, epoch, startAt);
      state.paused = this.#partitions.get(key)?.paused ?? false;
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

  /** The application's side has used or dropped bytes that it was given. */
  release(topic: string, partition: number, epoch: number, bytes: number): void {
    this.#buffered -= bytes;
    const state = this.get(topic, partition);
    if (state?.epoch === epoch) state.buffered -= bytes;
  }

  /** New metadata is in: whoever waited for it tries again, after a back-off where it had failed. */
  metadataChanged(): void {
    for (const state of this.#partitions.values()) state.needsMetadata = false;
  }

  plan(now: number): FetchAction[] {
    const actions: FetchAction[] = [];
    const committed: PartitionState[] = [];
    const resets = new Map<number, PartitionState[]>();
    const fetches = new Map<number, PartitionState[]>();
    const fullNodes = new Set<number>();
    const unknown = new Set<string>();
    this.#deadline = Infinity;
    this.#setAside = 0;
    for (const state of this.#partitions.values()) {
      if (state.paused) this.#setAside += state.buffered;
      if (state.stage === 'failed') continue;
      if (!state.isReady(now)) {
        if (state.inFlight === 0 && !state.needsMetadata) this.#deadline = Math.min(this.#deadline, state.retryAt);
        continue;
      }
      if (state.stage === 'committed') {
        committed.push(state);
        continue;
      }
      if (state.stage === 'fetch' && state.paused) continue;
      const leader = this.#leaders.partition(state.topic, state.partition)?.leader ?? -1;
      if (leader < 0) {
        // The leader may be elected any moment: ask, and if it is still not known, back off before asking again.
        this.retryLater(state, now, true);
        unknown.add(state.topic);
      } else if (state.stage === 'reset') push(resets, leader, state);
      else if (state.buffered >= this.settings.maxPartitionFetchBytes) fullNodes.add(leader);
      else push(fetches, leader, state);
    }
    if (committed.length > 0) {
      actions.push({ type: 'fetchOffsets', id: this.#sent(-1, 0, committed), partitions: committed });
    }
    for (const [nodeId, states] of resets) {
      actions.push({
        type: 'listOffsets',
        id: this.#sent(nodeId, 0, states),
        nodeId,
        partitions: states.map((state) => this.#listed(state)),
      });
    }
    for (const [nodeId, states] of fetches) this.#planFetch(nodeId, states, fullNodes.has(nodeId), now, actions);
    if (unknown.size > 0) actions.push({ type: 'refreshMetadata', topics: [...unknown] });
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
    if (request.reservedBytes > 0) {
      this.#reserved -= request.reservedBytes;
      this.#busyNodes.delete(request.nodeId);
    }
    const current: PartitionState[] = [];
    for (const state of request.states) {
      if (state.inFlight === id) state.inFlight = 0;
      if (this.get(state.topic, state.partition) === state) current.push(state);
    }
    return current;
  }

  handedOn(state: PartitionState, bytes: number): void {
    state.buffered += bytes;
    this.#buffered += bytes;
    const key = partitionKey(state.topic, state.partition);
    this.#partitions.delete(key);
    this.#partitions.set(key, state);
  }

  /** Backs off, the longer the more often it failed in a row; with `needsMetadata` it also waits for the next metadata. */
  retryLater(state: PartitionState, now: number, needsMetadata: boolean): void {
    this.backOff(state, state.failures++, now);
    state.needsMetadata = needsMetadata;
  }

  backOff(state: PartitionState, attempt: number, now: number): void {
    const { retryBackoffMs, retryBackoffMaxMs, random } = this.settings;
    state.retryAt = now + backoffMs(attempt, retryBackoffMs, retryBackoffMaxMs, random());
  }

  resetTimestamp(): number | null {
    switch (this.settings.autoOffsetReset) {
      case 'earliest':
        return EARLIEST_TIMESTAMP;
      case 'latest':
        return LATEST_TIMESTAMP;
      case 'none':
        return null;
    }
  }

  fail(state: PartitionState, error: KafkaError): FetchAction {
    state.stage = 'failed';
    return { type: 'partitionFailed', topic: state.topic, partition: state.partition, epoch: state.epoch, error };
  }

  #planFetch(nodeId: number, states: PartitionState[], hasFull: boolean, now: number, actions: FetchAction[]): void {
    const { fetchMaxBytes, fetchMaxWaitMs, maxPartitionFetchBytes } = this.settings;
    if (this.#busyNodes.has(nodeId)) return;
    const room = fetchMaxBytes - (this.#buffered - this.#setAside) - this.#reserved;
    if (room <= 0) return;
    if (hasFull && states.every((state) => state.isCaughtUp)) {
      const due = this.#shortPollAt.get(nodeId) ?? 0;
      if (now < due) {
        this.#deadline = Math.min(this.#deadline, due);
        return;
      }
      this.#shortPollAt.set(nodeId, now + Math.min(SHORT_POLL_MS, fetchMaxWaitMs));
    }
    const maxBytes = Math.min(fetchMaxBytes, room);
    const reserved = Math.min(maxBytes, states.length * maxPartitionFetchBytes);
    const id = this.#sent(nodeId, reserved, states);
    this.#busyNodes.add(nodeId);
    this.#reserved += reserved;
    const maxWaitMs = hasFull ? 0 : fetchMaxWaitMs;
    actions.push({
      type: 'fetch',
      id,
      nodeId,
      maxWaitMs,
      maxBytes,
      partitions: states.map((state) => this.#asked(state)),
    });
  }

  #sent(nodeId: number, reservedBytes: number, states: PartitionState[]): number {
    const id = ++this.#lastId;
    for (const state of states) state.inFlight = id;
    this.#requests.set(id, { nodeId, reservedBytes, states });
    return id;
  }

  #asked(state: PartitionState): AskedPartition {
    return {
      topic: state.topic,
      partition: state.partition,
      currentLeaderEpoch: this.#leaderEpoch(state),
      fetchOffset: state.position,
      partitionMaxBytes: this.settings.maxPartitionFetchBytes,
    };
  }

  #listed(state: PartitionState): ListedPartition {
    const { topic, partition, resetTimestamp } = state;
    return { topic, partition, currentLeaderEpoch: this.#leaderEpoch(state), timestamp: resetTimestamp };
  }

  #leaderEpoch(state: PartitionState): number {
    return this.#leaders.partition(state.topic, state.partition)?.leaderEpoch ?? -1;
  }
}

function push(map: Map<number, PartitionState[]>, nodeId: number, state: PartitionState): void {
  const states = map.get(nodeId);
  if (states === undefined) map.set(nodeId, [state]);
  else states.push(state);
}
