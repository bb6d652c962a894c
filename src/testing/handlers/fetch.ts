import Long from 'long';
import { fetch, type FetchablePartition, type FetchRequest, type FetchResponse } from '../../protocol/api/fetch.ts';
import { NO_UUID } from '../../protocol/codec.ts';
import { ERROR_CODES } from '../../protocol/error-codes.ts';
import type { FetchPlan, WantedPartition } from '../fetch-sessions.ts';
import type { Handler, RequestContext } from '../handler.ts';
import type { Partition } from '../topics.ts';
import { epochError, replicaError } from './leadership.ts';

/** Codes that are said of the whole request. */
const SESSION_ERRORS: readonly number[] = [
  ERROR_CODES.FETCH_SESSION_ID_NOT_FOUND,
  ERROR_CODES.INVALID_FETCH_SESSION_EPOCH,
  ERROR_CODES.FETCH_SESSION_TOPIC_ID_ERROR,
];
/** From here on a consumer may read from any replica (KIP-392). */
const FOLLOWERS_FROM_VERSION = 11;
/** From here on errors tell the new leader (KIP-951). */
const HINTS_FROM_VERSION = 16;
const READ_COMMITTED = 1;
const NO_BYTES = Buffer.alloc(0);

/** What is to be said of a partition. */
type Finding =
  | { readonly kind: 'error'; readonly errorCode: number; readonly partition: Partition | null }
  | { readonly kind: 'diverging'; readonly partition: Partition; readonly epoch: number; readonly endOffset: number }
  | { readonly kind: 'replica'; readonly partition: Partition; readonly node: number }
  | { readonly kind: 'data'; readonly partition: Partition; readonly upTo: number };

export const fetchHandler: Handler<FetchRequest, FetchResponse> = {
  api: fetch,

  async handle(request, context) {
    const plan = context.broker.sessions.plan(request, context.version);
    if (typeof plan === 'number') return sessionError(plan);
    await enoughToRead(request, plan, context);
    return read(request, plan, context);
  },

  refuse(_request, errorCode) {
    return SESSION_ERRORS.includes(errorCode) ? sessionError(errorCode) : null;
  },

  partitionsOf(request, context) {
    return context.broker.sessions.peek(request).flatMap(({ topic, topicId, partition }) => {
      const name = nameOf(topic, topicId, context);
      return name === null ? [] : [{ topic: name, partition }];
    });
  },
};

function sessionError(errorCode: number): FetchResponse {
  return { throttleTimeMs: 0, errorCode, sessionId: 0, responses: [], nodeEndpoints: [] };
}

function nameOf(topic: string, topicId: string, context: RequestContext): string | null {
  return topicId === NO_UUID ? topic : (context.cluster.topics.byId(topicId)?.name ?? null);
}

/** Settles when there are `minBytes`, when something is to be said besides records, or after `maxWaitMs`. */
function enoughToRead(request: FetchRequest, plan: FetchPlan, context: RequestContext): Promise<void> {
  const isEnough = (): boolean => {
    let bytes = 0;
    for (const wanted of plan.partitions) {
      const found = look(wanted, request, context);
      if (found.kind !== 'data') return true;
      const enough = Math.min(wanted.maxBytes, request.minBytes);
      bytes += found.partition.log.bytesFrom(wanted.fetchOffset, found.upTo, enough);
    }
    return bytes >= request.minBytes;
  };
  const { maxWaitMs } = request;
  if (maxWaitMs <= 0 || plan.partitions.length === 0 || isEnough()) return Promise.resolve();
  return new Promise((resolve) => {
    const ends: (() => void)[] = [];
    const finish = (): void => {
      for (const end of ends) end();
      resolve();
    };
    const { timers } = context.cluster;
    ends.push(timers.at(timers.clock.now() + maxWaitMs, finish));
    const check = (): void => {
      if (isEnough()) finish();
    };
    for (const wanted of plan.partitions) {
      const found = look(wanted, request, context);
      if (found.kind === 'data') ends.push(found.partition.watch(check));
    }
  });
}

function look(wanted: WantedPartition, request: FetchRequest, context: RequestContext): Finding {
  const name = nameOf(wanted.topic, wanted.topicId, context);
  const injected = context.errorFor(name, wanted.partition);
  const topic = name === null ? undefined : context.cluster.topics.byName(name);
  const partition = topic?.partitions[wanted.partition];
  if (injected !== 0) return { kind: 'error', errorCode: injected, partition: partition ?? null };
  if (partition === undefined) {
    const isUnknownId = wanted.topicId !== NO_UUID && topic === undefined;
    const errorCode = isUnknownId ? ERROR_CODES.UNKNOWN_TOPIC_ID : ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION;
    return { kind: 'error', errorCode, partition: null };
  }
  const { log } = partition;
  let errorCode =
    replicaError(partition, context.broker, context.version < FOLLOWERS_FROM_VERSION) ||
    epochError(partition, wanted.currentLeaderEpoch);
  if (errorCode === 0 && wanted.lastFetchedEpoch >= 0) {
    const end = log.endOfEpoch(wanted.lastFetchedEpoch);
    if (end === null) errorCode = ERROR_CODES.OFFSET_OUT_OF_RANGE;
    else if (end.leaderEpoch < wanted.lastFetchedEpoch || end.endOffset < wanted.fetchOffset) {
      return { kind: 'diverging', partition, epoch: end.leaderEpoch, endOffset: end.endOffset };
    }
  }
  if (errorCode === 0 && (wanted.fetchOffset < log.startOffset || wanted.fetchOffset > log.endOffset)) {
    errorCode = ERROR_CODES.OFFSET_OUT_OF_RANGE;
  }
  if (errorCode !== 0) return { kind: 'error', errorCode, partition };
  const node = context.cluster.preferredReplica(partition, context.broker, request.rackId);
  if (node !== -1) return { kind: 'replica', partition, node };
  const upTo = request.isolationLevel === READ_COMMITTED ? log.lastStableOffset : log.endOffset;
  return { kind: 'data', partition, upTo };
}

function read(request: FetchRequest, plan: FetchPlan, context: RequestContext): FetchResponse {
  const topics = new Map<string, { topic: string; topicId: string; partitions: FetchablePartition[] }>();
  const withRecords: WantedPartition[] = [];
  const leaders = new Set<number>();
  let room = request.maxBytes;
  for (const wanted of plan.partitions) {
    const found = look(wanted, request, context);
    // Until something was read, the first batch comes whole, however large it is (KIP-74).
    const answer = answerOf(wanted, found, request, context, Math.min(wanted.maxBytes, room), withRecords.length === 0);
    const size = answer.records?.length ?? 0;
    room = Math.max(0, room - size);
    if (size > 0) withRecords.push(wanted);
    if (answer.currentLeader !== null) leaders.add(answer.currentLeader.leaderId);
    if (plan.isIncremental && !isNews(wanted, answer)) continue;
    wanted.told =
      answer.errorCode === 0
        ? { highWatermark: answer.highWatermark.toNumber(), logStartOffset: answer.logStartOffset.toNumber() }
        : null;
    const { topic, topicId } = wanted;
    const key = topicId === NO_UUID ? topic : topicId;
    const entry = topics.get(key) ?? { topic, topicId, partitions: [] };
    entry.partitions.push(answer);
    topics.set(key, entry);
  }
  plan.rotate(withRecords);
  return {
    throttleTimeMs: 0,
    errorCode: 0,
    sessionId: plan.sessionId,
    responses: [...topics.values()],
    nodeEndpoints: context.cluster.endpointsOf(leaders),
  };
}

function isNews({ told }: WantedPartition, answer: FetchablePartition): boolean {
  if (told === null || answer.errorCode !== 0 || (answer.records?.length ?? 0) > 0) return true;
  if (answer.divergingEpoch !== null || answer.preferredReadReplica !== -1) return true;
  return !answer.highWatermark.eq(told.highWatermark) || !answer.logStartOffset.eq(told.logStartOffset);
}

function answerOf(
  wanted: WantedPartition,
  found: Finding,
  request: FetchRequest,
  context: RequestContext,
  maxBytes: number,
  alwaysFirst: boolean,
): FetchablePartition {
  const answer: FetchablePartition = {
    partitionIndex: wanted.partition,
    errorCode: 0,
    highWatermark: Long.NEG_ONE,
    lastStableOffset: Long.NEG_ONE,
    logStartOffset: Long.NEG_ONE,
    divergingEpoch: null,
    currentLeader: null,
    snapshotId: null,
    abortedTransactions: null,
    preferredReadReplica: -1,
    records: NO_BYTES,
  };
  if (found.kind === 'error') {
    answer.errorCode = found.errorCode;
    if (found.partition === null) answer.abortedTransactions = []; // refused before the log is read
    if (found.partition !== null && context.version >= HINTS_FROM_VERSION && isAboutLeader(found.errorCode)) {
      answer.currentLeader = { leaderId: found.partition.leader, leaderEpoch: found.partition.leaderEpoch };
    }
    return answer;
  }
  const { log } = found.partition;
  answer.highWatermark = Long.fromNumber(log.endOffset);
  answer.lastStableOffset = Long.fromNumber(log.lastStableOffset);
  answer.logStartOffset = Long.fromNumber(log.startOffset);
  if (found.kind === 'diverging') {
    answer.divergingEpoch = { epoch: found.epoch, endOffset: Long.fromNumber(found.endOffset) };
  } else if (found.kind === 'replica') {
    answer.preferredReadReplica = found.node;
  } else {
    const { records, nextOffset } = log.read(wanted.fetchOffset, found.upTo, maxBytes, alwaysFirst);
    answer.records = records;
    if (request.isolationLevel === READ_COMMITTED) {
      answer.abortedTransactions = log.abortedBetween(wanted.fetchOffset, nextOffset);
    }
  }
  return answer;
}

function isAboutLeader(errorCode: number): boolean {
  return errorCode === ERROR_CODES.NOT_LEADER_OR_FOLLOWER || errorCode === ERROR_CODES.FENCED_LEADER_EPOCH;
}
