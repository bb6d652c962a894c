import type { Work } from './work.ts';

/** The floor: the varints of each record, nothing checked, nothing made, only for what is not compressed. */
export const floor: Readonly<Record<string, Work>> = {
  varints: (response) => walk(response, false),
  value: (response) => walk(response, true),
};

function walk(buffer: Buffer, touchesValue: boolean): number {
  let at = 0;
  let sum = 0;
  const varint = (): number => {
    let byte = buffer[at++] as number; // the bench made these bytes itself
    let value = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = buffer[at++] as number;
      value |= (byte & 0x7f) << shift;
    }
    return (value >>> 1) ^ -(value & 1);
  };
  while (at < buffer.length) {
    const count = buffer.readInt32BE(at + 57);
    at += 61;
    for (let i = 0; i < count; i++) {
      const length = varint();
      const end = at + length;
      at++;
      sum += varint() + varint();
      const keyLength = varint();
      if (keyLength > 0) at += keyLength;
      const valueLength = varint();
      if (valueLength > 0) at += valueLength;
      if (touchesValue) sum += valueLength + (buffer[at - 1] as number);
      sum += varint();
      at = end;
    }
  }
  return sum;
}
