import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { CorruptRecordError } from '../../../src/errors.ts';
import { vectors, type Vector } from './vectors.ts';

/** Loaded anew: the choice between native and pure falls once per load. */
async function load(pure: string) {
  vi.resetModules();
  vi.stubEnv('SAMSA_PURE', pure);
  return {
    ...(await import('../../conformance/records.ts')),
    ...(await import('../../../src/protocol/record-batch.ts')),
    ...(await import('../../../src/protocol/open-batch.ts')),
    ...(await import('../../../src/protocol/record-cursor.ts')),
    ...(await import('../../../src/protocol/crc32c.ts')),
    ...(await import('../../../src/protocol/compression/snappy.ts')),
    errors: await import('../../../src/errors.ts'),
  };
}

test('all of the vectors are here', () => {
  expect(vectors.length).toBeGreaterThanOrEqual(70);
});

describe.each([
  { implementation: 'native', pure: '' },
  { implementation: 'pure', pure: '1' },
])('$implementation', ({ implementation, pure }) => {
  let lib: Awaited<ReturnType<typeof load>>;

  beforeAll(async () => {
    lib = await load(pure);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
  });

  test('is what runs', () => {
    expect(lib.crc32cImplementation()).toBe(implementation);
    expect(lib.snappy.implementation).toMatch(implementation);
  });

  test.each(vectors)('$name', ({ name, bin, json }) => {
    expect(lib.runRecordCase(name, bin, json)).toEqual([]);
  });

  test.each(vectors)('$name at an odd offset of a larger buffer', ({ name, bin, json }) => {
    const larger = Buffer.alloc(bin.length + 14, 0xff);
    bin.copy(larger, 7);
    expect(lib.runRecordCase(name, larger.subarray(7, 7 + bin.length), json)).toEqual([]);
  });

  // A cut is never an error: the whole batches before it, then the end.
  test.each(vectors.filter(({ json, bin }) => json.error === undefined && bin.length < 4096))(
    '$name cut at every length',
    ({ bin, json }) => {
      const ends = batchEnds(bin);
      for (let length = 0; length < bin.length; length++) {
        const reader = new lib.WireBatchReader(bin.subarray(0, length), { topic: 't', partition: 0 });
        let count = 0;
        while (reader.next() !== null) count++;
        expect(count).toBe(ends.filter((end) => end <= length).length);
        expect(reader.position).toBe(count === 0 ? 0 : ends[count - 1]);
      }
      expect(ends).toHaveLength(json.batches.length);
    },
  );
});

test('the comparison notices what differs', async () => {
  const { runRecordCase } = await load('');
  const good = vectorNamed('v2-none');
  const changed = (change: (json: typeof good.json) => void): string[] => {
    const json = structuredClone(good.json);
    change(json);
    return runRecordCase('v2-none', good.bin, json);
  };
  expect(changed((json) => Object.assign(json, { error: 'CorruptRecordError' }))).toHaveLength(1);
  expect(changed((json) => json.batches.pop())).toHaveLength(1);
  expect(changed((json) => json.batches.push(...json.batches))).toHaveLength(1);
  expect(changed((json) => Object.assign(json.batches[0] ?? {}, { producerId: '5' }))).toHaveLength(1);
  expect(changed((json) => Object.assign(json.batches[0] ?? {}, { lastOffset: '5' }))).toHaveLength(2);
  expect(changed((json) => Object.assign(json.batches[0]?.records[3] ?? {}, { timestamp: '5' }))).toHaveLength(1);
  expect(changed((json) => json.batches[0]?.records[1]?.headers.pop())).toHaveLength(1);
  expect(changed((json) => Object.assign(json, { readCommittedOffsets: [] }))).toHaveLength(1);
});

test('errors say topic, partition, offset and position', async () => {
  const { openBatch, WireBatchReader, RecordCursor, errors } = await load('');
  const context = { topic: 'orders', partition: 3 };
  for (const name of ['v2-bad-crc', 'v2-bad-magic', 'v2-forged-record-length', 'v2-forged-varint', 'v2-forged-gzip']) {
    const reader = new WireBatchReader(vectorNamed(name).bin, context);
    const readAll = (): void => {
      for (let batch = reader.next(); batch !== null; batch = reader.next()) {
        const cursor = new RecordCursor(openBatch(batch, context, { checkCrcs: true, maxDecompressedBytes: 1e6 }));
        while (cursor.next() !== undefined);
      }
    };
    let caught: unknown;
    try {
      readAll();
    } catch (error) {
      caught = error;
    }
    expect(caught, name).toBeInstanceOf(errors.CorruptRecordError);
    const { message, topic, partition, offset, position, code } = caught as CorruptRecordError;
    expect({ name, topic, partition, offset, code }).toEqual({ ...context, name, offset: 94847, code: 2 });
    expect(position).toBeGreaterThanOrEqual(464);
    expect(message).toMatch(/^orders-3: batch at offset 94847, /);
  }
});

function vectorNamed(name: string): Vector {
  const found = vectors.find((vector) => vector.name === name);
  if (found === undefined) throw new Error(`no vector ${name}`);
  return found;
}

/** Ends of all batches, computed apart from the reader under test. */
function batchEnds(bin: Buffer): number[] {
  const ends: number[] = [];
  for (let at = 0; at + 12 <= bin.length;) {
    at += 12 + bin.readInt32BE(at + 8);
    if (at > bin.length) break;
    ends.push(at);
  }
  return ends;
}
