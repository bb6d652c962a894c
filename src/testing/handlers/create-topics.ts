import {
  createTopics,
  type CreatableTopic,
  type CreatedTopic,
  type CreateTopicsRequest,
  type CreateTopicsResponse,
} from '../../protocol/api/create-topics.ts';
import { NO_UUID } from '../../protocol/codec.ts';
import { ERROR_CODES } from '../../protocol/error-codes.ts';
import type { Handler, RequestContext } from '../handler.ts';
import { MAX_PARTITIONS } from '../topics.ts';
import { isTopicName } from './metadata.ts';

/** DYNAMIC_TOPIC_CONFIG: set for this topic. */
const TOPIC_CONFIG = 1;

export const createTopicsHandler: Handler<CreateTopicsRequest, CreateTopicsResponse> = {
  api: createTopics,

  handle(request, context) {
    const topics = request.topics.map((topic) => create(topic, request, context));
    return { throttleTimeMs: 0, topics };
  },

  refuse: () => null,

  partitionsOf: ({ topics }) => topics.map(({ name }) => ({ topic: name, partition: -1 })),
};

function create(asked: CreatableTopic, request: CreateTopicsRequest, context: RequestContext): CreatedTopic {
  const { cluster } = context;
  const { name, assignments, configs } = asked;
  const partitions = assignments.length > 0 ? assignments.length : asked.numPartitions;
  const count = partitions === -1 ? cluster.defaultPartitions : partitions;
  const factor = asked.replicationFactor === -1 ? cluster.defaultReplicationFactor : asked.replicationFactor;
  const replicationFactor = assignments[0]?.brokerIds.length ?? factor;
  const errorCode = context.errorFor(name, -1) || problemOf(asked, count, replicationFactor, context);
  const created: CreatedTopic = {
    name,
    topicId: NO_UUID,
    errorCode,
    errorMessage: null,
    topicConfigErrorCode: 0,
    numPartitions: errorCode === 0 ? count : -1,
    replicationFactor: errorCode === 0 ? replicationFactor : -1,
    configs: configs.map(({ name: key, value }) => ({
      name: key,
      value,
      readOnly: false,
      configSource: TOPIC_CONFIG,
      isSensitive: false,
    })),
  };
  if (errorCode !== 0 || request.validateOnly) return created;
  const sorted = [...assignments].sort((a, b) => a.partitionIndex - b.partitionIndex);
  const properties = Object.fromEntries(configs.map(({ name: key, value }) => [key, value ?? '']));
  const topic =
    sorted.length > 0
      ? cluster.topics.create(
          name,
          sorted.map(({ brokerIds }) => brokerIds),
          properties,
        )
      : cluster.createTopic(name, count, { replicationFactor, configs: properties });
  created.topicId = topic.id;
  return created;
}

function problemOf(
  asked: CreatableTopic,
  count: number,
  replicationFactor: number,
  { cluster }: RequestContext,
): number {
  if (!isTopicName(asked.name)) return ERROR_CODES.INVALID_TOPIC_EXCEPTION;
  if (cluster.topics.byName(asked.name) !== undefined) return ERROR_CODES.TOPIC_ALREADY_EXISTS;
  if (count < 1 || count > MAX_PARTITIONS) return ERROR_CODES.INVALID_PARTITIONS;
  const known = new Set(cluster.brokers.map(({ nodeId }) => nodeId));
  const indexes = new Set(asked.assignments.map(({ partitionIndex }) => partitionIndex));
  const isAssigned = asked.assignments.every(({ partitionIndex, brokerIds }) => {
    return (
      partitionIndex >= 0 && partitionIndex < count && brokerIds.length > 0 && brokerIds.every((id) => known.has(id))
    );
  });
  if (!isAssigned || (asked.assignments.length > 0 && indexes.size !== count))
    return ERROR_CODES.INVALID_REPLICA_ASSIGNMENT;
  if (replicationFactor < 1 || replicationFactor > known.size) return ERROR_CODES.INVALID_REPLICATION_FACTOR;
  return ERROR_CODES.NONE;
}
