import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WireBatch } from '../../src/protocol/record-batch.ts';
import { PartitionLog } from '../../src/testing/partition-log.ts';
import { encodeRecordBatch, type BatchOptions, type TestRecord } from '../../src/testing/record-batch-writer.ts';
import { valuesIn } from './rig.ts';

const AT = 1_700_000_000_000;

function put(
  log: PartitionLog,
  values: readonly (string | TestRecord)[],
  options: BatchOptions = {},
  epoch = 0,
): number {
  const records = values.map((value) => (typeof value === 'string' ? { value } : value));
  return log.append(encodeRecordBatch(records, { timestamp: AT, ...options }), epoch);
}

function all(log: PartitionLog, from = log.startOffset): string[] {
  return valuesIn(log.read(from, log.endOffset, 1 << 30, true).records);
}

function marker(log: PartitionLog, producerId: number, type: 'commit' | 'abort'): void {
  const key = Buffer.from([0, 0, 0, type === 'commit' ? 1 : 0]);
  put(log, [{ key, value: Buffer.alloc(6) }], { producerId, transactional: true, control: true });
}

describe('PartitionLog', () => {
  it('gives offsets, and keeps the bytes that it was given but for offset and leader epoch', () => {
    const log = new PartitionLog();
    const batch = encodeRecordBatch([{ value: 'a' }, { value: 'b' }], { timestamp: AT });
    const copy = Buffer.from(batch);
    expect([log.append(batch, 0), put(log, ['c'], {}, 7)]).toEqual([0, 2]);
    expect(all(log)).toEqual(['0:a', '1:b', '2:c']);
    expect(log.batches[0]?.bytes.subarray(16)).toEqual(copy.subarray(16));
    expect(new WireBatch(log.batches[1]?.bytes ?? batch, 0).partitionLeaderEpoch).toBe(7);
    expect(log.endOffset).toBe(3);
  });

  it('reads from the batch that has the offset on', () => {
    const log = new PartitionLog();
    put(log, ['a', 'b', 'c']);
    put(log, ['d']);
    expect(all(log, 1)).toEqual(['0:a', '1:b', '2:c', '3:d']);
    expect(all(log, 3)).toEqual(['3:d']);
    expect(all(log, 4)).toEqual([]);
  });

  it('cuts the last batch off at the limit, and gives the first one whole where it must', () => {
    const log = new PartitionLog();
    put(log, ['first']);
    put(log, ['second']);
    const size = log.batches[0]?.bytes.length ?? 0;
    const { records } = log.read(0, 2, size + 10, false);
    expect(records.length).toBe(size + 10);
    expect(valuesIn(records)).toEqual(['0:first']);
    expect(log.read(0, 2, size - 1, false).records.length).toBe(0);
    expect(valuesIn(log.read(0, 2, 1, true).records)).toEqual(['0:first']);
  });

  it('finds records by time, the largest timestamp, and who wrote them', () => {
    const log = new PartitionLog();
    log.beginEpoch(0);
    put(
      log,
      [
        { value: 'a', timestamp: AT },
        { value: 'b', timestamp: AT + 50 },
      ],
      { compression: 'gzip' },
    );
    log.beginEpoch(3);
    put(
      log,
      [
        { value: 'c', timestamp: AT + 20 },
        { value: 'd', timestamp: AT + 70 },
      ],
      {},
      3,
    );
    expect(log.offsetAtTime(AT + 10, 4)).toEqual({ offset: 1, timestamp: AT + 50, leaderEpoch: 0 });
    expect(log.offsetAtTime(AT + 60, 4)).toEqual({ offset: 3, timestamp: AT + 70, leaderEpoch: 3 });
    expect(log.offsetAtTime(AT + 60, 3)).toBeNull();
    expect(log.offsetAtTime(AT + 71, 4)).toBeNull();
    expect(log.maxTimestamp()).toEqual({ offset: 3, timestamp: AT + 70, leaderEpoch: 3 });
  });

  it('knows where epochs end, also of those that wrote nothing, and after truncation', () => {
    const log = new PartitionLog();
    log.beginEpoch(0);
    put(log, ['a', 'b']);
    log.beginEpoch(2);
    log.beginEpoch(5);
    put(log, ['c', 'd'], {}, 5);
    expect(log.endOfEpoch(0)).toEqual({ leaderEpoch: 0, endOffset: 2 });
    expect(log.endOfEpoch(1)).toEqual({ leaderEpoch: 0, endOffset: 2 });
    expect(log.endOfEpoch(3)).toEqual({ leaderEpoch: 0, endOffset: 2 });
    expect(log.endOfEpoch(5)).toEqual({ leaderEpoch: 5, endOffset: 4 });
    expect(log.endOfEpoch(6)).toBeNull();
    log.truncate(1);
    log.beginEpoch(6);
    put(log, ['x', 'y'], {}, 6);
    expect(log.endOfEpoch(5)).toEqual({ leaderEpoch: 0, endOffset: 1 });
    expect(log.endOfEpoch(6)).toEqual({ leaderEpoch: 6, endOffset: 3 });
    expect(log.epochAt(1)).toBe(6);
  });

  it('drops what retention drops', () => {
    const log = new PartitionLog();
    put(log, ['a', 'b']);
    put(log, ['c']);
    log.deleteBefore(1);
    expect(log.startOffset).toBe(1);
    expect(all(log)).toEqual(['0:a', '1:b', '2:c']); // the batch is still there; clients skip what is before their position
    log.deleteBefore(2);
    expect(all(log)).toEqual(['2:c']);
    log.deleteBefore(99);
    expect([log.startOffset, log.endOffset, log.batches.length]).toEqual([3, 3, 0]);
  });

  it('holds read_committed back before an open transaction, and lists what was aborted', () => {
    const log = new PartitionLog();
    put(log, ['plain']);
    put(log, ['a1', 'a2'], { producerId: 1, transactional: true });
    put(log, ['b1'], { producerId: 2, transactional: true });
    expect(log.lastStableOffset).toBe(1);
    marker(log, 1, 'abort');
    expect(log.lastStableOffset).toBe(3);
    marker(log, 2, 'commit');
    expect(log.lastStableOffset).toBe(6);
    const aborted = log
      .abortedBetween(0, 6)
      .map(({ producerId, firstOffset }) => [producerId.toNumber(), firstOffset.toNumber()]);
    expect(aborted).toEqual([[1, 1]]);
    expect(log.abortedBetween(5, 6)).toEqual([]);
    expect(log.abortedBetween(0, 1)).toEqual([]);
    log.truncate(4);
    expect(log.lastStableOffset).toBe(1);
  });

  it('compacts to the last record of each key, with the offsets that they had', () => {
    const log = new PartitionLog();
    put(
      log,
      [
        { key: 'a', value: '1' },
        { key: 'b', value: '2' },
        { key: 'a', value: '3' },
      ],
      { compression: 'gzip' },
    );
    put(log, [{ key: 'c', value: '4' }, { value: 'no key' }]);
    put(log, [{ key: 'b', value: '5', headers: [['h', 'x']] }]);
    put(log, [{ key: 'c', value: '6' }]);
    log.compact();
    expect(all(log)).toEqual(['2:3', '5:5', '6:6']);
    expect(log.batches.map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset])).toEqual([
      [0, 2],
      [5, 5],
      [6, 6],
    ]);
    expect(log.endOffset).toBe(7);
  });

  it('keeps the last batch of a producer, emptied, when compaction has removed its records', () => {
    const log = new PartitionLog();
    put(log, [{ key: 'a', value: '1' }], { producerId: 7, baseSequence: 0 });
    put(log, [{ key: 'a', value: '2' }], { producerId: 7, baseSequence: 1 });
    put(log, [{ key: 'a', value: '3' }]);
    put(log, [{ key: 'b', value: '4' }]);
    log.compact();
    expect(all(log)).toEqual(['2:3', '3:4']);
    const offsets = log.batches.map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset]);
    expect(offsets).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  });

  it('gives back whatever was appended, in any batches, from any offset, within any limit', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 20 }),
        fc.nat(120),
        fc.nat(400),
        (sizes, from, limit) => {
          const log = new PartitionLog();
          let next = 0;
          for (const size of sizes)
            put(
              log,
              Array.from({ length: size }, () => `${next++}`),
            );
          const offset = Math.min(from, next);
          let position = offset;
          const seen: string[] = [];
          while (position < next) {
            const { records, nextOffset } = log.read(position, log.endOffset, limit, true);
            seen.push(...valuesIn(records).filter((each) => Number(each.split(':')[0]) >= position));
            expect(nextOffset).toBeGreaterThan(position);
            position = nextOffset;
          }
          expect(seen).toEqual(
            Array.from({ length: next - offset }, (_, index) => `${offset + index}:${offset + index}`),
          );
        },
      ),
    );
  });
});
