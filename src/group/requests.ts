/** The requests of a classic member, from what it is configured with and who it is. */
import { KafkaError } from '../errors.ts';
import type { HeartbeatRequest } from '../protocol/api/heartbeat.ts';
import type { JoinGroupRequest } from '../protocol/api/join-group.ts';
import type { SyncGroupAssignment, SyncGroupRequest } from '../protocol/api/sync-group.ts';
import { encodeSubscription } from '../protocol/consumer-protocol.ts';
import type { LastAssignment } from './assignors/assignor.ts';
import type { ClassicGroupOptions, Leave, TopicPartition } from './events.ts';
import { byTopic } from './partitions.ts';

export const PROTOCOL_TYPE = 'consumer';

/** Kafka's JOIN_GROUP_TIMEOUT_LAPSE: what an answer may take beyond the rebalance timeout. */
const JOIN_MARGIN_MS = 5_000;
/** The largest delay of a Node.js timer; greater ones fire at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** What the broker keeps of a reason (KIP-800). */
const MAX_REASON_LENGTH = 255;

/** Who the member is to the broker. */
export interface Identity {
  /** `''` before the broker gave one. */
  memberId: string;
  /** −1 outside of any generation. */
  generation: number;
  /** The assignor of this generation. */
  protocol: string | null;
}

export const NO_IDENTITY: Identity = { memberId: '', generation: -1, protocol: null };

/** @throws KafkaError where an assignor of the application throws, or gives what is no user data */
export function joinRequest(
  options: ClassicGroupOptions,
  identity: Identity,
  topics: readonly string[],
  owned: readonly TopicPartition[],
  last: LastAssignment | null,
  reason: string,
): JoinGroupRequest {
  return {
    groupId: options.groupId,
    sessionTimeoutMs: options.sessionTimeoutMs,
    rebalanceTimeoutMs: options.rebalanceTimeoutMs,
    memberId: identity.memberId,
    groupInstanceId: options.groupInstanceId,
    protocolType: PROTOCOL_TYPE,
    protocols: options.assignors.map((assignor) => {
      const { name } = assignor;
      try {
        const metadata = encodeSubscription({
          topics: [...topics],
          userData: assignor.subscriptionUserData?.(topics, last) ?? null,
          ownedPartitions: byTopic(owned),
          generationId: identity.generation,
          rackId: options.clientRack === '' ? null : options.clientRack,
        });
        return { name, metadata };
      } catch (cause) {
        throw assignorFailed(name, 'JoinGroup', cause);
      }
    }),
    reason: truncateReason(reason),
  };
}

export function assignorFailed(name: string, api: string, cause: unknown): KafkaError {
  return new KafkaError(`The assignor ${name} failed: ${String(cause)}`, { api, cause });
}

export function joinTimeoutMs(options: ClassicGroupOptions): number {
  return Math.min(MAX_TIMEOUT_MS, options.rebalanceTimeoutMs + JOIN_MARGIN_MS);
}

export function syncRequest(
  options: ClassicGroupOptions,
  identity: Identity,
  assignments: SyncGroupAssignment[],
): SyncGroupRequest {
  return {
    groupId: options.groupId,
    generationId: identity.generation,
    memberId: identity.memberId,
    groupInstanceId: options.groupInstanceId,
    protocolType: PROTOCOL_TYPE,
    protocolName: identity.protocol,
    assignments,
  };
}

export function heartbeatRequest(options: ClassicGroupOptions, identity: Identity): HeartbeatRequest {
  return {
    groupId: options.groupId,
    generationId: identity.generation,
    memberId: identity.memberId,
    groupInstanceId: options.groupInstanceId,
  };
}

export function leaveOf(options: ClassicGroupOptions, identity: Identity, reason: string): Leave {
  return {
    groupId: options.groupId,
    memberId: identity.memberId,
    groupInstanceId: options.groupInstanceId,
    reason: truncateReason(reason),
  };
}

function truncateReason(reason: string): string {
  return reason.length > MAX_REASON_LENGTH ? reason.slice(0, MAX_REASON_LENGTH) : reason;
}
