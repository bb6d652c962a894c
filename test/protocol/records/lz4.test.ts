import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lz4 } from '../../../src/protocol/compression/lz4.ts';
import { xxhash32 } from '../../../src/protocol/compression/xxhash32.ts';
import { digest, expectSafe, failure, outcome, withinMemory } from './codec-tests.ts';
import { frames, type Frame } from './samples.ts';

const LIMIT = 1 << 20;
const MAGIC = '04224d18';
const all = frames('lz4');
/** Of those that are quickly decompressed. */
const indices = [...all.keys()].filter((index) => (all[index]?.bytes.length ?? 0) < 8000);

/** A sequence: literals, then a match where there is one. */
interface Sequence {
  literals: Buffer;
  offset?: number;
  length?: number;
}

// A plain encoder of given sequences, from the block format's description: it looks for no matches.
function block(sequences: readonly Sequence[]): Buffer {
  return Buffer.concat(
    sequences.flatMap(({ literals, offset, length = 4 }) => {
      const token = (Math.min(15, literals.length) << 4) | (offset === undefined ? 0 : Math.min(15, length - 4));
      const parts = [Buffer.of(token), more(literals.length), literals];
      if (offset !== undefined) parts.push(Buffer.of(offset & 0xff, offset >>> 8), more(length - 4));
      return parts;
    }),
  );
}

function more(length: number): Buffer {
  if (length < 15) return Buffer.alloc(0);
  return Buffer.concat([Buffer.alloc(Math.floor((length - 15) / 255), 255), Buffer.of((length - 15) % 255)]);
}

interface FrameOptions {
  linked?: boolean;
  blockChecksums?: boolean;
  contentSize?: number;
  contentChecksum?: number;
  maxBlock?: 4 | 5 | 6 | 7;
  /** Over the magic too, as Kafka wrote it in magic 0. */
  oldHeaderChecksum?: boolean;
}

function frame(blocks: readonly (Buffer | { stored: Buffer })[], options: FrameOptions = {}): Buffer {
  const flags =
    0x40 |
    (options.linked === true ? 0 : 0x20) |
    (options.blockChecksums === true ? 0x10 : 0) |
    (options.contentSize === undefined ? 0 : 0x08) |
    (options.contentChecksum === undefined ? 0 : 0x04);
  const size = Buffer.alloc(options.contentSize === undefined ? 0 : 8);
  if (options.contentSize !== undefined) size.writeBigUInt64LE(BigInt(options.contentSize));
  const head = Buffer.concat([Buffer.from(MAGIC, 'hex'), Buffer.of(flags, (options.maxBlock ?? 4) << 4), size]);
  const checksum = xxhash32(head, options.oldHeaderChecksum === true ? 0 : 4, head.length);
  const parts: Buffer[] = [head, Buffer.of((checksum >>> 8) & 0xff)];
  for (const each of blocks) {
    const bytes = Buffer.isBuffer(each) ? each : each.stored;
    parts.push(uint32(bytes.length + (Buffer.isBuffer(each) ? 0 : 0x80000000)), bytes);
    if (options.blockChecksums === true) parts.push(uint32(xxhash32(bytes, 0, bytes.length)));
  }
  parts.push(uint32(0));
  if (options.contentChecksum !== undefined) parts.push(uint32(options.contentChecksum));
  return Buffer.concat(parts);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function text(frameBytes: Buffer): string {
  return lz4.decompress(frameBytes, LIMIT).toString();
}

const skippable = Buffer.concat([Buffer.from('5a2a4d18', 'hex'), uint32(3), Buffer.from('abc')]);
const hello = block([{ literals: Buffer.from('hello') }]);

describe('frames of the lz4 tool', () => {
  test('are all here', () => {
    expect(all).toHaveLength(32);
  });

  test.each(all)('$name', ({ bytes, content }) => {
    expect(lz4.decompress(bytes, LIMIT).equals(content)).toBe(true);
    expect(lz4.decompress(bytes, content.length).equals(content)).toBe(true);
    if (content.length > 0) expect(failure(() => lz4.decompress(bytes, content.length - 1))).toBe('too-large');
  });

  test.each(all)('$name between others, at an odd offset of a larger buffer', ({ bytes, content }) => {
    const larger = Buffer.concat([Buffer.from('odd'), skippable, bytes, frame([hello]), bytes, Buffer.from('tail')]);
    const result = lz4.decompress(larger.subarray(3, larger.length - 4), LIMIT);
    expect(result.equals(Buffer.concat([content, Buffer.from('hello'), content]))).toBe(true);
  });

  test.each(all.filter(({ bytes }) => bytes.length < 1000))('$name cut at every length', ({ bytes }) => {
    for (let length = 0; length < bytes.length; length++) {
      expect(failure(() => lz4.decompress(bytes.subarray(0, length), LIMIT))).toBe('corrupt');
    }
  });

  test.each(all.filter(({ bytes }) => bytes.length < 1000))(
    '$name with every byte changed',
    ({ name, bytes, content }) => {
      const isChecked = /\.(linked|checked)\./.test(name);
      for (let at = 0; at < bytes.length; at++) {
        for (const flip of [0x01, 0x10, 0x80, 0xff]) {
          const changed = Buffer.from(bytes);
          changed[at] = (changed[at] ?? 0) ^ flip;
          expectSafe(lz4, changed, LIMIT);
          // Some checksum tells, or the change makes no difference; only a magic may turn into one that says to skip the rest.
          if (!isChecked || at < 4) continue;
          expect(['corrupt', 'too-large', digest(content)]).toContain(outcome(lz4, changed, LIMIT));
        }
      }
    },
  );

  test('changed in several places', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...indices),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
        (index, changes) => {
          const { bytes } = all[index] as Frame; // one of its indices
          const changed = Buffer.from(bytes);
          for (const [at, value] of changes) changed[7 + (at % (bytes.length - 7))] = value;
          expectSafe(lz4, changed, LIMIT);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('blocks', () => {
  const sequence = fc.record({
    literals: fc
      .oneof(fc.nat({ max: 20 }), fc.constantFrom(14, 15, 16, 63, 64, 65, 269, 270, 271, 525), fc.nat({ max: 700 }))
      .chain((size) => fc.uint8Array({ minLength: size, maxLength: size }))
      .map((bytes) => Buffer.from(bytes)),
    offset: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 65535 })),
    length: fc.oneof(
      fc.integer({ min: 4, max: 30 }),
      fc.constantFrom(18, 19, 20, 63, 64, 65, 273, 274, 529),
      fc.integer({ min: 4, max: 3000 }),
    ),
  });

  test('of any sequences, linked and independent, decode to what they say', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(sequence, { maxLength: 12 }), { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        (blocks, linked) => {
          let expected = Buffer.alloc(0);
          const encoded = blocks.map((sequences) => {
            const start = linked ? 0 : expected.length;
            const used = sequences.map(({ literals, offset, length }) => {
              expected = Buffer.concat([expected, literals]);
              if (expected.length === start) return { literals };
              const real = 1 + ((offset - 1) % Math.min(65535, expected.length - start));
              const match = Buffer.alloc(length, expected.subarray(expected.length - real));
              expected = Buffer.concat([expected, match]);
              return { literals, offset: real, length };
            });
            // A sequence that found nothing to refer to has no match, and so ends a block: its literals go to the next one.
            const whole = used.filter((each) => each.offset !== undefined || each.literals.length > 0);
            const last = Buffer.from('tail');
            expected = Buffer.concat([expected, last]);
            return block([...whole, { literals: last }]);
          });
          const bytes = frame(encoded, {
            linked,
            maxBlock: 7,
            contentChecksum: xxhash32(expected, 0, expected.length),
          });
          expect(lz4.decompress(bytes, LIMIT).equals(expected)).toBe(true);
        },
      ),
      { numRuns: 1500 },
    );
  });

  test('stored ones, empty ones and none', () => {
    expect(text(frame([]))).toBe('');
    expect(text(frame([{ stored: Buffer.alloc(0) }, hello]))).toBe('hello');
    expect(text(frame([{ stored: Buffer.from('as it is, ') }, hello]))).toBe('as it is, hello');
    expect(text(frame([block([{ literals: Buffer.alloc(0) }])]))).toBe('');
    expect(text(skippable)).toBe('');
    expect(text(Buffer.concat([frame([hello]), skippable, frame([]), frame([hello])]))).toBe('hellohello');
  });

  test('a match goes back into the block before in linked ones only', () => {
    const second = block([{ literals: Buffer.from('-'), offset: 6, length: 5 }, { literals: Buffer.from('!') }]);
    expect(text(frame([hello, second], { linked: true }))).toBe('hello-hello!');
    expect(failure(() => text(frame([hello, second])))).toBe('corrupt');
    expect(failure(() => text(Buffer.concat([frame([hello]), frame([second], { linked: true })])))).toBe('corrupt');
  });

  test.each([
    ['nothing at all', Buffer.alloc(0)],
    ['not a frame', Buffer.from('plain text')],
    ['an offset of 0', frame([block([{ literals: Buffer.from('ab'), offset: 0 }, { literals: Buffer.from('c') }])])],
    ['an offset before the start', frame([block([{ literals: Buffer.from('ab'), offset: 3 }, { literals: hello }])])],
    [
      'an offset before the start, in a long sequence',
      frame([block([{ literals: Buffer.alloc(40), offset: 41, length: 90 }, { literals: Buffer.alloc(40) }])]),
    ],
    [
      'an offset before the start, far from both ends',
      frame([block([{ literals: Buffer.from('ab'), offset: 9 }, { literals: Buffer.alloc(60) }])]),
    ],
    ['a block that ends with a match', frame([block([{ literals: Buffer.from('ab'), offset: 1 }])])],
    ['a block without a token', frame([Buffer.alloc(0), hello]).subarray(0, 15)],
    ['literals cut off', frame([Buffer.from('5061', 'hex')])],
    ['a literal length cut off', frame([Buffer.from('f0', 'hex')])],
    ['a literal length without an end', frame([Buffer.from('f0ffffff', 'hex')])],
    ['an offset cut off', frame([Buffer.from('106101', 'hex')])],
    ['a match length cut off', frame([Buffer.from('1f610100', 'hex')])],
    ['a match length without an end', frame([Buffer.from('1f610100ffff', 'hex')])],
    ['a stored block above the limit', frame([{ stored: Buffer.alloc(65_537) }])],
    ['a block above the limit', frame([block([{ literals: Buffer.alloc(65_536) }, { literals: hello }])])],
    ['a content size that is too small', frame([hello], { contentSize: 4 })],
    ['a content size that is too large', frame([hello], { contentSize: 6 })],
    ['a content size that six bytes cannot hold', frame([hello], { contentSize: 6 * 255 + 1 })],
    ['a stored block above the content size', frame([{ stored: Buffer.from('hello') }], { contentSize: 4 })],
    ['a wrong content checksum', frame([hello], { contentChecksum: 1 })],
    ['a frame of another version', withHeader(0x80, 0x40)],
    ['a reserved flag', withHeader(0x62, 0x40)],
    ['a dictionary', withHeader(0x61, 0x40)],
    ['a block size that there is not', withHeader(0x60, 0x30)],
    ['reserved bits beside the block size', withHeader(0x60, 0x41)],
    ['rubbish after a frame', Buffer.concat([frame([hello]), Buffer.from('rubbish')])],
    ['half a magic after a frame', Buffer.concat([frame([hello]), Buffer.from(MAGIC, 'hex').subarray(0, 3)])],
    ['a skippable frame that is longer than all', Buffer.from('502a4d18ffffffff', 'hex')],
  ])('%s is corrupt', (_, bytes) => {
    expect(failure(() => lz4.decompress(bytes, LIMIT))).toBe('corrupt');
  });

  function withHeader(flags: number, sizes: number): Buffer {
    const head = Buffer.concat([Buffer.from(MAGIC, 'hex'), Buffer.of(flags, sizes)]);
    return Buffer.concat([head, Buffer.of((xxhash32(head, 4, 6) >>> 8) & 0xff), uint32(0)]);
  }

  test('the size limit of a block holds inside of it as well', () => {
    // 64 KiB and one byte more, by a match and by literals.
    const most = block([{ literals: Buffer.from('a'), offset: 1, length: 65_530 }, { literals: hello.subarray(1) }]);
    expect(lz4.decompress(frame([most]), LIMIT)).toHaveLength(65_536);
    for (const over of [
      block([{ literals: Buffer.from('a'), offset: 1, length: 65_531 }, { literals: hello.subarray(1) }]),
      block([{ literals: Buffer.from('a'), offset: 1, length: 65_536 }, { literals: Buffer.alloc(0) }]),
    ]) {
      expect(failure(() => lz4.decompress(frame([over]), LIMIT))).toBe('corrupt');
    }
  });
});

describe('checksums', () => {
  test('of the header, also as Kafka wrote it in magic 0', () => {
    expect(text(frame([hello], { oldHeaderChecksum: true }))).toBe('hello');
    expect(text(frame([hello], { oldHeaderChecksum: true, contentSize: 5 }))).toBe('hello');
    const right = frame([hello]);
    const old = frame([hello], { oldHeaderChecksum: true });
    expect(right[6]).not.toBe(old[6]);
    for (let value = 0; value < 256; value++) {
      const bytes = Buffer.from(right);
      bytes[6] = value;
      const isRight = value === right[6] || value === old[6];
      expect(failure(() => text(bytes))).toBe(isRight ? 'no error' : 'corrupt');
    }
  });

  test('of blocks, compressed and stored', () => {
    for (const each of [hello, { stored: Buffer.from('hello') }]) {
      const bytes = frame([each], { blockChecksums: true });
      expect(text(bytes)).toBe('hello');
      bytes.writeUInt32LE((bytes.readUInt32LE(bytes.length - 8) ^ 0x100) >>> 0, bytes.length - 8);
      expect(failure(() => text(bytes))).toBe('corrupt');
    }
  });

  // The check values of the algorithm's own repository, for seed 0, and two sizes around a stripe.
  test.each([
    ['', 0x02cc5d05],
    ['a', 0x550d7456],
    ['abc', 0x32d153ff],
    ['Nobody inspects the spammish repetition', 0xe2293b2f],
  ])('XXH32 of %j', (content, expected) => {
    const bytes = Buffer.from(`..${content}..`);
    expect(xxhash32(bytes, 2, bytes.length - 2)).toBe(expected);
  });
});

describe('memory', () => {
  test('a bomb stops at the limit', () => {
    const bomb = frame(
      Array.from({ length: 64 }, () =>
        block([{ literals: Buffer.from('a'), offset: 1, length: 4_000_000 }, { literals: hello }]),
      ),
      { maxBlock: 7 },
    );
    expect(withinMemory(LIMIT, () => failure(() => lz4.decompress(bomb, LIMIT)))).toBe('too-large');
    const half = frame(
      [block([{ literals: Buffer.from('a'), offset: 1, length: LIMIT - 6 }, { literals: hello.subarray(1) }])],
      {
        maxBlock: 7,
      },
    );
    expect(lz4.decompress(half, LIMIT)).toHaveLength(LIMIT);
    expect(failure(() => lz4.decompress(half, LIMIT - 1))).toBe('too-large');
  });

  test('an announced size is refused before anything is allocated', () => {
    for (const contentSize of [LIMIT + 1, 2 ** 31, 2 ** 40, 2 ** 53 - 1]) {
      const bytes = frame([{ stored: Buffer.alloc(1000) }], { contentSize });
      expect(withinMemory(0, () => failure(() => lz4.decompress(bytes, LIMIT)))).toBe('too-large');
      expect(withinMemory(0, () => failure(() => lz4.decompress(bytes, 2 ** 53)))).toBe('corrupt');
    }
  });

  test('large blocks that hold little cost little', () => {
    const bytes = frame([block([{ literals: Buffer.from('a'), offset: 1, length: 5000 }, { literals: hello }])], {
      maxBlock: 7,
    });
    const result = lz4.decompress(bytes, LIMIT);
    expect(result.buffer.byteLength).toBeLessThanOrEqual(result.length * 1.125);
  });

  test('many small frames and blocks cost no more than their content', () => {
    const many = Buffer.concat(Array.from({ length: 20_000 }, () => frame([{ stored: Buffer.of(1) }])));
    expect(withinMemory(20_000, () => lz4.decompress(many, LIMIT))).toHaveLength(20_000);
  });
});
