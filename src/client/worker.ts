import type { PartitionDelivery } from './partition-delivery.ts';

/** Is told what it must know of the partitions that it works on. */
export interface Worker<K, V> {
  /** Has come back for records. */
  readonly isIdle: boolean;
  /** These are being given back, or are gone. */
  onBlocked(partitions: readonly PartitionDelivery<K, V>[]): void;
  /** The application reads a partition again after a pause, or what was held back is not any more. */
  onResumed?(): void;
  /** The group does not wait any longer for what works on these. Returns those of them that something does work on. */
  onGivenUp?(partitions: readonly PartitionDelivery<K, V>[]): PartitionDelivery<K, V>[];
  /** Nobody waits for what is still running. */
  onAbandoned(): void;
}
