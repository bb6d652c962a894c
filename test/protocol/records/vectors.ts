import { readdirSync, readFileSync } from 'node:fs';
import type { ExpectedCase } from '../../conformance/records.ts';

export interface Vector {
  readonly name: string;
  readonly bin: Buffer;
  readonly json: ExpectedCase;
  /** What keeps the case from passing before its issue is done: the end of the error message. */
  readonly missing: string | null;
}

const DIRECTORY = new URL('../../vectors/records/', import.meta.url);

export const vectors: readonly Vector[] = readdirSync(DIRECTORY)
  .filter((file) => file.endsWith('.bin'))
  .map((file) => {
    const name = file.slice(0, -4);
    const json = JSON.parse(readFileSync(new URL(`${name}.json`, DIRECTORY), 'utf8')) as ExpectedCase;
    const bin = readFileSync(new URL(file, DIRECTORY));
    return { name, bin, json, missing: missing(name, json) };
  });

/** The first batch that needs what is not there yet; that the forged ones need it too, only their names tell. */
function missing(name: string, json: ExpectedCase): string | null {
  for (const batch of json.batches) {
    if (batch.magic < 2) return `message format magic ${batch.magic} is not supported yet`;
    if (batch.compression === 'lz4' || batch.compression === 'zstd') return unsupported(batch.compression);
  }
  const forged = /^v2-forged-(lz4|zstd)$/.exec(name)?.[1];
  return forged === undefined ? null : unsupported(forged);
}

function unsupported(codec: string): string {
  return `compression '${codec}' is not supported yet`;
}
