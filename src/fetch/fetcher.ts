import { backoffMs } from '../backoff.ts';
import type { KafkaError } from '../errors.ts';
import {
  PartitionState,
  partitionKey,
  type AskedPartition,
  type FetchAction,
  type ListedPartition,
  type StartAt,
  type TopicPartition,
  type ValidatedPartition,
} from './partition.ts';
import { topicRecreated } from './positions.ts';
import { resetTimestamp, type AutoOffsetReset } from './reset-policy.ts';

export interface FetchSettings {
  autoOffsetReset: AutoOffsetReset;
  fetchMaxBytes: number;
  fetchMaxWaitMs: number;
  maxPartitionFetchBytes: number;
  /** How long a follower is read from before the leader is asked again (KIP-392). */
  metadataMaxAgeMs: number;
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
  hasBroker(nodeId: number): boolean;
}

const NO_LEADER = { leader: -1, leaderEpoch: -1 } as const;

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
  #buffered = 0;
  /** Of that, what belongs to paused partitions: nobody takes it, so it must not use up the room of the others. */
  #setAside = 0;
  #reserved = 0;
  /** Some partition is not asked for because there is no room. */
  #isShortOfRoom = false;
  #deadline = Infinity;
  #jitter = { at: -1, value: 0 };

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
    this.#buffered -= bytes;
    const state = this.get(topic, partition);
    if (state?.epoch === epoch) state.buffered -= bytes;
    return this.#isShortOfRoom;
  }

  /** New metadata is in: whoever waited for it tries again, after a back-off where it had failed. */
  metadataChanged(now: number): FetchAction[] {
    const actions: FetchAction[] = [];
    for (const state of this.#partitions.values()) {
      state.needsMetadata = false;
      const topicId = this.#leaders.topicId(state.topic);
      if (topicId === null || topicId === state.topicId) continue;
      if (state.topicId !== null) topicRecreated(this, state, now, actions);
      state.topicId = topicId;
    }
    return actions;
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
    const fullNodes = new Set<number>();
    const needMetadata = new Set<string>();
    this.#deadline = Infinity;
    this.#setAside = 0;
    this.#isShortOfRoom = false;
    for (const state of this.#partitions.values()) {
      if (state.paused) this.#setAside += state.buffered;
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
      // The leader may be elected any moment: ask, and if the answer does not know it, back off before asking again.
      if (leader < 0 || !this.#isEpochKnown(state, leaderEpoch)) {
        if (state.failures > 0) this.backOff(state, state.failures - 1, now);
        state.failures++;
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
          fullNodes.add(nodeId);
          this.#isShortOfRoom = true;
        }
      }
    }
    if (committed.length > 0) {
      actions.push({ type: 'fetchOffsets', id: this.#sent(-1, 0, committed, now), partitions: committed });
    }
    for (const [nodeId, states] of resets) {
      const partitions = states.map((state) => this.#listed(state));
      actions.push({ type: 'listOffsets', id: this.#sent(nodeId, 0, states, now), nodeId, partitions });
    }
    for (const [nodeId, states] of validations) {
      const partitions = states.map((state) => this.#validated(state));
      actions.push({ type: 'validate', id: this.#sent(nodeId, 0, states, now), nodeId, partitions });
    }
    // Each broker gets its share, or one that has nothing to give would hold on to all the room while it waits.
    const share = Math.max(1, Math.floor(this.settings.fetchMaxBytes / Math.max(1, nodes.size)));
    for (const [nodeId, states] of fetches) {
      this.#planFetch(nodeId, states, share, fullNodes.has(nodeId), now, actions);
    }
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
    if (request.reservedBytes > 0) {
      this.#reserved -= request.reservedBytes;
      this.#busyNodes.delete(request.nodeId);
    }
    const current: PartitionState[] = [];
    for (const state of request.states) {
      if (state.inFlight === id) state.inFlight = 0;
      if (this.#partitions.get(state.key) === state) current.push(state);
    }
    return current;
  }

  handedOn(state: PartitionState, bytes: number): void {
    state.buffered += bytes;
    this.#buffered += bytes;
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

  #planFetch(
    nodeId: number,
    states: PartitionState[],
    share: number,
    hasFull: boolean,
    now: number,
    actions: FetchAction[],
  ): void {
    const { fetchMaxBytes, fetchMaxWaitMs, maxPartitionFetchBytes } = this.settings;
    if (this.#busyNodes.has(nodeId)) return;
    const room = fetchMaxBytes - (this.#buffered - this.#setAside) - this.#reserved;
    // A trickle of bytes given back is not worth a request each.
    if (room < Math.min(share, maxPartitionFetchBytes)) {
      this.#isShortOfRoom = true;
      return;
    }
    if (hasFull && states.every((state) => state.isCaughtUp)) {
      const due = this.#shortPollAt.get(nodeId) ?? 0;
      if (now < due) {
        this.#deadline = Math.min(this.#deadline, due);
        return;
      }
      this.#shortPollAt.set(nodeId, now + Math.min(SHORT_POLL_MS, fetchMaxWaitMs));
    }
    const maxBytes = Math.min(share, room);
    const reserved = Math.min(maxBytes, states.length * maxPartitionFetchBytes);
    const partitions = states.map((state) => this.#asked(state));
    const id = this.#sent(nodeId, reserved, states, now);
    this.#busyNodes.add(nodeId);
    this.#reserved += reserved;
    const maxWaitMs = hasFull ? 0 : fetchMaxWaitMs;
    actions.push({ type: 'fetch', id, nodeId, maxWaitMs, maxBytes, partitions });
  }

  /** A position of a newer epoch than any leader's that is known: metadata is behind, or the epoch was never one. */
  #isEpochKnown(state: PartitionState, leaderEpoch: number): boolean {
    if (leaderEpoch < 0 || state.offsetEpoch <= leaderEpoch) return true;
    if (state.failures < TRIES_FOR_EPOCH) return false;
    state.offsetEpoch = -1;
    state.failures = 0;
    return true;
  }

  #sent(nodeId: number, reservedBytes: number, states: PartitionState[], now: number): number {
    const id = ++this.#lastId;
    for (const state of states) {
      state.inFlight = id;
      state.askedNode = nodeId;
      state.sentAt = now;
    }
    this.#requests.set(id, { nodeId, reservedBytes, states });
    return id;
  }

  #asked(state: PartitionState): AskedPartition {
    const { topic, partition, key, position: fetchOffset } = state;
    // Where batches are all of a size, a limit that is a multiple of it leaves none cut off, to be sent again.
    const limit = this.settings.maxPartitionFetchBytes;
    const partitionMaxBytes =
      state.batchBytes > 0 && state.batchBytes <= limit ? limit - (limit % state.batchBytes) : limit;
    return { topic, partition, key, currentLeaderEpoch: this.#epochFor(state), fetchOffset, partitionMaxBytes };
  }

  #listed(state: PartitionState): ListedPartition {
    const { topic, partition, resetTimestamp: timestamp } = state;
    return { topic, partition, currentLeaderEpoch: this.#epochFor(state), timestamp };
  }

  #validated(state: PartitionState): ValidatedPartition {
    const { topic, partition, offsetEpoch: leaderEpoch } = state;
    return { topic, partition, currentLeaderEpoch: this.#epochFor(state), leaderEpoch };
  }

  #epochFor(state: PartitionState): number {
    state.askedEpoch = this.leaderOf(state).leaderEpoch;
    return state.askedEpoch;
  }
}

/** After a leader change, and for a committed offset that came with an epoch (KIP-320). */
function mustValidate(state: PartitionState, leaderEpoch: number): boolean {
  return state.offsetEpoch >= 0 && leaderEpoch > state.validatedEpoch;
}

function push(map: Map<number, PartitionState[]>, nodeId: number, state: PartitionState): void {
  const states = map.get(nodeId);
  if (states === undefined) map.set(nodeId, [state]);
  else states.push(state);
}
