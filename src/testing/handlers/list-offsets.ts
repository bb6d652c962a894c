import Long from 'long';
import {
  listOffsets,
  type ListOffsetsPartition,
  type ListOffsetsPartitionResult,
  type ListOffsetsRequest,
  type ListOffsetsResponse,
} from '../../protocol/api/list-offsets.ts';
import { ERROR_CODES } from '../../protocol/error-codes.ts';
import type { Handler, RequestContext } from '../handler.ts';
import type { TimestampedOffset } from '../partition-log.ts';
import type { Partition } from '../topics.ts';
import { epochError, replicaError } from './leadership.ts';

const LATEST = -1;
const EARLIEST = -2;
const MAX_TIMESTAMP = -3;
const EARLIEST_LOCAL = -4;
const LATEST_TIERED = -5;
const READ_COMMITTED = 1;
/** The version that each of the special timestamps came with (KIP-734, KIP-405, KIP-1005). */
const SINCE: Readonly<Record<number, number>> = { [MAX_TIMESTAMP]: 7, [EARLIEST_LOCAL]: 8, [LATEST_TIERED]: 9 };

export const listOffsetsHandler: Handler<ListOffsetsRequest, ListOffsetsResponse> = {
  api: listOffsets,
  // Version 11 asks about tiered storage, which is not here.
  maxVersion: 10,

  handle(request, context) {
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((asked) => answer(name, asked, request.isolationLevel, context)),
    }));
    return { throttleTimeMs: 0, topics };
  },

  refuse: () => null,

  partitionsOf: ({ topics }) =>
    topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
    ),
};

function answer(
  topic: string,
  asked: ListOffsetsPartition,
  isolationLevel: number,
  context: RequestContext,
): ListOffsetsPartitionResult {
  const { partitionIndex, currentLeaderEpoch } = asked;
  const partition = context.cluster.topics.byName(topic)?.partitions[partitionIndex];
  const timestamp = asked.timestamp.toNumber();
  const errorCode =
    context.errorFor(topic, partitionIndex) ||
    (partition === undefined
      ? ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION
      : replicaError(partition, context.broker, true) || epochError(partition, currentLeaderEpoch)) ||
    (timestamp < EARLIEST && context.version < (SINCE[timestamp] ?? Infinity) ? ERROR_CODES.UNSUPPORTED_VERSION : 0);
  const found = errorCode !== 0 || partition === undefined ? null : find(partition, timestamp, isolationLevel);
  return {
    partitionIndex,
    errorCode,
    timestamp: Long.fromNumber(found?.timestamp ?? -1),
    offset: Long.fromNumber(found?.offset ?? -1),
    leaderEpoch: context.version >= 4 ? (found?.leaderEpoch ?? -1) : -1,
  };
}

function find(partition: Partition, timestamp: number, isolationLevel: number): TimestampedOffset | null {
  const { log, leaderEpoch } = partition;
  const end = isolationLevel === READ_COMMITTED ? log.lastStableOffset : log.endOffset;
  switch (timestamp) {
    case LATEST:
      return { offset: end, timestamp: -1, leaderEpoch };
    case EARLIEST:
    case EARLIEST_LOCAL:
      return { offset: log.startOffset, timestamp: -1, leaderEpoch: log.epochAt(log.startOffset) };
    case MAX_TIMESTAMP:
      return log.maxTimestamp();
    case LATEST_TIERED:
      return null;
    default:
      return log.offsetAtTime(timestamp, end);
  }
}
