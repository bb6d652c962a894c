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
import { SmallestFirst } from './smallest-first.ts';

/** @returns by partition: the member that gets it */
export function stickyShares(layout: Layout, claims: Claims, protocol: RebalanceProtocol): Int32Array {
  if (layout.memberCount === 0) return new Int32Array(0);
  const moved = deal(layout, claims, protocol, 'near');
  if (!moved.hasReleased) return moved.owner;
  // What was taken out of a wrong rack has to get into a right one. Otherwise it would go to and fro, from rebalance to rebalance.
  const stayed = deal(layout, claims, protocol, 'all');
  const evener = stayed.unevenness - moved.unevenness;
  const nearer = moved.nearCount - stayed.nearCount;
  const cheaper = stayed.moveCount - moved.moveCount;
  return (evener || nearer || cheaper) > 0 ? moved.owner : stayed.owner;
}

function deal(layout: Layout, claims: Claims, protocol: RebalanceProtocol, keeps: 'near' | 'all'): Shares {
  const shares = new Shares(layout, claims);
  shares.keep(keeps);
  const unassigned = shares.unassigned();
  if (layout.isRackAware) shares.fill(unassigned, true);
  shares.fill(unassigned, false);
  if (!layout.isUniform) {
    // Moving what is new to its member costs nothing: it is tried first, unless something has to move anyway.
    if (!shares.hasReleased) shares.level(unassigned);
    shares.level(shares.everything());
  }
  do exchange(layout, claims, shares, protocol);
  while (!layout.isUniform && (shares.level(shares.strangers()) || shares.level(shares.everything())));
  return shares;
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
  #hasReleased = false;

  constructor(layout: Layout, claims: Claims) {
    this.#layout = layout;
    this.owner = new Int32Array(layout.partitionCount).fill(NOBODY);
    this.sizes = new Int32Array(layout.memberCount);
    this.home = claims.owner.map((member, partition) => (layout.maySubscribe(member, partition) ? member : NOBODY));
    this.#earlier = claims.earlier;
    this.#quota = layout.isUniform ? Math.floor(layout.partitionCount / layout.memberCount) : Infinity;
    this.#extra = layout.isUniform ? layout.partitionCount % layout.memberCount : 0;
  }

  /** Something was released that its member could have kept, for it is not in its rack. */
  get hasReleased(): boolean {
    return this.#hasReleased;
  }

  /** The sum of the squares of all shares: of two ways to deal the same partitions out, the more even one has less. */
  get unevenness(): number {
    return this.sizes.reduce((sum, size) => sum + size * size, 0);
  }

  get nearCount(): number {
    return this.owner.reduce((sum, member, partition) => sum + (this.#layout.isNear(member, partition) ? 1 : 0), 0);
  }

  /** Partitions that their member does not keep. */
  get moveCount(): number {
    return this.home.reduce(
      (sum, member, partition) => sum + (member !== NOBODY && member !== this.owner[partition] ? 1 : 0),
      0,
    );
  }

  /** Step 1. @param keeps what is in the member's rack (or where it has none), or also the rest, as far as there is room */
  keep(keeps: 'near' | 'all'): void {
    const near = this.#members((): number[] => []);
    const far = this.#members((): number[] => []);
    for (const [partition, member] of this.home.entries()) {
      (this.#layout.isFar(member, partition) ? far : near)[member]?.push(partition);
    }
    // Who has more than an even share keeps one more than who has not, as far as there is one more.
    for (const [member, partitions] of near.entries()) {
      const kept = keeps === 'all' ? [...partitions, ...(far[member] ?? [])] : partitions;
      for (const partition of kept) if (this.#hasRoom(member)) this.#give(partition, member);
    }
    this.#hasReleased = keeps === 'near' && far.some(({ length }) => length > 0);
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
    const queues = new Map<number, SmallestFirst>();
    for (const partition of partitions) {
      if (at(this.owner, partition) !== NOBODY) continue;
      // Which of equal shares is the right one is up to each partition where there are racks.
      const member = this.#layout.isRackAware
        ? this.#smallestShare(partition, onlyMatchingRacks)
        : this.#next(queues, partition);
      if (member !== NOBODY) this.#give(partition, member);
    }
  }

  /** The same as `#smallestShare` while shares only grow, without looking at all members for each partition. */
  #next(queues: Map<number, SmallestFirst>, partition: number): number {
    const topic = at(this.#layout.topicOf, partition);
    const queue = queues.get(topic) ?? new SmallestFirst(this.#layout.subscribersOf(partition), this.sizes);
    queues.set(topic, queue);
    for (let member = queue.first(); member !== null; member = queue.first()) {
      if (this.#hasRoom(member)) return member;
      queue.removeFirst();
    }
    return NOBODY;
  }

  /** Step 3. @returns whether anything was moved */
  level(partitions: readonly number[]): boolean {
    let anyMoved = false;
    // No move makes the smallest share smaller.
    const smallest = Math.min(...this.sizes);
    for (let moved = true; moved; anyMoved ||= moved) {
      moved = false;
      for (const partition of partitions) {
        const size = at(this.sizes, at(this.owner, partition));
        if (size <= smallest + 1) continue;
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
