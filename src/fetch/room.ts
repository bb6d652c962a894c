import type { PartitionState } from './partition.ts';

/** Nobody has taken anything out of a buffer for so long: it may be for ever, for a handler that hangs. */
export const STUCK_MS = 1000;
/** What a partition with an empty buffer is asked for where buffers that nobody takes from use up the room. */
const LEAST_BYTES = 16 * 1024;

/** How much may be asked for, of all partitions together. What is buffered counts, and what may come at any moment. */
export class Room {
  readonly #total: number;
  readonly #ofPartition: number;
  /** Handed on and not yet given back, of all partitions. */
  buffered = 0;
  /** Asked for and not yet answered. */
  reserved = 0;
  /** Some partition is not asked for because there is no room. */
  isShort = false;
  /** Of what is buffered, what belongs to paused partitions: nobody takes it, so it must not use up the room of the others. */
  #setAside = 0;
  /** The same of partitions that are not paused, and of which nothing was taken of late. */
  #stuck = 0;
  /** When more will count as stuck. */
  #stuckAt = Infinity;

  constructor({ fetchMaxBytes, maxPartitionFetchBytes }: { fetchMaxBytes: number; maxPartitionFetchBytes: number }) {
    this.#total = fetchMaxBytes;
    this.#ofPartition = maxPartitionFetchBytes;
  }

  /** Before all partitions are looked at. */
  begin(): void {
    this.#setAside = 0;
    this.#stuck = 0;
    this.#stuckAt = Infinity;
    this.isShort = false;
  }

  look({ buffered, paused, takenAt }: PartitionState, now: number): void {
    if (buffered === 0) return;
    if (paused) this.#setAside += buffered;
    else if (now - takenAt >= STUCK_MS) this.#stuck += buffered;
    else this.#stuckAt = Math.min(this.#stuckAt, takenAt + STUCK_MS);
  }

  /**
   * What one broker may be asked for, and of which partitions; null for nothing now.
   *
   * Where there is no room, and would be if it were not for buffers that nobody takes from, those that have nothing get a little:
   * a record that is stuck stops no other partition.
   *
   * @param share no broker gets more, or one that has nothing to give would hold on to all the room while it waits
   */
  grant(states: readonly PartitionState[], share: number): Grant | null {
    const room = this.#total - (this.buffered - this.#setAside) - this.reserved;
    // A trickle of bytes given back is not worth a request each.
    const least = Math.min(share, this.#ofPartition);
    if (room >= least) {
      const maxBytes = Math.min(share, room);
      return { states, maxBytes, partitionMaxBytes: this.#ofPartition };
    }
    this.isShort = true;
    if (room + this.#stuck < least) return null;
    const empty = states.filter(({ buffered }) => buffered === 0);
    const partitionMaxBytes = Math.min(LEAST_BYTES, this.#ofPartition);
    return empty.length === 0 ? null : { states: empty, maxBytes: empty.length * partitionMaxBytes, partitionMaxBytes };
  }

  /** When one of these, which got nothing, may get a little though nothing is given back; Infinity for never. */
  nextGrantAt(states: readonly PartitionState[]): number {
    return states.some(({ buffered }) => buffered === 0) ? this.#stuckAt : Infinity;
  }
}

export interface Grant {
  readonly states: readonly PartitionState[];
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
}
