import Long from 'long';
import type { Codec } from './messages.ts';

// Where in the bytes of a message a field lies. The codecs keep no map of it, so it is found by changing the field, encoding again and
// looking where the bytes begin to differ: good enough to say where to look, and right wherever the encoder is.

/** The first byte at which `a` and `b` differ, −1 where they are equal. */
export function firstDifference(a: Buffer, b: Buffer): number {
  if (a.equals(b)) return -1;
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  return at;
}

/** At which byte the field `path`, such as `topics[0].name`, begins; −1 where that cannot be told. */
export function byteOf(codec: Codec, message: Record<string, unknown>, path: string): number {
  return starts(codec, message).find(({ path: each }) => each === path)?.at ?? -1;
}

/** The field that begins last at or before byte `at`; null where that cannot be told. */
export function fieldAt(codec: Codec, message: Record<string, unknown>, at: number): string | null {
  let found: { path: string; at: number } | null = null;
  for (const each of starts(codec, message)) {
    if (each.at <= at && (found === null || each.at > found.at)) found = each;
  }
  return found?.path ?? null;
}

function starts(codec: Codec, message: Record<string, unknown>): { path: string; at: number }[] {
  const whole = attempt(() => codec.encode(message));
  if (whole === null) return [];
  const found: { path: string; at: number }[] = [];
  for (const { path, owner, key } of leaves(message, '')) {
    const value = owner[key];
    for (const change of changesOf(value)) {
      owner[key] = change;
      const changed = attempt(() => codec.encode(message));
      const at = changed === null ? -1 : firstDifference(whole, changed);
      if (at === -1) continue; // this version does not have the field, or does not take such a value
      found.push({ path, at });
      break;
    }
    owner[key] = value;
  }
  return found;
}

interface Leaf {
  path: string;
  owner: Record<string, unknown>;
  key: string;
}

/** Every field and element, in the order of the message; the numbers of arrays in brackets. */
function* leaves(owner: Record<string, unknown>, path: string): Generator<Leaf> {
  for (const [key, value] of Object.entries(owner)) {
    const here = Array.isArray(owner) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
    const isPlain = typeof value !== 'object' || value === null || Long.isLong(value) || Buffer.isBuffer(value);
    if (isPlain || Array.isArray(value)) yield { path: here, owner, key };
    if (!isPlain) yield* leaves(value as Record<string, unknown>, here);
  }
}

/** Other values, best first: those whose bytes differ from the first one on. */
function changesOf(value: unknown): unknown[] {
  if (typeof value === 'number') return [~value, value ^ 1];
  if (typeof value === 'boolean') return [!value];
  if (typeof value === 'string') return [`${value}x`, `${value.startsWith('Q') ? 'A' : 'Q'}${value.slice(1)}`, null];
  if (Long.isLong(value)) return [value.not()];
  if (Buffer.isBuffer(value)) return [Buffer.concat([value, Buffer.alloc(1)]), null];
  if (Array.isArray(value)) return value.length > 0 ? [value.slice(1)] : [null];
  return ['', Buffer.alloc(0), []]; // null
}

function attempt<T>(run: () => T): T | null {
  try {
    return run();
  } catch {
    return null;
  }
}
