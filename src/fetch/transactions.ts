import type { AbortedTransaction } from '../protocol/api/fetch.ts';
import { readControlType } from '../protocol/control-record.ts';
import type { WireBatch } from '../protocol/record-batch.ts';
import type { RecordSource } from '../protocol/record.ts';

/**
 * `read_committed` (KIP-98): which batches of one Fetch response belong to aborted transactions. A producer's transactional
 * batches are aborted from the first offset that the response names until the producer's next ABORT marker. The response
 * names every aborted transaction that reaches into it, also one that began before it: nothing has to be remembered between two.
 */
export class TransactionFilter {
  /** Not yet reached, by first offset, the nearest last. */
  readonly #ahead: AbortedTransaction[];
  /** Ids of the producers that are within an aborted transaction. */
  readonly #aborted = new Set<string>();

  constructor(abortedTransactions: readonly AbortedTransaction[]) {
    this.#ahead = [...abortedTransactions].sort((a, b) => b.firstOffset.compare(a.firstOffset));
  }

  /**
   * Whether the batch's records are for the application; asked of every batch once, in their order. Control batches never are.
   *
   * @param open asked for a control batch only, for what it says
   * @throws what `open` throws
   */
  isWanted(batch: WireBatch, open: () => RecordSource): boolean {
    const lastOffset = batch.lastOffsetLong;
    for (
      let next = this.#ahead.at(-1);
      next?.firstOffset.lessThanOrEqual(lastOffset) === true;
      next = this.#ahead.at(-1)
    ) {
      this.#aborted.add(next.producerId.toString());
      this.#ahead.pop();
    }
    if (batch.isControl) {
      const producerId = batch.producerId.toString();
      if (this.#aborted.has(producerId) && readControlType(open()) === 'abort') this.#aborted.delete(producerId);
      return false;
    }
    return !(batch.isTransactional && this.#aborted.has(batch.producerId.toString()));
  }
}
