/** What `run.ts` and the process of a decoder say to each other, and what a decoder does. */

/** Reads a response to some depth. Gives back a number that depends on all it read, so that no work can be left out. */
export type Work = (response: Buffer) => number | Promise<number>;

export type Question =
  | { readonly kind: 'cases' }
  | { readonly kind: 'round'; readonly name: string; readonly files: readonly string[]; readonly passes: number }
  | { readonly kind: 'heap'; readonly files: readonly string[] };

export type Answer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'cases'; readonly names: readonly string[] }
  | { readonly kind: 'time'; readonly seconds: number }
  | { readonly kind: 'heap'; readonly kept: number; readonly allocated: number }
  | { readonly kind: 'error'; readonly message: string };

/** Length and last byte: what an application that reads the value does at least. */
export function touch(value: Uint8Array): number {
  return value.length + (value[value.length - 1] ?? 0);
}
