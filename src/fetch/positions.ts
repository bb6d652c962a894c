import { LogTruncationError, NoOffsetError, OffsetOutOfRangeError } from '../errors.ts';
import type { Fetcher } from './fetcher.ts';
import type { FetchAction, PartitionState, ResetReason } from './partition.ts';
import { describeReset } from './reset-policy.ts';

// Where a partition is read from: taken up, given up, validated (semantics §5).

/** Reading begins, or goes on, at an offset that somebody has named. @param offsetEpoch leader epoch of the record before */
export function positioned(state: PartitionState, offset: number, offsetEpoch: number, isReset: boolean): FetchAction {
  const { topic, partition, epoch, reset } = state;
  state.positionAt(offset, offsetEpoch);
  return { type: 'positioned', topic, partition, epoch, offset, isReset, reset };
}

/** The group has committed nothing. */
export function noOffset(fetcher: Fetcher, state: PartitionState, actions: FetchAction[]): void {
  const timestamp = fetcher.resetTimestamp();
  state.succeeded();
  if (timestamp !== null) {
    state.resetTo(timestamp, 'noCommittedOffset');
    return;
  }
  const text = `${state.name}: the group has committed no offset and autoOffsetReset is 'none'; seek, or set it to 'earliest' or 'latest'`;
  actions.push(fetcher.fail(state, new NoOffsetError(text, state)));
}

/**
 * The group has committed, or ListOffsets gives, an offset above 2^53 − 1. No log is so long: it is out of range like any
 * other offset that is not there, and that partition's affair alone.
 */
export function beyondReach(fetcher: Fetcher, state: PartitionState, now: number, actions: FetchAction[]): void {
  const { topic, partition } = state;
  if (state.stage === 'reset' || fetcher.resetTimestamp() === null) {
    const text = `${state.name}: an offset beyond 2^53 − 1, which no number can say exactly; seek to one that is there`;
    actions.push(fetcher.fail(state, new OffsetOutOfRangeError(text, { topic, partition, offset: -1 })));
  } else giveUp(fetcher, state, 'outOfRange', 'is beyond 2^53 − 1', now, actions);
}

/** OFFSET_OUT_OF_RANGE of a Fetch. */
export function outOfRange(fetcher: Fetcher, state: PartitionState, now: number, actions: FetchAction[]): void {
  if (state.hasAskedFollower) {
    // It may be behind, or keep less than the leader: that says nothing of the position (KIP-392).
    state.readReplica = -1;
    fetcher.retryLater(state, now, false);
    return;
  }
  giveUp(fetcher, state, 'outOfRange', 'is not on the broker (any more)', now, actions);
}

/** The topic was deleted and made again: what the position meant is gone. */
export function topicRecreated(fetcher: Fetcher, state: PartitionState, now: number, actions: FetchAction[]): void {
  state.readReplica = -1;
  state.validatedEpoch = -1;
  if (state.stage !== 'fetch' && state.stage !== 'validate') return; // the look-up that is under way asks the new one
  giveUp(fetcher, state, 'topicRecreated', 'was one of a topic that has been deleted and made again', now, actions);
}

/** What OffsetForLeaderEpoch, or a Fetch's `divergingEpoch`, says of the position's epoch. −1: it does not know. */
export function epochEnds(
  fetcher: Fetcher,
  state: PartitionState,
  end: { leaderEpoch: number; endOffset: number },
  now: number,
  actions: FetchAction[],
): void {
  const { topic, partition, position: offset } = state;
  const isKnown = end.leaderEpoch >= 0 && end.endOffset >= 0;
  if (isKnown && end.endOffset >= offset) {
    state.stage = 'fetch';
    state.validatedEpoch = state.askedEpoch;
    state.succeeded();
    return;
  }
  const divergentOffset = isKnown ? end.endOffset : -1;
  const where = isKnown ? `from offset ${end.endOffset} on` : 'at an offset that the broker cannot tell';
  const what = `the log was cut off ${where} by an unclean leader election, below the position ${offset}`;
  if (fetcher.resetTimestamp() === null) {
    const text = `${state.name}: ${what}, and autoOffsetReset is 'none'; seek to where reading shall go on`;
    actions.push(fetcher.fail(state, new LogTruncationError(text, { topic, partition, offset, divergentOffset })));
  } else if (!isKnown) giveUp(fetcher, state, 'truncated', 'is behind a cut in the log', now, actions);
  else {
    actions.push({ type: 'log', level: 'warn', message: `${state.name}: ${what}; going on at ${end.endOffset}` });
    state.reset = { reason: 'truncated', from: offset };
    actions.push(positioned(state, end.endOffset, end.leaderEpoch, true));
    state.validatedEpoch = state.askedEpoch;
  }
}

/** Resets by policy, or fails where there is none. */
function giveUp(
  fetcher: Fetcher,
  state: PartitionState,
  reason: ResetReason,
  why: string,
  now: number,
  actions: FetchAction[],
): void {
  const { topic, partition, position: offset } = state;
  const timestamp = fetcher.resetTimestamp();
  if (timestamp === null) {
    const text = `${state.name}: offset ${offset} ${why} and autoOffsetReset is 'none'; seek to one that is there`;
    actions.push(fetcher.fail(state, new OffsetOutOfRangeError(text, { topic, partition, offset })));
    return;
  }
  const which = offset < 0 ? 'the committed offset' : `offset ${offset}`;
  const message = `${state.name}: ${which} ${why}; going to ${describeReset(timestamp)}`;
  actions.push({ type: 'log', level: 'warn', message });
  state.resetTo(timestamp, reason);
  // The offset that the broker itself has named is out of range as well: it will not be better at once.
  if (state.resets > 0) fetcher.backOff(state, state.resets - 1, now);
  state.resets++;
}
