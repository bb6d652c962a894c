import type { TopicPartition } from '../fetch/partition.ts';
import type { OpenOptions } from '../protocol/open-batch.ts';
import type { Deserializers } from '../protocol/record.ts';
import type { ChunkReader } from './chunk-reader.ts';
import type { DamageHost } from './damage.ts';
import type { Frames } from './frames.ts';
import type { PartitionStanding } from './partition-standing.ts';

/** What all partitions share on their way to the application. */
export interface DeliveryOptions extends OpenOptions {
  deserializers: Deserializers;
  /** Of all partitions. */
  frames: Frames<ChunkReader>;
  /** Bytes of a chunk are used up or dropped. */
  release: (partition: TopicPartition & { epoch: number }, bytes: number) => void;
  damage: DamageHost<PartitionStanding>;
}
