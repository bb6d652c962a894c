import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzipSync } from 'node:zlib';
import Long from 'long';
import { describe, expect, it, vi } from 'vitest';
import { ChunkReader, type ChunkStep } from '../../src/client/chunk-reader.ts';
import { OpenedBytes } from '../../src/client/opened-bytes.ts';
import { CorruptRecordError } from '../../src/errors.ts';
import type { FetchedRecords } from '../../src/fetch/partition.ts';
import { codecTable } from '../../src/protocol/compression/codecs.ts';
import { RecordCursor } from '../../src/protocol/record-cursor.ts';
import { encodeRecordBatch } from '../../src/testing/record-batch-writer.ts';
import { batch, DeliveryRig } from './partition-rig.ts';

const OPTIONS = { checkCrcs: true, maxDecompressedBytes: 10 << 20, opened: new OpenedBytes(1 << 30) };
const QUIET = { isWanted: () => true, onOpened: () => undefined, onMoved: () => undefined };
const ABORT = { key: Buffer.from([0, 0, 0, 0]), value: Buffer.alloc(6) };
const COMMIT = { key: Buffer.from([0, 0, 0, 1]), value: Buffer.alloc(6) };

/** One that is worth the way to another thread. */
function large(baseOffset: number): Buffer {
  return encodeRecordBatch([{ value: randomBytes(200_000) }, { value: 'end' }], { baseOffset, compression: 'gzip' });
}

function fetched(bytes: Buffer[], aborted: [producerId: number, firstOffset: number][] = []): FetchedRecords {
  return {
    type: 'records',
    topic: 't',
    partition: 0,
    epoch: 1,
    bytes: Buffer.concat(bytes),
    fetchOffset: 0,
    nextOffset: 100,
    highWatermark: 100,
    endOffset: 100,
    abortedTransactions: aborted.map(([producerId, firstOffset]) => {
      return { producerId: Long.fromNumber(producerId), firstOffset: Long.fromNumber(firstOffset) };
    }),
  };
}

function offsetsIn(step: ChunkStep | null): number[] {
  const offsets: number[] = [];
  const cursor = step?.source == null ? null : new RecordCursor(step.source);
  for (let record = cursor?.next(); record !== undefined; record = cursor?.next()) offsets.push(record.offset);
  return offsets;
}

describe('large compressed batches', () => {
  it('come later, in their order, the next one while the application has the first', async () => {
    const onOpened = vi.fn();
    const chunk = new ChunkReader(fetched([large(0), large(2), batch(4, 2)]), 1, OPTIONS, { ...QUIET, onOpened });
    expect(chunk.next(0)).toBeNull();
    expect(chunk.isWaiting).toBe(true);
    expect(chunk.next(0)).toBeNull();
    await vi.waitFor(() => expect(onOpened).toHaveBeenCalledTimes(1));
    expect(offsetsIn(chunk.next(0))).toEqual([0, 1]);
    // Nobody has asked for the second one yet.
    await vi.waitFor(() => expect(onOpened).toHaveBeenCalledTimes(2));
    expect(chunk.isUsedUp).toBe(false);
    expect(offsetsIn(chunk.next(2))).toEqual([2, 3]);
    expect(offsetsIn(chunk.next(4))).toEqual([4, 5]);
    expect([chunk.isUsedUp, chunk.next(6)]).toEqual([true, null]);
  });

  it('a damaged one is thrown when it is its turn', async () => {
    const bad = large(2);
    bad.writeUInt32BE(0, 17); // CRC
    const chunk = new ChunkReader(fetched([large(0), bad]), 1, OPTIONS, QUIET);
    chunk.next(0);
    await vi.waitFor(() => expect(chunk.isWaiting).toBe(false));
    expect(offsetsIn(chunk.next(0))).toEqual([0, 1]);
    await vi.waitFor(() => expect(chunk.isWaiting).toBe(false));
    expect(() => chunk.next(2)).toThrow(CorruptRecordError);
    const alone = new ChunkReader(fetched([bad]), 1, OPTIONS, { ...QUIET, onOpened: () => expect.unreachable() });
    expect(() => alone.next(2)).toThrow(CorruptRecordError);
  });

  it("a codec of the application's own, asynchronous and failing", async () => {
    const table = (decompressAsync: () => Promise<Uint8Array>) =>
      codecTable({ gzip: { decompress: () => expect.unreachable(), decompressAsync } });
    for (const decompressAsync of [
      () => Promise.reject(new Error('no')),
      () => Promise.resolve('text' as unknown as Uint8Array),
      () => Promise.resolve(new Uint8Array(OPTIONS.maxDecompressedBytes + 1)),
    ]) {
      const options = { ...OPTIONS, codecs: table(decompressAsync) };
      const chunk = new ChunkReader(fetched([large(0)]), 1, options, QUIET);
      chunk.next(0);
      await vi.waitFor(() => expect(chunk.isWaiting).toBe(false));
      expect(() => chunk.next(0)).toThrow(CorruptRecordError);
    }
    // Which throws, or gives no promise: at once.
    for (const decompressAsync of [
      () => expect.unreachable('boom'),
      () => undefined as unknown as Promise<Uint8Array>,
    ]) {
      const chunk = new ChunkReader(fetched([large(0)]), 1, { ...OPTIONS, codecs: table(decompressAsync) }, QUIET);
      expect(() => chunk.next(0)).toThrow(CorruptRecordError);
    }
  });

  it('through the delivery: nothing now, then all of it, and nothing after a seek', async () => {
    const rig = new DeliveryRig();
    const partition = rig.assign(0);
    rig.add(partition, 4, 4, large(0), large(2));
    expect(rig.delivery.nextRecord()).toBeNull();
    expect(partition.isAtEnd).toBe(false);
    const offsets: number[] = [];
    await vi.waitFor(() => {
      offsets.push(...rig.drain());
      expect(offsets).toHaveLength(4);
    });
    expect(offsets).toEqual([0, 1, 2, 3]);
    expect(rig.outstanding).toBe(0);

    const before = rig.available;
    rig.seek(partition, 0);
    rig.add(partition, 2, 4, large(0));
    expect(rig.delivery.nextBatch(10)).toBeNull();
    rig.seek(partition, 77);
    rig.add(partition, 78, 78, batch(77, 1));
    expect(rig.drain()).toEqual([77]);
    await promisify(gunzip)(gzipSync(randomBytes(400_000))); // the old one was inflated before this, for nobody
    expect(rig.drain()).toEqual([]);
    expect(rig.available).toBe(before + 2); // one for each answer, none for what was dropped
  });
});

describe('read_committed', () => {
  const of = (producerId: number, baseOffset: number): Buffer =>
    batch(baseOffset, 1, { producerId, producerEpoch: 0, baseSequence: 0, transactional: true });
  const marker = (producerId: number, baseOffset: number, what: typeof ABORT): Buffer =>
    encodeRecordBatch([what], { baseOffset, producerId, producerEpoch: 0, transactional: true, control: true });

  function delivered(bytes: Buffer[], aborted: [number, number][]): number[] {
    const chunk = new ChunkReader(fetched(bytes, aborted), 1, OPTIONS, QUIET);
    const offsets: number[] = [];
    for (let step = chunk.next(0); step !== null; step = chunk.next(0)) offsets.push(...offsetsIn(step));
    return offsets;
  }

  it('leaves out what was aborted, from its first offset to its marker, for its producer only', () => {
    const bytes = [of(1, 0), of(2, 1), batch(2, 1), of(1, 3), marker(1, 4, ABORT), of(1, 5), marker(2, 6, COMMIT)];
    expect(delivered(bytes, [[1, 0]])).toEqual([1, 2, 5]);
    expect(delivered(bytes, [])).toEqual([0, 1, 2, 3, 5]);
  });

  it('a transaction that began before this answer, and two of one producer', () => {
    expect(delivered([of(1, 10), marker(1, 11, ABORT), of(1, 12)], [[1, 3]])).toEqual([12]);
    const twice = [of(1, 0), marker(1, 1, ABORT), of(1, 2), marker(1, 3, COMMIT), of(1, 4), marker(1, 5, ABORT)];
    expect(delivered(twice, [[1, 4], [1, 0]])).toEqual([2]); // prettier-ignore
  });
});
