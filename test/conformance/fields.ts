import Long from 'long';

// From the vectors' JSON to messages, by shapes: plain literals are the default of a field that JSON carries as it is,
// a `Kind` is one that it does not. What the JSON leaves out becomes the default, as Kafka's schemas say.

export interface Kind {
  readonly default: unknown;
  /** Of the elements of a list, or of a struct. */
  readonly of?: Shape | 'plain';
  fromJson(json: unknown): unknown;
}
export type Field = null | boolean | number | string | Kind;
export type Shape = Readonly<Record<string, Field>>;

/** int64: a decimal string in JSON. */
export function long(byDefault = '0'): Kind {
  return {
    default: Long.fromString(byDefault),
    fromJson: (json) => {
      if (typeof json !== 'string' || !/^-?\d+$/.test(json)) throw new Error(`${JSON.stringify(json)} is no int64`);
      return Long.fromString(json);
    },
  };
}

/** Base64 in JSON. */
export const bytes: Kind = { default: Buffer.alloc(0), fromJson: bytesFromJson };
/** Base64 or null in JSON; null by default. */
export const nullableBytes: Kind = { default: null, fromJson: (json) => (json === null ? null : bytesFromJson(json)) };

function bytesFromJson(json: unknown): Buffer {
  if (typeof json !== 'string') throw new Error(`${JSON.stringify(json)} is no base64`);
  return Buffer.from(json, 'base64');
}

/** An array of structs, or of numbers and strings; null where the JSON says so. */
export function list(of: Shape | 'plain'): Kind {
  return {
    default: [],
    of,
    fromJson: (json) => {
      if (json === null) return null;
      if (!Array.isArray(json)) throw new Error(`${JSON.stringify(json)} is no array`);
      const items: unknown[] = json;
      return of === 'plain' ? items : items.map((item) => messageOf(of, item));
    },
  };
}

/** A list that is null by default. */
export function nullableList(of: Shape | 'plain'): Kind {
  return { ...list(of), default: null };
}

/** A struct, null by default. */
export function struct(of: Shape): Kind {
  return { default: null, of, fromJson: (json) => (json === null ? null : messageOf(of, json)) };
}

/** A struct that cannot be null: by default all its fields have theirs. */
export function presentStruct(of: Shape): Kind {
  return { default: messageOf(of, {}), of, fromJson: (json) => messageOf(of, json) };
}

/** The message that a vector's JSON describes. Throws for a field that the shape does not have. */
export function messageOf(shape: Shape, json: unknown): Record<string, unknown> {
  if (typeof json !== 'object' || json === null) throw new Error(`${JSON.stringify(json)} is no object`);
  const given = new Map<string, unknown>(Object.entries(json));
  const message: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(shape)) {
    const kind = typeof field === 'object' && field !== null ? field : null;
    if (given.has(name)) message[name] = kind === null ? given.get(name) : kind.fromJson(given.get(name));
    else message[name] = kind === null ? field : kind.default;
    given.delete(name);
  }
  for (const name of given.keys()) throw new Error(`field ${name} is not in the shape`);
  return message;
}

/** Where two messages first differ, such as `topics[0].name: 'a', expected 'b'`; null where they do not. */
export function difference(actual: unknown, expected: unknown, path = ''): string | null {
  const differs = `${path === '' ? 'message' : path}: ${show(actual)}, expected ${show(expected)}`;
  if (Long.isLong(expected)) return Long.isLong(actual) && actual.eq(expected) ? null : differs;
  if (Buffer.isBuffer(expected)) return Buffer.isBuffer(actual) && actual.equals(expected) ? null : differs;
  if (typeof expected !== 'object' || expected === null) return Object.is(actual, expected) ? null : differs;
  if (typeof actual !== 'object' || actual === null || Array.isArray(actual) !== Array.isArray(expected))
    return differs;
  const [ours, theirs] = [new Map<string, unknown>(Object.entries(actual)), new Map(Object.entries(expected))];
  for (const name of new Set([...theirs.keys(), ...ours.keys()])) {
    const at = Array.isArray(expected) ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`;
    if (!ours.has(name)) return `${at}: missing`;
    if (!theirs.has(name)) return `${at}: not expected`;
    const found = difference(ours.get(name), theirs.get(name), at);
    if (found !== null) return found;
  }
  return null;
}

function show(x: unknown): string {
  if (Long.isLong(x)) return x.toString();
  const text = Buffer.isBuffer(x) ? `0x${x.toString('hex')}` : (JSON.stringify(x) ?? 'undefined');
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
