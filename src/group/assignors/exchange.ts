/**
 * The last step of the sticky assignors. Shares were dealt out greedily, so now and then a partition went from A to B and
 * another one to A, where one move would have done. Two such partitions are exchanged where that
 *
 * - brings one home to the member that has it, and takes none out of its member's rack; or
 * - in a cooperative rebalance, spares a member from waiting for partitions that others still own while others have more; or
 * - brings one into its member's rack,
 *
 * and makes nothing worse that stands before it in this list, so that it comes to an end. The shares stay as even as they are.
 */
import type { RebalanceProtocol } from './assignor.ts';
import { type Claims, NOBODY } from './claims.ts';
import type { Layout } from './layout.ts';
import { at, type Shares } from './sticky-shares.ts';

export function exchange(layout: Layout, claims: Claims, shares: Shares, protocol: RebalanceProtocol): void {
  const exchanges = new Exchanges(layout, claims, shares, protocol);
  while (exchanges.round());
}

class Exchanges {
  readonly #layout: Layout;
  readonly #claims: Claims;
  readonly #shares: Shares;
  readonly #isCooperative: boolean;
  /** By member: the partitions that are new to it, at the beginning of the round. */
  #strangers: number[][] = [];
  /** Members that get something that others still own, at the beginning of the round. */
  #waiting: readonly number[] = [];
  /** By member: what it gets and nobody else still owns. */
  readonly #ready: Int32Array;

  constructor(layout: Layout, claims: Claims, shares: Shares, protocol: RebalanceProtocol) {
    this.#isCooperative = protocol === 'cooperative';
    this.#layout = layout;
    this.#claims = claims;
    this.#shares = shares;
    this.#ready = new Int32Array(layout.memberCount);
    for (const [partition, member] of shares.owner.entries()) this.#countReady(partition, member, 1);
  }

  /** @returns whether anything became better */
  round(): boolean {
    const strangers: number[][] = Array.from({ length: this.#layout.memberCount }, () => []);
    for (const partition of this.#shares.strangers()) strangers[at(this.#shares.owner, partition)]?.push(partition);
    this.#strangers = strangers;
    this.#waiting = this.#isCooperative ? [...strangers.keys()].filter((member) => this.#hasToWait(member)) : [];
    let improved = false;
    for (const partition of strangers.flat()) {
      if (this.#bringHome(partition) || this.#bringNear(partition) || this.#startEarlier(partition)) improved = true;
    }
    return improved;
  }

  #bringHome(partition: number): boolean {
    const { home, owner, sizes } = this.#shares;
    const to = at(home, partition);
    const from = at(owner, partition);
    if (to === NOBODY || to === from) return false;
    if (at(sizes, from) > at(sizes, to) && this.#near(partition, to) >= this.#near(partition, from)) {
      this.#put(partition, to);
      return true;
    }
    return this.#exchangeWithOneOf(partition, to);
  }

  #bringNear(partition: number): boolean {
    const from = at(this.#shares.owner, partition);
    if (from === at(this.#shares.home, partition) || !this.#layout.isFar(from, partition)) return false;
    return this.#layout
      .subscribersOf(partition)
      .some((to) => this.#layout.isNear(to, partition) && this.#exchangeWithOneOf(partition, to));
  }

  #startEarlier(partition: number): boolean {
    if (this.#waiting.length === 0) return false;
    const from = at(this.#shares.owner, partition);
    if (from === at(this.#shares.home, partition) || this.#isReady(partition, from) === 0) return false;
    return this.#waiting.some(
      (to) =>
        at(this.#ready, to) + 1 < at(this.#ready, from) &&
        this.#layout.maySubscribe(to, partition) &&
        this.#exchangeWithOneOf(partition, to),
    );
  }

  #hasToWait(member: number): boolean {
    return (this.#strangers[member] ?? []).some((partition) => this.#isReady(partition, member) === 0);
  }

  /** Exchanges the partition for the one of another member's strangers that makes the most of it, if any does. */
  #exchangeWithOneOf(partition: number, to: number): boolean {
    const from = at(this.#shares.owner, partition);
    let best = NOBODY;
    let bestGain = 0;
    for (const other of this.#strangers[to] ?? []) {
      if (at(this.#shares.owner, other) !== to || !this.#layout.maySubscribe(from, other)) continue;
      const gain = this.#gain(partition, from, to, other);
      if (gain <= bestGain) continue;
      best = other;
      bestGain = gain;
    }
    if (best === NOBODY || from === to) return false;
    this.#put(partition, to);
    this.#put(best, from);
    return true;
  }

  /** Greater is better; 0 for an exchange that is none. */
  #gain(partition: number, from: number, to: number, other: number): number {
    const homecomings =
      this.#isHome(partition, to) + this.#isHome(other, from) - this.#isHome(partition, from) - this.#isHome(other, to);
    const near =
      this.#near(partition, to) + this.#near(other, from) - this.#near(partition, from) - this.#near(other, to);
    if (homecomings < 0 || (homecomings > 0 && near < 0)) return 0;
    if (homecomings > 0) return 4 * homecomings + near;
    const evenness = this.#evenness(partition, from, to, other);
    return evenness > 0 || (evenness === 0 && near > 0) ? 1 : 0;
  }

  /** By how much the sum of the squares of what is ready would fall. */
  #evenness(partition: number, from: number, to: number, other: number): number {
    const a = at(this.#ready, from);
    const b = at(this.#ready, to);
    const x = a + this.#isReady(other, from) - this.#isReady(partition, from);
    const y = b + this.#isReady(partition, to) - this.#isReady(other, to);
    return a * a + b * b - x * x - y * y;
  }

  #isHome(partition: number, member: number): number {
    return at(this.#shares.home, partition) === member ? 1 : 0;
  }

  #near(partition: number, member: number): number {
    return this.#layout.isNear(member, partition) ? 1 : 0;
  }

  /** 0 where somebody else still owns the partition, so that a cooperative member has to wait for it. */
  #isReady(partition: number, member: number): number {
    if (!this.#isCooperative) return 1;
    const owner = at(this.#claims.owner, partition);
    return (owner !== NOBODY && owner !== member) || this.#claims.contested.has(partition) ? 0 : 1;
  }

  #put(partition: number, member: number): void {
    const from = at(this.#shares.owner, partition);
    this.#countReady(partition, from, -1);
    this.#countReady(partition, member, 1);
    this.#shares.move(partition, member);
  }

  #countReady(partition: number, member: number, by: number): void {
    this.#ready[member] = at(this.#ready, member) + by * this.#isReady(partition, member);
  }
}
