import fc from 'fast-check';
import Long from 'long';
import { describe, expect, test } from 'vitest';
import { ProtocolError } from '../../src/errors.ts';
import { decodeAssignment, decodeSubscription } from '../../src/protocol/consumer-protocol.ts';
import { casesOf, NAMES } from './message-vectors.ts';

// Whatever bytes arrive, a decoder gives a message or throws ProtocolError, and what it makes is in proportion to them.

/** Objects, arrays and elements in a decoded message. */
function size(x: unknown): number {
  if (typeof x !== 'object' || x === null || Long.isLong(x) || Buffer.isBuffer(x)) return 1;
  return Object.values(x).reduce<number>((sum, value) => sum + size(value), 1);
}

/** One byte may be a whole struct of defaults, but no struct has more fields than this. */
const MOST_FIELDS = 16;

function decodeAny(decode: (bytes: Buffer) => unknown, bytes: Buffer): void {
  let message: unknown;
  try {
    message = decode(bytes);
  } catch (error) {
    if (error instanceof ProtocolError) return;
    throw error;
  }
  expect(size(message)).toBeLessThanOrEqual((bytes.length + 1) * MOST_FIELDS);
}

// Small numbers make lengths and counts that are nearly right, so that decoders get further than the first field.
const noise = fc
  .array(fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: 6 }) }, fc.integer({ min: 0, max: 255 })), {
    maxLength: 400,
  })
  .map((bytes) => Buffer.from(bytes));

describe.each(NAMES)('%s', (name) => {
  const cases = casesOf(name);
  const codecs = [...new Map(cases.map((one) => [`${one.vector.kind} ${one.vector.version}`, one.codec])).values()];

  test('random bytes decode or are a ProtocolError', () => {
    fc.assert(
      fc.property(fc.constantFrom(...codecs), noise, (codec, bytes) => decodeAny((b) => codec.decode(b), bytes)),
      { numRuns: 2000 },
    );
  });

  test('vectors with changed bytes decode or are a ProtocolError', () => {
    const changes = fc.array(fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) }), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(fc.constantFrom(...cases), changes, (one, all) => {
        const bytes = Buffer.from(one.bytes);
        for (const { at, to } of all) if (bytes.length > 0) bytes[at % bytes.length] = to;
        decodeAny((b) => one.codec.decode(b), bytes);
      }),
      { numRuns: 2000 },
    );
  });
});

test.each([
  ['decodeSubscription', decodeSubscription],
  ['decodeAssignment', decodeAssignment],
])('%s takes what any other member sends', (_, decode) => {
  fc.assert(
    fc.property(noise, (bytes) => decodeAny(decode, bytes)),
    { numRuns: 2000 },
  );
});
