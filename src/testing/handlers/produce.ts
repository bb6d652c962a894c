import Long from 'long';
import {
  produce,
  type ProducePartition,
  type ProducePartitionResult,
  type ProduceRequest,
  type ProduceResponse,
  type ProduceTopic,
} from '../../protocol/api/produce.ts';
import { NO_UUID } from '../../protocol/codec.ts';
import { ERROR_CODES } from '../../protocol/error-codes.ts';
import { WireBatchReader } from '../../protocol/record-batch.ts';
import type { Handler, RequestContext } from '../handler.ts';
import type { Partition } from '../topics.ts';
import { replicaError } from './leadership.ts';

/** From here on errors tell the new leader (KIP-951). */
const HINTS_FROM_VERSION = 10;
/** As `max.message.bytes` says by default. */
const MAX_BATCH_BYTES = 1_048_588;
const MAGIC_AT = 16;

export const produceHandler: Handler<ProduceRequest, ProduceResponse> = {
  api: produce,

  handle(request, context) {
    const leaders = new Set<number>();
    const responses = request.topicData.map((topic) => ({
      name: topic.name,
      topicId: topic.topicId,
      partitionResponses: topic.partitionData.map((data) => {
        const result = append(topic, data, request, context);
        if (result.currentLeader !== null) leaders.add(result.currentLeader.leaderId);
        return result;
      }),
    }));
    if (request.acks === 0) return null;
    return { responses, throttleTimeMs: 0, nodeEndpoints: context.cluster.endpointsOf(leaders) };
  },

  refuse: () => null,

  partitionsOf: ({ topicData }, context) =>
    topicData.flatMap((topic) => {
      const name = nameOf(topic, context);
      return name === null ? [] : topic.partitionData.map(({ index }) => ({ topic: name, partition: index }));
    }),
};

function nameOf({ name, topicId }: ProduceTopic, { cluster }: RequestContext): string | null {
  return topicId === NO_UUID ? name : (cluster.topics.byId(topicId)?.name ?? null);
}

function append(
  topic: ProduceTopic,
  { index, records }: ProducePartition,
  request: ProduceRequest,
  context: RequestContext,
): ProducePartitionResult {
  const name = nameOf(topic, context);
  const partition = name === null ? undefined : context.cluster.topics.byName(name)?.partitions[index];
  const result: ProducePartitionResult = {
    index,
    errorCode: context.errorFor(name, index),
    baseOffset: Long.NEG_ONE,
    logAppendTimeMs: Long.NEG_ONE,
    logStartOffset: Long.NEG_ONE,
    recordErrors: [],
    errorMessage: null,
    currentLeader: null,
  };
  if (result.errorCode === 0) {
    if (name === null) result.errorCode = ERROR_CODES.UNKNOWN_TOPIC_ID;
    else if (partition === undefined) result.errorCode = ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION;
    else result.errorCode = appendTo(partition, records, request, context, result);
  }
  const isMoved = result.errorCode === ERROR_CODES.NOT_LEADER_OR_FOLLOWER;
  if (isMoved && partition !== undefined && context.version >= HINTS_FROM_VERSION) {
    result.currentLeader = { leaderId: partition.leader, leaderEpoch: partition.leaderEpoch };
  }
  return result;
}

/** Gives an error code. */
function appendTo(
  partition: Partition,
  records: Buffer | null,
  request: ProduceRequest,
  context: RequestContext,
  result: ProducePartitionResult,
): number {
  const { acks, transactionalId } = request;
  if (acks < -1 || acks > 1) return ERROR_CODES.INVALID_REQUIRED_ACKS;
  const errorCode = replicaError(partition, context.broker, true) || batchError(partition, records);
  if (errorCode !== 0 || records === null) return errorCode;
  // There is no InitProducerId here, so nobody can have a transaction.
  if (transactionalId !== null) return ERROR_CODES.INVALID_PRODUCER_ID_MAPPING;
  const now = context.cluster.timers.clock.now();
  const isLogAppendTime = context.cluster.stampAppendTime(partition, records, now);
  result.baseOffset = Long.fromNumber(partition.log.append(records, partition.leaderEpoch));
  result.logStartOffset = Long.fromNumber(partition.log.startOffset);
  if (isLogAppendTime) result.logAppendTimeMs = Long.fromNumber(now);
  partition.changed();
  return ERROR_CODES.NONE;
}

/** Exactly one batch of magic 2 with the right CRC is taken, as by any broker from Produce version 3 on. */
function batchError(partition: Partition, records: Buffer | null): number {
  if (records === null || records.length === 0) return ERROR_CODES.INVALID_RECORD;
  const maxBytes = Number(partition.topic.configs['max.message.bytes'] ?? MAX_BATCH_BYTES);
  if (records.length > maxBytes) return ERROR_CODES.MESSAGE_TOO_LARGE;
  if (records.length > MAGIC_AT && records[MAGIC_AT] !== 2) return ERROR_CODES.INVALID_RECORD;
  try {
    const batch = new WireBatchReader(records, { topic: partition.topic.name, partition: partition.index }).next();
    if (batch === null || !batch.isCrcValid()) return ERROR_CODES.CORRUPT_MESSAGE;
    const isAlone = batch.sizeInBytes === records.length;
    return isAlone && !batch.isControl && !batch.isTransactional && batch.recordCount > 0
      ? ERROR_CODES.NONE
      : ERROR_CODES.INVALID_RECORD;
  } catch {
    return ERROR_CODES.CORRUPT_MESSAGE;
  }
}
