/** A machine on a bench: events go in by hand, what it asks for is looked at, time is a number. */
import { expect } from 'vitest';
import { ConnectionError } from '../../src/errors.ts';
import type { PartitionInfo } from '../../src/group/assignors/assignor.ts';
import { range } from '../../src/group/assignors/range.ts';
import { roundrobin } from '../../src/group/assignors/roundrobin.ts';
import { ClassicGroup } from '../../src/group/classic.ts';
import type { ClassicGroupOptions, GroupAction, GroupEvent } from '../../src/group/events.ts';
import type { JoinGroupMember, JoinGroupResponse } from '../../src/protocol/api/join-group.ts';
import type { SyncGroupResponse } from '../../src/protocol/api/sync-group.ts';
import { encodeAssignment, encodeSubscription } from '../../src/protocol/consumer-protocol.ts';

export type ActionOf<T extends GroupAction['type']> = Extract<GroupAction, { type: T }>;

export const OPTIONS: ClassicGroupOptions = {
  groupId: 'billing',
  groupInstanceId: null,
  sessionTimeoutMs: 45_000,
  rebalanceTimeoutMs: 300_000,
  heartbeatIntervalMs: 3_000,
  retryBackoffMs: 100,
  retryBackoffMaxMs: 1_000,
  clientRack: '',
  assignors: [range, roundrobin],
  random: () => 0.5,
};

export const CONNECTION_LOST = new ConnectionError('connection reset');

export class Rig {
  readonly group: ClassicGroup;
  now = 0;
  /** When the coordinator was last looked for. */
  findAt = 0;
  /** What the last event or tick brought, without the log. */
  actions: GroupAction[] = [];
  readonly log: string[] = [];

  constructor(options: Partial<ClassicGroupOptions> = {}) {
    this.group = new ClassicGroup({ ...OPTIONS, ...options });
  }

  on(event: GroupEvent): GroupAction[] {
    return this.#keep(this.group.on(event, this.now));
  }

  /** Lets `ms` pass; stops at every deadline on the way. Returns all that was asked for meanwhile. */
  pass(ms: number): GroupAction[] {
    const end = this.now + ms;
    const all: GroupAction[] = [];
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
  last<T extends GroupAction['type']>(type: T): ActionOf<T> {
    const action = this.actions.findLast((candidate) => candidate.type === type);
    expect(action, `${type} among ${this.types.join(', ')}`).toBeDefined();
    return action as ActionOf<T>; // found by that type
  }

  /** The heartbeat that went out last. */
  get heartbeatId(): number {
    return this.last('sendHeartbeat').id;
  }

  /** Subscribed, the coordinator found; returns the id of the JoinGroup that is out. */
  joining(topics: string[] = ['orders']): number {
    this.on({ type: 'subscribed', topics });
    this.find();
    return this.last('sendJoin').id;
  }

  find(): void {
    this.on({ type: 'coordinatorFound', id: this.last('findCoordinator').id, coordinator: '1 (localhost:9092)' });
  }

  /** As a follower with SyncGroup out; returns its id. */
  syncing(topics: string[] = ['orders']): number {
    this.on({ type: 'joinAnswered', id: this.joining(topics), response: joined() });
    return this.last('sendSync').id;
  }

  /** As a follower that owns orders-0 and orders-1. */
  stable(topics: string[] = ['orders']): void {
    this.on({ type: 'syncAnswered', id: this.syncing(topics), response: synced([['orders', [0, 1]]]) });
    expect(this.group.state).toBe('stable');
  }

  /** Lets time pass until the next heartbeat is out; returns its id. */
  heartbeat(): number {
    this.pass(OPTIONS.heartbeatIntervalMs);
    return this.last('sendHeartbeat').id;
  }

  #keep(actions: GroupAction[]): GroupAction[] {
    for (const action of actions) {
      if (action.type === 'log') this.log.push(`${action.level}: ${action.message}`);
      if (action.type === 'findCoordinator') this.findAt = this.now;
    }
    // `rebalancing` is told and asks for nothing.
    this.actions = actions.filter(({ type }) => type !== 'log' && type !== 'rebalancing');
    return this.actions;
  }
}

export function joined(changes: Partial<JoinGroupResponse> = {}): JoinGroupResponse {
  return {
    throttleTimeMs: 0,
    errorCode: 0,
    generationId: 1,
    protocolType: 'consumer',
    protocolName: 'range',
    leader: 'other',
    skipAssignment: false,
    memberId: 'me',
    members: [],
    ...changes,
  };
}

export function asMember(memberId: string, topics: string[], rackId: string | null = null): JoinGroupMember {
  const metadata = encodeSubscription({ topics, userData: null, ownedPartitions: [], generationId: -1, rackId });
  return { memberId, groupInstanceId: null, metadata };
}

export function synced(
  partitions: [topic: string, partitions: number[]][],
  changes: Partial<SyncGroupResponse> = {},
): SyncGroupResponse {
  const assignedPartitions = partitions.map(([topic, list]) => ({ topic, partitions: list }));
  return {
    throttleTimeMs: 0,
    errorCode: 0,
    protocolType: 'consumer',
    protocolName: 'range',
    assignment: encodeAssignment({ assignedPartitions, userData: null }),
    ...changes,
  };
}

export function metadata(counts: Record<string, number>): GroupEvent {
  const entries = Object.entries(counts).map(([topic, count]): [string, PartitionInfo[]] => [
    topic,
    Array.from({ length: count }, (_, partition) => ({ partition, replicaRacks: [] })),
  ]);
  return { type: 'metadata', partitions: new Map(entries) };
}
