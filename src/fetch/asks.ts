import type { AskedPartition, ListedPartition, PartitionState, ValidatedPartition } from './partition.ts';

// What is said of a partition in each request, and when.

/**
 * While a partition of a broker has a full buffer, the others of that broker are asked without a long poll and at
 * this pace: so the moment the full one has room again, no waiting fetch stands in its way. Where nothing was taken from
 * it for longer than this, the fetch waits for half of that time: however slow somebody is, the brokers are spared as configured.
 */
export const SHORT_POLL_MS = 50;

/** @param fullForMs since something was last taken from a full buffer of this broker's; null where none is full */
export function waitFor(fullForMs: number | null, fetchMaxWaitMs: number): number {
  if (fullForMs === null) return fetchMaxWaitMs;
  return fullForMs < SHORT_POLL_MS ? 0 : Math.min(fetchMaxWaitMs, Math.round(fullForMs / 2));
}

/** After a leader change, and for a committed offset that came with an epoch (KIP-320). */
export function mustValidate(state: PartitionState, leaderEpoch: number): boolean {
  return state.offsetEpoch >= 0 && leaderEpoch > state.validatedEpoch;
}

export function asked(state: PartitionState, currentLeaderEpoch: number, limit: number): AskedPartition {
  const { topic, partition, key, position: fetchOffset } = state;
  // Where batches are all of a size, a limit that is a multiple of it leaves none cut off, to be sent again.
  const partitionMaxBytes =
    state.batchBytes > 0 && state.batchBytes <= limit ? limit - (limit % state.batchBytes) : limit;
  return { topic, partition, key, currentLeaderEpoch, fetchOffset, partitionMaxBytes };
}

export function listed(state: PartitionState, currentLeaderEpoch: number): ListedPartition {
  const { topic, partition, resetTimestamp: timestamp } = state;
  return { topic, partition, currentLeaderEpoch, timestamp };
}

export function validated(state: PartitionState, currentLeaderEpoch: number): ValidatedPartition {
  const { topic, partition, offsetEpoch: leaderEpoch } = state;
  return { topic, partition, currentLeaderEpoch, leaderEpoch };
}

export function push(map: Map<number, PartitionState[]>, nodeId: number, state: PartitionState): void {
  const states = map.get(nodeId);
  if (states === undefined) map.set(nodeId, [state]);
  else states.push(state);
}
