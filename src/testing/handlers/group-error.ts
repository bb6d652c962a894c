import { ERROR_CODES } from '../../protocol/error-codes.ts';
import type { RequestContext } from '../handler.ts';

/** The error code of a request that needs members; 0 where this broker coordinates the group. */
export function groupError(groupId: string, context: RequestContext): number {
  return groupId === '' ? ERROR_CODES.INVALID_GROUP_ID : coordinatorError(groupId, context);
}

/** The same for offsets, which Kafka also keeps under an empty group id. */
export function coordinatorError(groupId: string, { cluster, broker }: RequestContext): number {
  return cluster.coordinatorOf(groupId) === broker ? ERROR_CODES.NONE : ERROR_CODES.NOT_COORDINATOR;
}
