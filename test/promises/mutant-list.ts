/** A mended place, broken again. */
export interface Mutant {
  readonly name: string;
  /** The promise that is broken by it. */
  readonly what: string;
  readonly file: string;
  /** Occurs once. */
  readonly from: string;
  readonly to: string;
}

export const MUTANTS: readonly Mutant[] = [];
