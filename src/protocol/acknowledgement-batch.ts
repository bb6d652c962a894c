import type Long from 'long';
import { decodeInt8, encodeInt8 } from './codec.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

// What a member of a share group says of records that it has got (KIP-932): in ShareFetch, beside the next ones, or in ShareAcknowledge.

export interface AcknowledgementBatch {
  firstOffset: Long;
  lastOffset: Long; // inclusive
  /** One for all, or one per offset: 0 gap, 1 accept, 2 release, 3 reject, 4 renew (v2+). */
  acknowledgeTypes: number[];
}

export function encodeAcknowledgementBatch(w: Writer, v: number, m: AcknowledgementBatch): void {
  w.int64(m.firstOffset);
  w.int64(m.lastOffset);
  w.array(v, m.acknowledgeTypes, encodeInt8);
  w.tags();
}
export function decodeAcknowledgementBatch(r: Reader, v: number): AcknowledgementBatch {
  const m: AcknowledgementBatch = {
    firstOffset: r.int64(),
    lastOffset: r.int64(),
    acknowledgeTypes: r.array(v, decodeInt8),
  };
  r.tags();
  return m;
}
