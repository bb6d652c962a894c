import {
  offsetCommit,
  type OffsetCommitRequest,
  type OffsetCommitResponse,
  type OffsetCommitTopic,
} from '../../protocol/api/offset-commit.ts';
import { NO_UUID } from '../../protocol/codec.ts';
import { ERROR_CODES } from '../../protocol/error-codes.ts';
import type { Group } from '../groups/coordinator.ts';
import type { Handler, RequestContext } from '../handler.ts';
import { coordinatorError } from './group-error.ts';

/** From here on a broker may tell a member of a consumer group that its epoch is old (KIP-848). */
const EPOCHS_FROM_VERSION = 9;
/** As `offset.metadata.max.bytes` says by default. */
const MAX_METADATA_BYTES = 4096;

export const offsetCommitHandler: Handler<OffsetCommitRequest, OffsetCommitResponse> = {
  api: offsetCommit,

  handle(request, context) {
    const errorCode = coordinatorError(request.groupId, context);
    if (errorCode !== 0) return answer(request, () => errorCode);
    const group = context.cluster.coordinator.findOrCreate(request.groupId);
    const refusal = memberError(group, request, context);
    const response = answer(request, (topic, index) => {
      const name = nameOf(topic, context);
      return context.errorFor(name, index) || refusal || commit(group, topic, index, name, context);
    });
    const isAny = response.topics.some(({ partitions }) => partitions.some((each) => each.errorCode === 0));
    if (isAny) context.cluster.observer.committed(request.groupId);
    return response;
  },

  refuse: () => null,
  groupsOf: ({ groupId }) => [groupId],

  partitionsOf: ({ topics }, context) =>
    topics.flatMap((topic) => {
      const name = nameOf(topic, context);
      return name === null
        ? []
        : topic.partitions.map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex }));
    }),
};

function nameOf({ name, topicId }: OffsetCommitTopic, { cluster }: RequestContext): string | null {
  return topicId === NO_UUID ? name : (cluster.topics.byId(topicId)?.name ?? null);
}

function answer(
  { topics }: OffsetCommitRequest,
  errorCodeOf: (topic: OffsetCommitTopic, partition: number) => number,
): OffsetCommitResponse {
  const answered = topics.map((topic) => ({
    name: topic.name,
    topicId: topic.topicId,
    partitions: topic.partitions.map(({ partitionIndex }) => {
      return { partitionIndex, errorCode: errorCodeOf(topic, partitionIndex) };
    }),
  }));
  return { throttleTimeMs: 0, topics: answered };
}

function memberError(group: Group, request: OffsetCommitRequest, { cluster, version }: RequestContext): number {
  const { memberId, groupInstanceId, generationIdOrMemberEpoch } = request;
  if (group.consumer.members.length > 0) {
    const errorCode = group.consumer.checkEpoch(memberId, generationIdOrMemberEpoch);
    const isTooNew = errorCode === ERROR_CODES.STALE_MEMBER_EPOCH && version < EPOCHS_FROM_VERSION;
    return isTooNew ? ERROR_CODES.UNSUPPORTED_VERSION : errorCode;
  }
  // A group that is not there, neither by members nor by offsets, takes commits in nobody's name only.
  const isThere = group.classic.generation.id > 0 || group.classic.members.length > 0 || group.offsets.topics.size > 0;
  if (!isThere && generationIdOrMemberEpoch >= 0) return ERROR_CODES.ILLEGAL_GENERATION;
  const claim = { memberId, groupInstanceId, generationId: generationIdOrMemberEpoch };
  return cluster.coordinator.step(group, (now) => group.classic.commit(claim, now));
}

function commit(
  group: Group,
  topic: OffsetCommitTopic,
  index: number,
  name: string | null,
  { cluster }: RequestContext,
): number {
  if (name === null) return ERROR_CODES.UNKNOWN_TOPIC_ID;
  if (cluster.topics.byName(name)?.partitions[index] === undefined) return ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION;
  const asked = topic.partitions.find(({ partitionIndex }) => partitionIndex === index);
  if (asked === undefined) return ERROR_CODES.INVALID_REQUEST;
  const metadata = asked.committedMetadata ?? '';
  if (Buffer.byteLength(metadata) > MAX_METADATA_BYTES) return ERROR_CODES.OFFSET_METADATA_TOO_LARGE;
  const { committedOffset, committedLeaderEpoch: leaderEpoch } = asked;
  group.offsets.commit(name, index, { offset: committedOffset.toNumber(), leaderEpoch, metadata });
  return ERROR_CODES.NONE;
}
