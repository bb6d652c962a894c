import Long from 'long';
import {
  offsetFetch,
  type OffsetFetchGroup,
  type OffsetFetchGroupResult,
  type OffsetFetchPartitionResult,
  type OffsetFetchRequest,
  type OffsetFetchResponse,
  type OffsetFetchTopic,
} from '../../protocol/api/offset-fetch.ts';
import { NO_UUID } from '../../protocol/codec.ts';
import { ERROR_CODES } from '../../protocol/error-codes.ts';
import type { Group } from '../groups/coordinator.ts';
import type { Handler, RequestContext } from '../handler.ts';
import { coordinatorError } from './group-error.ts';

const MANY_GROUPS_FROM_VERSION = 8;
const LEADER_EPOCH_FROM_VERSION = 5;
const TOPIC_IDS_FROM_VERSION = 10;
/** Errors of one partition; all others are the whole group's. */
const PARTITION_ERRORS: readonly number[] = [
  ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION,
  ERROR_CODES.TOPIC_AUTHORIZATION_FAILED,
  ERROR_CODES.UNSTABLE_OFFSET_COMMIT,
  ERROR_CODES.UNKNOWN_TOPIC_ID,
];

export const offsetFetchHandler: Handler<OffsetFetchRequest, OffsetFetchResponse> = {
  api: offsetFetch,
  handle: (request, context) => answer(request, context, (group) => fetchGroup(group, context)),

  refuse(request, errorCode, context) {
    if (PARTITION_ERRORS.includes(errorCode)) return null;
    return answer(request, context, ({ groupId }) => ({ groupId, topics: [], errorCode }));
  },

  groupsOf: (request) => groupsOf(request).map(({ groupId }) => groupId),

  partitionsOf: (request, context) =>
    groupsOf(request).flatMap(({ topics }) =>
      (topics ?? []).flatMap((topic) => {
        const name = nameOf(topic, context);
        return name === null ? [] : topic.partitionIndexes.map((partition) => ({ topic: name, partition }));
      }),
    ),
};

function nameOf({ name, topicId }: OffsetFetchTopic, { cluster }: RequestContext): string | null {
  return topicId === NO_UUID ? name : (cluster.topics.byId(topicId)?.name ?? null);
}

function groupsOf(request: OffsetFetchRequest): OffsetFetchGroup[] {
  if (request.groups.length > 0) return request.groups;
  return [{ groupId: request.groupId, memberId: null, memberEpoch: -1, topics: request.topics }];
}

function answer(
  request: OffsetFetchRequest,
  { version }: RequestContext,
  fetch: (group: OffsetFetchGroup) => OffsetFetchGroupResult,
): OffsetFetchResponse {
  if (version >= MANY_GROUPS_FROM_VERSION) {
    return { throttleTimeMs: 0, topics: [], errorCode: 0, groups: request.groups.map(fetch) };
  }
  const [group] = groupsOf(request);
  const { topics, errorCode } = group === undefined ? { topics: [], errorCode: 0 } : fetch(group);
  if (version >= 2 || errorCode === 0) return { throttleTimeMs: 0, topics, errorCode, groups: [] };
  // Version 1 has no place for an error of the whole group: each partition says it.
  const failed = (request.topics ?? []).map(({ name, topicId, partitionIndexes }) => ({
    name,
    topicId,
    partitions: partitionIndexes.map((index) => ({ ...nothing(index), errorCode })),
  }));
  return { throttleTimeMs: 0, topics: failed, errorCode: 0, groups: [] };
}

function fetchGroup(asked: OffsetFetchGroup, context: RequestContext): OffsetFetchGroupResult {
  const { groupId } = asked;
  const group = context.cluster.coordinator.find(groupId);
  const errorCode = coordinatorError(groupId, context) || memberError(group, asked);
  if (errorCode !== 0) return { groupId, topics: [], errorCode };
  const topics = (asked.topics ?? allTopics(group, context)).map((topic) => ({
    name: topic.name,
    topicId: topic.topicId,
    partitions: topic.partitionIndexes.map((index) => fetchPartition(group, topic, index, context)),
  }));
  return { groupId, topics, errorCode: 0 };
}

/** A request that names a member is held to it by a group of the consumer protocol, and by no other (KIP-848). */
function memberError(group: Group | undefined, { memberId, memberEpoch }: OffsetFetchGroup): number {
  if (memberId === null || memberEpoch < 0) return ERROR_CODES.NONE;
  const isConsumerGroup = group !== undefined && group.consumer.epoch > 0;
  return isConsumerGroup ? group.consumer.checkEpoch(memberId, memberEpoch) : ERROR_CODES.NONE;
}

function allTopics(group: Group | undefined, { cluster, version }: RequestContext): OffsetFetchTopic[] {
  return [...(group?.offsets.topics ?? [])].map(([name, partitions]) => ({
    name: version >= TOPIC_IDS_FROM_VERSION ? '' : name,
    topicId: version >= TOPIC_IDS_FROM_VERSION ? (cluster.topics.byName(name)?.id ?? NO_UUID) : NO_UUID,
    partitionIndexes: [...partitions.keys()].sort((a, b) => a - b),
  }));
}

function fetchPartition(
  group: Group | undefined,
  topic: OffsetFetchTopic,
  index: number,
  context: RequestContext,
): OffsetFetchPartitionResult {
  const name = nameOf(topic, context);
  const result = nothing(index);
  result.errorCode = context.errorFor(name, index) || (name === null ? ERROR_CODES.UNKNOWN_TOPIC_ID : 0);
  const committed = name === null ? undefined : group?.offsets.get(name, index);
  if (result.errorCode !== 0 || committed === undefined) return result;
  result.committedOffset = Long.fromNumber(committed.offset);
  result.committedLeaderEpoch = context.version >= LEADER_EPOCH_FROM_VERSION ? committed.leaderEpoch : -1;
  result.metadata = committed.metadata;
  return result;
}

function nothing(partitionIndex: number): OffsetFetchPartitionResult {
  return { partitionIndex, committedOffset: Long.NEG_ONE, committedLeaderEpoch: -1, metadata: '', errorCode: 0 };
}
