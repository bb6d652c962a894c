import type { RecordSource } from '../protocol/record.ts';

/** So long, or up to twice, nothing moves before one batch more is opened. */
const PATIENCE_MS = 1000;
/** The estimate forgets so slowly that one batch has shrunk extremely well. */
const RATIO_DECAY = 0.9;

/** Has a compressed batch to open, as soon as there is room for it. */
export interface OpenWaiter {
  /** Of that batch, compressed. */
  readonly waitingBytes: number;
  /** What it opens would be read. */
  readonly isWanted: boolean;
  /** There is no need to wait any longer. @param reserved to be given to `settle`; −1: ask again when it is wanted */
  onRoom(reserved: number): void;
}

/**
 * The budget for decompressed bytes that are not handed out yet, over all partitions. Within it, a batch is opened when
 * its turn comes, or one ahead. Beyond it, partitions wait in their order until another batch is used up; one may always be
 * open. Where those that are open stand still (paused, held, slow handlers), one more is opened, so that they starve nobody.
 *
 * How large a batch will be is not known before: it is taken to shrink as well as those before it.
 */
export class OpenedBytes {
  readonly #budget: number;
  #bytes = 0;
  /** Estimates for what is being opened. */
  #reserved = 0;
  /** Decompressed to compressed; −1 before the first batch, which is opened alone. */
  #ratio = -1;
  /** The budget, or what stands still and `#excess` for the others. */
  #ceiling: number;
  #excess = 0;
  readonly #waiting = new Set<OpenWaiter>();
  #isGranting = false;
  #hasMoved = false;
  #timer: NodeJS.Timeout | null = null;
  /** Somebody could take records, and has none: then a wait is not the application's own slowness. */
  isStarved: () => boolean = () => true;

  constructor(budget: number) {
    this.#budget = budget;
    this.#ceiling = budget;
  }

  /** Decompressed, and not used up yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @returns what is reserved for a batch of so many compressed bytes; −1 where there is no room, or others come first */
  reserve(compressedBytes: number): number {
    return this.#firstWanted() === undefined ? this.#reserve(compressedBytes) : -1;
  }

  /** Until `onRoom`. */
  wait(waiter: OpenWaiter): void {
    this.#waiting.add(waiter);
    this.#watch();
  }

  /** It is dropped. Legal also for one that does not wait. */
  leave(waiter: OpenWaiter): void {
    if (this.#waiting.delete(waiter)) this.#grant();
  }

  /** What was reserved is opened, or could not be. */
  settle(reserved: number, compressedBytes: number, source: RecordSource | null): void {
    this.#reserved -= reserved;
    const size = source === null ? 0 : sizeOf(source);
    this.#bytes += size;
    if (size > 0) this.#ratio = Math.max(1, size / compressedBytes, this.#ratio * RATIO_DECAY);
    this.#grant();
  }

  /** Counts what needs no room: it is there already. */
  add(source: RecordSource): void {
    this.#bytes += sizeOf(source);
  }

  /** It is used up, or dropped. */
  release(source: RecordSource): void {
    const size = sizeOf(source);
    if (size === 0) return;
    this.#bytes -= size;
    this.#hasMoved = true;
    this.#ceiling = Math.max(this.#budget, Math.min(this.#ceiling, this.#used + this.#excess));
    this.#grant();
  }

  /** There is nothing else to hand out. @returns whether one batch more than there is room for was begun with */
  exceed(): boolean {
    return this.#reserved === 0 && this.#exceed();
  }

  get #used(): number {
    return this.#bytes + this.#reserved;
  }

  #estimate(compressedBytes: number): number {
    if (this.#ratio < 0) return this.#budget;
    return Math.min(this.#budget, Math.ceil(compressedBytes * this.#ratio));
  }

  #reserve(compressedBytes: number): number {
    const estimate = this.#estimate(compressedBytes);
    const used = this.#used;
    if (used > 0 && used + estimate > this.#ceiling) return -1;
    this.#reserved += estimate;
    return estimate;
  }

  #exceed(): boolean {
    const first = this.#firstWanted();
    if (first === undefined) return false;
    this.#excess = this.#estimate(first.waitingBytes);
    this.#ceiling = Math.max(this.#ceiling, this.#used + this.#excess);
    this.#grant();
    return true;
  }

  /** As long as there is room. */
  #grant(): void {
    if (this.#isGranting) return; // what was opened on the spot comes by here
    this.#isGranting = true;
    for (let first = this.#firstWanted(); first !== undefined; first = this.#firstWanted()) {
      const reserved = this.#reserve(first.waitingBytes);
      if (reserved < 0) break;
      this.#hasMoved = true;
      this.#waiting.delete(first);
      first.onRoom(reserved);
    }
    this.#isGranting = false;
  }

  #firstWanted(): OpenWaiter | undefined {
    for (const waiter of this.#waiting) {
      if (waiter.isWanted) return waiter;
      this.#waiting.delete(waiter);
      waiter.onRoom(-1);
    }
    return undefined;
  }

  #watch(): void {
    if (this.#timer !== null) return;
    this.#hasMoved = false;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (!this.#hasMoved && this.isStarved()) this.#exceed();
      if (this.#waiting.size > 0) this.#watch();
    }, PATIENCE_MS).unref();
  }
}

/** Of memory that is the batch's own; 0 where it lies in the frame. */
function sizeOf({ isCompressed, buffer }: RecordSource): number {
  return isCompressed ? buffer.length : 0;
}
