import { ERROR_CODES } from '../../protocol/error-codes.ts';
import type { ClassicMember } from './classic-member.ts';
import type { JoinEvent, JoinResult, MemberClaim, SyncResult } from './classic-messages.ts';

/** The members of a classic group, in the order in which they came. */
export class ClassicMembers {
  #members = new Map<string, ClassicMember>();
  /** Member ids by static members' instance ids (KIP-345). */
  readonly #instances = new Map<string, string>();

  constructor(members: readonly ClassicMember[] = []) {
    for (const member of members) this.add(member);
  }

  get size(): number {
    return this.#members.size;
  }

  get list(): ClassicMember[] {
    return [...this.#members.values()];
  }

  get(id: string): ClassicMember | undefined {
    return this.#members.get(id);
  }

  ofInstance(groupInstanceId: string): ClassicMember | undefined {
    return this.#members.get(this.#instances.get(groupInstanceId) ?? '');
  }

  add(member: ClassicMember): void {
    this.#members.set(member.id, member);
    if (member.groupInstanceId !== null) this.#instances.set(member.groupInstanceId, member.id);
  }

  /** In the place of `former`, which has the same instance id. */
  replace(former: ClassicMember, member: ClassicMember): void {
    this.#members = new Map(this.list.map((each) => (each === former ? [member.id, member] : [each.id, each])));
    this.add(member);
  }

  remove({ id, groupInstanceId }: ClassicMember): void {
    this.#members.delete(id);
    if (groupInstanceId !== null && this.#instances.get(groupInstanceId) === id)
      this.#instances.delete(groupInstanceId);
  }

  /** Whether somebody is who he says. Gives an error code. */
  check({ memberId, groupInstanceId }: MemberClaim): number {
    if (groupInstanceId !== null) {
      const id = this.#instances.get(groupInstanceId);
      if (id === undefined) return ERROR_CODES.UNKNOWN_MEMBER_ID;
      if (id !== memberId) return ERROR_CODES.FENCED_INSTANCE_ID;
    }
    return this.#members.has(memberId) ? ERROR_CODES.NONE : ERROR_CODES.UNKNOWN_MEMBER_ID;
  }

  /** Whether who wants to join has a protocol that all others have, too. */
  accept({ memberId, protocolType, protocols }: JoinEvent, groupType: string | null): boolean {
    if (protocolType === '' || protocols.length === 0) return false;
    const others = this.list.filter(({ id }) => id !== memberId);
    if (others.length === 0) return true;
    return protocolType === groupType && protocols.some(({ name }) => others.every((member) => member.supports(name)));
  }

  /** Of the protocols that all support, the one that most prefer; of several the first in the order of `first`. */
  chooseProtocol(first: string | null): string | null {
    const members = this.list;
    const votes = new Map<string, number>();
    for (const member of members) {
      const vote = member.protocols.find(({ name }) => members.every((each) => each.supports(name)))?.name;
      if (vote !== undefined) votes.set(vote, (votes.get(vote) ?? 0) + 1);
    }
    let chosen: string | null = null;
    for (const { name } of (this.#members.get(first ?? '') ?? members[0])?.protocols ?? []) {
      if ((votes.get(name) ?? 0) > (votes.get(chosen ?? '') ?? 0)) chosen = name;
    }
    return chosen;
  }

  /** The longest that one of them asks for. */
  get rebalanceTimeoutMs(): number {
    return this.list.reduce((max, { rebalanceTimeoutMs }) => Math.max(max, rebalanceTimeoutMs), 0);
  }

  /** When the first of them is given up unless it is heard of. */
  get expiresAt(): number {
    return this.list.reduce((min, { expiresAt }) => Math.min(min, expiresAt), Infinity);
  }
}

/** What all members of a group agree on between two rebalances. */
export interface Generation {
  readonly id: number;
  /** `'consumer'`, in practice. */
  readonly protocolType: string | null;
  /** The assignor's name. */
  readonly protocolName: string | null;
  /** Member id. */
  readonly leader: string | null;
}

export const NO_GENERATION: Generation = { id: 0, protocolType: null, protocolName: null, leader: null };

/** What a member is told of a generation; the leader of all members, too. */
export function joinResult(
  { id, protocolType, protocolName, leader }: Generation,
  members: ClassicMembers,
  member: ClassicMember,
  skipAssignment = false,
): JoinResult {
  const describe = (each: ClassicMember): JoinResult['members'][number] => {
    return { memberId: each.id, groupInstanceId: each.groupInstanceId, metadata: each.metadataFor(protocolName) };
  };
  return {
    errorCode: ERROR_CODES.NONE,
    generationId: id,
    protocolType,
    protocolName,
    leader: leader ?? '',
    skipAssignment,
    memberId: member.id,
    members: member.id === leader ? members.list.map(describe) : [],
  };
}

export function syncResult({ protocolType, protocolName }: Generation, { assignment }: ClassicMember): SyncResult {
  return { errorCode: ERROR_CODES.NONE, protocolType, protocolName, assignment };
}
