import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** One Kafka API: the hand-written codecs of its request and its response, both directions. */
export interface Api<Req, Res> {
  readonly key: number;
  readonly name: string;
  /** Inclusive range that negotiation may pick from. */
  readonly minVersion: number;
  readonly maxVersion: number;
  /** First version with compact types and tagged fields (KIP-482); Infinity for none. */
  readonly flexibleFrom: number;
  encodeRequest(w: Writer, v: number, m: Req): void;
  decodeRequest(r: Reader, v: number): Req;
  encodeResponse(w: Writer, v: number, m: Res): void;
  decodeResponse(r: Reader, v: number): Res;
}
