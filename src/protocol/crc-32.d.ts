// crc-32 ships types for its CRC-32 only; this is the Castagnoli half of the same package.
declare module 'crc-32/crc32c.js' {
  const crc32c: { buf(data: Uint8Array, seed?: number): number };
  export default crc32c;
}
