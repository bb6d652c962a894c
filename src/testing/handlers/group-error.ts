import { ERROR_CODES } from '../../protocol/error-codes.ts';
import type { RequestContext } from '../handler.ts';

/** Whether the broker that was asked may speak for a group. 0 for yes. */
export function groupError(groupId: string, { cluster, broker }: RequestContext): number {
  if (groupId === '') return ERROR_CODES.INVALID_GROUP_ID;
  return cluster.coordinatorOf(groupId) === broker ? ERROR_CODES.NONE : ERROR_CODES.NOT_COORDINATOR;
}
