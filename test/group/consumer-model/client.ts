/** One member in the simulation: the machine, its connection, its application, and the faults that await it. */
import { ConsumerGroup } from '../../../src/group/consumer.ts';
import type { ConsumerGroupAction } from '../../../src/group/consumer-events.ts';
import type { TopicPartition } from '../../../src/group/events.ts';

export const SESSION_TIMEOUT_MS = 10_000;
export const REBALANCE_TIMEOUT_MS = 15_000;
export const HEARTBEAT_INTERVAL_MS = 3_000;

export type Send = Extract<ConsumerGroupAction, { type: 'sendHeartbeat' }>;

/** One TCP connection to the coordinator. */
export interface Connection {
  isOpen: boolean;
  broker: number;
  /** A request was lost on it: answers come in the order of the requests, so none comes any more. */
  isStuck: boolean;
  pending: Map<number, Send>;
}

export class ModelClient {
  readonly group: ConsumerGroup;
  readonly name: string;
  readonly latencyMs: number;
  readonly instanceId: string | null;
  /** What its metadata knows. */
  readonly names = new Map<string, string>();
  isAlive = true;
  coordinator: number | null = null;
  connection: Connection | null = null;
  /** What the application reads, by topic and partition: the id it had when it was assigned, and the next offset. */
  reading = new Map<string, { topicId: string; position: number }>();
  /** What it is giving up, until it answers `revoked`. */
  finishing = new Map<string, { topicId: string; position: number }>();
  isRevoking = false;
  isLost = false;
  /** What commits carry. */
  identity = { memberId: '', generation: -1 };
  isFinding = false;
  isResolving = false;
  /** So many of the next metadata refreshes know nothing new. */
  emptyRefreshes = 0;
  /** How long the application takes to give something up. */
  revokeDelayMs = 5;
  losesNextAnswer = false;
  isSilent = false;
  injected: number[] = [];
  topics: string[] = [];
  wantsIn = false;
  isClosed = false;
  hasLeft = false;
  actionsInSecond = 0;
  second = -1;

  constructor(name: string, latencyMs: number, instanceId: string | null) {
    this.name = name;
    this.latencyMs = latencyMs;
    this.instanceId = instanceId;
    let seed = latencyMs;
    this.group = new ConsumerGroup({
      groupId: 'g',
      memberId: `member-of-${name}`,
      groupInstanceId: instanceId,
      rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
      serverAssignor: null,
      clientRack: '',
      retryBackoffMs: 100,
      retryBackoffMaxMs: 1_000,
      random: () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647,
      topicName: (topicId) => this.names.get(topicId),
    });
  }
}

export function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}
