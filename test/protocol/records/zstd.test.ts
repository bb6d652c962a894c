import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Codec } from '../../../src/protocol/compression/codec.ts';
import { xxhash64Low } from '../../../src/protocol/compression/xxhash64.ts';
import { digest, expectSafe, failure, kindOf, loadCodec, outcome, withinMemory } from './codec-tests.ts';
import { frames, type Frame } from './samples.ts';

const LIMIT = 1 << 20;
const all = frames('zst');
/** Of those that are quickly decompressed. */
const indices = [...all.keys()].filter((index) => (all[index]?.bytes.length ?? 0) < 8000);
const small = all.filter(({ bytes }) => bytes.length < 700);
/** Node.js has a decoder of its own from 22.15 on. */
const { zstdCompressSync } = zlib as { zstdCompressSync?: (bytes: Buffer) => Buffer };
const hasNative = zstdCompressSync !== undefined;

interface Block {
  type: 'raw' | 'repeated' | 'compressed' | 'reserved';
  bytes: Buffer;
  /** Default: what `bytes` has. */
  size?: number;
}

interface FrameOptions {
  /** In 1 (single segment), 2, 4 or 8 bytes; default: none. */
  contentSize?: { value: bigint; bytes: 1 | 2 | 4 | 8 };
  checksum?: number;
  dictionaryId?: Buffer;
  reserved?: boolean;
  /** Default 512 KiB. */
  window?: number;
}

function frame(blocks: readonly Block[], options: FrameOptions = {}): Buffer {
  const { contentSize, checksum, dictionaryId = Buffer.alloc(0) } = options;
  const sizeCode = contentSize === undefined ? 0 : [1, 2, 4, 8].indexOf(contentSize.bytes);
  const isSingleSegment = contentSize?.bytes === 1;
  const descriptor =
    (sizeCode << 6) |
    (isSingleSegment ? 0x20 : 0) |
    (options.reserved === true ? 0x08 : 0) |
    (checksum === undefined ? 0 : 0x04) |
    [0, 1, 2, -1, 3].indexOf(dictionaryId.length);
  const parts: Buffer[] = [Buffer.from('28b52ffd', 'hex'), Buffer.of(descriptor)];
  if (!isSingleSegment) parts.push(Buffer.of(options.window ?? 0x48));
  parts.push(dictionaryId);
  if (contentSize !== undefined) {
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(contentSize.value);
    parts.push(size.subarray(0, contentSize.bytes));
  }
  blocks.forEach(({ type, bytes, size = bytes.length }, index) => {
    const head = Buffer.alloc(3);
    const code = ['raw', 'repeated', 'compressed', 'reserved'].indexOf(type);
    head.writeUIntLE((index === blocks.length - 1 ? 1 : 0) | (code << 1) | (size << 3), 0, 3);
    parts.push(head, bytes);
  });
  if (checksum !== undefined) {
    parts.push(Buffer.alloc(4));
    parts.at(-1)?.writeUInt32LE(checksum);
  }
  return Buffer.concat(parts);
}

function raw(text: string): Block {
  return { type: 'raw', bytes: Buffer.from(text) };
}

function compressed(hex: string): Block {
  return { type: 'compressed', bytes: Buffer.from(hex, 'hex') };
}

function repeated(size: number): Block {
  return { type: 'repeated', bytes: Buffer.from('z'), size };
}

function low(text: string): number {
  return xxhash64Low(Buffer.from(text), 0, text.length);
}

/** Literals of one stream by the tree given, and no sequences. */
function huffman(tree: string, stream: string, size: number): Block {
  const head = Buffer.alloc(3);
  head.writeUIntLE(2 | (size << 4) | ((tree.length / 2 + stream.length / 2) << 14), 0, 3);
  return compressed(head.toString('hex') + tree + stream + '00');
}

const skippable = Buffer.from('5f2a4d1803000000616263', 'hex');

afterEach(() => {
  vi.unstubAllEnvs();
});

describe.each([
  { pure: '1', implementation: 'pure' },
  ...(hasNative ? [{ pure: '', implementation: 'node:zlib' }] : []),
])('$implementation', ({ pure, implementation }) => {
  let zstd: Codec;

  beforeEach(async () => {
    zstd = await loadCodec('zstd', pure);
  });

  function text(bytes: Buffer): string {
    return zstd.decompress(bytes, LIMIT).toString();
  }

  test('is what runs', () => {
    expect(zstd.implementation).toBe(implementation);
    expect(all).toHaveLength(40);
  });

  test.each(all)('$name', ({ bytes, content }) => {
    expect(zstd.decompress(bytes, LIMIT).equals(content)).toBe(true);
    expect(zstd.decompress(bytes, content.length).equals(content)).toBe(true);
    if (content.length > 0) expect(failure(() => zstd.decompress(bytes, content.length - 1))).toBe('too-large');
  });

  test.each(all)('$name between others, at an odd offset of a larger buffer', ({ bytes, content }) => {
    const hello = frame([raw('hello')]);
    const larger = Buffer.concat([Buffer.from('odd'), skippable, bytes, hello, bytes, skippable, Buffer.from('tail')]);
    const result = zstd.decompress(larger.subarray(3, larger.length - 4), LIMIT);
    expect(result.equals(Buffer.concat([content, Buffer.from('hello'), content]))).toBe(true);
  });

  test.each(small)('$name cut at every length', ({ bytes }) => {
    for (let length = 0; length < bytes.length; length++) {
      expect(failure(() => zstd.decompress(bytes.subarray(0, length), LIMIT))).toBe('corrupt');
    }
  });

  test.each(small)('$name with every byte changed', ({ name, bytes, content }) => {
    const isChecked = /\.level1(9)?\./.test(name);
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [0x01, 0x02, 0x10, 0x80, 0xff]) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ flip;
        expectSafe(zstd, changed, LIMIT);
        // The checksum tells, or the change makes no difference; but a magic may turn into one that says to skip, and a flag say no checksum.
        if (!isChecked || at <= 4) continue;
        expect(['corrupt', 'too-large', digest(content)]).toContain(outcome(zstd, changed, LIMIT));
      }
    }
  });

  test('changed in several places', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...indices),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
        (index, changes) => {
          const { bytes } = all[index] as Frame; // one of its indices
          const changed = Buffer.from(bytes);
          for (const [at, value] of changed.length > 5 ? changes : []) changed[5 + (at % (bytes.length - 5))] = value;
          expectSafe(zstd, changed, LIMIT);
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('any bytes as a block', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 60 }), (one, other) => {
        const blocks = [raw('start'), ...[one, other].map((bytes) => compressed(Buffer.from(bytes).toString('hex')))];
        expectSafe(zstd, frame(blocks), LIMIT);
      }),
      { numRuns: 5000 },
    );
  });

  test('raw, repeated and empty blocks, and content sizes of every length', () => {
    expect(text(frame([raw('')]))).toBe('');
    expect(text(frame([raw('one '), raw(''), repeated(3), repeated(0), raw(' two')]))).toBe('one zzz two');
    expect(text(frame([raw('hello')], { contentSize: { value: 5n, bytes: 1 } }))).toBe('hello');
    expect(text(frame([repeated(300)], { contentSize: { value: 44n, bytes: 2 } }))).toBe('z'.repeat(300));
    expect(text(frame([raw('hello')], { contentSize: { value: 5n, bytes: 4 } }))).toBe('hello');
    expect(text(frame([raw('hello')], { contentSize: { value: 5n, bytes: 8 } }))).toBe('hello');
    expect(text(frame([raw('hello')], { dictionaryId: Buffer.alloc(2) }))).toBe('hello');
    expect(text(skippable)).toBe('');
    expect(text(Buffer.concat([frame([raw('a')]), skippable, frame([raw('')]), frame([raw('b')])]))).toBe('ab');
  });

  test('the content is compared with its checksum', () => {
    expect(text(frame([raw('hello')], { checksum: low('hello') }))).toBe('hello');
    expect(failure(() => text(frame([raw('hello')], { checksum: low('hellO') })))).toBe('corrupt');
  });

  // Literals (1 byte of head here), the number of sequences, how their tables come, tables, bits from the last byte backwards.
  test('compressed blocks by hand', () => {
    expect(text(frame([compressed('10' + '6162' + '00')]))).toBe('ab'); // raw literals, no sequence
    expect(text(frame([compressed('21' + '61' + '00')]))).toBe('aaaa'); // one literal repeated
    expect(text(frame([compressed('05' + '04' + '61' + '00')]))).toBe('a'.repeat(64)); // the same, its size in 12 bits
    expect(text(frame([compressed('0d' + '0400' + '61' + '00')]))).toBe('a'.repeat(64)); // and in 20
    expect(text(frame([compressed('00' + '00')]))).toBe('');
    // A tree of two weights, 1 for symbol 0 and so 1 for symbol 1: a bit each, behind the highest bit that is set.
    expect(text(frame([huffman('8010', '0b', 3)]))).toBe('\x00\x01\x01');
    // One sequence of codes that take no bits: 2 literals, a match of 3, offset code 0 = the last offset, which is 1 at first.
    expect(text(frame([compressed('18' + '616263' + '01' + '54' + '02' + '00' + '00' + '01')]))).toBe('abbbbc');
    // No literal before it: then code 0 is the second last offset, 4 at first.
    expect(text(frame([raw('wxyz'), compressed('00' + '01' + '54' + '00' + '00' + '00' + '01')]))).toBe('wxyzwxy');
    // Two of them: the second one's offset is the last but one again, which is 1 by now.
    expect(text(frame([raw('wxyz'), compressed('00' + '02' + '54' + '00' + '00' + '00' + '01')]))).toBe('wxyzwxyyyy');
    // Their number in 2 and in 3 bytes.
    expect(text(frame([raw('wxyz'), compressed('00' + '8082' + '54' + '000000' + '01')]))).toHaveLength(4 + 130 * 3);
    expect(text(frame([raw('wxyz'), compressed('00' + 'ff0000' + '54' + '000000' + '01')]))).toHaveLength(
      4 + 32_512 * 3,
    );
  });

  test.each([
    ['nothing at all', Buffer.alloc(0)],
    ['not a frame', Buffer.from('plain text')],
    ['a reserved flag', frame([raw('hello')], { reserved: true })],
    ['a dictionary', frame([raw('hello')], { dictionaryId: Buffer.of(7) })],
    ['a dictionary, its id in 4 bytes', frame([raw('hello')], { dictionaryId: Buffer.of(0, 0, 0, 1) })],
    ['a reserved type of block', frame([{ type: 'reserved', bytes: Buffer.from('hello') }])],
    ['a block above 128 KiB', frame([{ type: 'raw', bytes: Buffer.alloc(131_073) }])],
    ['a repeated block above 128 KiB', frame([repeated(131_073)])],
    ['a block above the window', frame([{ type: 'raw', bytes: Buffer.alloc(1025) }], { window: 0 })],
    ['a block above the single segment', frame([raw('hello')], { contentSize: { value: 4n, bytes: 1 } })],
    ['a content size that is too small', frame([raw('hello')], { contentSize: { value: 4n, bytes: 4 } })],
    ['a content size that is too large', frame([raw('hello')], { contentSize: { value: 6n, bytes: 4 } })],
    ['a content size of 2^64 - 1', frame([raw('hello')], { contentSize: { value: 2n ** 64n - 1n, bytes: 8 } })],
    ['rubbish after a frame', Buffer.concat([frame([raw('hello')]), Buffer.from('rubbish')])],
    ['half a magic after a frame', Buffer.concat([frame([raw('hello')]), Buffer.of(0x28, 0xb5)])],
    ['a skippable frame that is longer than all', Buffer.from('502a4d18ffffffff', 'hex')],
    ['a block without a byte', frame([compressed('')])],
    ['a block of one byte', frame([compressed('00')])],
    ['raw literals cut off', frame([compressed('106100')])],
    ['literals whose size is cut off', frame([compressed('0c00')])],
    ['a repeated literal that is not there', frame([compressed('0d0400')])],
    ['more literals than a block may hold', frame([compressed('fdffff6100')])],
    ['compressed literals whose size is cut off', frame([compressed('0600')])],
    ['compressed literals cut off', frame([compressed('52800104f003')])],
    ['literals by a tree that is not there', frame([compressed('534000010100')])],
    ['no sequences section', frame([compressed('10' + '6162')])],
    ['bytes after the last literal', frame([compressed('10' + '6162' + '00' + '00')])],
    ['a number of sequences cut off', frame([compressed('00' + '80')])],
    ['a long number of sequences cut off', frame([compressed('00' + 'ff01')])],
    ['sequences without modes', frame([compressed('00' + '01')])],
    ['reserved bits in the modes', frame([compressed('00' + '01' + '55' + '000000' + '01')])],
    ['a repeated code cut off', frame([compressed('00' + '01' + '54' + '0000')])],
    ['a literal length code that there is not', frame([compressed('00' + '01' + '54' + '240000' + '01')])],
    ['an offset code that there is not', frame([compressed('00' + '01' + '54' + '002000' + '01')])],
    ['a match length code that there is not', frame([compressed('00' + '01' + '54' + '000035' + '01')])],
    ['tables of a block before, where there is none', frame([compressed('00' + '01' + 'fc' + '01')])],
    ['a bit stream without its last bit', frame([compressed('18' + '616263' + '01' + '54' + '020000' + '00')])],
    ['a bit stream with bits left over', frame([compressed('18' + '616263' + '01' + '54' + '020000' + '02')])],
    ['a bit stream that is too short for the first states', frame([compressed('18' + '616263' + '01' + '00' + '01')])],
    ['more literals used than there are', frame([compressed('10' + '6162' + '01' + '54' + '030000' + '01')])],
    ['a match before the start', frame([compressed('00' + '01' + '54' + '000000' + '01')])],
    ['a table of too many states', frame([raw('wxyz'), compressed('00' + '01' + '94' + '0f00' + '0000' + '01')])],
    ['a table cut off', frame([raw('wxyz'), compressed('00' + '01' + '94' + '00')])],
    ['no Huffman tree', frame([huffman('', '', 1)])],
    ['a Huffman tree cut off', frame([huffman('9f', '01', 1)])],
    ['a Huffman weight of 15', frame([huffman('811f', '01', 1)])],
    ['Huffman weights of 0', frame([huffman('8100', '01', 1)])],
    ['Huffman weights that no weight completes', frame([huffman('8231' + '10', '01', 1)])],
    ['a Huffman tree without its longest codes', frame([huffman('8022', '01', 1)])],
    ['Huffman weights in no bits', frame([huffman('03f00301', '01', 1)])],
    ['literals without a bit stream', frame([huffman('8011', '', 1)])],
    ['literals cut off', frame([huffman('8011', '01', 1)])],
    ['bits after the last literal', frame([huffman('8011', '05', 1)])],
    ['four streams of too few literals', frame([compressed('56800180110001' + '00')])],
    // What keeps the package fzstd busy for ever: a Huffman tree described by a table of one symbol, which takes no bits.
    ['Huffman weights without an end', Buffer.from('28b52ffd005855000052800104f003ff7f0100', 'hex')],
    // What takes it minutes: 98,047 matches of 65,539 bytes, in 18 bytes.
    ['matches without an end', Buffer.from('28b52ffd00584d000000ffffff5400003401', 'hex')],
  ])('%s is corrupt', (_, bytes) => {
    expect(failure(() => zstd.decompress(bytes, LIMIT))).toBe('corrupt');
  });

  test('a bomb stops at the limit', () => {
    const bomb = frame(Array.from({ length: 1000 }, () => repeated(131_072)));
    expect(bomb.length).toBeLessThan(5000);
    expect(withinMemory(3 * LIMIT, () => failure(() => zstd.decompress(bomb, LIMIT)))).toBe('too-large');
    const most = frame(Array.from({ length: 8 }, () => repeated(131_072)));
    expect(zstd.decompress(most, LIMIT)).toHaveLength(LIMIT);
    expect(failure(() => zstd.decompress(most, LIMIT - 1))).toBe('too-large');
  });

  test('an announced size is refused before anything is allocated', () => {
    const blocks = Array.from({ length: 250 }, () => repeated(131_072));
    for (const value of [BigInt(LIMIT) + 1n, 2n ** 24n]) {
      const bytes = frame(blocks, { contentSize: { value, bytes: 8 } });
      expect(withinMemory(0, () => failure(() => zstd.decompress(bytes, LIMIT)))).toBe('too-large');
    }
    for (const value of [2n ** 31n, 2n ** 53n, 2n ** 64n - 1n]) {
      const bytes = frame(blocks, { contentSize: { value, bytes: 8 } });
      expect(withinMemory(0, () => failure(() => zstd.decompress(bytes, LIMIT)))).toBe('corrupt');
    }
  });

  test('a window of any size costs nothing', () => {
    for (const window of [0x80, 0x88, 0xa8, 0xff]) {
      const before = process.memoryUsage().rss;
      expect(text(frame([raw('hello')], { window }))).toBe('hello');
      expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20);
    }
  });

  test('a small result does not keep a large buffer', () => {
    for (const bytes of [
      frame([compressed('21' + '61' + '00')]),
      frame([raw('hello'), compressed('05' + '04' + '61' + '00')]),
    ]) {
      const result = zstd.decompress(bytes, LIMIT);
      expect(result.buffer.byteLength).toBeLessThanOrEqual(result.length * 1.125);
    }
  });
});

describe.skipIf(!hasNative)('native beside pure (Node.js 22.15 or newer)', () => {
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
    fc.array(fc.constantFrom('a', 'bc', 'record', '{"key":', 'x'.repeat(70)), { maxLength: 3000 }).map((words) => {
      return Buffer.from(words.join(''));
    }),
  );

  test('what Node compresses, at every level', async () => {
    const pure = await loadCodec('zstd', '1');
    const native = await loadCodec('zstd', '');
    const compress = zstdCompressSync as unknown as (bytes: Buffer, options: object) => Buffer;
    fc.assert(
      fc.property(payload, fc.integer({ min: -5, max: 19 }), fc.boolean(), (bytes, level, checksum) => {
        const params = { 100: level, 201: checksum ? 1 : 0 }; // ZSTD_c_compressionLevel, ZSTD_c_checksumFlag
        const packed = compress(bytes, { params });
        expect(pure.decompress(packed, LIMIT).equals(bytes)).toBe(true);
        expect(native.decompress(packed, LIMIT).equals(bytes)).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  test('decode a changed frame to the same, or not at all', async () => {
    const pure = await loadCodec('zstd', '1');
    const native = await loadCodec('zstd', '');
    fc.assert(
      fc.property(
        fc.constantFrom(...indices),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 2 }),
        (index, changes) => {
          const { bytes } = all[index] as Frame; // one of its indices
          const changed = Buffer.from(bytes);
          for (const [at, value] of changes) changed[at % bytes.length] = value;
          // The library checks a little less: it takes some literals whose bit stream does not end where it should.
          const ours = outcome(pure, changed, LIMIT);
          if (ours !== 'corrupt') expect(outcome(native, changed, LIMIT)).toBe(ours);
          else expectSafe(native, changed, LIMIT);
        },
      ),
      { numRuns: 5000 },
    );
  });
});

describe('which frames the library gets', () => {
  const hello = frame([raw('hello')]);
  const calls: { bytes: Buffer; options: zlib.ZlibOptions }[] = [];
  let answer: Error | Buffer;

  async function load(): Promise<Codec> {
    calls.length = 0;
    answer = Buffer.from('from the library');
    const call = (bytes: Buffer, options: zlib.ZlibOptions): Error | Buffer => {
      calls.push({ bytes, options });
      return answer;
    };
    vi.doMock('node:zlib', async (original) => ({
      ...(await original<typeof zlib>()),
      default: {
        zstdDecompressSync(bytes: Buffer, options: zlib.ZlibOptions): Buffer {
          const result = call(bytes, options);
          if (result instanceof Error) throw result;
          return result;
        },
        zstdDecompress(
          bytes: Buffer,
          options: zlib.ZlibOptions,
          done: (error: Error | null, result?: Buffer) => void,
        ): void {
          const result = call(bytes, options);
          if (result instanceof Error) done(result);
          else done(null, result);
        },
      },
    }));
    return loadCodec('zstd', '');
  }

  afterEach(() => {
    vi.doUnmock('node:zlib');
  });

  async function both(zstd: Codec, bytes: Buffer, maxBytes: number): Promise<[unknown, unknown]> {
    let result = '';
    const kind = failure(() => {
      result = zstd.decompress(bytes, maxBytes).toString();
    });
    const aside = await new Promise((resolve, reject) => {
      if (zstd.decompressAside === undefined) reject(new Error('nothing aside'));
      else {
        zstd.decompressAside(bytes, maxBytes, (error, decompressed) => {
          resolve(error === null ? decompressed.toString() : kindOf(error));
        });
      }
    });
    return [kind === 'no error' ? result : kind, aside];
  }

  test('single ones, with the limit and the room that they need', async () => {
    const zstd = await load();
    expect(await both(zstd, hello, LIMIT)).toEqual(['from the library', 'from the library']);
    expect(calls).toHaveLength(2);
    for (const { bytes, options } of calls) {
      expect(bytes).toBe(hello);
      expect(options).toEqual({ maxOutputLength: LIMIT, chunkSize: 5 + 64 });
    }
  });

  // Node's decoder stops without an error at a skippable frame and behind the second one.
  test.each([
    ['two frames', Buffer.concat([hello, hello]), 'hellohello'],
    ['a skippable frame before', Buffer.concat([skippable, hello]), 'hello'],
    ['a skippable frame behind', Buffer.concat([hello, skippable]), 'hello'],
    ['a window above 8 MiB and the limit', frame([raw('hello')], { window: 0x69 }), 'hello'],
  ])('not %s', async (_, bytes, expected) => {
    expect(await both(await load(), bytes, LIMIT)).toEqual([expected, expected]);
    expect(calls).toEqual([]);
  });

  test('a window up to the limit, up to 128 MiB', async () => {
    const zstd = await load();
    await both(zstd, frame([raw('hello')], { window: 0x88 }), 128 << 20);
    expect(calls).toHaveLength(2);
    await both(zstd, frame([raw('hello')], { window: 0x89 }), 1024 << 20);
    expect(calls).toHaveLength(2);
  });

  test('its errors and what it gives too much are ours', async () => {
    const zstd = await load();
    answer = new Error('Data corruption detected');
    expect(await both(zstd, hello, LIMIT)).toEqual(['corrupt', 'corrupt']);
    answer = Object.assign(new RangeError('Cannot create a Buffer larger than 5 bytes'), {
      code: 'ERR_BUFFER_TOO_LARGE',
    });
    expect(await both(zstd, hello, 5)).toEqual(['too-large', 'too-large']);
    answer = Buffer.alloc(6);
    expect(await both(zstd, hello, 5)).toEqual(['too-large', 'too-large']);
  });
});

// The check values of the algorithm's own repository, for seed 0; longer ones are in the frames with checksums.
test.each([
  ['', 0x51d8e999],
  ['a', 0xa98c6e5b],
  ['abc', 0xad770999],
  ['Nobody inspects the spammish repetition', 0x8a378bf1],
])('XXH64 of %j, its lower half', (content, expected) => {
  const bytes = Buffer.from(`..${content}..`);
  expect(xxhash64Low(bytes, 2, bytes.length - 2)).toBe(expected);
});
