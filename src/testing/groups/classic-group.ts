import { ERROR_CODES } from '../../protocol/error-codes.ts';
import { ClassicMember } from './classic-member.ts';
import { ClassicMembers, joinResult, NO_GENERATION, syncResult, type Generation } from './classic-members.ts';
import {
  failedJoin,
  failedSync,
  type ClassicAnswer,
  type JoinEvent,
  type JoinResult,
  type MemberClaim,
  type SyncEvent,
  type SyncResult,
} from './classic-messages.ts';

export type ClassicState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable';

export interface ClassicGroupOptions {
  /** How long the first rebalance of an empty group waits for more members. */
  readonly initialRebalanceDelayMs: number;
  readonly maxSize: number;
  /** A new member id that begins with `prefix`. */
  readonly newMemberId: (prefix: string) => string;
}

const NO_BYTES = Buffer.alloc(0);

/** What a coordinator finds in its log when it takes over. */
interface Snapshot {
  readonly generation: Generation;
  readonly members: readonly ClassicMember[];
}

/**
 * The broker's side of a classic group, after Kafka's group coordinator: who is a member, in which state the group is, when whose request is
 * answered. No I/O and no clock: events and `now` come in, answers for the requests that waited come out, `deadline` says when to call `tick`.
 */
export class ClassicGroup {
  readonly #options: ClassicGroupOptions;
  #state: ClassicState = 'Empty';
  #generation: Generation = NO_GENERATION;
  #members = new ClassicMembers();
  /** Member ids that were given out and not used yet (KIP-394), and until when they hold. */
  readonly #pending = new Map<string, number>();
  /** When the members that have not rejoined are left behind. */
  #joinEndsAt = Infinity;
  /** While an empty group waits for more members: until when at most, and whether one has come since the last look. */
  #initial: { endsAt: number; hasNewMember: boolean } | null = null;
  /** Who has not sent SyncGroup in this generation, and how long they have. */
  readonly #unsynced = new Set<string>();
  #syncEndsAt = Infinity;
  #answers: ClassicAnswer[] = [];
  #snapshot: Snapshot = { generation: NO_GENERATION, members: [] };

  constructor(options: ClassicGroupOptions) {
    this.#options = options;
  }

  get state(): ClassicState {
    return this.#state;
  }

  get generation(): Generation {
    return this.#generation;
  }

  get members(): readonly ClassicMember[] {
    return this.#members.list;
  }

  /** When to call `tick`, at the latest. */
  deadline(): number {
    let at = Math.min(this.#joinEndsAt, this.#syncEndsAt, this.#members.expiresAt);
    for (const end of this.#pending.values()) at = Math.min(at, end);
    return at;
  }

  /** What has come of all events since the last call. */
  takeAnswers(): ClassicAnswer[] {
    return this.#answers.splice(0);
  }

  tick(now: number): void {
    for (const [id, end] of [...this.#pending]) if (end <= now) this.#pending.delete(id);
    for (const member of this.members) {
      if (member.expiresAt <= now && this.#members.get(member.id) === member) this.#remove(member, now);
    }
    if (this.#syncEndsAt <= now) this.#endSync(now);
    if (this.#joinEndsAt <= now) this.#endJoin(now);
    else this.#completeJoinIfAllAreThere(now);
  }

  join(event: JoinEvent, now: number): void {
    const { memberId, groupInstanceId, protocolType, protocols, token } = event;
    const fail = (errorCode: number, id = memberId): void => this.#joined(token, failedJoin(errorCode, id));
    const known = this.#members.get(memberId);
    if (!this.#members.accept(event, this.#generation.protocolType))
      return fail(ERROR_CODES.INCONSISTENT_GROUP_PROTOCOL);
    if (memberId === '' && this.#isFull(groupInstanceId)) {
      return fail(ERROR_CODES.GROUP_MAX_SIZE_REACHED, '');
    }
    if (this.#state === 'Empty') this.#generation = { ...this.#generation, protocolType };
    if (memberId === '') return groupInstanceId === null ? this.#joinNew(event, now) : this.#joinStatic(event, now);
    if (this.#pending.delete(memberId)) return this.#add(memberId, event, now);
    const errorCode = this.#members.check(event);
    if (errorCode !== 0 || known === undefined) return fail(errorCode || ERROR_CODES.UNKNOWN_MEMBER_ID);
    const isUnchanged = known.matches(protocols);
    const keeps =
      isUnchanged &&
      (this.#state === 'CompletingRebalance' || (this.#state === 'Stable' && memberId !== this.#generation.leader));
    if (keeps) {
      known.heard(now);
      return this.#joined(token, this.#resultFor(known, false));
    }
    known.update(event);
    this.#awaitJoin(known, event, now);
  }

  sync(event: SyncEvent, now: number): void {
    const { token } = event;
    const fail = (errorCode: number): void => this.#synced(token, failedSync(errorCode));
    const errorCode = this.#members.check(event) || this.#checkSync(event);
    const member = this.#members.get(event.memberId);
    if (errorCode !== 0 || member === undefined) return fail(errorCode || ERROR_CODES.UNKNOWN_MEMBER_ID);
    this.#unsynced.delete(member.id);
    if (this.#unsynced.size === 0) this.#syncEndsAt = Infinity;
    if (this.#state === 'Stable') {
      member.heard(now);
      return this.#synced(token, syncResult(this.#generation, member));
    }
    member.syncToken = token;
    if (member.id === this.#generation.leader) this.#distribute(event, now);
  }

  /** Gives an error code. */
  heartbeat(claim: MemberClaim & { generationId: number }, now: number): number {
    const errorCode = this.#members.check(claim);
    const member = this.#members.get(claim.memberId);
    if (errorCode !== 0 || member === undefined) return errorCode || ERROR_CODES.UNKNOWN_MEMBER_ID;
    if (claim.generationId !== this.#generation.id) return ERROR_CODES.ILLEGAL_GENERATION;
    member.heard(now);
    return this.#state === 'PreparingRebalance' ? ERROR_CODES.REBALANCE_IN_PROGRESS : ERROR_CODES.NONE;
  }

  /** Whether a commit counts. Gives an error code. */
  commit(claim: MemberClaim & { generationId: number }, now: number): number {
    // A consumer with assigned partitions, or an administrator, commits only while the group has no members.
    if (claim.generationId < 0 && this.#state === 'Empty') return ERROR_CODES.NONE;
    if (claim.generationId < 0 && claim.memberId === '') return ERROR_CODES.UNKNOWN_MEMBER_ID;
    const errorCode = this.heartbeat(claim, now);
    if (errorCode !== 0 && errorCode !== ERROR_CODES.REBALANCE_IN_PROGRESS) return errorCode;
    return this.#state === 'CompletingRebalance' ? ERROR_CODES.REBALANCE_IN_PROGRESS : ERROR_CODES.NONE;
  }

  /** One member leaves. Gives an error code. */
  leave({ memberId, groupInstanceId }: MemberClaim, now: number): number {
    if (memberId !== '' && this.#pending.delete(memberId)) {
      this.#completeJoinIfAllAreThere(now);
      return ERROR_CODES.NONE;
    }
    // An administrator removes a static member by its instance id alone.
    const id =
      memberId === '' && groupInstanceId !== null ? (this.#members.ofInstance(groupInstanceId)?.id ?? '') : memberId;
    const errorCode = this.#members.check({ memberId: id, groupInstanceId });
    const member = this.#members.get(id);
    if (errorCode !== 0 || member === undefined) return errorCode || ERROR_CODES.UNKNOWN_MEMBER_ID;
    this.#remove(member, now);
    return ERROR_CODES.NONE;
  }

  /** Another broker takes over: it knows what is in the log, the last generation that was complete; who waits is sent to look for it. */
  move(now: number): void {
    for (const member of this.members) this.#dismiss(member, ERROR_CODES.NOT_COORDINATOR);
    const { generation, members } = this.#snapshot;
    this.#generation = generation;
    this.#members = new ClassicMembers(members.map((member) => member.copy(member.id, now)));
    this.#state = members.length === 0 ? 'Empty' : 'Stable';
    this.#pending.clear();
    this.#unsynced.clear();
    this.#initial = null;
    this.#joinEndsAt = Infinity;
    this.#syncEndsAt = Infinity;
  }

  #isFull(groupInstanceId: string | null): boolean {
    if (groupInstanceId !== null && this.#members.ofInstance(groupInstanceId) !== undefined) return false;
    return this.#members.size + this.#pending.size >= this.#options.maxSize;
  }

  #joinNew(event: JoinEvent, now: number): void {
    const id = this.#options.newMemberId(event.clientId);
    if (!event.requiresKnownMemberId) return this.#add(id, event, now);
    this.#pending.set(id, now + event.sessionTimeoutMs);
    this.#joined(event.token, failedJoin(ERROR_CODES.MEMBER_ID_REQUIRED, id));
  }

  /** A static member that is new, or has come back (KIP-345). */
  #joinStatic(event: JoinEvent, now: number): void {
    const instanceId = event.groupInstanceId ?? '';
    const id = this.#options.newMemberId(instanceId);
    const former = this.#members.ofInstance(instanceId);
    if (former === undefined) return this.#add(id, event, now);
    this.#dismiss(former, ERROR_CODES.FENCED_INSTANCE_ID);
    const member = former.copy(id, now);
    const formerLeader = this.#generation.leader;
    const isLeader = formerLeader === former.id;
    this.#members.replace(former, member);
    if (this.#unsynced.delete(former.id)) this.#unsynced.add(id);
    if (isLeader) this.#lead(id);
    member.update(event);
    if (
      this.#state !== 'Stable' ||
      this.#members.chooseProtocol(this.#generation.leader) !== this.#generation.protocolName
    ) {
      return this.#awaitJoin(member, event, now);
    }
    this.#save();
    if (event.canSkipAssignment) return this.#joined(event.token, this.#resultFor(member, isLeader));
    // Clients from before KIP-814 would assign anew as leaders: they are told of the leader that was.
    this.#joined(event.token, { ...this.#resultFor(member, false), leader: formerLeader ?? '', members: [] });
  }

  #add(id: string, event: JoinEvent, now: number): void {
    const member = new ClassicMember(id, event, now);
    this.#members.add(member);
    if (this.#initial !== null) this.#initial.hasNewMember = true;
    if (this.#generation.leader === null) this.#lead(id);
    this.#awaitJoin(member, event, now);
  }

  #awaitJoin(member: ClassicMember, { token, canSkipAssignment }: JoinEvent, now: number): void {
    // A member that asks twice has lost the connection of the first request: nobody is left there to answer to.
    member.join = { token, canSkipAssignment };
    if (this.#state !== 'PreparingRebalance') this.#prepare(now);
    this.#completeJoinIfAllAreThere(now);
  }

  #prepare(now: number): void {
    for (const member of this.members) {
      member.assignment = NO_BYTES;
      if (member.syncToken === null) continue;
      this.#synced(member.syncToken, failedSync(ERROR_CODES.REBALANCE_IN_PROGRESS));
      member.syncToken = null;
      member.heard(now);
    }
    this.#unsynced.clear();
    this.#syncEndsAt = Infinity;
    const timeoutMs = this.#members.rebalanceTimeoutMs;
    const { initialRebalanceDelayMs } = this.#options;
    if (this.#state === 'Empty' && initialRebalanceDelayMs > 0) {
      this.#initial = { endsAt: now + timeoutMs, hasNewMember: false };
      this.#joinEndsAt = now + Math.min(initialRebalanceDelayMs, timeoutMs);
    } else {
      this.#joinEndsAt = now + timeoutMs;
    }
    this.#state = 'PreparingRebalance';
  }

  #completeJoinIfAllAreThere(now: number): void {
    if (this.#state !== 'PreparingRebalance' || this.#initial !== null || this.#pending.size > 0) return;
    if (this.members.every(({ join }) => join !== null)) this.#completeJoin(now);
  }

  #endJoin(now: number): void {
    const initial = this.#initial;
    if (initial !== null && initial.hasNewMember && initial.endsAt > now) {
      initial.hasNewMember = false;
      this.#joinEndsAt = Math.min(initial.endsAt, now + this.#options.initialRebalanceDelayMs);
      return;
    }
    this.#completeJoin(now);
  }

  #completeJoin(now: number): void {
    this.#initial = null;
    this.#joinEndsAt = Infinity;
    // Who did not rejoin in time is out; static members may still, until their session ends.
    for (const member of this.members) if (member.join === null && !member.isStatic) this.#forget(member);
    const members = this.members;
    const rejoined = members.filter(({ join }) => join !== null);
    if (members.length > 0 && rejoined.length === 0) {
      this.#joinEndsAt = now + this.#members.rebalanceTimeoutMs;
      return;
    }
    const id = this.#generation.id + 1;
    const [first] = rejoined;
    if (first === undefined) {
      this.#state = 'Empty';
      this.#generation = { ...this.#generation, id, protocolName: null, leader: null };
      this.#save();
      return;
    }
    this.#state = 'CompletingRebalance';
    if (!rejoined.some((member) => member.id === this.#generation.leader)) this.#lead(first.id);
    const protocolName = this.#members.chooseProtocol(this.#generation.leader);
    this.#generation = { ...this.#generation, id, protocolName };
    this.#syncEndsAt = now + this.#members.rebalanceTimeoutMs;
    for (const member of members) {
      this.#unsynced.add(member.id);
      member.isNew = false;
      if (member.join === null) continue;
      const { token } = member.join;
      member.join = null;
      member.heard(now);
      this.#joined(token, this.#resultFor(member, false));
    }
  }

  #checkSync({ generationId, protocolType, protocolName }: SyncEvent): number {
    if (generationId !== this.#generation.id) return ERROR_CODES.ILLEGAL_GENERATION;
    const isOther =
      (protocolType !== null && protocolType !== this.#generation.protocolType) ||
      (protocolName !== null && protocolName !== this.#generation.protocolName);
    if (isOther) return ERROR_CODES.INCONSISTENT_GROUP_PROTOCOL;
    return this.#state === 'PreparingRebalance' ? ERROR_CODES.REBALANCE_IN_PROGRESS : ERROR_CODES.NONE;
  }

  #distribute({ assignments }: SyncEvent, now: number): void {
    const byMember = new Map(assignments.map(({ memberId, assignment }) => [memberId, assignment]));
    this.#state = 'Stable';
    for (const member of this.members) {
      member.assignment = byMember.get(member.id) ?? NO_BYTES;
      if (member.syncToken === null) continue;
      this.#synced(member.syncToken, syncResult(this.#generation, member));
      member.syncToken = null;
      member.heard(now);
    }
    this.#save();
  }

  /** Who has not come for its assignment in time is out. */
  #endSync(now: number): void {
    this.#syncEndsAt = Infinity;
    const late = this.members.filter(({ id }) => this.#unsynced.has(id));
    if (late.length === 0) return;
    for (const member of late) this.#forget(member);
    this.#prepare(now);
    this.#completeJoinIfAllAreThere(now);
  }

  #remove(member: ClassicMember, now: number): void {
    this.#forget(member);
    if (this.#state === 'Stable' || this.#state === 'CompletingRebalance') this.#prepare(now);
    this.#completeJoinIfAllAreThere(now);
  }

  #forget(member: ClassicMember): void {
    this.#dismiss(member, ERROR_CODES.UNKNOWN_MEMBER_ID);
    this.#members.remove(member);
    this.#unsynced.delete(member.id);
    if (this.#generation.leader === member.id) this.#lead(this.members.find(({ join }) => join !== null)?.id ?? null);
  }

  /** Answers what waits of a member with an error. */
  #dismiss(member: ClassicMember, errorCode: number): void {
    if (member.join !== null) this.#joined(member.join.token, failedJoin(errorCode, member.id));
    if (member.syncToken !== null) this.#synced(member.syncToken, failedSync(errorCode));
    member.join = null;
    member.syncToken = null;
  }

  #resultFor(member: ClassicMember, skipAssignment: boolean): JoinResult {
    return joinResult(this.#generation, this.#members, member, skipAssignment);
  }

  #lead(leader: string | null): void {
    this.#generation = { ...this.#generation, leader };
  }

  #joined(token: number, result: JoinResult): void {
    this.#answers.push({ type: 'join', token, result });
  }

  #synced(token: number, result: SyncResult): void {
    this.#answers.push({ type: 'sync', token, result });
  }

  #save(): void {
    this.#snapshot = { generation: this.#generation, members: this.members.map((member) => member.copy(member.id, 0)) };
  }
}
