import Long from 'long';
import {
  offsetForLeaderEpoch,
  type OffsetForLeaderEpochRequest,
  type OffsetForLeaderEpochResponse,
  type OffsetForLeaderPartition,
  type OffsetForLeaderPartitionResult,
} from '../../protocol/api/offset-for-leader-epoch.ts';
import { ERROR_CODES } from '../../protocol/error-codes.ts';
import type { Handler, RequestContext } from '../handler.ts';
import { epochError, replicaError } from './leadership.ts';

export const offsetForLeaderEpochHandler: Handler<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse> = {
  api: offsetForLeaderEpoch,

  handle(request, context) {
    const topics = request.topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map((asked) => answer(topic, asked, context)),
    }));
    return { throttleTimeMs: 0, topics };
  },

  refuse: () => null,

  partitionsOf: ({ topics }) =>
    topics.flatMap(({ topic, partitions }) => partitions.map(({ partition }) => ({ topic, partition }))),
};

function answer(
  topic: string,
  asked: OffsetForLeaderPartition,
  context: RequestContext,
): OffsetForLeaderPartitionResult {
  const partition = context.cluster.topics.byName(topic)?.partitions[asked.partition];
  const errorCode =
    context.errorFor(topic, asked.partition) ||
    (partition === undefined
      ? ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION
      : replicaError(partition, context.broker, true) || epochError(partition, asked.currentLeaderEpoch));
  const end = errorCode === 0 ? partition?.log.endOfEpoch(asked.leaderEpoch) : null;
  return {
    errorCode,
    partition: asked.partition,
    leaderEpoch: end?.leaderEpoch ?? -1,
    endOffset: Long.fromNumber(end?.endOffset ?? -1),
  };
}
