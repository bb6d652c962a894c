import { gunzipSync } from 'node:zlib';
import { DecompressionError, type Codec } from './codec.ts';

/** RFC 1952, one or several members: zlib goes on through members by itself and stops at the output limit. */
export const gzip: Codec = {
  name: 'gzip',
  decompress(bytes, maxBytes) {
    try {
      return gunzipSync(bytes, { maxOutputLength: Math.max(1, maxBytes) });
    } catch (cause) {
      if (cause instanceof RangeError && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE') {
        throw DecompressionError.tooLarge(maxBytes);
      }
      throw new DecompressionError('corrupt', cause instanceof Error ? cause.message : String(cause), cause);
    }
  },
};
