/** What every producer was given: `make.ts` sends it, the test expects it. */
export const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export const PRODUCERS = ['java', 'librdkafka', 'franz-go'] as const;

export interface ProducedRecord {
  readonly key: string;
  readonly value: string;
}

/** Short ones, and one that is more than a block of snappy or lz4. No tabs, colons or line ends: the tools' separators. */
export const records: readonly ProducedRecord[] = Array.from({ length: 120 }, (_, index) => ({
  key: `key-${index % 7}`,
  value:
    index === 60
      ? largeValue()
      : `{"order" ${index}, "customer" "Åse №${index % 11}", "note" "${'→'.repeat(index % 13)}"}`,
}));

/** The producer's name, in a header of this name. */
export const HEADER = 'source';

function largeValue(): string {
  const words: string[] = [];
  for (let state = 7, length = 0; length < 70_000; length += 9) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words.push(`w${String((state >>> 20) % 900).padStart(6, '0')}`);
  }
  return words.join(' ');
}
