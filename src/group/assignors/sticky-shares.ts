/**
 * Deals partitions out so that, in this order of importance, the shares are even, partitions are in the rack of their
 * member, and stay with the member that has them (KIP-54).
 *
 * 1. Everyone keeps what it has; where all may get everything, up to an even share; with racks, what is in its rack.
 * 2. What is left goes to the smallest share whose member may have it; with racks, to one of the right rack first.
 * 3. Where members subscribe to different topics, a partition is moved on as long as that makes two shares more even.
 * 4. Partitions are exchanged where that makes something better and nothing worse (exchange.ts).
 *
 * Even means what it means in Java: no single move from one member to another makes two shares more even.
 */
import type { RebalanceProtocol } from './assignor.ts';
import { type Claims, NOBODY } from './claims.ts';
import { exchange } from './exchange.ts';
import type { Layout } from './layout.ts';

/** @returns by partition: the member that gets it */
export function stickyShares(layout: Layout, claims: Claims, protocol: RebalanceProtocol): Int32Array {
  const shares = new Shares(layout, claims);
  if (layout.memberCount === 0) return shares.owner;
  const mustMove = shares.keep();
  const unassigned = shares.unassigned();
  if (layout.isRackAware) shares.fill(unassigned, true);
  shares.fill(unassigned, false);
  if (!layout.isUniform) {
    // Moving what is new to its member costs nothing: it is tried first, unless something has to move anyway.
    if (!mustMove) shares.level(unassigned);
    shares.level(shares.everything());
  }
  do exchange(layout, claims, shares, protocol);
  while (!layout.isUniform && shares.level(shares.strangers()));
  return shares.owner;
}

export class Shares {
  /** By partition: the member that gets it, or `NOBODY`. */
  readonly owner: Int32Array;
  /** By member: how many it gets. */
  readonly sizes: Int32Array;
  /** By partition: the member that has it and may keep it, or `NOBODY`. */
  readonly home: Int32Array;
  readonly #layout: Layout;
  readonly #earlier: Int32Array;
  /** Where all members may get everything: an even share, and how many members may still get one more. */
  readonly #quota: number;
  #extra: number;

  constructor(layout: Layout, claims: Claims) {
    this.#layout = layout;
    this.owner = new Int32Array(layout.partitionCount).fill(NOBODY);
    this.sizes = new Int32Array(layout.memberCount);
    this.home = claims.owner.map((member, partition) => (layout.maySubscribe(member, partition) ? member : NOBODY));
    this.#earlier = claims.earlier;
    this.#quota = layout.isUniform ? Math.floor(layout.partitionCount / layout.memberCount) : Infinity;
    this.#extra = layout.isUniform ? layout.partitionCount % layout.memberCount : 0;
  }

  /** Step 1. @returns whether somebody has to give up something, for it may not, or does not in its rack */
  keep(): boolean {
    let mustMove = false;
    const kept = this.#members((): number[] => []);
    for (const [partition, member] of this.home.entries()) {
      if (member !== NOBODY && !this.#layout.isFar(member, partition)) kept[member]?.push(partition);
      else if (member !== NOBODY) mustMove = true;
    }
    // Who has more than an even share keeps one more than who has not, as far as there is one more.
    for (const [member, partitions] of kept.entries()) {
      for (const partition of partitions) if (this.#hasRoom(member)) this.#give(partition, member);
    }
    return mustMove;
  }

  everything(): number[] {
    return [...this.#layout.topicOf.keys()];
  }

  unassigned(): number[] {
    return this.everything().filter((partition) => this.owner[partition] === NOBODY);
  }

  /** Partitions that are new to their member, whichever that is. */
  strangers(): number[] {
    return this.everything().filter((partition) => this.owner[partition] !== this.home[partition]);
  }

  /** Step 2. */
  fill(partitions: readonly number[], onlyMatchingRacks: boolean): void {
    for (const partition of partitions) {
      if (at(this.owner, partition) !== NOBODY) continue;
      const member = this.#smallestShare(partition, onlyMatchingRacks);
      if (member !== NOBODY) this.#give(partition, member);
    }
  }

  /** Step 3. @returns whether anything was moved */
  level(partitions: readonly number[]): boolean {
    let anyMoved = false;
    for (let moved = true; moved; anyMoved ||= moved) {
      moved = false;
      for (const partition of partitions) {
        const size = at(this.sizes, at(this.owner, partition));
        const earlier = at(this.#earlier, partition);
        const mayReturn = earlier !== NOBODY && this.#layout.maySubscribe(earlier, partition);
        const target =
          mayReturn && at(this.sizes, earlier) + 1 < size ? earlier : this.#smallestShare(partition, false);
        if (target === NOBODY || at(this.sizes, target) + 1 >= size) continue;
        this.move(partition, target);
        moved = true;
      }
    }
    return anyMoved;
  }

  /** Of those that may have it; of equal ones the one in its rack, then the first. */
  #smallestShare(partition: number, onlyMatchingRacks: boolean): number {
    let best = NOBODY;
    let bestRank = Infinity;
    for (const member of this.#layout.subscribersOf(partition)) {
      const size = at(this.sizes, member);
      if (2 * size >= bestRank || !this.#hasRoom(member)) continue;
      if (onlyMatchingRacks && !this.#fits(member, partition)) continue;
      const rank = 2 * size + (this.#layout.isNear(member, partition) ? 0 : 1);
      if (rank >= bestRank) continue;
      best = member;
      bestRank = rank;
    }
    return best;
  }

  #fits(member: number, partition: number): boolean {
    return this.#layout.isUniform ? this.#layout.isNear(member, partition) : !this.#layout.isFar(member, partition);
  }

  #hasRoom(member: number): boolean {
    const size = at(this.sizes, member);
    return size < this.#quota || (size === this.#quota && this.#extra > 0);
  }

  #give(partition: number, member: number): void {
    const size = at(this.sizes, member);
    if (size === this.#quota) this.#extra -= 1;
    this.owner[partition] = member;
    this.sizes[member] = size + 1;
  }

  move(partition: number, member: number): void {
    const from = at(this.owner, partition);
    this.sizes[from] = at(this.sizes, from) - 1;
    this.#give(partition, member);
  }

  #members<T>(make: () => T): T[] {
    return Array.from({ length: this.#layout.memberCount }, make);
  }
}

export function at(array: Int32Array, index: number): number {
  return array[index] ?? NOBODY;
}
