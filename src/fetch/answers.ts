import { CorruptRecordError, KafkaError, ProtocolError, RecordTooLargeError } from '../errors.ts';
import type { AbortedTransaction } from '../protocol/api/fetch.ts';
import { errorCodeOf, kafkaErrorOf } from '../protocol/error-codes.ts';
import { WireBatchReader } from '../protocol/record-batch.ts';
import type { Fetcher } from './fetcher.ts';
import { epochEnds, missing, noOffset, outOfRange, positioned } from './positions.ts';
import {
  LATEST_TIMESTAMP,
  partitionKey,
  type FetchAction,
  type PartitionState,
  type TopicPartition,
} from './partition.ts';
import { SESSION_ERRORS } from './session.ts';

/** What one partition of an OffsetFetch answer says. `offset` −1: nothing was committed. */
export interface CommittedAnswer extends TopicPartition {
  offset: number;
  /** Of the record before it; −1 for unknown. */
  leaderEpoch: number;
  errorCode: number;
}

/** `offset` −1: there is no such record. */
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

/** No answer came at all: the connection broke, timed out, or could not be made. The leader may be another by now. */
export function requestFailed(fetcher: Fetcher, id: number, error: KafkaError, now: number): FetchAction[] {
  const actions: FetchAction[] = [];
  const topics = new Set<string>();
  let isUntold = false;
  for (const state of fetcher.finished(id)) {
    if (!error.retriable) {
      actions.push(fetcher.fail(state, error));
      continue;
    }
    if (state.hasAskedFollower) state.readReplica = -1;
    // Committed offsets come from the coordinator, whom the driver looks for; the rest from leaders, whom metadata names.
    const needsMetadata = state.stage !== 'committed';
    fetcher.retryLater(state, now, needsMetadata);
    if (needsMetadata) topics.add(state.topic);
    // A broker may go away for a moment; what goes on (an advertised listener out of reach, say) has to be seen.
    if (state.hasWarned || (state.failures < FAILURES_BEFORE_WARNING && !(error instanceof ProtocolError))) continue;
    state.hasWarned = true;
    isUntold = true;
  }
  if (isUntold) actions.push({ type: 'trouble', error });
  if (topics.size > 0) actions.push({ type: 'refreshMetadata', topics: [...topics] });
  return actions;
}

export function offsetsFetched(
  fetcher: Fetcher,
  id: number,
  answers: readonly CommittedAnswer[],
  now: number,
): FetchAction[] {
  const actions: FetchAction[] = [];
  const byKey = index(answers);
  for (const state of fetcher.finished(id)) {
    if (state.stage !== 'committed') continue;
    const answer = byKey.get(state.key);
    if (answer === undefined) fetcher.retryLater(state, now, false);
    // 3 UNKNOWN_TOPIC_OR_PARTITION: nothing committed there (semantics §3).
    else if (answer.errorCode !== 0 && answer.errorCode !== 3)
      onError(fetcher, state, answer.errorCode, 'OffsetFetch', now, actions);
    else if (answer.errorCode === 0 && answer.offset >= 0)
      actions.push(positioned(state, answer.offset, answer.leaderEpoch, false));
    else noOffset(fetcher, state, actions);
  }
  return actions;
}

export function offsetsListed(
  fetcher: Fetcher,
  id: number,
  answers: readonly ListedAnswer[],
  now: number,
): FetchAction[] {
  const actions: FetchAction[] = [];
  const byKey = index(answers);
  for (const state of fetcher.finished(id)) {
    if (state.stage !== 'reset') continue;
    const answer = byKey.get(state.key);
    if (answer !== undefined && answer.errorCode !== 0)
      onError(fetcher, state, answer.errorCode, 'ListOffsets', now, actions);
    // No record since then (`by_duration`): what comes next will be one.
    else if (answer?.offset === -1 && state.resetTimestamp >= 0) state.resetTimestamp = LATEST_TIMESTAMP;
    // −1 is no offset: taken for 0 it would send a consumer of the newest records back to the oldest.
    else if (answer === undefined || answer.offset < 0) retryWithMetadata(fetcher, state, now, actions);
    else {
      actions.push(positioned(state, answer.offset, answer.leaderEpoch, true));
      state.validatedEpoch = state.askedEpoch;
    }
  }
  return actions;
}

/** The answer to `validate`. */
export function epochsValidated(
  fetcher: Fetcher,
  id: number,
  answers: readonly EpochEndAnswer[],
  now: number,
): FetchAction[] {
  const actions: FetchAction[] = [];
  const byKey = index(answers);
  for (const state of fetcher.finished(id)) {
    if (state.stage !== 'validate') continue;
    const answer = byKey.get(state.key);
    if (answer === undefined) fetcher.retryLater(state, now, false);
    else if (answer.errorCode !== 0) onError(fetcher, state, answer.errorCode, 'OffsetForLeaderEpoch', now, actions);
    else epochEnds(fetcher, state, answer, now, actions);
  }
  return actions;
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

/** @param byKey by `partitionKey`, those that have nothing new as well */
export function recordsFetched(
  fetcher: Fetcher,
  id: number,
  errorCode: number,
  byKey: ReadonlyMap<string, FetchedAnswer>,
  now: number,
): FetchAction[] {
  const actions: FetchAction[] = [];
  for (const state of fetcher.finished(id)) {
    if (state.stage !== 'fetch') continue;
    const answer = byKey.get(state.key);
    const code = errorCode !== 0 ? errorCode : (answer?.errorCode ?? 0);
    // A new session at once; a broker that refuses that one as well is not asked at the speed of the network.
    if (SESSION_ERRORS.includes(code)) {
      if (state.failures > 0) fetcher.retryLater(state, now, false);
      else state.failures++;
    } else if (code !== 0) onError(fetcher, state, code, 'Fetch', now, actions);
    else if (answer !== undefined) onAnswer(fetcher, state, answer, now, actions);
    // Left out where all that is asked for has to be there: asked again, but not at the speed of the network.
    else fetcher.retryLater(state, now, false);
  }
  return actions;
}

function onAnswer(
  fetcher: Fetcher,
  state: PartitionState,
  answer: FetchedAnswer,
  now: number,
  actions: FetchAction[],
): void {
  const { divergingEpoch, preferredReadReplica } = answer;
  if (divergingEpoch !== null) {
    // One that ends behind the position says nothing that could be acted upon.
    if (divergingEpoch.endOffset >= state.position) fetcher.retryLater(state, now, false);
    else epochEnds(fetcher, state, divergingEpoch, now, actions);
  } else if (preferredReadReplica >= 0 && preferredReadReplica !== state.askedNode) {
    // A follower that nobody knows the address of is no good: the leader goes on, and says so again.
    if (!fetcher.hasBroker(preferredReadReplica)) retryWithMetadata(fetcher, state, now, actions);
    state.readReplica = fetcher.hasBroker(preferredReadReplica) ? preferredReadReplica : -1;
    state.readReplicaUntil = now + fetcher.settings.metadataMaxAgeMs;
  } else onRecords(fetcher, state, answer, now, actions);
}

function onRecords(
  fetcher: Fetcher,
  state: PartitionState,
  answer: FetchedAnswer,
  now: number,
  actions: FetchAction[],
): void {
  const { topic, partition, epoch, position: fetchOffset } = state;
  const bytes = answer.records ?? Buffer.alloc(0);
  const wasCaughtUp = state.isCaughtUp;
  const { end, nextOffset, leaderEpoch, records, batchBytes, error } = walk(bytes, state);
  state.succeeded();
  if (end > 0) {
    state.offsetEpoch = leaderEpoch;
    state.validatedEpoch = state.askedEpoch;
    state.batchBytes = batchBytes;
    state.meter.add(end, records, now - state.sentAt, now);
  }
  state.resets = 0;
  state.position = Math.max(fetchOffset, nextOffset);
  state.isCaughtUp = state.position >= answer.endOffset;
  // Also without a record: that the end is reached is news to the application.
  if (end > 0 || state.isCaughtUp !== wasCaughtUp) {
    if (end > 0) fetcher.handedOn(state, end);
    const { highWatermark, endOffset, abortedTransactions } = answer;
    actions.push({
      type: 'records',
      topic,
      partition,
      epoch,
      bytes: bytes.subarray(0, end),
      fetchOffset,
      nextOffset: state.position,
      highWatermark,
      endOffset,
      abortedTransactions,
    });
  }
  if (error !== null) actions.push(fetcher.fail(state, error));
  else if (end === 0 && bytes.length > 0 && ++state.cutOff >= CUT_OFF_LIMIT)
    actions.push(fetcher.fail(state, recordTooLarge(fetcher, state)));
  else if (end > 0) state.cutOff = 0;
}

/**
 * Since KIP-74 a broker sends the first batch whole however large it is, but only the first of an answer; rotation
 * makes each partition the first one in turn. A batch that is still cut off after this many answers never comes.
 */
const CUT_OFF_LIMIT = 100;

/** Reads batch headers only: where the whole batches end, and which offset follows the last of them. */
function walk(
  bytes: Buffer,
  state: PartitionState,
): {
  end: number;
  nextOffset: number;
  leaderEpoch: number;
  records: number;
  batchBytes: number;
  error: KafkaError | null;
} {
  const reader = new WireBatchReader(bytes, state);
  let end = 0;
  let nextOffset = -1;
  let leaderEpoch = -1;
  let records = 0;
  let batchBytes = 0;
  try {
    for (let batch = reader.next(); batch !== null; batch = reader.next()) {
      nextOffset = batch.nextOffset;
      leaderEpoch = batch.partitionLeaderEpoch;
      records += batch.isLegacy ? 1 : batch.recordCount;
      batchBytes = reader.position - end;
      end = reader.position;
    }
  } catch (error) {
    // The good batches before it are delivered first (semantics §6).
    return {
      end,
      nextOffset,
      leaderEpoch,
      records,
      batchBytes,
      error: error instanceof KafkaError ? error : new CorruptRecordError(String(error), state, { cause: error }),
    };
  }
  return { end, nextOffset, leaderEpoch, records, batchBytes, error: null };
}

/** Semantics §6, the table; the other requests share its lines. */
function onError(
  fetcher: Fetcher,
  state: PartitionState,
  code: number,
  api: string,
  now: number,
  actions: FetchAction[],
): void {
  const error = kafkaErrorOf(code, { api, context: state.name });
  if (state.hasAskedFollower && code !== 1) state.readReplica = -1;
  switch (code) {
    case 1: // OFFSET_OUT_OF_RANGE
      outOfRange(fetcher, state, now, actions);
      return;
    case 6: // NOT_LEADER_OR_FOLLOWER
    case 9: // REPLICA_NOT_AVAILABLE
    case 56: // KAFKA_STORAGE_ERROR
    case 74: // FENCED_LEADER_EPOCH
    case 78: // OFFSET_NOT_AVAILABLE
    case 109: // OFFSET_MOVED_TO_TIERED_STORAGE
      if (isNewerLeaderKnown(fetcher, state)) actions.push({ type: 'refreshMetadata', topics: [state.topic] });
      else retryWithMetadata(fetcher, state, now, actions);
      return;
    case 3: // UNKNOWN_TOPIC_OR_PARTITION
    case 100: // UNKNOWN_TOPIC_ID
    case 103: // INCONSISTENT_TOPIC_ID
      {
        const warning = missing(state, error);
        if (warning !== null) actions.push(warning);
      }
      retryWithMetadata(fetcher, state, now, actions);
      return;
    case 2: // CORRUPT_MESSAGE
      actions.push(
        fetcher.fail(
          state,
          new CorruptRecordError(error.message, {
            topic: state.topic,
            partition: state.partition,
            offset: state.position,
          }),
        ),
      );
      return;
    default:
      if (!error.retriable) actions.push(fetcher.fail(state, error));
      else if (errorCodeOf(code).refreshesMetadata && api !== 'OffsetFetch')
        retryWithMetadata(fetcher, state, now, actions);
      else fetcher.retryLater(state, now, false);
  }
}

function retryWithMetadata(fetcher: Fetcher, state: PartitionState, now: number, actions: FetchAction[]): void {
  fetcher.retryLater(state, now, true);
  actions.push({ type: 'refreshMetadata', topics: [state.topic] });
}

/** The answer has named the new leader (KIP-951), or metadata has come meanwhile: it is asked at once. */
function isNewerLeaderKnown(fetcher: Fetcher, state: PartitionState): boolean {
  const { leader, leaderEpoch } = fetcher.leaderOf(state);
  return leader >= 0 && leaderEpoch > state.askedEpoch;
}

function recordTooLarge(fetcher: Fetcher, state: PartitionState): KafkaError {
  const text = `${state.name}: the batch at offset ${state.position} does not fit into maxPartitionFetchBytes (${fetcher.settings.maxPartitionFetchBytes}) and the broker sends it cut off`;
  return new RecordTooLargeError(text, { topic: state.topic, partition: state.partition, offset: state.position });
}

/** By `partitionKey`. */
export function index<T extends TopicPartition>(answers: readonly T[]): Map<string, T> {
  return new Map(answers.map((answer) => [partitionKey(answer.topic, answer.partition), answer]));
}
