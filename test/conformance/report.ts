import type { Result } from './run.ts';

// What the conformance tool tells at its end: how many cases passed, by API and version.

export interface Count {
  passed: number;
  failed: number;
}

/** Rows by name, in the order of the vectors; columns by version, `-` for what has none. */
export type Summary = Map<string, Map<string, Count>>;

export function addTo(summary: Summary, { row, version, failures }: Result): void {
  const columns = summary.get(row) ?? new Map<string, Count>();
  summary.set(row, columns);
  const column = version === null ? '-' : String(version);
  const count = columns.get(column) ?? { passed: 0, failed: 0 };
  columns.set(column, count);
  if (failures.length === 0) count.passed++;
  else count.failed++;
}

/** All cases together. */
export function total(columns: Iterable<Count>): Count {
  const sum = { passed: 0, failed: 0 };
  for (const { passed, failed } of columns) {
    sum.passed += passed;
    sum.failed += failed;
  }
  return sum;
}

/** A line for each API, a column for each version: how many passed, or `passed!failed`. */
export function tableOf(summary: Summary): string[] {
  const versions = [...new Set([...summary.values()].flatMap((columns) => [...columns.keys()]))]
    .filter((version) => version !== '-')
    .sort((a, b) => Number(a) - Number(b));
  const rows = [
    ['', 'all', ...versions.map((version) => `v${version}`)],
    ...[...summary].map(([name, columns]) => [
      name,
      show(total(columns.values())),
      ...versions.map((version) => {
        const count = columns.get(version);
        return count === undefined ? '' : show(count);
      }),
    ]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join(' ')
      .trimEnd(),
  );
}

function show({ passed, failed }: Count): string {
  return failed === 0 ? String(passed) : `${passed}!${failed}`;
}

/** The same for programs, with every failure. */
export function jsonOf(dir: string, summary: Summary, failed: readonly Result[]): unknown {
  const counts = Object.fromEntries([...summary].map(([name, columns]) => [name, Object.fromEntries(columns)]));
  const failures = failed.flatMap(({ name, row, version, failures: all }) =>
    all.map((failure) => ({ case: name, name: row, version, ...failure })),
  );
  return {
    vectors: dir,
    ...total([...summary.values()].flatMap((columns) => [...columns.values()])),
    counts,
    failures,
  };
}
