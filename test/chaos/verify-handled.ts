import type { Handled } from './handled-log.ts';

export interface HandledVerdict {
  records: number;
  /** Handled for the first time. */
  handled: number;
  duplicates: number;
  faults: string[];
}

/**
 * Every record handled; of each key, no record before the one that was written before it. Record `index` has the key
 * `index % keys`, so that a key's records are `key, key + keys, key + 2 · keys …`.
 */
export function verifyHandled(
  logs: readonly (readonly Handled[])[],
  { records, keys }: { records: number; keys: number },
): HandledVerdict {
  const verdict: HandledVerdict = { records, handled: 0, duplicates: 0, faults: [] };
  /** Of each key, which record is to come next. */
  const next = Array.from({ length: keys }, (_, key) => key);
  for (const { index } of logs.flat().sort((a, b) => a.atUs - b.atUs)) {
    const key = index % keys;
    const expected = next[key] ?? -1;
    if (index < expected) verdict.duplicates++;
    else if (index === expected) {
      verdict.handled++;
      next[key] = expected + keys;
    } else if (verdict.faults.length < 20) verdict.faults.push(`key ${key}: ${index} was handled before ${expected}`);
  }
  next.forEach((index, key) => {
    if (index < records && verdict.faults.length < 20) verdict.faults.push(`key ${key}: ${index} was never handled`);
  });
  return verdict;
}
