import { accelerator, required } from './compression/accelerator.ts';

const native = accelerator<{ crc32c(bytes: Uint8Array): number }>('@node-rs/crc32');
/** The Castagnoli half of the package, which ships types for its CRC-32 only. */
const pure = required<{ buf(bytes: Uint8Array): number }>('crc-32/crc32c.js');

/** Which of the two computes CRC-32C in this process. `SAMSA_PURE=1` forces `'pure'`. */
export function crc32cImplementation(): 'native' | 'pure' {
  return native() === null ? 'pure' : 'native';
}

/** CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes[start, end)`, unsigned. */
export function crc32c(bytes: Buffer, start: number, end: number): number {
  const range = bytes.subarray(start, end);
  const library = native();
  return library === null ? pure().buf(range) >>> 0 : library.crc32c(range);
}
