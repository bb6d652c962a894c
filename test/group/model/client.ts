/** One member in the simulation: the machine, its connection, its application, and the faults that await it. */
import { range } from '../../../src/group/assignors/range.ts';
import { ClassicGroup } from '../../../src/group/classic.ts';
import type { GroupAction, TopicPartition } from '../../../src/group/events.ts';
import { cooperativeSticky } from '../../../src/group/assignors/sticky.ts';

export const SESSION_TIMEOUT_MS = 10_000;
export const REBALANCE_TIMEOUT_MS = 15_000;
const HEARTBEAT_INTERVAL_MS = 3_000;

export type Api = 'FindCoordinator' | 'JoinGroup' | 'SyncGroup' | 'Heartbeat' | 'LeaveGroup';

/** What a member offers: the first round of an upgrade offers both and stays eager, the second only the cooperative one. */
export type Rebalancing = 'eager' | 'cooperative';

const ASSIGNORS = { eager: [range, cooperativeSticky], cooperative: [cooperativeSticky] };

export type Send = Extract<GroupAction, { type: 'sendJoin' | 'sendSync' | 'sendHeartbeat' | 'sendLeave' }>;

/** One TCP connection to the coordinator, as both ends see it. */
export interface Connection {
  isOpen: boolean;
  broker: number;
  /** A request was lost on it: answers come in the order of the requests, so none comes any more. */
  isStuck: boolean;
  /** Arrived, not yet looked at: a broker works on one request of a connection at a time. */
  queue: Send[];
  isBusy: boolean;
  pending: Map<number, Send>;
}

export class Client {
  readonly group: ClassicGroup;
  readonly name: string;
  readonly latencyMs: number;
  readonly instanceId: string | null;
  readonly rebalancing: Rebalancing;
  isAlive = true;
  coordinator: number | null = null;
  connection: Connection | null = null;
  /** What the application works on; what is being revoked until it answers `revoked`. */
  owned: TopicPartition[] = [];
  revoking: readonly TopicPartition[] | null = null;
  isFinding = false;
  isRefreshing = false;
  heartbeatsInFlight = 0;
  /** Times that the next steps of the application and the network take or fail. */
  revokeDelayMs = 5;
  losesNextAnswer = false;
  /** The next answer to SyncGroup never arrives, and nothing behind it: neither side sees its connection break. */
  losesNextSync = false;
  isSilent = false;
  injected: { api: Api; code: number }[] = [];
  topics: string[] = [];
  wantsIn = false;
  isClosed = false;
  actionsInSecond = 0;
  second = -1;

  constructor(name: string, latencyMs: number, instanceId: string | null, rebalancing: Rebalancing) {
    this.rebalancing = rebalancing;
    this.name = name;
    this.latencyMs = latencyMs;
    this.instanceId = instanceId;
    let seed = latencyMs;
    this.group = new ClassicGroup({
      groupId: 'g',
      groupInstanceId: instanceId,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
      heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
      retryBackoffMs: 100,
      retryBackoffMaxMs: 1_000,
      clientRack: '',
      assignors: ASSIGNORS[rebalancing],
      random: () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647,
    });
  }
}
