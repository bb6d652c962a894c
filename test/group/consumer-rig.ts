/** A KIP-848 machine on a bench: events go in by hand, what it asks for is looked at, time is a number. */
import { expect } from 'vitest';
import { ConnectionError } from '../../src/errors.ts';
import { ConsumerGroup } from '../../src/group/consumer.ts';
import type { ConsumerGroupAction, ConsumerGroupEvent, ConsumerGroupOptions } from '../../src/group/consumer-events.ts';
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../src/protocol/api/consumer-group-heartbeat.ts';

export type ActionOf<T extends ConsumerGroupAction['type']> = Extract<ConsumerGroupAction, { type: T }>;

export const OPTIONS = {
  groupId: 'billing',
  memberId: 'me',
  groupInstanceId: null,
  rebalanceTimeoutMs: 300_000,
  serverAssignor: null,
  clientRack: '',
  retryBackoffMs: 100,
  retryBackoffMaxMs: 1_000,
  random: () => 0.5,
} satisfies Partial<ConsumerGroupOptions>;

export const INTERVAL_MS = 5_000;
export const CONNECTION_LOST = new ConnectionError('connection reset');

export class ConsumerRig {
  readonly group: ConsumerGroup;
  readonly names = new Map([
    ['id-orders', 'orders'],
    ['id-audit', 'audit'],
  ]);
  now = 0;
  /** What the last event or tick brought, without the log. */
  actions: ConsumerGroupAction[] = [];
  readonly log: string[] = [];

  constructor(options: Partial<ConsumerGroupOptions> = {}) {
    this.group = new ConsumerGroup({ ...OPTIONS, topicName: (topicId) => this.names.get(topicId), ...options });
  }

  on(event: ConsumerGroupEvent): ConsumerGroupAction[] {
    return this.#keep(this.group.on(event, this.now));
  }

  /** Lets `ms` pass; stops at every deadline on the way. Returns all that was asked for meanwhile. */
  pass(ms: number): ConsumerGroupAction[] {
    const end = this.now + ms;
    const all: ConsumerGroupAction[] = [];
    while (this.group.deadline() <= end) {
      this.now = Math.max(this.now, this.group.deadline());
      all.push(...this.#keep(this.group.tick(this.now)));
    }
    this.now = end;
    this.actions = all;
    return all;
  }

  get types(): string[] {
    return this.actions.map((action) => action.type);
  }

  /** The last action of that type among the last actions. */
  last<T extends ConsumerGroupAction['type']>(type: T): ActionOf<T> {
    const action = this.actions.findLast((candidate) => candidate.type === type);
    expect(action, `${type} among ${this.types.join(', ')}`).toBeDefined();
    return action as ActionOf<T>; // found by that type
  }

  get request(): ConsumerGroupHeartbeatRequest {
    return this.last('sendHeartbeat').request;
  }

  subscribe(topics: string[] = ['orders'], regex: string | null = null): void {
    this.on({ type: 'subscribed', subscription: { topics, regex } });
  }

  find(): void {
    this.on({ type: 'coordinatorFound', id: this.last('findCoordinator').id, coordinator: '1 (localhost:9092)' });
  }

  /** The answer to the heartbeat that is among the last actions. */
  answer(changes: Partial<ConsumerGroupHeartbeatResponse> = {}): ConsumerGroupAction[] {
    return this.on({ type: 'heartbeatAnswered', id: this.last('sendHeartbeat').id, response: answered(changes) });
  }

  /** The heartbeat that joins is out. */
  joining(topics?: string[], regex?: string): void {
    this.subscribe(topics, regex);
    this.find();
  }

  /** Owns orders-0 and orders-1 in epoch 1, acknowledged. */
  stable(): void {
    this.joining();
    this.answer({ memberEpoch: 1, assignment: assignment({ 'id-orders': [0, 1] }) });
    this.answer({ memberEpoch: 1 });
    expect(this.group.state).toBe('stable');
  }

  /** Lets time pass until the next heartbeat is out. */
  beat(): ConsumerGroupHeartbeatRequest {
    this.pass(INTERVAL_MS);
    return this.request;
  }

  #keep(actions: ConsumerGroupAction[]): ConsumerGroupAction[] {
    for (const action of actions) if (action.type === 'log') this.log.push(`${action.level}: ${action.message}`);
    this.actions = actions.filter((action) => action.type !== 'log');
    return this.actions;
  }
}

export function answered(changes: Partial<ConsumerGroupHeartbeatResponse> = {}): ConsumerGroupHeartbeatResponse {
  return {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: null,
    memberId: 'me',
    memberEpoch: 1,
    heartbeatIntervalMs: INTERVAL_MS,
    assignment: null,
    ...changes,
  };
}

export function assignment(topics: Record<string, number[]>): ConsumerGroupHeartbeatResponse['assignment'] {
  return { topicPartitions: Object.entries(topics).map(([topicId, partitions]) => ({ topicId, partitions })) };
}
