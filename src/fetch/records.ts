import { CorruptRecordError, KafkaError, RecordTooLargeError } from '../errors.ts';
import { WireBatchReader } from '../protocol/record-batch.ts';
import type { FetchedAnswer } from './answers.ts';
import type { Fetcher } from './fetcher.ts';
import type { Outcome } from './outcome.ts';
import type { PartitionState } from './partition.ts';

/** Takes in what a response has of one partition: records, and where the partition ends. */
export function recordsCame(outcome: Outcome, state: PartitionState, answer: FetchedAnswer): void {
  const { fetcher, now } = outcome;
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
  state.isIdle = end === 0;
  state.isSuspect = false;
  state.tooLarge = 0;
  // Also without a record: that the end is reached is news to the application.
  if (end > 0 || state.isCaughtUp !== wasCaughtUp) {
    if (end > 0) fetcher.handedOn(state, end);
    const { highWatermark, endOffset, abortedTransactions } = answer;
    outcome.push({
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
  if (end > 0) state.corruptions = 0;
  if (error !== null) {
    outcome.corrupt(state, error);
    return;
  }
  outcome.accepted(state);
  if (end > 0) state.cutOff = 0;
  else if (bytes.length > 0 && ++state.cutOff >= CUT_OFF_LIMIT)
    outcome.push(fetcher.fail(state, recordTooLarge(fetcher, state)));
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

function recordTooLarge(fetcher: Fetcher, state: PartitionState): KafkaError {
  const text = `${state.name}: the batch at offset ${state.position} does not fit into maxPartitionFetchBytes (${fetcher.settings.maxPartitionFetchBytes}) and the broker sends it cut off`;
  return new RecordTooLargeError(text, { topic: state.topic, partition: state.partition, offset: state.position });
}

/** @param error says how large, and which option limits it */
export function answerTooLarge(
  { name, topic, partition, position: offset }: PartitionState,
  { message }: KafkaError,
): KafkaError {
  const text = `${name}: what follows offset ${offset} cannot be taken: ${message}; then seek there`;
  return new RecordTooLargeError(text, { topic, partition, offset });
}
