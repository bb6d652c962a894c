import type { Codec } from './codec.ts';
import { gzip } from './gzip.ts';
import { snappy } from './snappy.ts';

/** Every codec there is, by the number in a batch's attributes. A new one is one line here. */
export const codecs: Readonly<Record<number, Codec>> = {
  1: gzip,
  2: snappy,
};
