import { readFileSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '../conformance/fields.ts';
import { codecFor, type Codec, type Vector } from '../conformance/messages.ts';
import { APIS } from '../../src/protocol/apis.ts';

export const VECTORS_DIR = path.join(import.meta.dirname, '../vectors');

/** Every message that has a codec. */
export const NAMES: readonly string[] = [
  ...APIS.map((api) => api.name),
  'RequestHeader',
  'ResponseHeader',
  'ConsumerProtocolSubscription',
  'ConsumerProtocolAssignment',
];

export interface MessageCase {
  vector: Vector;
  codec: Codec;
  bytes: Buffer;
  /** Such as `Fetch response v12 typical`. */
  title: string;
}

/** All vectors of one message. */
export function casesOf(name: string): MessageCase[] {
  const lines = readFileSync(path.join(VECTORS_DIR, `${name}.jsonl`), 'utf8').split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const vector = JSON.parse(line) as Vector; // our own files
      const title = `${vector.api} ${vector.kind} v${vector.version} ${vector.case}`;
      const codec = codecFor(vector.api, vector.kind, vector.version);
      return { vector, codec, bytes: Buffer.from(vector.hex, 'hex'), title };
    });
}

/** What decoding the vector must give. */
export function expectedOf({ codec, vector }: MessageCase): Record<string, unknown> {
  return messageOf(codec.shape, vector.json);
}
