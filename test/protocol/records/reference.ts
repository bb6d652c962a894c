import type { ExpectedRecord } from '../../conformance/records.ts';

/*
 * The same record bytes read the slow and plain way: BigInt varints, each byte asked for its end, everything made at once.
 * What the zero-copy cursor is compared with on bytes that no producer would write.
 */

/** The records in `bytes`, or `null` where they make no sense. Offsets and timestamps are relative to the batch's,
 * timestamps beyond a double `'unsafe'`. */
export function referenceRecords(bytes: Buffer, count: number): ExpectedRecord[] | null {
  let at = 0;
  let end = bytes.length;

  const byte = (): number => {
    const value = at < end ? bytes[at] : undefined;
    if (value === undefined) throw new RangeError('end');
    at++;
    return value;
  };
  const varint = (bits: 32 | 64): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < (bits === 32 ? 35n : 70n); shift += 7n) {
      const next = byte();
      value |= BigInt(next & 0x7f) << shift;
      if (next < 0x80) {
        const signed = value & 1n ? -(value >> 1n) - 1n : value >> 1n;
        if (bits === 32 && BigInt.asIntN(32, signed) !== signed) throw new RangeError('above 32 bits');
        return signed;
      }
    }
    throw new RangeError('no end');
  };
  const take = (isNullable: boolean): string | null => {
    const length = Number(varint(32));
    if (length === -1 && isNullable) return null;
    if (length < 0 || length > end - at) throw new RangeError('length');
    at += length;
    return bytes.toString('base64', at - length, at);
  };

  try {
    if (count < 0) throw new RangeError('count');
    const records: ExpectedRecord[] = [];
    for (let i = 0; i < count; i++) {
      end = bytes.length;
      const length = Number(varint(32));
      if (length < 0 || length > end - at) throw new RangeError('length');
      end = at + length;
      byte();
      const delta = Number(varint(64));
      const timestamp = Number.isSafeInteger(delta) ? String(delta) : 'unsafe';
      const offset = varint(32).toString();
      const key = take(true);
      const value = take(true);
      const headerCount = Number(varint(32));
      if (headerCount < 0) throw new RangeError('headers');
      const headers: [string, string | null][] = [];
      for (let j = 0; j < headerCount; j++) {
        const name = Buffer.from(take(false) ?? '', 'base64').toString();
        headers.push([name, take(true)]);
      }
      if (at !== end) throw new RangeError('bytes left in the record');
      records.push({ offset, timestamp, key, value, headers });
    }
    if (at !== bytes.length) throw new RangeError('bytes left in the batch');
    return records;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
