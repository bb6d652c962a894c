import { readdirSync, readFileSync } from 'node:fs';

// What the frames in `frames/` hold, made anew each time, so that only the compressed bytes are kept.

const WORDS = ['order', 'customer', 'shipped', 'pending', 'eu-west-1', 'amount', 'status', 'note', 'alpha', 'bravo'];

/** mulberry32 */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function json(bytes: number, seed: number): Buffer {
  const random = generator(seed);
  const word = (): string => WORDS[random(WORDS.length)] ?? '';
  let text = '';
  while (text.length < bytes) text += `{"id":${random(1e9)},"${word()}":"${word()}","ts":${1.7e12 + random(1e6)}}\n`;
  return Buffer.from(text.slice(0, bytes));
}

function noise(bytes: number, seed: number): Buffer {
  const random = generator(seed);
  return Buffer.from(Array.from({ length: bytes }, () => random(256)));
}

/** A few letters, some of them rare: literals that are worth a Huffman tree, and few matches. */
function letters(bytes: number, seed: number): Buffer {
  const random = generator(seed);
  return Buffer.from(Array.from({ length: bytes }, () => 97 + Math.min(random(26), random(26), random(26))));
}

export const samples: Readonly<Record<string, Buffer>> = {
  empty: Buffer.alloc(0),
  byte: Buffer.from('k'),
  text: json(700, 1),
  json: json(132_000, 2),
  letters: letters(9_000, 3),
  noise: noise(3_000, 4),
  zeros: Buffer.alloc(400_000),
  // Matches short and long, near and far, overlapping, and blocks that do not compress among such that do.
  mixed: Buffer.concat([
    json(9_000, 5),
    noise(1_500, 6),
    Buffer.alloc(70_000, 'ab'),
    json(9_000, 5),
    Buffer.alloc(140_000, 'xyz'),
    noise(1_500, 6),
    letters(8_000, 7),
    Buffer.alloc(100, 'q'),
    json(20_000, 8),
  ]),
};

export interface Frame {
  /** `SAMPLE.OPTIONS.lz4` or `.zst` */
  readonly name: string;
  readonly bytes: Buffer;
  readonly content: Buffer;
}

/** The frames of one format, as `frames/make.ts` had them made by the formats' own tools. */
export function frames(extension: 'lz4' | 'zst'): Frame[] {
  const directory = new URL('frames/', import.meta.url);
  return readdirSync(directory)
    .filter((name) => name.endsWith(`.${extension}`))
    .map((name) => {
      const content = samples[name.split('.')[0] ?? ''];
      if (content === undefined) throw new Error(`no sample for ${name}`);
      return { name, bytes: readFileSync(new URL(name, directory)), content };
    });
}
