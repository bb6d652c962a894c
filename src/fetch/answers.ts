import { AuthenticationError, FrameTooLargeError, ProtocolError, type KafkaError } from '../errors.ts';
import type { AbortedTransaction } from '../protocol/api/fetch.ts';
import { EPOCH_FATES, FETCH_FATES, FETCH_TOP_FATES, LIST_OFFSETS_FATES, OFFSET_FETCH_FATES } from './fates.ts';
import type { Fetcher } from './fetcher.ts';
import { Outcome } from './outcome.ts';
import { LATEST_TIMESTAMP, partitionKey } from './partition.ts';
import type { FetchAction, PartitionState, TopicPartition } from './partition.ts';
import { beyondReach, epochEnds, noOffset, positioned } from './positions.ts';
import { answerTooLarge, recordsCame } from './records.ts';

/** What one partition of an OffsetFetch answer says. `offset` −1: nothing was committed; Infinity: beyond 2^53 − 1. */
export interface CommittedAnswer extends TopicPartition {
  offset: number;
  /** Of the record before it; −1 for unknown. */
  leaderEpoch: number;
  errorCode: number;
}

/** `offset` −1: there is no such record; Infinity: beyond 2^53 − 1. */
export interface ListedAnswer extends TopicPartition {
  offset: number;
  /** −1 for unknown (before ListOffsets v4). */
  leaderEpoch: number;
  errorCode: number;
}

/** What one partition of an OffsetForLeaderEpoch answer says. −1: the broker does not know. */
export interface EpochEndAnswer extends TopicPartition {
  leaderEpoch: number;
  endOffset: number;
  errorCode: number;
}

/** What one partition of a Fetch answer says, with its topic's name whether the broker sent that or an id. */
export interface FetchedAnswer extends TopicPartition {
  errorCode: number;
  highWatermark: number;
  /** The high watermark, or the last stable offset for `read_committed`. */
  endOffset: number;
  abortedTransactions: readonly AbortedTransaction[];
  records: Buffer | null;
  /** The follower to read from; −1 for the broker that was asked (KIP-392). */
  preferredReadReplica: number;
  /** The log parts with what was consumed at the end of this epoch; null where it does not. */
  divergingEpoch: { readonly leaderEpoch: number; readonly endOffset: number } | null;
}

/** A failure that goes on for so many tries is told. */
const FAILURES_BEFORE_WARNING = 3;

/** So often an answer with one partition alone has to be too large: bytes that make no sense may look like it, once. */
const TRIES_ALONE = 2;

/** No answer came at all: the connection broke, timed out, or could not be made. The leader may be another by now. */
export function requestFailed(fetcher: Fetcher, id: number, error: KafkaError, now: number): FetchAction[] {
  const outcome = new Outcome(fetcher, error.api ?? '', now);
  let isUntold = false;
  const isTooLarge = error.cause instanceof FrameTooLargeError;
  const states = fetcher.finished(id);
  for (const state of states) {
    if (error instanceof AuthenticationError) {
      outcome.push(fetcher.fail(state, error)); // trying again would only lock the account
      continue;
    }
    if (state.hasAskedFollower) state.readReplica = -1;
    if (isTooLarge && state.stage === 'fetch') {
      if (states.length === 1 && ++state.tooLarge >= TRIES_ALONE) {
        outcome.push(fetcher.fail(state, answerTooLarge(state, error)));
        continue;
      }
      state.isSuspect = true;
    }
    // One broker too old: it may be upgraded, or another one may lead.
    if (error.retriable) fetcher.retryLater(state, now, false);
    else outcome.refuse(state, error.message, error);
    // Committed offsets come from the coordinator, whom the driver looks for; the rest from leaders, whom metadata names.
    if (state.stage !== 'committed') outcome.needMetadata(state);
    // A broker may go away for a moment; what goes on (an advertised listener out of reach, say) has to be seen.
    if (state.hasWarned || (state.failures < FAILURES_BEFORE_WARNING && !(error instanceof ProtocolError))) continue;
    state.hasWarned = true;
    isUntold = true;
  }
  if (isUntold) outcome.push({ type: 'trouble', error });
  return outcome.end();
}

export function offsetsFetched(
  fetcher: Fetcher,
  id: number,
  answers: readonly CommittedAnswer[],
  now: number,
): FetchAction[] {
  const outcome = new Outcome(fetcher, 'OffsetFetch', now);
  const byKey = index(answers);
  for (const state of fetcher.finished(id)) {
    if (state.stage !== 'committed') continue;
    const answer = byKey.get(state.key);
    if (answer === undefined) fetcher.retryLater(state, now, false);
    else if (answer.errorCode !== 0) outcome.judge(OFFSET_FETCH_FATES, state, answer.errorCode);
    else {
      outcome.accepted(state);
      if (answer.offset === Infinity) beyondReach(fetcher, state, now, outcome.actions);
      else if (answer.offset >= 0) outcome.push(positioned(state, answer.offset, answer.leaderEpoch, false));
      else noOffset(fetcher, state, outcome.actions);
    }
  }
  return outcome.end();
}

export function offsetsListed(
  fetcher: Fetcher,
  id: number,
  answers: readonly ListedAnswer[],
  now: number,
): FetchAction[] {
  const outcome = new Outcome(fetcher, 'ListOffsets', now);
  const byKey = index(answers);
  for (const state of fetcher.finished(id)) {
    if (state.stage !== 'reset') continue;
    const answer = byKey.get(state.key);
    const code = answer?.errorCode ?? 0;
    if (code !== 0 && outcome.judge(LIST_OFFSETS_FATES, state, code) !== 'none') continue;
    const offset = code === 0 ? answer?.offset : -1;
    // No record since then (`by_duration`): what comes next will be one.
    if (offset === -1 && state.resetTimestamp >= 0) state.resetTimestamp = LATEST_TIMESTAMP;
    // −1 is no offset: taken for 0 it would send a consumer of the newest records back to the oldest.
    else if (answer === undefined || offset === undefined || offset < 0) outcome.retryWithMetadata(state);
    else if (offset === Infinity) beyondReach(fetcher, state, now, outcome.actions);
    else {
      outcome.accepted(state);
      outcome.push(positioned(state, offset, answer.leaderEpoch, true));
      state.validatedEpoch = state.askedEpoch;
    }
  }
  return outcome.end();
}

/** The answer to `validate`. */
export function epochsValidated(
  fetcher: Fetcher,
  id: number,
  answers: readonly EpochEndAnswer[],
  now: number,
): FetchAction[] {
  const outcome = new Outcome(fetcher, 'OffsetForLeaderEpoch', now);
  const byKey = index(answers);
  for (const state of fetcher.finished(id)) {
    if (state.stage !== 'validate') continue;
    const answer = byKey.get(state.key);
    if (answer === undefined) fetcher.retryLater(state, now, false);
    else if (answer.errorCode !== 0) outcome.judge(EPOCH_FATES, state, answer.errorCode);
    else {
      outcome.accepted(state);
      epochEnds(fetcher, state, answer, now, outcome.actions);
    }
  }
  return outcome.end();
}

/** The broker is too old to be asked (before OffsetForLeaderEpoch v3 a consumer may not): positions are taken as they are. */
export function cannotValidate(fetcher: Fetcher, id: number): FetchAction[] {
  for (const state of fetcher.finished(id)) {
    if (state.stage !== 'validate') continue;
    state.stage = 'fetch';
    state.validatedEpoch = state.askedEpoch;
  }
  return [];
}

/** A whole Fetch response. */
export interface FetchedResponse {
  readonly errorCode: number;
  readonly throttleTimeMs: number;
  /** By `partitionKey`, those that have nothing new as well. */
  readonly byKey: ReadonlyMap<string, FetchedAnswer>;
}

export function recordsFetched(
  fetcher: Fetcher,
  id: number,
  { errorCode, throttleTimeMs, byKey }: FetchedResponse,
  now: number,
): FetchAction[] {
  const outcome = new Outcome(fetcher, 'Fetch', now);
  for (const state of fetcher.finished(id)) {
    if (state.stage !== 'fetch') continue;
    const answer = byKey.get(state.key);
    if (errorCode !== 0) outcome.judge(FETCH_TOP_FATES, state, errorCode);
    // A quota is used up: so brokers answer a request that opens a session, and that is no failure (KIP-219).
    else if (answer === undefined && throttleTimeMs > 0)
      state.retryAt = now + Math.min(throttleTimeMs, fetcher.settings.requestTimeoutMs);
    // Left out where all that is asked for has to be there: asked again, but not at the speed of the network.
    else if (answer === undefined) fetcher.retryLater(state, now, false);
    else if (answer.errorCode !== 0) outcome.judge(FETCH_FATES, state, answer.errorCode);
    else onAnswer(outcome, state, answer);
  }
  return outcome.end();
}

function onAnswer(outcome: Outcome, state: PartitionState, answer: FetchedAnswer): void {
  const { fetcher, now } = outcome;
  const { divergingEpoch, preferredReadReplica } = answer;
  if (divergingEpoch !== null) {
    // One that ends after the position says nothing that could be acted upon.
    if (divergingEpoch.endOffset >= state.position) fetcher.retryLater(state, now, false);
    else epochEnds(fetcher, state, divergingEpoch, now, outcome.actions);
  } else if (preferredReadReplica >= 0 && preferredReadReplica !== state.askedNode) {
    // A follower that nobody knows the address of is no good: the leader goes on, and says so again.
    if (!fetcher.hasBroker(preferredReadReplica)) outcome.retryWithMetadata(state);
    state.readReplica = fetcher.hasBroker(preferredReadReplica) ? preferredReadReplica : -1;
    state.readReplicaUntil = now + fetcher.settings.metadataMaxAgeMs;
  } else recordsCame(outcome, state, answer);
}

/** By `partitionKey`. */
export function index<T extends TopicPartition>(answers: readonly T[]): Map<string, T> {
  return new Map(answers.map((answer) => [partitionKey(answer.topic, answer.partition), answer]));
}
