// What goes into and comes out of the coordinator of a classic group, as plain data.

export interface OfferedProtocol {
  readonly name: string;
  readonly metadata: Buffer;
}

export interface JoinEvent {
  readonly type: 'join';
  /** Names the request that is answered by it, at once or later. */
  readonly token: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  readonly protocols: readonly OfferedProtocol[];
  /** From JoinGroup version 4 on a new member joins twice (KIP-394). */
  readonly requiresKnownMemberId: boolean;
  /** From version 9 on (KIP-814). */
  readonly canSkipAssignment: boolean;
}

export interface SyncEvent {
  readonly type: 'sync';
  readonly token: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[];
}

export interface JoinResult {
  readonly errorCode: number;
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly skipAssignment: boolean;
  readonly memberId: string;
  readonly members: readonly { memberId: string; groupInstanceId: string | null; metadata: Buffer }[];
}

export interface SyncResult {
  readonly errorCode: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Buffer;
}

/** What a request that waits gets at last. */
export type ClassicAnswer =
  | { readonly type: 'join'; readonly token: number; readonly result: JoinResult }
  | { readonly type: 'sync'; readonly token: number; readonly result: SyncResult };

/** Who a member says it is. */
export interface MemberClaim {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

const NO_BYTES = Buffer.alloc(0);

export function failedJoin(errorCode: number, memberId: string): JoinResult {
  return {
    errorCode,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    memberId,
    members: [],
  };
}

export function failedSync(errorCode: number): SyncResult {
  return { errorCode, protocolType: null, protocolName: null, assignment: NO_BYTES };
}
