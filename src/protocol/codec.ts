import Long from 'long';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

// Element codecs and defaults that many messages share.

/** The zero UUID: no topic id. */
export const NO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA';
export const ZERO = Long.ZERO;
export const MINUS_ONE = Long.NEG_ONE;

export function encodeInt8(w: Writer, _v: number, x: number): void {
  w.int8(x);
}
export function decodeInt8(r: Reader): number {
  return r.int8();
}
export function encodeInt32(w: Writer, _v: number, x: number): void {
  w.int32(x);
}
export function decodeInt32(r: Reader): number {
  return r.int32();
}
export function encodeInt64(w: Writer, _v: number, x: Long): void {
  w.int64(x);
}
export function encodeBool(w: Writer, _v: number, x: boolean): void {
  w.bool(x);
}
export function encodeString(w: Writer, _v: number, x: string): void {
  w.string(x);
}
export function decodeString(r: Reader): string {
  return r.string();
}
export function encodeUuid(w: Writer, _v: number, x: string): void {
  w.uuid(x);
}
