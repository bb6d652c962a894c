import {
  consumerGroupHeartbeat,
  type ConsumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponse,
} from '../../protocol/api/consumer-group-heartbeat.ts';
import { ERROR_CODES } from '../../protocol/error-codes.ts';
import type { ConsumerHeartbeatResult } from '../groups/consumer-group.ts';
import type { Handler, RequestContext } from '../handler.ts';
import { groupError } from './group-error.ts';

const JOIN_EPOCH = 0;
/** From here on members make their own ids (KIP-1082). */
const OWN_ID_FROM_VERSION = 1;

export const consumerGroupHeartbeatHandler: Handler<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse> = {
  api: consumerGroupHeartbeat,
  handle: answer,
  refuse: (_request, errorCode) => failed(errorCode),
  groupsOf: ({ groupId }) => [groupId],
};

function answer(request: ConsumerGroupHeartbeatRequest, context: RequestContext): ConsumerGroupHeartbeatResponse {
  const { coordinator } = context.cluster;
  const { groupId, memberId, memberEpoch } = request;
  const errorCode = groupError(groupId, context);
  if (errorCode !== 0) return failed(errorCode);
  if (memberId === '' && context.version >= OWN_ID_FROM_VERSION) {
    return failed(ERROR_CODES.INVALID_REQUEST, 'MemberId can not be empty.');
  }
  const group = memberEpoch === JOIN_EPOCH ? coordinator.findOrCreate(groupId) : coordinator.find(groupId);
  // Kafka can also turn a classic group with members into a consumer group; that is not done here.
  if (group === undefined || group.classic.members.length > 0) {
    return failed(ERROR_CODES.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a consumer group.`);
  }
  const { clientId, connection } = context;
  const heartbeat = { ...request, clientId, clientHost: connection.clientHost };
  return toResponse(coordinator.step(group, (now) => group.consumer.heartbeat(heartbeat, now)));
}

function toResponse({ assignment, ...rest }: ConsumerHeartbeatResult): ConsumerGroupHeartbeatResponse {
  return { throttleTimeMs: 0, ...rest, assignment: assignment === null ? null : { topicPartitions: assignment } };
}

function failed(errorCode: number, errorMessage: string | null = null): ConsumerGroupHeartbeatResponse {
  const nothing = { memberId: null, memberEpoch: 0, heartbeatIntervalMs: 0, assignment: null };
  return { throttleTimeMs: 0, errorCode, errorMessage, ...nothing };
}
