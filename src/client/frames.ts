/** What lies in a frame, and can move out of it. */
export interface FrameTenant {
  /** The frame's memory. */
  readonly memory: ArrayBufferLike;
  readonly sizeInBytes: number;
  /** Into memory of its own. */
  moveOut(): void;
}

interface Frame<T> {
  /** Of its tenants when it came. */
  sizeInBytes: number;
  /** Of those that are left. */
  leftBytes: number;
  readonly tenants: Set<T>;
}

/**
 * The memory behind what is buffered. One answer brings many partitions in one frame, and the last of them keeps the whole frame: a few
 * partitions that stand still (paused, stopped by an error, slow) would keep a frame of up to `fetchMaxBytes` each. So the rest
 * moves out where more than `mostWasteBytes` are kept for nothing, the frame with the most waste first. As long as all go on, nothing is copied.
 */
export class Frames<T extends FrameTenant> {
  readonly #mostWasteBytes: number;
  #frames = new Map<ArrayBufferLike, Frame<T>>();
  #keptBytes = 0;
  #leftBytes = 0;

  constructor(mostWasteBytes: number) {
    this.#mostWasteBytes = mostWasteBytes;
  }

  /** Of all frames that somebody is left in: at most what is buffered and `mostWasteBytes`. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  moveIn(tenant: T): void {
    let frame = this.#frames.get(tenant.memory);
    if (frame === undefined) {
      frame = { sizeInBytes: 0, leftBytes: 0, tenants: new Set() };
      this.#frames.set(tenant.memory, frame);
    }
    frame.tenants.add(tenant);
    frame.sizeInBytes += tenant.sizeInBytes;
    frame.leftBytes += tenant.sizeInBytes;
    this.#keptBytes += tenant.sizeInBytes;
    this.#leftBytes += tenant.sizeInBytes;
  }

  /** It is used up, or dropped. */
  leave(tenant: T): void {
    this.#leave(tenant);
    while (this.#keptBytes - this.#leftBytes > this.#mostWasteBytes) this.#clearOut();
  }

  #leave(tenant: T): void {
    const frame = this.#frames.get(tenant.memory);
    if (frame?.tenants.delete(tenant) !== true) return;
    frame.leftBytes -= tenant.sizeInBytes;
    this.#leftBytes -= tenant.sizeInBytes;
    if (frame.tenants.size > 0) return;
    this.#frames.delete(tenant.memory);
    this.#keptBytes -= frame.sizeInBytes;
  }

  #clearOut(): void {
    let worst: Frame<T> | null = null;
    for (const frame of this.#frames.values()) if (worst === null || waste(frame) > waste(worst)) worst = frame;
    for (const tenant of [...(worst?.tenants ?? [])]) {
      this.#leave(tenant);
      tenant.moveOut();
      this.moveIn(tenant);
    }
  }
}

function waste<T>({ sizeInBytes, leftBytes }: Frame<T>): number {
  return sizeInBytes - leftBytes;
}
