/** Deliveries fed by hand, with the bytes that they give back counted. */
import type { FetchedRecords } from '../../src/fetch/partition.ts';
import type { ChunkReader } from '../../src/client/chunk-reader.ts';
import { Delivery } from '../../src/client/delivery.ts';
import { Frames } from '../../src/client/frames.ts';
import { OpenedBytes } from '../../src/client/opened-bytes.ts';
import type { OnCorruptBatch } from '../../src/client/damage.ts';
import type { PartitionDelivery } from '../../src/client/partition-delivery.ts';
import type { CorruptRecordError } from '../../src/errors.ts';
import type { RecordBatch } from '../../src/client/record-batch.ts';
import { encodeRecordBatch, type BatchOptions } from '../../src/testing/record-batch-writer.ts';

export type Bytes = Buffer | null;

/** Batch of `count` records from `baseOffset` on, whose values are their offsets. */
export function batch(baseOffset: number, count: number, options: BatchOptions = {}): Buffer {
  const records = Array.from({ length: count }, (_, i) => ({ value: String(baseOffset + i) }));
  return encodeRecordBatch(records, { baseOffset, timestamp: 1, partitionLeaderEpoch: 3, ...options });
}

/** As compaction leaves it: the last offsets of the batch have no record any more. */
export function compacted(baseOffset: number, count: number, lastOffset: number): Buffer {
  const bytes = batch(baseOffset, count);
  bytes.writeInt32BE(lastOffset - baseOffset, 23);
  return bytes; // for deliveries that do not check CRCs
}

export class DeliveryRig {
  /** Bytes added and not yet released. */
  outstanding = 0;
  released: { partition: number; epoch: number; bytes: number }[] = [];
  available = 0;
  /** What was asked for again: where, and in which attempt. */
  refetched: { partition: number; position: number; attempt: number }[] = [];
  /** Partitions that the engine fetches no more. */
  halted: number[] = [];
  passedOver: CorruptRecordError[] = [];
  readonly delivery: Delivery<Bytes, Bytes>;
  readonly frames: Frames<ChunkReader>;
  readonly opened: OpenedBytes;
  #epoch = 0;
  #nextFetch = new Map<number, number>();

  constructor({
    turn = 500,
    checkCrcs = true,
    mostWasteBytes = Infinity,
    onCorruptBatch = 'fail',
    budget = 1 << 30,
  }: {
    turn?: number;
    checkCrcs?: boolean;
    mostWasteBytes?: number;
    onCorruptBatch?: OnCorruptBatch;
    budget?: number;
  } = {}) {
    this.frames = new Frames(mostWasteBytes);
    this.opened = new OpenedBytes(budget);
    this.delivery = new Delivery(
      {
        checkCrcs,
        maxDecompressedBytes: 1 << 20,
        deserializers: {},
        frames: this.frames,
        opened: this.opened,
        release: ({ partition, epoch }, bytes) => {
          this.outstanding -= bytes;
          this.released.push({ partition, epoch, bytes });
        },
        damage: {
          policy: onCorruptBatch,
          refetch: (delivery, attempt) => {
            const { partition, position } = delivery;
            delivery.fetchEpoch = ++this.#epoch;
            this.#nextFetch.set(partition, position);
            this.refetched.push({ partition, position, attempt });
          },
          halt: ({ partition }) => this.halted.push(partition),
          passedOver: (error) => this.passedOver.push(error),
        },
      },
      turn,
      () => this.available++,
    );
  }

  assign(partition: number, position = 0): PartitionDelivery<Bytes, Bytes> {
    const delivery = this.delivery.assign('t', partition, ++this.#epoch);
    delivery.startAt(position, false);
    this.#nextFetch.set(partition, position);
    return delivery;
  }

  seek(delivery: PartitionDelivery<Bytes, Bytes>, position: number): void {
    this.delivery.seek(delivery, ++this.#epoch, position);
    this.#nextFetch.set(delivery.partition, position);
  }

  /** As one answer brings them. */
  add(
    delivery: PartitionDelivery<Bytes, Bytes>,
    nextOffset: number,
    highWatermark: number,
    ...batches: Buffer[]
  ): void {
    const { topic, partition, fetchEpoch: epoch } = delivery;
    const bytes = batches.length === 1 && batches[0] !== undefined ? batches[0] : Buffer.concat(batches);
    this.outstanding += bytes.length;
    const fetchOffset = this.#nextFetch.get(partition) ?? 0;
    this.#nextFetch.set(partition, nextOffset);
    const records: FetchedRecords = {
      type: 'records',
      topic,
      partition,
      epoch,
      bytes,
      fetchOffset,
      nextOffset,
      highWatermark,
      endOffset: highWatermark,
      abortedTransactions: [],
    };
    this.delivery.add(delivery, records);
  }

  /** Offsets of all the records that are there, one by one. */
  drain(): number[] {
    const offsets: number[] = [];
    for (let record = this.delivery.nextRecord(); record !== null; record = this.delivery.nextRecord()) {
      offsets.push(record.offset);
      this.delivery.finishInHand();
    }
    return offsets;
  }

  committable(): Record<string, number> {
    return Object.fromEntries(this.delivery.uncommitted().map(({ partition, offset }) => [partition, offset]));
  }
}

export function offsetsOf(batch: RecordBatch | null | undefined): number[] {
  return batch === null || batch === undefined ? [] : [...batch].map(({ offset }) => offset);
}
