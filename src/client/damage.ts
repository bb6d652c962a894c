import { CorruptRecordError, type KafkaError } from '../errors.ts';

/** What becomes of a batch that cannot be opened: see the option of this name. */
export type OnCorruptBatch = 'fail' | 'skip';

/** So often bytes that may have been damaged on their way are fetched again before that is an error. */
const MOST_REFETCHES = 3;

/** What a partition needs of its surroundings when its bytes make no sense. */
export interface DamageHost<P> {
  readonly policy: OnCorruptBatch;
  /** Fetches from its position again, after a back-off; at once for `attempt` −1. What was fetched before is dropped. */
  refetch: (partition: P, attempt: number) => void;
  /** Nothing more of it is fetched until a seek. */
  halt: (partition: P) => void;
  /** A batch, or the rest of it, was passed over. */
  passedOver: (error: CorruptRecordError) => void;
}

/** What is done about damage: fetch again, pass over, or stand still and say so at every read. */
export class DamagePolicy {
  readonly #policy: OnCorruptBatch;
  #refetches = 0;

  constructor(policy: OnCorruptBatch) {
    this.#policy = policy;
  }

  /** A batch was opened: whatever there was is over. */
  reset(): void {
    this.#refetches = 0;
  }

  /** The number of the next attempt to fetch it again; −1 where that is of no use. */
  nextRefetch(error: KafkaError): number {
    if (!(error instanceof CorruptRecordError) || !error.retriable || this.#refetches >= MOST_REFETCHES) return -1;
    return this.#refetches++;
  }

  /** The error as it is passed over; `null` where it is not. */
  passOver(error: unknown, position: number): CorruptRecordError | null {
    const isKnown = error instanceof CorruptRecordError && error.nextOffset > position;
    return isKnown && this.#policy === 'skip' ? error : null;
  }

  /** The error is thrown now: whoever reads on after that has the bytes fetched once more. */
  thrown(): void {
    this.#refetches = MOST_REFETCHES - 1;
  }

  /** The error has to be thrown before anything else is tried. */
  exhaust(): void {
    this.#refetches = MOST_REFETCHES;
  }
}
