import Long from 'long';
import type { CommitAnswer, Membership, OffsetToCommit } from '../commit/committer.ts';
import { KafkaError } from '../errors.ts';
import type { CommittedAnswer, EpochEndAnswer, FetchedAnswer, ListedAnswer } from '../fetch/answers.ts';
import { partitionName, type ListedPartition, type TopicPartition } from '../fetch/partition.ts';
import type { ValidatedPartition } from '../fetch/partition.ts';
import type { SessionRequest } from '../fetch/session.ts';
import type {
  EpochEndOffset,
  FetchPartition,
  FetchRequest,
  FetchResponse,
  ForgottenTopic,
} from '../protocol/api/fetch.ts';
import type { ListOffsetsRequest, ListOffsetsResponse } from '../protocol/api/list-offsets.ts';
import type { OffsetCommitRequest, OffsetCommitResponse } from '../protocol/api/offset-commit.ts';
import type { OffsetFetchRequest, OffsetFetchResponse } from '../protocol/api/offset-fetch.ts';
import type {
  OffsetForLeaderEpochRequest,
  OffsetForLeaderEpochResponse,
} from '../protocol/api/offset-for-leader-epoch.ts';
import { MINUS_ONE, NO_UUID } from '../protocol/codec.ts';
import type { LeaderIdAndEpoch } from '../protocol/leader-hint.ts';
import type { CommittedOffset } from './port.ts';

// What the machines say in plain data, as Kafka's requests; and Kafka's answers, as the machines want to hear them.

/** From this version on OffsetFetch asks for groups, in the plural (KIP-709). */
const GROUPS_VERSION = 8;
/** From this version on OffsetFetch knows `requireStable`. */
const STABLE_VERSION = 7;
/** From this version on OffsetFetch says who asks (KIP-848). */
const MEMBER_VERSION = 9;
/** Beyond it, topics are named by id only, and the answer of an unknown one cannot be matched without metadata. */
export const LAST_VERSION_WITH_TOPIC_NAMES = 9;
/** Fetch speaks of topics by name up to here, by id from here on (KIP-516). */
export const LAST_FETCH_VERSION_WITH_TOPIC_NAMES = 12;
/** From here on a consumer may ask OffsetForLeaderEpoch with the right to read the topic (KIP-320). */
export const OFFSET_FOR_LEADER_EPOCH_VERSION = 3;
/** From here on Fetch has sessions (KIP-227). */
export const FETCH_SESSIONS_VERSION = 7;

/** By its number on the wire (KIP-98). */
const ISOLATION_LEVELS = { read_uncommitted: 0, read_committed: 1 } as const;
type IsolationLevel = keyof typeof ISOLATION_LEVELS;

/** Infinity above 2^53 − 1, where a number would be another offset: that is one partition's affair, not the response's. */
export function toOffset(offset: Long): number {
  const number = offset.toNumber();
  return number > Number.MAX_SAFE_INTEGER ? Infinity : number;
}

/** For calls that ask for offsets. @throws KafkaError where one of them cannot be said as a number */
export function mustBeExact(offsets: readonly (TopicPartition & { offset: number })[]): void {
  for (const { topic, partition, offset } of offsets) {
    if (offset === Infinity)
      throw new KafkaError(`the offset of ${partitionName(topic, partition)} is beyond 2^53 − 1`);
  }
}

export interface FetchOptions {
  minBytes: number;
  maxBytes: number;
  maxWaitMs: number;
  rackId: string;
  isolationLevel: IsolationLevel;
}

/** @param session which partitions the request names, and of which session it is */
export function fetchRequest(session: SessionRequest, options: FetchOptions): FetchRequest {
  const topics = groupByTopic(session.partitions, (partition): FetchPartition & { topicId: string | null } => {
    return {
      partition: partition.partition,
      currentLeaderEpoch: partition.currentLeaderEpoch,
      fetchOffset: Long.fromNumber(partition.fetchOffset),
      lastFetchedEpoch: -1, // for followers: a consumer asks OffsetForLeaderEpoch, as Java's does
      logStartOffset: MINUS_ONE,
      partitionMaxBytes: partition.partitionMaxBytes,
      replicaDirectoryId: NO_UUID,
      highWatermark: Long.MAX_VALUE,
      topicId: partition.topicId,
    };
  });
  // By id too: a topic that was made again is forgotten under its old id.
  const forgotten = new Map<string, ForgottenTopic>();
  for (const { topic, topicId, partition } of session.forgotten) {
    const key = topicId ?? topic;
    const entry = forgotten.get(key) ?? { topic, topicId: topicId ?? NO_UUID, partitions: [] };
    entry.partitions.push(partition);
    forgotten.set(key, entry);
  }
  return {
    clusterId: null,
    replicaId: -1,
    replicaState: null,
    maxWaitMs: options.maxWaitMs,
    minBytes: options.minBytes,
    maxBytes: options.maxBytes,
    isolationLevel: ISOLATION_LEVELS[options.isolationLevel],
    sessionId: session.sessionId,
    sessionEpoch: session.sessionEpoch,
    topics: topics.map(([topic, partitions]) => ({ topic, topicId: partitions[0]?.topicId ?? NO_UUID, partitions })),
    forgottenTopicsData: [...forgotten.values()],
    rackId: options.rackId,
  };
}

/** @param topicName of the ids that the session speaks of */
export function readFetchResponse(
  response: FetchResponse,
  isolationLevel: IsolationLevel,
  topicName: (topicId: string) => string | undefined,
): FetchedAnswer[] {
  const isCommittedOnly = isolationLevel === 'read_committed';
  const answers: FetchedAnswer[] = [];
  for (const { topic, topicId, partitions } of response.responses) {
    const name = topic === '' ? topicName(topicId) : topic;
    if (name === undefined) continue; // not asked for
    for (const answer of partitions) {
      // Only the lag is reckoned with it.
      const highWatermark = Math.min(toOffset(answer.highWatermark), Number.MAX_SAFE_INTEGER);
      const lastStableOffset = Math.min(toOffset(answer.lastStableOffset), Number.MAX_SAFE_INTEGER);
      answers.push({
        topic: name,
        partition: answer.partitionIndex,
        errorCode: answer.errorCode,
        highWatermark,
        endOffset: isCommittedOnly && lastStableOffset >= 0 ? lastStableOffset : highWatermark,
        abortedTransactions: (isCommittedOnly ? answer.abortedTransactions : null) ?? [],
        records: answer.records,
        preferredReadReplica: answer.preferredReadReplica,
        divergingEpoch: answer.divergingEpoch === null ? null : epochEnd(answer.divergingEpoch),
      });
    }
  }
  return answers;
}

/** Who leads what, and where they are, as the answer says beside errors (KIP-951). */
export function leaderHints(
  response: FetchResponse,
  topicName: (topicId: string) => string | undefined,
): (TopicPartition & LeaderIdAndEpoch)[] {
  const hints: (TopicPartition & LeaderIdAndEpoch)[] = [];
  for (const { topic, topicId, partitions } of response.responses) {
    for (const { partitionIndex: partition, currentLeader } of partitions) {
      if (currentLeader === null) continue;
      const name = topic === '' ? topicName(topicId) : topic;
      if (name !== undefined) hints.push({ topic: name, partition, ...currentLeader });
    }
  }
  return hints;
}

function epochEnd({ epoch, endOffset }: EpochEndOffset): { leaderEpoch: number; endOffset: number } {
  return { leaderEpoch: epoch, endOffset: toOffset(endOffset) };
}

export function offsetForLeaderEpochRequest(asked: readonly ValidatedPartition[]): OffsetForLeaderEpochRequest {
  const topics = groupByTopic(asked, ({ partition, currentLeaderEpoch, leaderEpoch }) => {
    return { partition, currentLeaderEpoch, leaderEpoch };
  });
  return { replicaId: -1, topics: topics.map(([topic, partitions]) => ({ topic, partitions })) };
}

export function readOffsetForLeaderEpoch(response: OffsetForLeaderEpochResponse): EpochEndAnswer[] {
  return response.topics.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition, errorCode, leaderEpoch, endOffset }) => {
      return { topic, partition, errorCode, leaderEpoch, endOffset: toOffset(endOffset) };
    }),
  );
}

export function listOffsetsRequest(
  asked: readonly ListedPartition[],
  isolationLevel: IsolationLevel,
  timeoutMs: number,
): ListOffsetsRequest {
  const topics = groupByTopic(asked, ({ partition, currentLeaderEpoch, timestamp }) => {
    return { partitionIndex: partition, currentLeaderEpoch, timestamp: Long.fromNumber(timestamp) };
  });
  return {
    replicaId: -1,
    isolationLevel: ISOLATION_LEVELS[isolationLevel],
    topics: topics.map(([name, partitions]) => ({ name, partitions })),
    timeoutMs,
  };
}

export function readListOffsets(response: ListOffsetsResponse): (ListedAnswer & { timestamp: number })[] {
  return response.topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partitionIndex, errorCode, offset, timestamp, leaderEpoch }) => ({
      topic,
      partition: partitionIndex,
      errorCode,
      offset: toOffset(offset),
      leaderEpoch,
      timestamp: timestamp.toNumber(),
    })),
  );
}

/**
 * @param identity who asks, in a group of the consumer protocol: the broker refuses one who is not in the group any more
 * @param isolationLevel for `read_committed` the broker gives no offset that an open transaction may still change (KIP-447)
 */
export function offsetFetchRequest(
  groupId: string,
  asked: readonly TopicPartition[],
  isolationLevel: IsolationLevel,
  version: number,
  identity: Membership | null = null,
): OffsetFetchRequest {
  const topics = groupByTopic(asked, ({ partition }) => partition).map(([name, partitionIndexes]) => {
    return { name, topicId: NO_UUID, partitionIndexes };
  });
  const requireStable = isolationLevel === 'read_committed' && version >= STABLE_VERSION;
  if (version < GROUPS_VERSION) return { groupId, topics, groups: [], requireStable };
  const isSaid = identity !== null && version >= MEMBER_VERSION;
  return {
    groupId: '',
    topics: [],
    groups: [
      { groupId, memberId: isSaid ? identity.memberId : null, memberEpoch: isSaid ? identity.generation : -1, topics },
    ],
    requireStable,
  };
}

/** Each with its error code; an error of the whole answer is everybody's. */
export function readOffsetFetch(
  asked: readonly TopicPartition[],
  response: OffsetFetchResponse,
): { groupErrorCode: number; offsets: (CommittedAnswer & CommittedOffset)[] } {
  const group = response.groups[0] ?? response;
  if (group.errorCode !== 0) {
    const { errorCode } = group;
    const offsets = asked.map(({ topic, partition }) => ({
      topic,
      partition,
      errorCode,
      offset: -1,
      leaderEpoch: -1,
      metadata: null,
    }));
    return { groupErrorCode: errorCode, offsets };
  }
  const offsets = group.topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partitionIndex, committedOffset, committedLeaderEpoch, metadata, errorCode }) => {
      return {
        topic,
        partition: partitionIndex,
        errorCode,
        offset: toOffset(committedOffset),
        leaderEpoch: committedLeaderEpoch,
        metadata,
      };
    }),
  );
  return { groupErrorCode: 0, offsets };
}

export function offsetCommitRequest(
  group: { groupId: string; groupInstanceId: string | null },
  membership: Membership,
  offsets: readonly OffsetToCommit[],
): OffsetCommitRequest {
  const topics = groupByTopic(offsets, ({ partition, offset, leaderEpoch, metadata }) => {
    return {
      partitionIndex: partition,
      committedOffset: Long.fromNumber(offset),
      committedLeaderEpoch: leaderEpoch,
      committedMetadata: metadata,
    };
  });
  return {
    groupId: group.groupId,
    generationIdOrMemberEpoch: membership.generation,
    memberId: membership.memberId,
    groupInstanceId: group.groupInstanceId,
    retentionTimeMs: MINUS_ONE,
    topics: topics.map(([name, partitions]) => ({ name, topicId: NO_UUID, partitions })),
  };
}

export function readOffsetCommit(response: OffsetCommitResponse): CommitAnswer[] {
  return response.topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partitionIndex, errorCode }) => ({ topic, partition: partitionIndex, errorCode })),
  );
}

function groupByTopic<T extends TopicPartition, U>(items: readonly T[], convert: (item: T) => U): [string, U[]][] {
  const byTopic = new Map<string, U[]>();
  for (const item of items) {
    const converted = convert(item);
    const list = byTopic.get(item.topic);
    if (list === undefined) byTopic.set(item.topic, [converted]);
    else list.push(converted);
  }
  return [...byTopic];
}
