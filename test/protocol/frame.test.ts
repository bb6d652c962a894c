import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProtocolError } from '../../src/errors.ts';
import { APIS, apiByName } from '../../src/protocol/apis.ts';
import { FrameAssembler } from '../../src/protocol/frame.ts';
import {
  decodeRequestFrame,
  decodeResponseFrame,
  encodeRequestFrame,
  encodeResponseFrame,
} from '../../src/protocol/header.ts';
import { difference } from '../conformance/fields.ts';
import { casesOf, expectedOf } from './message-vectors.ts';

/** Feeds `bytes` as a socket would, at most `chunk` bytes at a time, into whatever room `target()` offers. */
function feed(assembler: FrameAssembler, bytes: Buffer, chunk: () => number): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const target = assembler.target();
    if (target.length === 0) throw new Error('target() has no room'); // expect() is too slow for every byte
    const n = bytes.copy(target, 0, at, Math.min(at + Math.max(1, chunk()), at + target.length));
    at += n;
    assembler.advance(n);
    for (let frame = assembler.next(); frame !== null; frame = assembler.next()) frames.push(frame);
  }
  return frames;
}

function prefixed(body: Buffer): Buffer {
  const frame = Buffer.alloc(4 + body.length);
  frame.writeInt32BE(body.length, 0);
  body.copy(frame, 4);
  return frame;
}

describe.each(APIS.map((api) => api.name))('%s', (name) => {
  test('every vector as a frame, fed byte by byte, decodes the same', () => {
    const api = apiByName(name);
    if (api === undefined) throw new Error(name);
    const assembler = new FrameAssembler(1 << 20);
    for (const one of casesOf(name)) {
      const { version, kind } = one.vector;
      const expected = expectedOf(one);
      const bytes =
        kind === 'request'
          ? encodeRequestFrame(api, version, 7, 'client', expected)
          : encodeResponseFrame(api, version, 7, expected);
      const [frame, ...more] = feed(assembler, bytes, () => 1);
      expect(more).toEqual([]);
      if (frame === undefined) throw new Error(`${one.title}: no frame`);
      const decoded =
        kind === 'request' ? decodeRequestFrame(api, frame).body : decodeResponseFrame(api, version, frame);
      const lost = difference(decoded, expected);
      if (lost !== null) throw new Error(`${one.title}: ${lost}`);
    }
  });
});

describe('FrameAssembler', () => {
  test('a frame above promptBytes grows with its bytes: a length alone costs little memory', () => {
    const body = Buffer.from(Uint8Array.from({ length: 1_000_003 }, (_, index) => index % 251));
    for (const chunk of [1000, 65_536, 10_000_000]) {
      const assembler = new FrameAssembler(1 << 30, 0);
      const [frame] = feed(assembler, prefixed(body), () => chunk);
      expect(frame?.equals(body)).toBe(true);
    }
    const assembler = new FrameAssembler(1 << 30, 0);
    const bytes = Buffer.alloc(4 + 100_000);
    bytes.writeInt32BE(1 << 30, 0);
    feed(assembler, bytes, () => 4096);
    expect(assembler.target().buffer.byteLength).toBe(131_072);
    assembler.promptBytes = 1 << 30; // too late for this one
    feed(assembler, Buffer.alloc(100_000), () => 4096);
    expect(assembler.target().buffer.byteLength).toBe(262_144);
  });

  test('a frame up to promptBytes has one buffer from the beginning', () => {
    const assembler = new FrameAssembler(1 << 30, 200_000);
    feed(assembler, prefixed(Buffer.alloc(200_000)).subarray(0, 10), () => 10);
    expect(assembler.target().buffer.byteLength).toBe(200_000);
  });

  test('frames come out whole however the bytes are cut', () => {
    const bodies = fc.array(fc.uint8Array({ minLength: 4, maxLength: 300 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(bodies, fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }), (arrays, chunks) => {
        const expected = arrays.map((array) => Buffer.from(array));
        let i = 0;
        const frames = feed(new FrameAssembler(300), Buffer.concat(expected.map(prefixed)), () => {
          return chunks[i++ % chunks.length] ?? 1;
        });
        expect(frames).toEqual(expected);
      }),
    );
  });

  test('each frame has a buffer of its own, exactly as long as the frame', () => {
    const frames = feed(
      new FrameAssembler(100),
      Buffer.concat([prefixed(Buffer.alloc(8)), prefixed(Buffer.alloc(9))]),
      () => 64,
    );
    expect(frames.map((frame) => frame.buffer.byteLength)).toEqual([8, 9]);
    expect(frames.map((frame) => frame.byteOffset)).toEqual([0, 0]);
    expect(frames[0]?.buffer).not.toBe(frames[1]?.buffer);
  });

  test('the rest of a frame is asked for in one read, into the buffer that is handed out', () => {
    const assembler = new FrameAssembler(10_000);
    assembler.target().writeInt32BE(10_000);
    assembler.advance(4096);
    expect(assembler.next()).toBeNull();
    const rest = assembler.target();
    expect(rest.length).toBe(10_000 - 4092);
    assembler.advance(5000);
    expect(assembler.next()).toBeNull();
    expect(assembler.target().length).toBe(908);
    expect(assembler.isBetweenFrames).toBe(false);
    assembler.advance(908);
    expect(assembler.next()?.buffer).toBe(rest.buffer);
    expect(assembler.isBetweenFrames).toBe(true);
    expect(assembler.next()).toBeNull();
  });

  test('a small frame takes one read, and so do several', () => {
    const bodies = [Buffer.alloc(8, 1), Buffer.alloc(9, 2), Buffer.alloc(100, 3)];
    const bytes = Buffer.concat(bodies.map(prefixed));
    const assembler = new FrameAssembler(1000);
    assembler.advance(bytes.copy(assembler.target(), 0, 0, bytes.length - 1));
    expect(assembler.next()).toEqual(bodies[0]);
    expect(assembler.next()).toEqual(bodies[1]);
    expect(assembler.isBetweenFrames).toBe(false);
    expect(assembler.next()).toBeNull();
    expect([...assembler.feed(bytes.subarray(-1))]).toEqual([bodies[2]]);
    expect(assembler.isBetweenFrames).toBe(true);
  });

  test('there is room for a whole head again after the last frame, without asking for one more', () => {
    const frame = prefixed(Buffer.alloc(100, 3));
    const assembler = new FrameAssembler(1000);
    for (let i = 0; i < 100; i++) {
      expect(assembler.target().length).toBe(4096);
      assembler.advance(frame.copy(assembler.target()));
      expect(assembler.next()?.length).toBe(100);
      expect(assembler.isBetweenFrames).toBe(true);
    }
  });

  test.each([
    ['negative', Buffer.from([0xff, 0xff, 0xff, 0xff]), /frame of -1 bytes, expected 4 to 1000$/],
    ['zero', Buffer.from([0, 0, 0, 0]), /frame of 0 bytes/],
    ['shorter than a correlation id', Buffer.from([0, 0, 0, 3]), /frame of 3 bytes/],
    [
      'above the limit',
      Buffer.from([0, 0, 3, 0xe9]),
      /frame of 1001 bytes, expected 4 to 1000; .* receiveMessageMaxBytes$/,
    ],
    ['HTTP', Buffer.from('HTTP'), /HTTP server, not a Kafka broker; check host and port/],
    ['text', Buffer.from('220 '), /sent text \('220 …'\), it is no Kafka broker/],
    ['a TLS alert', Buffer.from([0x15, 0x03, 0x03, 0x00]), /speaks TLS, .*; use the plaintext port/],
    ['a TLS handshake', Buffer.from([0x16, 0x03, 0x01, 0x02]), /speaks TLS, .*; use the plaintext port/],
  ])('refuses a length that is %s', (_, bytes, message) => {
    const refuse = (): unknown => feed(new FrameAssembler(1000), bytes, () => 1);
    expect(refuse).toThrow(ProtocolError);
    expect(refuse).toThrow(message);
  });

  test('refuses before it allocates: a thousand forged lengths cost no memory', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 1000; i++) {
      expect(() => feed(new FrameAssembler(1 << 20), Buffer.from([0x7f, 0xff, 0xff, 0xff]), () => 4)).toThrow(
        ProtocolError,
      );
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1000 * 4096 + (1 << 20));
  });

  test('more bytes than target() has room for are a mistake of the caller', () => {
    expect(() => new FrameAssembler(1000).advance(4097)).toThrow(RangeError);
  });
});
