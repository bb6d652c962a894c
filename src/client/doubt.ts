/**
 * Whether the group may have given this member's partitions to others while the event loop stood still. It is settled by the
 * group's answer to a request that was sent after that: one that lay unread meanwhile says nothing.
 */
export class Doubt {
  readonly #tell: (isOpen: boolean) => void;
  #isOpen = false;
  #count = 0;

  constructor(tell: (isOpen: boolean) => void) {
    this.#tell = tell;
  }

  begin(): void {
    this.#count++;
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#tell(true);
  }

  /** How often there was a doubt, for `answered`: taken when the request is sent. */
  get count(): number {
    return this.#count;
  }

  answered(countWhenSent: number): void {
    if (countWhenSent === this.#count) this.end();
  }

  /** The group has answered, or nothing is left that it could have taken away. */
  end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#tell(false);
  }
}
