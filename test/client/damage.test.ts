/** A batch that cannot be opened, or a record in it that makes no sense, in every way to read, with more than one chunk of data. */
import { describe, expect, it } from 'vitest';
import { HandlerError, type Consumer } from '../../src/index.ts';
import { CorruptRecordError } from '../../src/errors.ts';
import { encodeRecordBatch, sealBatch } from '../../src/testing/record-batch-writer.ts';
import { MockRig } from './mock-rig.ts';
import { T0 } from './consumer-rig.ts';
import { batch, DeliveryRig, offsetsOf } from './partition-rig.ts';

const RECORDS = 10;
const BATCHES = 20;
const END = RECORDS * BATCHES;
/** Records 30 to 39. */
const BAD = 3;
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

type Kind = 'crc' | 'too large' | 'unknown codec' | 'malformed record';
const KINDS: Kind[] = ['crc', 'too large', 'unknown codec', 'malformed record'];
/** Where the sound records end. */
const soundEnd = (kind: Kind): number => (kind === 'malformed record' ? 33 : 30);

function wireBatch(kind: Kind | null): Buffer {
  const bytes = kind === 'too large' ? 20_000 : 100;
  const records = Array.from({ length: RECORDS }, () => ({ key: null, value: Buffer.alloc(bytes, 'x') }));
  const encoded = encodeRecordBatch(records, {
    timestamp: 1,
    ...(kind === 'too large' ? { compression: 'gzip' } : {}),
  });
  if (kind === 'crc') encoded.writeUInt8(encoded.readUInt8(encoded.length - 2) ^ 1, encoded.length - 2);
  if (kind === 'unknown codec') encoded.writeInt16BE(5, 21);
  if (kind === 'malformed record') encoded.writeUInt8(100, 61 + 3 * ((encoded.length - 61) / RECORDS) + 5); // its key
  if (kind !== 'crc') sealBatch(encoded);
  return encoded;
}

async function start(kind: Kind): Promise<MockRig> {
  const rig = await MockRig.start(0);
  for (let i = 0; i < BATCHES; i++) rig.kafka.appendBatch('t', 0, wireBatch(i === BAD ? kind : null));
  return rig;
}

type Style = (consumer: Consumer, take: (offset: number) => void, isDone: () => boolean) => Promise<void>;
const STYLES: Record<string, Style> = {
  'for await': async (consumer, take, isDone) => {
    for await (const { offset } of consumer) {
      take(offset);
      if (isDone()) break;
    }
  },
  'batches()': async (consumer, take, isDone) => {
    for await (const each of consumer.batches()) {
      for (const { offset } of each) take(offset);
      if (isDone()) break;
    }
  },
  'batches(), scanned': async (consumer, take, isDone) => {
    for await (const each of consumer.batches()) {
      each.scan(({ offset }) => take(offset));
      if (isDone()) break;
    }
  },
  poll: async (consumer, take, isDone) => {
    while (!isDone())
      for (const each of await consumer.poll({ timeoutMs: 5000 })) for (const { offset } of each) take(offset);
  },
  read: async (consumer, take, isDone) => {
    while (!isDone()) {
      const record = await consumer.read({ timeoutMs: 5000 });
      if (record !== null) take(record.offset);
    }
  },
  forEach: async (consumer, take, isDone) => {
    const controller = new AbortController();
    await consumer.forEach(
      async ({ offset }) => {
        await Promise.resolve();
        take(offset);
        if (isDone()) controller.abort();
      },
      { signal: controller.signal },
    );
  },
  run: async (consumer, take, isDone) => {
    const controller = new AbortController();
    const consume = async (claim: AsyncIterable<{ offset: number }>): Promise<void> => {
      for await (const { offset } of claim) {
        take(offset);
        if (isDone()) controller.abort();
      }
    };
    await consumer.run({ consume }, { signal: controller.signal });
  },
  'run, by batches': async (consumer, take, isDone) => {
    const controller = new AbortController();
    await consumer.run(
      {
        consume: async (claim) => {
          for await (const each of claim.batches()) {
            for (const { offset } of each) take(offset);
            if (isDone()) controller.abort();
          }
        },
      },
      { signal: controller.signal },
    );
  },
};

/** Reads until record `END - 1`, again after every error. */
async function readAll(style: Style, consumer: Consumer, onError: (error: unknown) => unknown): Promise<number[]> {
  const seen: number[] = [];
  const isDone = (): boolean => seen.at(-1) === END - 1;
  while (!isDone()) {
    try {
      await style(consumer, (offset) => seen.push(offset), isDone);
    } catch (error) {
      await onError(error instanceof HandlerError ? error.cause : error);
    }
  }
  return seen;
}

describe.each(Object.entries(STYLES))('%s', (_, style) => {
  const options = { maxPartitionFetchBytes: 5000, maxDecompressedBytes: 100_000, retryBackoffMs: 1 };

  it.each(KINDS)('%s: nothing after it is delivered or committed until a seek, which takes one step', async (kind) => {
    const rig = await start(kind);
    const consumer = rig.consumer(options);
    consumer.on('error', () => undefined);
    consumer.assign([{ ...T0, offset: 0 }]);
    const errors: CorruptRecordError[] = [];
    const seen = await readAll(style, consumer, async (error) => {
      if (!(error instanceof CorruptRecordError)) throw error;
      errors.push(error);
      if (errors.length < 4) return;
      expect(await consumer.position(T0)).toBe(soundEnd(kind));
      await consumer.commit();
      expect(rig.committed()).toBe(soundEnd(kind));
      consumer.seek(error, error.nextOffset);
    });
    expect(errors).toHaveLength(4);
    expect(errors[0]).toMatchObject({ topic: 't', partition: 0, offset: 30, nextOffset: 40 });
    // By batches the sound part of a batch comes again, for the loop was left before it was finished.
    expect([...new Set(seen)]).toEqual([...range(0, soundEnd(kind)), ...range(40, END)]);
    await consumer.poll({ timeoutMs: 0 }); // the last one again, where a loop was left
    await consumer.commit();
    expect(rig.committed()).toBe(END);
  });

  it.each(KINDS)("%s, onCorruptBatch 'skip': the rest of the batch is passed over and told once", async (kind) => {
    const rig = await start(kind);
    const consumer = rig.consumer({ ...options, onCorruptBatch: 'skip' });
    const told: unknown[] = [];
    consumer.on('error', (error) => told.push(error));
    consumer.assign([{ ...T0, offset: 0 }]);
    const seen = await readAll(style, consumer, (error) => {
      throw error;
    });
    expect(seen).toEqual([...range(0, soundEnd(kind)), ...range(40, END)]);
    expect(told).toEqual([expect.objectContaining({ offset: 30, nextOffset: 40 })]);
    expect(consumer.metrics().skippedBatches).toBe(1);
    await consumer.poll({ timeoutMs: 0 }); // the last one again, where a loop was left
    await consumer.commit();
    expect(rig.committed()).toBe(END);
  });
});

describe('a failed CRC', () => {
  const flipped = (baseOffset: number, count: number): Buffer => {
    const bytes = batch(baseOffset, count);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 2) ^ 1, bytes.length - 2);
    return bytes;
  };
  const read = (rig: DeliveryRig): number | null | string => {
    try {
      return rig.delivery.nextRecord()?.offset ?? null;
    } catch (error) {
      return (error as Error).name;
    } finally {
      rig.delivery.finishInHand();
    }
  };

  it('is fetched again three times, with back-off, before it is thrown; the next read tries once more', () => {
    const rig = new DeliveryRig();
    const partition = rig.assign(0);
    rig.add(partition, 6, 6, batch(0, 2), flipped(2, 2), batch(4, 2));
    expect([read(rig), read(rig)]).toEqual([0, 1]);
    for (const attempt of [0, 1, 2]) {
      expect(read(rig)).toBe(null);
      expect(rig.refetched.at(-1)).toEqual({ partition: 0, position: 2, attempt });
      expect(rig.outstanding).toBe(0);
      rig.add(partition, 6, 6, flipped(2, 2), batch(4, 2));
    }
    expect(rig.halted).toEqual([]);
    expect(read(rig)).toBe('CorruptRecordError');
    expect(rig.halted).toEqual([0]);
    expect(rig.committable()).toEqual({ 0: 2 });
    for (let i = 0; i < 2; i++) {
      expect(read(rig)).toBe(null); // fetched again
      rig.add(partition, 6, 6, flipped(2, 2), batch(4, 2));
      expect(read(rig)).toBe('CorruptRecordError');
    }
    expect(read(rig)).toBe(null);
    rig.add(partition, 6, 6, batch(2, 2), batch(4, 2));
    expect(rig.drain()).toEqual([2, 3, 4, 5]);
    expect(rig.committable()).toEqual({ 0: 6 });
  });

  it('is over with the first batch that is sound', () => {
    const rig = new DeliveryRig();
    const partition = rig.assign(0);
    for (let i = 0; i < 20; i++) {
      rig.add(partition, i + 1, 20, flipped(i, 1));
      expect(read(rig)).toBe(null);
      rig.add(partition, i + 1, 20, batch(i, 1));
      expect(read(rig)).toBe(i);
    }
  });
});

describe('a partition that has failed', () => {
  const broken = (baseOffset: number): Buffer => {
    const bytes = batch(baseOffset, 2);
    bytes.writeInt32BE(1_000_000, 57); // record count
    sealBatch(bytes);
    return bytes;
  };

  it('takes nothing more, is fetched no more, and no reset moves it', () => {
    const rig = new DeliveryRig();
    const partition = rig.assign(0);
    rig.add(partition, 4, 4, broken(0), batch(2, 2));
    expect(() => rig.delivery.nextRecord()).toThrow();
    expect(rig.halted).toEqual([0]);
    rig.add(partition, 6, 6, batch(4, 2)); // was under way
    expect(rig.outstanding).toBe(0);
    partition.startAt(9, true);
    expect(partition.position).toBe(0);
    expect(() => rig.delivery.nextRecord()).toThrow();
    rig.seek(partition, 2);
    rig.add(partition, 4, 4, batch(2, 2));
    expect(rig.drain()).toEqual([2, 3]);
  });

  it('a header whose end is damaged sends nobody past the next batch', () => {
    for (const onCorruptBatch of ['fail', 'skip'] as const) {
      const rig = new DeliveryRig({ onCorruptBatch });
      const partition = rig.assign(0);
      for (let i = 0; i < 4; i++) {
        const damaged = batch(0, 2);
        damaged.writeInt32BE(1000, 23); // last offset delta; the CRC does not fit any more
        rig.add(partition, 4, 4, damaged, batch(2, 2));
        if (i < 3) expect(rig.delivery.nextRecord()).toBe(null);
      }
      if (onCorruptBatch === 'skip') expect(rig.drain()).toEqual([2, 3]);
      else expect(() => rig.delivery.nextRecord()).toThrow(expect.objectContaining({ nextOffset: 2 }));
    }
  });

  it('a malformed record in a batch that poll() gave: commit(batch) covers what lies before it', () => {
    const rig = new DeliveryRig();
    const partition = rig.assign(0);
    const malformed = batch(2, 4);
    malformed.writeUInt8(100, 61 + 2 * ((malformed.length - 61) / 4) + 4);
    sealBatch(malformed);
    rig.add(partition, 8, 8, batch(0, 2), malformed, batch(6, 2));
    const given = rig.delivery.nextBatch(500);
    expect(given?.nextOffset).toBe(8);
    expect(() => offsetsOf(given)).toThrow(expect.objectContaining({ offset: 2, nextOffset: 6 }));
    expect(() => offsetsOf(given)).toThrow(); // again
    expect(given?.nextOffset).toBe(4);
    rig.delivery.finishInHand();
    expect(rig.committable()).toEqual({ 0: 4 });
    expect(() => rig.delivery.nextBatch(500)).toThrow(expect.objectContaining({ offset: 2 }));
    expect(rig.outstanding).toBe(0);
  });
});
