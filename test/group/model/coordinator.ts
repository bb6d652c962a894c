/**
 * A small model of the broker's side of a classic group, after Kafka's GroupCoordinator: what it remembers, when it answers.
 * Virtual time; an answer may be held back, so each request comes with a function that takes it.
 */
import type { JoinGroupRequest, JoinGroupResponse } from '../../../src/protocol/api/join-group.ts';
import type { SyncGroupRequest, SyncGroupResponse } from '../../../src/protocol/api/sync-group.ts';

interface Member {
  id: string;
  instanceId: string | null;
  metadata: Buffer;
  protocols: JoinGroupRequest['protocols'];
  join: ((response: JoinGroupResponse) => void) | null;
  sync: ((response: SyncGroupResponse) => void) | null;
  sessionEndsAt: number;
}

type State = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable';

interface Snapshot {
  generation: number;
  leader: string;
  protocol: string;
  members: { id: string; instanceId: string | null; protocols: JoinGroupRequest['protocols'] }[];
  assignment: Map<string, Buffer>;
}

export class ModelCoordinator {
  state: State = 'Empty';
  generation = 0;
  members = new Map<string, Member>();
  /** Member ids given away, not yet used (KIP-394), with the end of their session. */
  readonly #pending = new Map<string, number>();
  #leader = '';
  #protocol = '';
  #assignment = new Map<string, Buffer>();
  #stepEndsAt = Infinity;
  #lastMember = 0;
  /** What is in the log: all that a new coordinator knows. */
  #snapshot: Snapshot = { generation: 0, leader: '', protocol: '', members: [], assignment: new Map() };
  /** Members that the broker threw out because it heard nothing of them. */
  expired = 0;
  readonly #sessionTimeoutMs: number;
  readonly #rebalanceTimeoutMs: number;

  constructor(options: { sessionTimeoutMs: number; rebalanceTimeoutMs: number }) {
    this.#sessionTimeoutMs = options.sessionTimeoutMs;
    this.#rebalanceTimeoutMs = options.rebalanceTimeoutMs;
  }

  deadline(): number {
    let at = this.#stepEndsAt;
    for (const member of this.members.values()) {
      if (member.join === null && member.sync === null) at = Math.min(at, member.sessionEndsAt);
    }
    for (const end of this.#pending.values()) at = Math.min(at, end);
    return at;
  }

  tick(now: number): void {
    for (const [id, end] of this.#pending) if (end <= now) this.#pending.delete(id);
    for (const member of [...this.members.values()]) {
      if (member.join !== null || member.sync !== null || member.sessionEndsAt > now) continue;
      this.expired += 1;
      this.#remove(member.id, now);
    }
    if (now >= this.#stepEndsAt) {
      this.#stepEndsAt = Infinity;
      for (const member of [...this.members.values()]) {
        const isSilent = this.state === 'PreparingRebalance' ? member.join === null : member.sync === null;
        if (isSilent) this.members.delete(member.id);
      }
      this.#pending.clear();
      if (this.state === 'CompletingRebalance') this.#prepare(now);
    }
    this.#completeJoin(now);
  }

  /** Another broker takes over: what was not in the log is gone, held answers are NOT_COORDINATOR. */
  move(now: number): void {
    for (const member of this.members.values()) {
      member.join?.(joinError(16));
      member.sync?.(syncError(16));
    }
    const { generation, leader, protocol, members, assignment } = this.#snapshot;
    this.#pending.clear();
    this.#stepEndsAt = Infinity;
    this.generation = generation;
    this.#leader = leader;
    this.#protocol = protocol;
    this.#assignment = assignment;
    this.state = members.length === 0 ? 'Empty' : 'Stable';
    this.members = new Map(
      members.map(({ id, instanceId, protocols }) => [
        id,
        {
          id,
          instanceId,
          protocols,
          metadata: metadataOf(protocols, protocol),
          join: null,
          sync: null,
          sessionEndsAt: now + this.#sessionTimeoutMs,
        },
      ]),
    );
  }

  join(request: JoinGroupRequest, now: number, answer: (response: JoinGroupResponse) => void): void {
    const { memberId, groupInstanceId, protocols } = request;
    if (groupInstanceId !== null) {
      const former = [...this.members.values()].find((member) => member.instanceId === groupInstanceId);
      if (former !== undefined && memberId !== '' && memberId !== former.id) return answer(joinError(82));
      if (memberId === '') return this.#joinStatic(request, former, now, answer);
    } else if (memberId === '') {
      const id = this.#newId();
      this.#pending.set(id, now + this.#sessionTimeoutMs);
      return answer({ ...joinError(79), memberId: id });
    } else if (this.#pending.delete(memberId)) {
      return this.#add(memberId, null, protocols, now, answer);
    }
    const member = this.members.get(memberId);
    if (member === undefined) return answer(joinError(25));
    const isChanged = !metadataOf(protocols, this.#protocol).equals(member.metadata);
    member.protocols = protocols;
    member.metadata = metadataOf(protocols, this.#protocol);
    const keepsGeneration =
      !isChanged && (this.state === 'CompletingRebalance' || (this.state === 'Stable' && memberId !== this.#leader));
    if (keepsGeneration) {
      member.sessionEndsAt = now + this.#sessionTimeoutMs;
      return answer(this.#joined(member, false));
    }
    this.#await(member, now, answer);
  }

  sync(request: SyncGroupRequest, now: number, answer: (response: SyncGroupResponse) => void): void {
    const member = this.members.get(request.memberId);
    if (member === undefined) return answer(syncError(25));
    if (request.generationId !== this.generation) return answer(syncError(22));
    if (this.state === 'PreparingRebalance') return answer(syncError(27));
    if (this.state === 'Stable') {
      member.sessionEndsAt = now + this.#sessionTimeoutMs;
      return answer(this.#synced(member.id));
    }
    member.sync = answer;
    if (member.id !== this.#leader) return;
    this.#assignment = new Map(request.assignments.map((entry) => [entry.memberId, entry.assignment]));
    this.state = 'Stable';
    this.#stepEndsAt = Infinity;
    this.#save();
    for (const waiting of this.members.values()) {
      waiting.sessionEndsAt = now + this.#sessionTimeoutMs;
      const sync = waiting.sync;
      waiting.sync = null;
      sync?.(this.#synced(waiting.id));
    }
  }

  heartbeat(memberId: string, generation: number, now: number): number {
    const member = this.members.get(memberId);
    if (member === undefined) return 25;
    if (generation !== this.generation) return 22;
    member.sessionEndsAt = now + this.#sessionTimeoutMs;
    return this.state === 'PreparingRebalance' ? 27 : 0;
  }

  commit(memberId: string, generation: number, now: number): number {
    const code = this.heartbeat(memberId, generation, now);
    if (code !== 27 && code !== 0) return code;
    return this.state === 'CompletingRebalance' ? 27 : 0;
  }

  leave(memberId: string, now: number): number {
    this.#pending.delete(memberId);
    if (!this.members.has(memberId)) {
      this.#completeJoin(now);
      return 25;
    }
    this.#remove(memberId, now);
    return 0;
  }

  #joinStatic(
    request: JoinGroupRequest,
    former: Member | undefined,
    now: number,
    answer: (response: JoinGroupResponse) => void,
  ): void {
    const id = this.#newId();
    if (former === undefined) return this.#add(id, request.groupInstanceId, request.protocols, now, answer);
    former.join?.(joinError(82));
    former.sync?.(syncError(82));
    this.members.delete(former.id);
    const isLeader = this.#leader === former.id;
    if (isLeader) this.#leader = id;
    const member: Member = { ...former, id, join: null, sync: null, sessionEndsAt: now + this.#sessionTimeoutMs };
    this.members.set(id, member);
    this.#assignment.set(id, this.#assignment.get(former.id) ?? Buffer.alloc(0));
    this.#assignment.delete(former.id);
    member.protocols = request.protocols;
    member.metadata = metadataOf(request.protocols, this.#protocol);
    if (this.state === 'Stable' && this.#commonProtocol() === this.#protocol) {
      this.#save();
      return answer(this.#joined(member, isLeader)); // KIP-814
    }
    this.#await(member, now, answer);
  }

  #add(
    id: string,
    instanceId: string | null,
    protocols: JoinGroupRequest['protocols'],
    now: number,
    answer: (response: JoinGroupResponse) => void,
  ): void {
    const metadata = metadataOf(protocols, this.#protocol);
    const member: Member = { id, instanceId, protocols, metadata, join: null, sync: null, sessionEndsAt: Infinity };
    this.members.set(id, member);
    this.#await(member, now, answer);
  }

  #await(member: Member, now: number, answer: (response: JoinGroupResponse) => void): void {
    if (this.state !== 'PreparingRebalance') this.#prepare(now);
    member.join = answer;
    this.#completeJoin(now);
  }

  #prepare(now: number): void {
    for (const member of this.members.values()) {
      const sync = member.sync;
      member.sync = null;
      if (sync !== null) member.sessionEndsAt = now + this.#sessionTimeoutMs;
      sync?.(syncError(27));
    }
    this.state = 'PreparingRebalance';
    this.#stepEndsAt = now + this.#rebalanceTimeoutMs;
    this.#assignment = new Map();
  }

  #completeJoin(now: number): void {
    if (this.state !== 'PreparingRebalance') return;
    const members = [...this.members.values()];
    if (members.some((member) => member.join === null) || this.#pending.size > 0) return;
    this.generation += 1;
    this.#stepEndsAt = Infinity;
    const [first] = members;
    if (first === undefined) {
      this.state = 'Empty';
      this.#save();
      return;
    }
    this.state = 'CompletingRebalance';
    this.#stepEndsAt = now + this.#rebalanceTimeoutMs;
    if (!this.members.has(this.#leader)) this.#leader = first.id;
    this.#protocol = this.#commonProtocol();
    for (const member of members) member.metadata = metadataOf(member.protocols, this.#protocol);
    for (const member of members) {
      const join = member.join;
      member.join = null;
      member.sessionEndsAt = now + this.#sessionTimeoutMs;
      join?.(this.#joined(member, false));
    }
  }

  #commonProtocol(): string {
    const members = [...this.members.values()];
    const common = members[0]?.protocols.find(({ name }) =>
      members.every((member) => member.protocols.some((protocol) => protocol.name === name)),
    );
    return common?.name ?? '';
  }

  #remove(id: string, now: number): void {
    const member = this.members.get(id);
    this.members.delete(id);
    member?.join?.(joinError(25));
    member?.sync?.(syncError(25));
    if (this.state === 'Stable' || this.state === 'CompletingRebalance') this.#prepare(now);
    this.#completeJoin(now);
  }

  #joined(member: Member, skipAssignment: boolean): JoinGroupResponse {
    const isLeader = member.id === this.#leader;
    return {
      throttleTimeMs: 0,
      errorCode: 0,
      generationId: this.generation,
      protocolType: 'consumer',
      protocolName: this.#protocol,
      leader: this.#leader,
      skipAssignment,
      memberId: member.id,
      members: isLeader
        ? [...this.members.values()].map((other) => ({
            memberId: other.id,
            groupInstanceId: other.instanceId,
            metadata: other.metadata,
          }))
        : [],
    };
  }

  #synced(memberId: string): SyncGroupResponse {
    const assignment = this.#assignment.get(memberId) ?? Buffer.alloc(0);
    return { throttleTimeMs: 0, errorCode: 0, protocolType: 'consumer', protocolName: this.#protocol, assignment };
  }

  #save(): void {
    this.#snapshot = {
      generation: this.generation,
      leader: this.#leader,
      protocol: this.#protocol,
      members: [...this.members.values()].map(({ id, instanceId, protocols }) => ({ id, instanceId, protocols })),
      assignment: this.#assignment,
    };
  }

  #newId(): string {
    this.#lastMember += 1;
    return `m${this.#lastMember}`;
  }
}

function metadataOf(protocols: JoinGroupRequest['protocols'], name: string): Buffer {
  return (protocols.find((protocol) => protocol.name === name) ?? protocols[0])?.metadata ?? Buffer.alloc(0);
}

export function joinError(errorCode: number): JoinGroupResponse {
  return {
    throttleTimeMs: 0,
    errorCode,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    memberId: '',
    members: [],
  };
}

export function syncError(errorCode: number): SyncGroupResponse {
  return { throttleTimeMs: 0, errorCode, protocolType: null, protocolName: null, assignment: Buffer.alloc(0) };
}
