import fc, { type Arbitrary } from 'fast-check';
import Long from 'long';
import type { Field, Shape } from '../conformance/fields.ts';
import type { MessageCase } from './message-vectors.ts';

// Any message of one kind and version. The shape tells the fields; what it does not tell, which of them this version has, which may be null and how
// wide a number is, the vectors of that version show: their cases `min`, `max` and `nulls` go to the limits.

const NO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA';
const WIDTHS = [8, 16, 32];

/** @param cases all vectors of the kind and version */
export function messageArbitrary(cases: readonly MessageCase[]): Arbitrary<Record<string, unknown>> {
  const [first] = cases;
  if (first === undefined) throw new Error('no vectors');
  return structArbitrary(
    first.codec.shape,
    cases.map(({ vector }) => vector.json),
  );
}

function structArbitrary(shape: Shape, seen: readonly unknown[]): Arbitrary<Record<string, unknown>> {
  const fields = Object.entries(shape).map(([name, field]): [string, Arbitrary<unknown>] => {
    const values = seen.flatMap((json) =>
      typeof json === 'object' && json !== null && name in json ? [(json as Record<string, unknown>)[name]] : [],
    );
    return [name, fieldArbitrary(field, values)];
  });
  return fc.record(Object.fromEntries(fields), { noNullPrototype: true });
}

/** @param seen empty where this version does not have the field */
function fieldArbitrary(field: Field, seen: readonly unknown[]): Arbitrary<unknown> {
  const kind = typeof field === 'object' && field !== null ? field : null;
  if (seen.length === 0) return fc.constant(kind === null ? field : kind.default);
  const present = seen.filter((json) => json !== null);
  const value = kind === null ? plainArbitrary(present, field === NO_UUID) : kindArbitrary(kind, present);
  return present.length === seen.length ? value : fc.option(value, { nil: null, freq: 4 });
}

function kindArbitrary(kind: Exclude<Field, string | number | boolean | null>, seen: unknown[]): Arbitrary<unknown> {
  if (Long.isLong(kind.default)) return int64;
  if (kind.of === undefined) return bytes;
  if (!seen.every(Array.isArray)) {
    if (kind.of === 'plain') throw new Error('a struct without a shape');
    return structArbitrary(kind.of, seen);
  }
  const elements: unknown[] = seen.flat();
  // Arrays of structs stay short: they nest. Plain ones pass 127, where a length takes a second byte.
  if (kind.of !== 'plain') return fc.array(structArbitrary(kind.of, elements), { maxLength: 3 });
  const one = plainArbitrary(elements, false);
  return fc.oneof(
    { weight: 9, arbitrary: fc.array(one, { maxLength: 4 }) },
    { weight: 1, arbitrary: fc.array(one, { minLength: 126, maxLength: 130 }) },
  );
}

function plainArbitrary(seen: readonly unknown[], isUuid: boolean): Arbitrary<unknown> {
  if (isUuid) return fc.uint8Array({ minLength: 16, maxLength: 16 }).map((id) => Buffer.from(id).toString('base64url'));
  if (seen.some((json) => typeof json === 'boolean')) return fc.boolean();
  if (seen.some((json) => typeof json === 'string')) return text;
  // Case `min` has the least number there is. It leaves some tagged fields out, for which fewer bits then have to do.
  const width = WIDTHS.find((bits) =>
    seen.every((x) => Number(x) >= -(2 ** (bits - 1)) && Number(x) < 2 ** (bits - 1)),
  );
  if (width === undefined) throw new Error(`${String(seen)} are no int8, int16 or int32`);
  return fc.integer({ min: -(2 ** (width - 1)), max: 2 ** (width - 1) - 1 });
}

// Any Unicode, but no half of a surrogate pair: that is no UTF-8.
const text = fc.oneof(
  { weight: 9, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 60, maxLength: 200 }) },
);
const bytes = fc.uint8Array({ maxLength: 140 }).map((array) => Buffer.from(array));
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((n) => Long.fromString(n.toString()));
