import type { JoinEvent, OfferedProtocol } from './classic-messages.ts';

/** A new member that waits for its first join to complete is given up after so long, as on a broker. */
const NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60_000;
const NO_BYTES = Buffer.alloc(0);

/** A member of a classic group, as the coordinator knows it. */
export class ClassicMember {
  readonly id: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: readonly OfferedProtocol[];
  assignment: Buffer = NO_BYTES;
  /** The JoinGroup that waits, or null. */
  join: { token: number; canSkipAssignment: boolean } | null = null;
  /** The SyncGroup that waits, or null. */
  syncToken: number | null = null;
  /** Its first join is not complete. */
  isNew = true;
  sessionEndsAt: number;

  constructor(id: string, event: JoinEvent, now: number) {
    this.id = id;
    this.groupInstanceId = event.groupInstanceId;
    this.clientId = event.clientId;
    this.clientHost = event.clientHost;
    this.sessionTimeoutMs = event.sessionTimeoutMs;
    this.rebalanceTimeoutMs = rebalanceTimeout(event);
    this.protocols = event.protocols;
    this.sessionEndsAt = now + NEW_MEMBER_JOIN_TIMEOUT_MS;
  }

  get isStatic(): boolean {
    return this.groupInstanceId !== null;
  }

  /** When it is given up unless it is heard of; while one of its requests waits, it is known to be alive. */
  get expiresAt(): number {
    if (!this.isNew && (this.join !== null || this.syncToken !== null)) return Infinity;
    return this.sessionEndsAt;
  }

  heard(now: number): void {
    this.sessionEndsAt = now + this.sessionTimeoutMs;
  }

  update(event: JoinEvent): void {
    this.protocols = event.protocols;
    this.sessionTimeoutMs = event.sessionTimeoutMs;
    this.rebalanceTimeoutMs = rebalanceTimeout(event);
  }

  /** Whether it offers what it offered before. */
  matches(protocols: readonly OfferedProtocol[]): boolean {
    return (
      protocols.length === this.protocols.length &&
      protocols.every(({ name, metadata }, index) => {
        const known = this.protocols[index];
        return known?.name === name && known.metadata.equals(metadata);
      })
    );
  }

  supports(protocol: string): boolean {
    return this.protocols.some(({ name }) => name === protocol);
  }

  metadataFor(protocol: string | null): Buffer {
    return this.protocols.find(({ name }) => name === protocol)?.metadata ?? NO_BYTES;
  }

  /** The same member as a coordinator knows it that has just read it from its log. */
  copy(id: string, now: number): ClassicMember {
    const member = new ClassicMember(id, { ...this.#asEvent(), groupInstanceId: this.groupInstanceId }, now);
    member.assignment = this.assignment;
    member.isNew = false;
    member.heard(now);
    return member;
  }

  #asEvent(): JoinEvent {
    const { clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocols, groupInstanceId, id } = this;
    return {
      type: 'join',
      token: -1,
      memberId: id,
      groupInstanceId,
      clientId,
      clientHost,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      protocolType: '',
      protocols,
      requiresKnownMemberId: false,
      canSkipAssignment: false,
    };
  }
}

/** Before JoinGroup version 1 the session timeout was both. */
function rebalanceTimeout({ rebalanceTimeoutMs, sessionTimeoutMs }: JoinEvent): number {
  return rebalanceTimeoutMs === -1 ? sessionTimeoutMs : rebalanceTimeoutMs;
}
