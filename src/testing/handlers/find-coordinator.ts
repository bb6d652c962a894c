import {
  findCoordinator,
  type Coordinator,
  type FindCoordinatorRequest,
  type FindCoordinatorResponse,
} from '../../protocol/api/find-coordinator.ts';
import { ERROR_CODES } from '../../protocol/error-codes.ts';
import type { Handler, RequestContext } from '../handler.ts';

const GROUP = 0;

export const findCoordinatorHandler: Handler<FindCoordinatorRequest, FindCoordinatorResponse> = {
  api: findCoordinator,
  handle: (request, context) => answer(request, context.version, (key) => find(key, request.keyType, context)),
  refuse: (request, errorCode, { version }) => answer(request, version, (key) => failed(key, errorCode)),
  groupsOf: ({ key, keyType, coordinatorKeys }) => (keyType !== GROUP ? [] : key === '' ? coordinatorKeys : [key]),
};

function answer(
  request: FindCoordinatorRequest,
  version: number,
  coordinatorOf: (key: string) => Coordinator,
): FindCoordinatorResponse {
  const none = { errorCode: 0, errorMessage: null, nodeId: 0, host: '', port: 0 };
  if (version >= 4) return { throttleTimeMs: 0, ...none, coordinators: request.coordinatorKeys.map(coordinatorOf) };
  const { errorCode, errorMessage, nodeId, host, port } = coordinatorOf(request.key);
  return { throttleTimeMs: 0, errorCode, errorMessage, nodeId, host, port, coordinators: [] };
}

function find(key: string, keyType: number, { cluster }: RequestContext): Coordinator {
  if (keyType !== GROUP)
    return failed(key, ERROR_CODES.INVALID_REQUEST, 'the mock cluster has coordinators of groups only');
  const broker = cluster.coordinatorOf(key);
  if (broker === null) return failed(key, ERROR_CODES.COORDINATOR_NOT_AVAILABLE);
  const { nodeId, host, port } = broker;
  return { key, nodeId, host, port, errorCode: 0, errorMessage: null };
}

function failed(key: string, errorCode: number, errorMessage: string | null = null): Coordinator {
  return { key, nodeId: -1, host: '', port: -1, errorCode, errorMessage };
}
