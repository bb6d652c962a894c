import Long from 'long';
import { describe, expect, test } from 'vitest';
import { ConfigError, ProtocolError, UnsupportedVersionError } from '../../src/errors.ts';
import { Reader } from '../../src/protocol/reader.ts';
import { Writer } from '../../src/protocol/writer.ts';

function written(write: (w: Writer) => void, flexible = false): Buffer {
  const w = new Writer(1); // so that every write has to make room
  w.flexible = flexible;
  write(w);
  return w.finish();
}
function reading(bytes: Buffer | number[], flexible = false): Reader {
  const r = new Reader(Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes));
  r.flexible = flexible;
  return r;
}
function failure(run: () => unknown): ProtocolError {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
  throw new Error('it did not throw');
}

describe('numbers', () => {
  test.each([
    ['int8', -128, '80'],
    ['int8', 127, '7f'],
    ['int16', -2, 'fffe'],
    ['uint16', 65535, 'ffff'],
    ['int32', -2147483648, '80000000'],
    ['uint32', 4294967295, 'ffffffff'],
    ['float64', -1.5, 'bff8000000000000'],
    ['uvarint', 0, '00'],
    ['uvarint', 127, '7f'],
    ['uvarint', 128, '8001'],
    ['uvarint', 16384, '808001'],
    ['uvarint', 2097152, '80808001'],
    ['uvarint', 268435456, '8080808001'],
    ['uvarint', 4294967295, 'ffffffff0f'],
    ['varint', 0, '00'],
    ['varint', -1, '01'],
    ['varint', 1, '02'],
    ['varint', 2147483647, 'feffffff0f'],
    ['varint', -2147483648, 'ffffffff0f'],
  ] as const)('%s %s', (type, value, hex) => {
    expect(written((w) => w[type](value)).toString('hex')).toBe(hex);
    expect(reading(Buffer.from(hex, 'hex'))[type]()).toBe(value);
  });

  test.each(['0', '-1', '9223372036854775807', '-9223372036854775808', '4294967296', '-4294967297'])(
    'int64 %s',
    (text) => {
      const bytes = written((w) => w.int64(Long.fromString(text)));
      expect(bytes.readBigInt64BE()).toBe(BigInt(text));
      expect(reading(bytes).int64().toString()).toBe(text);
    },
  );

  test('any byte but 0 is true', () => {
    expect([0, 1, 2, 255].map((byte) => reading([byte]).bool())).toEqual([false, true, true, true]);
  });

  test.each([
    [[0xff, 0xff, 0xff, 0xff, 0x10], 4],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0x01], 4],
  ])('a varint above 32 bits is a ProtocolError: %s', (bytes, position) => {
    expect(failure(() => reading(bytes).uvarint()).position).toBe(position);
  });
});

describe('strings and bytes', () => {
  test.each([false, true])('round trip, flexible %s', (flexible) => {
    const bytes = written((w) => {
      w.string('');
      w.string('größe €');
      w.nullableString(null);
      w.bytes(Buffer.from([1, 2]));
      w.nullableBytes(null);
      w.uuid('FSWOSxYlPIlexhkUjp_ueA');
    }, flexible);
    const r = reading(bytes, flexible);
    expect([r.string(), r.string(), r.nullableString()]).toEqual(['', 'größe €', null]);
    expect([r.bytes(), r.nullableBytes()]).toEqual([Buffer.from([1, 2]), null]);
    expect(r.uuid()).toBe('FSWOSxYlPIlexhkUjp_ueA');
    r.finish();
  });

  test('bytes are a view into the buffer', () => {
    const buffer = Buffer.from([0, 0, 0, 1, 7]);
    const view = reading(buffer).bytes();
    buffer[4] = 8;
    expect(view).toEqual(Buffer.from([8]));
  });

  test.each([
    ['null string', [0xff, 0xff], (r: Reader) => r.string()],
    ['null bytes', [0xff, 0xff, 0xff, 0xff], (r: Reader) => r.bytes()],
    ['null array', [0xff, 0xff, 0xff, 0xff], (r: Reader) => r.array(0, () => 0)],
    ['negative length of a string', [0xff, 0xfe], (r: Reader) => r.nullableString()],
    ['negative length of bytes', [0x80, 0, 0, 0], (r: Reader) => r.nullableBytes()],
    ['negative count', [0xff, 0xff, 0xff, 0xfe], (r: Reader) => r.nullableArray(0, () => 0)],
  ])('%s where none may be is a ProtocolError', (_, bytes, read) => {
    expect(failure(() => read(reading(bytes))).position).toBeGreaterThanOrEqual(0);
  });

  test('a string above 32767 bytes is refused both ways', () => {
    expect(() => written((w) => w.string('x'.repeat(32768)), true)).toThrow(ConfigError);
    const bytes = Buffer.concat([Buffer.from([0x81, 0x80, 0x02]), Buffer.alloc(32768)]);
    expect(failure(() => reading(bytes, true).string()).message).toContain('string of 32768 bytes');
    expect(written((w) => w.string('x'.repeat(32767)))).toHaveLength(32769);
  });

  test.each([
    '',
    'FSWOSxYlPIlexhkUjp_ue',
    'FSWOSxYlPIlexhkUjp_ueA=',
    'FSWOSxYlPIlexhkUjp ueA',
    '{}SWOSxYlPIlexhkUjp_ue',
  ])("'%s' is no UUID", (text) => {
    expect(() => written((w) => w.uuid(text))).toThrow(ConfigError);
  });
});

describe('arrays', () => {
  test('a count above the bytes left costs nothing', () => {
    let calls = 0;
    const forged = reading([0x7f, 0xff, 0xff, 0xff, 0, 0]);
    const error = failure(() => forged.array(0, () => calls++));
    expect([error.position, calls]).toEqual([0, 0]);
    expect(error.message).toContain('array of 2147483647 elements in 2 bytes');
  });

  test('null and empty differ', () => {
    for (const flexible of [false, true]) {
      const bytes = written((w) => {
        w.nullableArray(0, null, () => undefined);
        w.array(0, [], () => undefined);
      }, flexible);
      const r = reading(bytes, flexible);
      expect([r.nullableArray(0, () => 0), r.nullableArray(0, () => 0)]).toEqual([null, []]);
    }
  });

  test('a nullable struct has a byte before it', () => {
    const bytes = written((w) => {
      w.nullableStruct(0, null, (x) => x.int8(1));
      w.nullableStruct(0, 5, (x, _v, m) => x.int8(m));
    });
    expect(bytes).toEqual(Buffer.from([0xff, 1, 5]));
    const r = reading(bytes);
    expect([r.nullableStruct(0, (x) => x.int8()), r.nullableStruct(0, (x) => x.int8())]).toEqual([null, 5]);
    expect(failure(() => reading([2]).nullableStruct(0, (x) => x.int8())).position).toBe(0);
  });
});

describe('tagged fields', () => {
  interface Message {
    a: number;
    inner: number;
  }
  const field = (r: Reader, v: number, m: Message, tag: number): void => {
    if (tag === 0) m.a = r.int32();
    else if (tag === 1) {
      r.tagged(v, m, (nested, _v, outer, nestedTag) => {
        if (nestedTag === 0) outer.inner = nested.int8();
      });
    }
  };

  test('known ones are read, unknown ones skipped, in any order', () => {
    const r = reading([3, 9, 2, 0xaa, 0xbb, 0, 4, 0, 0, 0, 7, 1, 4, 1, 0, 1, 5], true);
    const m: Message = { a: 0, inner: 0 };
    r.tagged(0, m, field);
    r.finish();
    expect(m).toEqual({ a: 7, inner: 5 });
  });

  test('nothing is read or written in versions that are not flexible', () => {
    const r = reading([1]);
    r.tags();
    r.tagged(0, { a: 0, inner: 0 }, field);
    expect(r.remaining).toBe(1);
    expect(written((w) => w.tags())).toHaveLength(0);
  });

  test.each([
    ['smaller than its field', [1, 0, 2, 0, 0, 0, 7]],
    ['larger than its field', [1, 0, 5, 0, 0, 0, 7, 9]],
    ['larger than the message', [1, 0, 50, 0, 0, 0, 7]],
    ['larger than the message, unknown', [1, 9, 50, 0]],
    ['missing', [1, 0]],
    ['of a nested field beyond the outer one', [1, 1, 3, 1, 0, 4, 0, 0, 0, 7]],
    ['counted 4 billion times', [0xff, 0xff, 0xff, 0xff, 0x0f, 9, 0]],
  ])('a size that is %s is a ProtocolError', (_, bytes) => {
    failure(() => reading(bytes, true).tagged(0, { a: 0, inner: 0 }, field));
  });

  test.each([0, 1, 127, 128, 16_383, 16_384, 40_000])('%s bytes in one field', (size) => {
    const bytes = written((w) => {
      const tags = w.openTags();
      w.tag(tags, 3, 0, Buffer.alloc(size, 7), (x, _v, m) => x.bytes(m));
      w.tag(tags, 4, 0, 9, (x, _v, m) => x.int8(m));
      w.int8(42);
    }, true);
    const r = reading(bytes, true);
    const seen: unknown[] = [];
    r.tagged(0, seen, (x, _v, out, tag) => out.push(tag === 3 ? x.bytes() : x.int8()));
    expect(seen).toEqual([Buffer.alloc(size, 7), 9]);
    expect(r.int8()).toBe(42);
    r.finish();
  });

  test('a tagged field in a version that is not flexible is refused, not lost', () => {
    expect(() => written((w) => w.tag(w.openTags(), 0, 0, 1, (x) => x.int8(1)))).toThrow(UnsupportedVersionError);
  });
});

test('positions count from where the message began', () => {
  const r = new Reader(Buffer.alloc(20), 8, 12);
  r.begin('Fetch', 12, true);
  r.int16();
  const error = failure(() => r.int32());
  expect(error).toMatchObject({ api: 'Fetch', version: 12, position: 2, code: -1003, name: 'ProtocolError' });
  expect(error.message).toBe('Fetch v12: expected 4 more bytes, found 2 (at byte 2)');
});
