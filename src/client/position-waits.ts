import { RequestTimeoutError } from '../errors.ts';
import type { PartitionDelivery } from './partition-delivery.ts';

/** Calls of `position()` that wait until a position is looked up. */
export class PositionWaits<K, V> {
  #waits = new Set<() => void>();

  /** Something has changed that a call may wait for. */
  wake(): void {
    const waits = [...this.#waits];
    this.#waits.clear();
    for (const wake of waits) wake();
  }

  /**
   * @param find the partition as it is now; throws where it is gone
   * @throws what `find` throws, what the partition has failed with or is refused, RequestTimeoutError after `timeoutMs`
   */
  async until(find: () => PartitionDelivery<K, V>, timeoutMs: number): Promise<number> {
    let isTimeUp = false;
    const timer = setTimeout(() => {
      isTimeUp = true;
      this.wake();
    }, timeoutMs);
    try {
      for (;;) {
        const { topic, partition, position, failure, refusal } = find();
        if (position >= 0) return position;
        if (failure !== null) throw failure;
        if (refusal !== null) throw refusal;
        const text = `the position of ${topic}-${partition} was not known within ${timeoutMs} ms`;
        if (isTimeUp) throw new RequestTimeoutError(text);
        await new Promise<void>((resolve) => this.#waits.add(resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
