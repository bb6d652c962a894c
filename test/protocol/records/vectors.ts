import { readdirSync, readFileSync } from 'node:fs';
import type { ExpectedCase } from '../../conformance/records.ts';

export interface Vector {
  readonly name: string;
  readonly bin: Buffer;
  readonly json: ExpectedCase;
}

const DIRECTORY = new URL('../../vectors/records/', import.meta.url);

export const vectors: readonly Vector[] = readdirSync(DIRECTORY)
  .filter((file) => file.endsWith('.bin'))
  .map((file) => {
    const name = file.slice(0, -4);
    const json = JSON.parse(readFileSync(new URL(`${name}.json`, DIRECTORY), 'utf8')) as ExpectedCase;
    const bin = readFileSync(new URL(file, DIRECTORY));
    return { name, bin, json };
  });
