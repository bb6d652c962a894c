import type { TopicPartition } from '../fetch/partition.ts';
import { codecTable } from '../protocol/compression/codecs.ts';
import type { Deserializers } from '../protocol/record.ts';
import type { ChunkOptions, ChunkReader } from './chunk-reader.ts';
import type { DamageHost } from './damage.ts';
import { Frames } from './frames.ts';
import { OpenedBytes } from './opened-bytes.ts';
import type { ConsumerOptions } from './options.ts';
import type { PartitionStanding } from './partition-standing.ts';
import type { EnginePort } from './port.ts';
import type { Settings } from './validate.ts';

/** What all partitions share on their way to the application. */
export interface DeliveryOptions extends ChunkOptions {
  deserializers: Deserializers;
  /** Of all partitions. */
  frames: Frames<ChunkReader>;
  /** Bytes of a chunk are used up or dropped. */
  release: (partition: TopicPartition & { epoch: number }, bytes: number) => void;
  damage: DamageHost<PartitionStanding>;
}

export function deliveryOptions<K, V>(
  settings: Settings,
  { codecs, keyDeserializer, valueDeserializer }: ConsumerOptions<K, V>,
  engine: EnginePort,
  damage: Pick<DamageHost<PartitionStanding>, 'refetch' | 'passedOver'>,
): DeliveryOptions {
  return {
    checkCrcs: settings.checkCrcs,
    maxDecompressedBytes: settings.maxDecompressedBytes,
    codecs: codecs === undefined ? undefined : codecTable(codecs),
    deserializers: { key: keyDeserializer, value: valueDeserializer },
    frames: new Frames(settings.fetchMaxBytes),
    opened: new OpenedBytes(settings.fetchMaxBytes),
    release: (partition, bytes) => engine.send({ type: 'release', ...partition, bytes }),
    damage: {
      policy: settings.onCorruptBatch,
      halt: ({ topic, partition, fetchEpoch: epoch }) => engine.send({ type: 'halt', topic, partition, epoch }),
      ...damage,
    },
  };
}
