import { gzipSync } from 'node:zlib';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { DecompressionError } from '../../../src/protocol/compression/codec.ts';
import { gzip } from '../../../src/protocol/compression/gzip.ts';

// A compressor that shares nothing with the decompressors under test.
const { compress } = createRequire(import.meta.url)('snappyjs') as { compress: (bytes: Buffer) => Buffer };

const LIMIT = 1 << 20;
const XERIAL_HEADER = Buffer.from('82534e41505059000000000100000001', 'hex');

async function loadSnappy(pure: string) {
  vi.resetModules();
  vi.stubEnv('SAMSA_PURE', pure);
  const { snappy } = await import('../../../src/protocol/compression/snappy.ts');
  expect(snappy.implementation).toMatch(pure === '1' ? 'pure' : 'native');
  return snappy;
}

function xerial(...blocks: Buffer[]): Buffer {
  return Buffer.concat([XERIAL_HEADER, ...blocks.flatMap((block) => [int32(block.length), block])]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** `'corrupt'`, `'too-large'`, or the error that must not be. */
function failure(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    // By name: each load of the modules has a class of its own.
    return error instanceof Error && error.name === 'DecompressionError' ? (error as DecompressionError).kind : error;
  }
  return 'no error';
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('gzip', () => {
  test('several members are one stream', () => {
    const bytes = Buffer.concat([gzipSync('one '), gzipSync(''), gzipSync('two')]);
    expect(gzip.decompress(bytes, LIMIT).toString()).toBe('one two');
  });

  test('stops at the limit, in the middle of a bomb', () => {
    const bomb = gzipSync(Buffer.alloc(50 << 20));
    const before = process.memoryUsage().arrayBuffers;
    expect(failure(() => gzip.decompress(bomb, LIMIT))).toBe('too-large');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * LIMIT);
    expect(gzip.decompress(gzipSync(Buffer.alloc(LIMIT)), LIMIT)).toHaveLength(LIMIT);
    expect(failure(() => gzip.decompress(gzipSync(Buffer.alloc(LIMIT + 1)), LIMIT))).toBe('too-large');
  });

  test('does not believe the size in the trailer', () => {
    const bytes = Buffer.from('some text, '.repeat(5000));
    for (const size of [0, 1, 0x7fffffff, 0xffffffff]) {
      const forged = Buffer.concat([gzipSync(bytes), gzipSync('')]);
      forged.writeUInt32LE(size, forged.length - 4);
      const before = process.memoryUsage().arrayBuffers;
      const kind = failure(() => gzip.decompress(forged, LIMIT));
      expect(kind).toBe(size === 0 ? 'no error' : 'corrupt');
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * LIMIT);
    }
    expect(gzip.decompress(Buffer.concat([gzipSync(bytes), gzipSync('')]), LIMIT).equals(bytes)).toBe(true);
  });

  test('gives memory that nothing else shares', () => {
    const small = gzip.decompress(gzipSync('small'), LIMIT);
    expect(small.buffer).not.toBe(Buffer.from('another small one').buffer);
    expect(small.byteOffset).toBe(0);
  });

  test('cut, changed or not gzip at all', () => {
    const whole = gzipSync('some text that is compressed');
    for (let length = 0; length < whole.length; length++) {
      expect(failure(() => gzip.decompress(whole.subarray(0, length), LIMIT))).toBe('corrupt');
    }
    expect(failure(() => gzip.decompress(Buffer.from('plain'), LIMIT))).toBe('corrupt');
  });
});

describe.each(['', '1'])('snappy, SAMSA_PURE=%j', (pure) => {
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
    fc.array(fc.constantFrom('a', 'bc', 'record', 'x'.repeat(70)), { maxLength: 2000 }).map((words) => {
      return Buffer.from(words.join(''));
    }),
  );

  test('raw blocks', async () => {
    const snappy = await loadSnappy(pure);
    fc.assert(fc.property(payload, (bytes) => snappy.decompress(compress(bytes), LIMIT).equals(bytes)));
  });

  test('xerial frames, and streams one after the other', async () => {
    const snappy = await loadSnappy(pure);
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 4 }), (parts) => {
        const frame = xerial(...parts.map(compress));
        expect(snappy.decompress(frame, LIMIT).equals(Buffer.concat(parts))).toBe(true);
        const twice = Buffer.concat([frame, frame]);
        expect(snappy.decompress(twice, LIMIT).equals(Buffer.concat([...parts, ...parts]))).toBe(true);
      }),
    );
  });

  test('elements that compressors make rarely', async () => {
    const snappy = await loadSnappy(pure);
    const decoded = (hex: string): string => snappy.decompress(Buffer.from(hex, 'hex'), LIMIT).toString();
    const long = Buffer.alloc(70_000, 'z').toString('hex');
    expect(decoded('00')).toBe('');
    expect(decoded('02046162')).toBe('ab');
    expect(decoded('06' + '046162' + '0102')).toBe('ababab'); // 1-byte offset, overlapping
    expect(decoded('05' + '046162' + '0a0100')).toBe('abbbb'); // 2-byte offset
    expect(decoded('05' + '046162' + '0b02000000')).toBe('ababa'); // 4-byte offset
    expect(decoded('46' + 'f045' + long.slice(0, 140))).toBe('z'.repeat(70)); // literals: length in 1 to 4 bytes
    expect(decoded('46' + 'f44500' + long.slice(0, 140))).toBe('z'.repeat(70));
    expect(decoded('f0a204' + 'f86f1101' + long)).toBe('z'.repeat(70_000));
    expect(decoded('f0a204' + 'fc6f110100' + long)).toBe('z'.repeat(70_000));
  });

  test('a size beyond the limit is refused before anything is allocated', async () => {
    const snappy = await loadSnappy(pure);
    const block = compress(Buffer.alloc(60_000));
    expect(failure(() => snappy.decompress(block, 59_999))).toBe('too-large');
    expect(failure(() => snappy.decompress(xerial(block, block), 119_999))).toBe('too-large');
    expect(snappy.decompress(xerial(block, block), 120_000)).toHaveLength(120_000);
    // 4 GiB announced by six bytes: no ratio of the format allows it.
    expect(failure(() => snappy.decompress(Buffer.from('ffffffff0f00', 'hex'), 2 ** 40))).toBe('corrupt');
  });

  test.each([
    ['nothing at all', ''],
    ['a preamble without an end', 'ffffffffffff'],
    ['no elements', '05'],
    // What keeps the package snappyjs busy for ever: a literal of 2^32 - 5 bytes, read as -5.
    ['a literal of a negative length', '0afcfaffffff0000000000000000'],
    ['a literal cut off', '050c6162'],
    ['a literal length cut off', '05f4'],
    ['a literal longer than announced', '020c61626364'],
    ['fewer bytes than announced', '05046162'],
    ['a copy from before the start', '0600610905'],
    ['a copy from nowhere', '0600610100'],
    ['a copy cut off', '06006101'],
    ['a copy longer than announced', '0300610d01'],
    ['a xerial header alone and a half length', `${XERIAL_HEADER.toString('hex')}0000`],
    ['a xerial block of a negative length', `${XERIAL_HEADER.toString('hex')}ffffffff00`],
    ['a copy from the block before', `${XERIAL_HEADER.toString('hex')}000000040204616200000003040101`],
    ['a xerial block cut off', `${XERIAL_HEADER.toString('hex')}0000000500`],
  ])('%s is corrupt', async (_, hex) => {
    const snappy = await loadSnappy(pure);
    expect(failure(() => snappy.decompress(Buffer.from(hex, 'hex'), LIMIT))).toBe('corrupt');
  });
});

test('native and pure agree on every changed block', async () => {
  const native = await loadSnappy('');
  const pure = await loadSnappy('1');
  const outcome = (snappy: typeof native, bytes: Buffer): unknown => {
    let result: unknown = null;
    const kind = failure(() => {
      result = snappy.decompress(bytes, LIMIT).toString('hex');
    });
    return [kind, result];
  };
  const text = fc.array(fc.constantFrom('a', 'bc', 'record', 'x'.repeat(70)), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(text, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }), (words, changes) => {
      const block = Buffer.from(compress(Buffer.from(words.join(''))));
      for (const [at, value] of changes) block[at % block.length] = value;
      expect(outcome(pure, block)).toEqual(outcome(native, block));
    }),
    { numRuns: 5000 },
  );
});
