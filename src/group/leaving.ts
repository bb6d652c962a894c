/** LeaveGroup of a classic member: which one is out, until when it may be waited for, and whether it was sent again. */
export class Leaving {
  /** Of the request that is out; `null` for none. */
  id: number | null = null;
  /** Until then it waits to be sent: for the member id of a pending first JoinGroup, or for the coordinator's new place. */
  endsAt = Infinity;
  /** The broker that was asked is not the coordinator (any more): the right one is looked for, once. */
  isLooking = false;
  #hasLooked = false;

  /** Returns true where one more try is allowed: then the coordinator is to be looked for until `endsAt`. */
  tryAgain(endsAt: number): boolean {
    if (this.#hasLooked) return false;
    this.#hasLooked = true;
    this.isLooking = true;
    this.id = null;
    this.endsAt = endsAt;
    return true;
  }

  sent(id: number): void {
    this.id = id;
    this.endsAt = Infinity;
    this.isLooking = false;
  }

  /** Out of the group, for all that this member knows. */
  over(): void {
    this.id = null;
    this.endsAt = Infinity;
    this.isLooking = false;
    this.#hasLooked = false;
  }
}
