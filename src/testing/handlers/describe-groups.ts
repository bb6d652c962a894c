import {
  describeGroups,
  type DescribedGroup,
  type DescribeGroupsRequest,
  type DescribeGroupsResponse,
} from '../../protocol/api/describe-groups.ts';
import { ERROR_CODES } from '../../protocol/error-codes.ts';
import type { Group } from '../groups/coordinator.ts';
import type { Handler, RequestContext } from '../handler.ts';
import { groupError } from './group-error.ts';

/** Nobody asked for the authorized operations; where somebody does: read, delete, describe. */
const NOT_ASKED = -2147483648;
const ALL_GROUP_OPERATIONS = 0x0148;
/** From here on a group that is not there is an error (KIP-1043). */
const NOT_FOUND_FROM_VERSION = 6;
const INSTANCE_IDS_FROM_VERSION = 4;
const NO_BYTES = Buffer.alloc(0);

/** Of classic groups. */
export const describeGroupsHandler: Handler<DescribeGroupsRequest, DescribeGroupsResponse> = {
  api: describeGroups,
  handle: (request, context) => ({
    throttleTimeMs: 0,
    groups: request.groups.map((groupId) => describe(groupId, request, context)),
  }),
  refuse: ({ groups }, errorCode) => ({
    throttleTimeMs: 0,
    groups: groups.map((groupId) => ({ ...nothing(groupId), errorCode })),
  }),
  groupsOf: ({ groups }) => groups,
};

function describe(groupId: string, request: DescribeGroupsRequest, context: RequestContext): DescribedGroup {
  const errorCode = groupError(groupId, context);
  if (errorCode !== 0) return { ...nothing(groupId), errorCode };
  const group = context.cluster.coordinator.find(groupId);
  if (group === undefined || group.consumer.members.length > 0) {
    if (context.version < NOT_FOUND_FROM_VERSION) return { ...nothing(groupId), groupState: 'Dead' };
    const errorMessage = `Group ${groupId} not found.`;
    return { ...nothing(groupId), errorCode: ERROR_CODES.GROUP_ID_NOT_FOUND, errorMessage, groupState: 'Dead' };
  }
  const { state, generation } = group.classic;
  return {
    ...nothing(groupId),
    groupState: state,
    protocolType: generation.protocolType ?? '',
    // What the members have agreed on is told when they have.
    protocolData: state === 'Stable' ? (generation.protocolName ?? '') : '',
    members: membersOf(group, context.version),
    authorizedOperations: request.includeAuthorizedOperations ? ALL_GROUP_OPERATIONS : NOT_ASKED,
  };
}

function membersOf({ classic }: Group, version: number): DescribedGroup['members'] {
  const isStable = classic.state === 'Stable';
  return classic.members.map((member) => ({
    memberId: member.id,
    groupInstanceId: version >= INSTANCE_IDS_FROM_VERSION ? member.groupInstanceId : null,
    clientId: member.clientId,
    clientHost: member.clientHost,
    memberMetadata: isStable ? member.metadataFor(classic.generation.protocolName) : NO_BYTES,
    memberAssignment: isStable ? member.assignment : NO_BYTES,
  }));
}

function nothing(groupId: string): DescribedGroup {
  return {
    errorCode: 0,
    errorMessage: null,
    groupId,
    groupState: '',
    protocolType: '',
    protocolData: '',
    members: [],
    authorizedOperations: NOT_ASKED,
  };
}
