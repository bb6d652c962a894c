/**
 * The members that may have a partition, the one with the smallest share first, of equal ones the first; while shares only
 * grow. A heap whose entries are put right when they come to the top.
 */
export class SmallestFirst {
  readonly #sizes: Int32Array;
  readonly #members: number[];
  /** By place in the heap: the size that the member is filed under, which it may have outgrown. */
  readonly #filed: number[];

  /** @param sizes by member; goes on being read */
  constructor(members: readonly number[], sizes: Int32Array) {
    this.#sizes = sizes;
    const sizeOf = (member: number): number => sizes[member] ?? 0;
    // A sorted list is a heap.
    this.#members = [...members].sort((a, b) => sizeOf(a) - sizeOf(b) || a - b);
    this.#filed = this.#members.map(sizeOf);
  }

  /** @returns null where nobody is left */
  first(): number | null {
    for (let member = this.#members[0]; member !== undefined; member = this.#members[0]) {
      const size = this.#sizes[member] ?? 0;
      if (size === this.#filed[0]) return member;
      this.#sink(member, size);
    }
    return null;
  }

  /** For good. */
  removeFirst(): void {
    const member = this.#members.pop();
    const size = this.#filed.pop();
    if (this.#members.length > 0 && member !== undefined && size !== undefined) this.#sink(member, size);
  }

  /** Puts the member into the first place, and moves it down to where it belongs. */
  #sink(member: number, size: number): void {
    const members = this.#members;
    const filed = this.#filed;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child + 1 < members.length && isBefore(members, filed, child + 1, child)) child += 1;
      const childSize = filed[child];
      const childMember = members[child];
      if (childSize === undefined || childMember === undefined) break;
      if (childSize > size || (childSize === size && childMember > member)) break;
      members[at] = childMember;
      filed[at] = childSize;
      at = child;
    }
    members[at] = member;
    filed[at] = size;
  }
}

function isBefore(members: readonly number[], filed: readonly number[], a: number, b: number): boolean {
  const difference = (filed[a] ?? 0) - (filed[b] ?? 0);
  return difference < 0 || (difference === 0 && (members[a] ?? 0) < (members[b] ?? 0));
}
