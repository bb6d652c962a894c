import {
  metadata,
  type MetadataRequest,
  type MetadataRequestTopic,
  type MetadataResponse,
  type MetadataTopic,
} from '../../protocol/api/metadata.ts';
import { NO_UUID } from '../../protocol/codec.ts';
import { ERROR_CODES } from '../../protocol/error-codes.ts';
import type { Handler, RequestContext } from '../handler.ts';
import { NO_LEADER, type Partition, type Topic } from '../topics.ts';

/** Nobody asked for the authorized operations; where somebody does: all of Kafka's, for there are no permissions here. */
const NOT_ASKED = -2147483648;
const ALL_TOPIC_OPERATIONS = 0x0df8;
const ALL_CLUSTER_OPERATIONS = 0x1f84;

export const metadataHandler: Handler<MetadataRequest, MetadataResponse> = {
  api: metadata,

  handle(request, context) {
    const { cluster } = context;
    const operations = request.includeTopicAuthorizedOperations ? ALL_TOPIC_OPERATIONS : NOT_ASKED;
    // Version 0 knows no null: there an empty list asks for all.
    const isForAll = request.topics === null || (context.version === 0 && request.topics.length === 0);
    const topics = isForAll
      ? cluster.topics.all.map((topic) => describe(topic, operations, context))
      : distinct(request.topics ?? []).map((asked) => answerOne(asked, request, operations, context));
    return {
      ...empty(context),
      topics,
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? ALL_CLUSTER_OPERATIONS : NOT_ASKED,
    };
  },

  /** Of the whole: REBOOTSTRAP_REQUIRED (KIP-1102); all others are a topic's. */
  refuse(_request, errorCode, context) {
    if (errorCode === ERROR_CODES.REBOOTSTRAP_REQUIRED && context.version >= 13)
      return { ...empty(context), errorCode };
    return null;
  },

  partitionsOf({ topics }, { cluster }) {
    const names = topics?.map(({ name, topicId }) => name ?? cluster.topics.byId(topicId)?.name ?? '');
    return (names ?? cluster.topics.all.map(({ name }) => name)).flatMap((topic) => {
      const partitions = cluster.topics.byName(topic)?.partitions ?? [];
      return partitions.length === 0
        ? [{ topic, partition: -1 }]
        : partitions.map(({ index }) => ({ topic, partition: index }));
    });
  },
};

/** A topic that is asked for twice is described once. */
function distinct(topics: readonly MetadataRequestTopic[]): MetadataRequestTopic[] {
  return [...new Map(topics.map((topic) => [topic.name ?? topic.topicId, topic])).values()];
}

function empty({ cluster }: RequestContext): MetadataResponse {
  return {
    throttleTimeMs: 0,
    brokers: cluster.liveBrokers.map(({ nodeId, host, port, rack }) => ({ nodeId, host, port, rack })),
    clusterId: cluster.clusterId,
    controllerId: cluster.controllerId,
    topics: [],
    clusterAuthorizedOperations: NOT_ASKED,
    errorCode: 0,
  };
}

function answerOne(
  asked: MetadataRequestTopic,
  request: MetadataRequest,
  operations: number,
  context: RequestContext,
): MetadataTopic {
  const { cluster } = context;
  if (asked.name === null) {
    const topic = cluster.topics.byId(asked.topicId);
    if (topic === undefined) return failed(null, asked.topicId, ERROR_CODES.UNKNOWN_TOPIC_ID);
    return describe(topic, operations, context);
  }
  const injected = context.errorFor(asked.name, -1);
  if (injected !== 0) return failed(asked.name, NO_UUID, injected); // brokers give no id with an error
  const topic = cluster.topics.byName(asked.name);
  if (topic !== undefined) return describe(topic, operations, context);
  if (!isTopicName(asked.name)) return failed(asked.name, NO_UUID, ERROR_CODES.INVALID_TOPIC_EXCEPTION);
  if (!request.allowAutoTopicCreation || !cluster.autoCreateTopics) {
    return failed(asked.name, NO_UUID, ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION);
  }
  return describe(cluster.createTopic(asked.name, cluster.defaultPartitions), operations, context);
}

function failed(name: string | null, topicId: string, errorCode: number): MetadataTopic {
  return { errorCode, name, topicId, isInternal: false, partitions: [], topicAuthorizedOperations: NOT_ASKED };
}

function describe(topic: Topic, operations: number, context: RequestContext): MetadataTopic {
  const injected = context.errorFor(topic.name, -1);
  if (injected !== 0) return failed(topic.name, NO_UUID, injected);
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.isInternal,
    partitions: topic.partitions.map((partition) => describePartition(partition, context)),
    topicAuthorizedOperations: operations,
  };
}

function describePartition(partition: Partition, context: RequestContext): MetadataTopic['partitions'][number] {
  const { index, leader, leaderEpoch, replicas, isr, topic } = partition;
  const injected = context.errorFor(topic.name, index);
  return {
    errorCode: injected || (leader === NO_LEADER ? ERROR_CODES.LEADER_NOT_AVAILABLE : ERROR_CODES.NONE),
    partitionIndex: index,
    leaderId: leader,
    leaderEpoch,
    replicaNodes: [...replicas],
    isrNodes: [...isr],
    offlineReplicas: replicas.filter((node) => !context.cluster.isUp(node)),
  };
}

/** Kafka's rule for names. */
export function isTopicName(name: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..';
}
