import { createHash } from 'node:crypto';
import { expect, vi } from 'vitest';
import type { Codec, DecompressionError } from '../../../src/protocol/compression/codec.ts';
import type * as codecsModule from '../../../src/protocol/compression/codecs.ts';

/** The codecs loaded anew: the choice between native and pure falls once per load. `pure` is the value of `SAMSA_PURE`. */
export async function loadCodecs(pure: string): Promise<typeof codecsModule> {
  vi.resetModules();
  vi.stubEnv('SAMSA_PURE', pure);
  return import('../../../src/protocol/compression/codecs.ts');
}

export async function loadCodec(name: 'gzip' | 'snappy' | 'lz4' | 'zstd', pure: string): Promise<Codec> {
  const { codecs } = await loadCodecs(pure);
  const found = Object.values(codecs).find((codec) => codec.name === name);
  if (found === undefined) throw new Error(`no codec ${name}`);
  return found;
}

/** `'corrupt'`, `'too-large'`, `'no error'`, or the error that must not be. */
export function failure(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return kindOf(error);
  }
  return 'no error';
}

/** By name: each load of the modules has a class of its own. */
export function kindOf(error: unknown): unknown {
  return error instanceof Error && error.name === 'DecompressionError' ? (error as DecompressionError).kind : error;
}

/** What the bytes are, in short, or how it failed. */
export function outcome(codec: Codec, bytes: Buffer, maxBytes: number): unknown {
  let result = '';
  const kind = failure(() => {
    result = digest(codec.decompress(bytes, maxBytes));
  });
  return kind === 'no error' ? result : kind;
}

/** In short, so that a failed comparison can be read. */
export function digest(bytes: Buffer): string {
  return `${bytes.length} bytes, SHA-1 ${createHash('sha1').update(bytes).digest('hex')}`;
}

/** Runs it and fails where more than so many bytes of buffers were allocated and kept meanwhile. */
export function withinMemory<T>(bytes: number, run: () => T): T {
  const before = process.memoryUsage().arrayBuffers;
  const result = run();
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThanOrEqual(bytes);
  return result;
}

/** Decompresses what has to fail with a typed error, or to stay within `maxBytes`, whatever the bytes are. */
export function expectSafe(codec: Codec, bytes: Buffer, maxBytes: number): void {
  let length = 0;
  const kind = failure(() => {
    length = codec.decompress(bytes, maxBytes).length;
  });
  expect(['no error', 'corrupt', 'too-large']).toContain(kind);
  expect(length).toBeLessThanOrEqual(maxBytes);
}
