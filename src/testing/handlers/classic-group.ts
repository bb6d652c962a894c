import { heartbeat, type HeartbeatRequest, type HeartbeatResponse } from '../../protocol/api/heartbeat.ts';
import { joinGroup, type JoinGroupRequest, type JoinGroupResponse } from '../../protocol/api/join-group.ts';
import { leaveGroup, type LeaveGroupRequest, type LeaveGroupResponse } from '../../protocol/api/leave-group.ts';
import { syncGroup, type SyncGroupRequest, type SyncGroupResponse } from '../../protocol/api/sync-group.ts';
import { ERROR_CODES } from '../../protocol/error-codes.ts';
import { failedJoin, failedSync, type JoinResult, type SyncResult } from '../groups/classic-messages.ts';
import type { Handler } from '../handler.ts';
import { groupError } from './group-error.ts';

/** From here on a new member joins twice (KIP-394). */
const MEMBER_ID_REQUIRED_FROM_VERSION = 4;
/** From here on a static leader that has come back need not assign anew (KIP-814). */
const SKIP_ASSIGNMENT_FROM_VERSION = 9;
/** From here on the protocol name may be null (KIP-559). */
const NULL_PROTOCOL_FROM_VERSION = 7;

export const joinGroupHandler: Handler<JoinGroupRequest, JoinGroupResponse> = {
  api: joinGroup,

  async handle(request, context) {
    const { version, clientId, connection, cluster } = context;
    const errorCode = groupError(request.groupId, context);
    if (errorCode !== 0) return joinResponse(failedJoin(errorCode, request.memberId), version);
    const result = await cluster.coordinator.join(request.groupId, {
      ...request,
      clientId,
      clientHost: connection.clientHost,
      requiresKnownMemberId: version >= MEMBER_ID_REQUIRED_FROM_VERSION,
      canSkipAssignment: version >= SKIP_ASSIGNMENT_FROM_VERSION,
    });
    return joinResponse(result, version);
  },

  refuse: ({ memberId }, errorCode, { version }) => joinResponse(failedJoin(errorCode, memberId), version),
  groupsOf: ({ groupId }) => [groupId],
};

function joinResponse(result: JoinResult, version: number): JoinGroupResponse {
  const protocolName = result.protocolName ?? (version >= NULL_PROTOCOL_FROM_VERSION ? null : '');
  return { throttleTimeMs: 0, ...result, protocolName, members: [...result.members] };
}

export const syncGroupHandler: Handler<SyncGroupRequest, SyncGroupResponse> = {
  api: syncGroup,

  async handle(request, context) {
    const errorCode = groupError(request.groupId, context);
    const group = context.cluster.coordinator.find(request.groupId);
    if (errorCode !== 0 || group === undefined)
      return syncResponse(failedSync(errorCode || ERROR_CODES.UNKNOWN_MEMBER_ID));
    return syncResponse(await context.cluster.coordinator.sync(group, request));
  },

  refuse: (_request, errorCode) => syncResponse(failedSync(errorCode)),
  groupsOf: ({ groupId }) => [groupId],
};

function syncResponse(result: SyncResult): SyncGroupResponse {
  return { throttleTimeMs: 0, ...result };
}

export const heartbeatHandler: Handler<HeartbeatRequest, HeartbeatResponse> = {
  api: heartbeat,

  handle(request, context) {
    const { coordinator } = context.cluster;
    const group = coordinator.find(request.groupId);
    const errorCode = groupError(request.groupId, context) || (group === undefined ? ERROR_CODES.UNKNOWN_MEMBER_ID : 0);
    if (errorCode !== 0 || group === undefined) return { throttleTimeMs: 0, errorCode };
    return { throttleTimeMs: 0, errorCode: coordinator.step(group, (now) => group.classic.heartbeat(request, now)) };
  },

  refuse: (_request, errorCode) => ({ throttleTimeMs: 0, errorCode }),
  groupsOf: ({ groupId }) => [groupId],
};

export const leaveGroupHandler: Handler<LeaveGroupRequest, LeaveGroupResponse> = {
  api: leaveGroup,

  handle(request, context) {
    const { coordinator } = context.cluster;
    const errorCode = groupError(request.groupId, context);
    if (errorCode !== 0) return { throttleTimeMs: 0, errorCode, members: [] };
    const group = coordinator.find(request.groupId);
    // One member before version 3, any number since (KIP-345).
    const isSingle = context.version < 3;
    const leaving = isSingle ? [{ memberId: request.memberId, groupInstanceId: null }] : request.members;
    const members = leaving.map(({ memberId, groupInstanceId }) => {
      const left =
        group === undefined
          ? ERROR_CODES.UNKNOWN_MEMBER_ID
          : coordinator.step(group, (now) => group.classic.leave({ memberId, groupInstanceId }, now));
      return { memberId, groupInstanceId, errorCode: left };
    });
    if (isSingle) return { throttleTimeMs: 0, errorCode: members[0]?.errorCode ?? 0, members: [] };
    return { throttleTimeMs: 0, errorCode: 0, members };
  },

  refuse: (_request, errorCode) => ({ throttleTimeMs: 0, errorCode, members: [] }),
  groupsOf: ({ groupId }) => [groupId],
};
