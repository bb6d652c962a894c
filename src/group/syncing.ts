import type { SyncGroupAssignment } from '../protocol/api/sync-group.ts';

/** How often it is sent in a session, if need be. */
const PARTS_OF_A_SESSION = 5;

/**
 * SyncGroup of one generation. Its answer may take as long as the leader does, and a broker answers nothing else on that connection
 * meanwhile: so whether it was lost cannot be told by silence. It may be sent again, though, as often as need be: the broker forgets the
 * one before and answers with the same assignment. That happens on a new connection, to where the coordinator is said to be now.
 */
export class Syncing {
  /** Of the request that is out; `null` for none. */
  id: number | null = null;
  /** What it is to carry; `null` while the leader waits for metadata, and once it is sent. */
  assignments: SyncGroupAssignment[] | null = null;
  readonly #sessionTimeoutMs: number;
  #sent: SyncGroupAssignment[] = [];
  #endsAt = Infinity;
  #waitMs = 0;

  constructor(sessionTimeoutMs: number) {
    this.#sessionTimeoutMs = sessionTimeoutMs;
  }

  /** Until then it is waited for; Infinity where none is out. */
  get endsAt(): number {
    return this.id === null ? Infinity : this.#endsAt;
  }

  /** Returns how long it is waited for: longer each time, so that a slow answer comes in the end. */
  sent(id: number, assignments: SyncGroupAssignment[], now: number): number {
    this.id = id;
    this.#sent = assignments;
    this.assignments = null;
    const before = this.#waitMs;
    const next = before === 0 ? this.#sessionTimeoutMs / PARTS_OF_A_SESSION : 2 * before;
    this.#waitMs = Math.max(1, Math.min(this.#sessionTimeoutMs, next));
    this.#endsAt = now + this.#waitMs;
    return this.#waitMs;
  }

  /** To be sent again, the same. */
  again(): void {
    this.id = null;
    this.assignments = this.#sent;
  }

  /** Nothing of it matters any more, or it was answered. */
  over(): void {
    this.id = null;
    this.assignments = null;
    this.#sent = [];
    this.#waitMs = 0;
  }
}
