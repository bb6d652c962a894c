import { ERROR_CODES } from '../../protocol/error-codes.ts';
import type { Broker } from '../broker.ts';
import type { Partition } from '../topics.ts';

/** Whether a broker may answer for a partition at all. 0 for yes. */
export function replicaError(partition: Partition, broker: Broker, onlyLeader: boolean): number {
  const may = onlyLeader ? partition.leader === broker.nodeId : partition.replicas.includes(broker.nodeId);
  return may ? ERROR_CODES.NONE : ERROR_CODES.NOT_LEADER_OR_FOLLOWER;
}

/** Whether client and broker think of the same leader (KIP-320). 0 for yes. @param epoch the client's, −1 where it does not say */
export function epochError(partition: Partition, epoch: number): number {
  if (epoch === -1 || epoch === partition.leaderEpoch) return ERROR_CODES.NONE;
  return epoch < partition.leaderEpoch ? ERROR_CODES.FENCED_LEADER_EPOCH : ERROR_CODES.UNKNOWN_LEADER_EPOCH;
}
