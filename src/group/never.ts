/** Where a closed union has no case left; the compiler refuses what was forgotten. */
export function never(value: never): never {
  throw new Error(`group: unexpected ${JSON.stringify(value)}`);
}
