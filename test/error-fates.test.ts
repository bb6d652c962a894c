import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { METADATA_FATES } from '../src/client/metadata-fates.ts';
import { COMMITTED_FATES, OFFSET_COMMIT_FATES } from '../src/commit/fates.ts';
import * as fetchFates from '../src/fetch/fates.ts';
import * as group from '../src/group/answers.ts';
import { MEMBER_HEARTBEAT_FATES } from '../src/group/consumer-answers.ts';
import { ERROR_CODES, errorCodeOf, type ErrorName } from '../src/protocol/error-codes.ts';
import { fateOf, type ErrorFates } from '../src/protocol/error-fates.ts';

// docs/error-fates.md against the tables that the code goes by. Whoever adds a table adds it here, and its section there.

const TABLES: readonly ErrorFates<string>[] = [
  METADATA_FATES,
  ...Object.values(fetchFates),
  COMMITTED_FATES,
  OFFSET_COMMIT_FATES,
  group.FIND_COORDINATOR_FATES,
  group.JOIN_FATES,
  group.SYNC_FATES,
  group.HEARTBEAT_FATES,
  group.LEAVE_FATES,
  MEMBER_HEARTBEAT_FATES,
];

const OTHERS = 'every other code';
const doc = readFileSync(new URL('../docs/error-fates.md', import.meta.url), 'utf8');

interface Row {
  /** As they are written: `NAME NUMBER`. */
  readonly codes: readonly string[];
  readonly verdicts: readonly string[];
}

/** The rows of a section's table; empty where there is no such section. */
function rowsOf(title: string): Row[] {
  const section = doc.split(/^## /m).find((each) => each.startsWith(`${title}\n`)) ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\| (code|-)/.test(line))
    .map((line) => {
      const [, codes = '', , samsa = ''] = line.split('|').map((cell) => cell.trim());
      const verdicts = [...samsa.matchAll(/`([a-zA-Z]+)`/g)].map(([, verdict]) => verdict ?? '');
      return { codes: codes.split(', '), verdicts };
    });
}

describe.each(TABLES)('$title', (table) => {
  const rows = rowsOf(table.title);
  const said = new Map(
    rows.flatMap(({ codes, verdicts }) => codes.map((code, i) => [code, verdicts[i] ?? verdicts[0]] as const)),
  );

  it('names codes by their names and numbers, each once', () => {
    const named = rows.flatMap(({ codes }) => codes).filter((code) => code !== OTHERS);
    expect(new Set(named).size).toBe(named.length);
    const real = new Set(Object.entries(ERROR_CODES).map(([name, code]) => `${name} ${code}`));
    expect(named.filter((code) => !real.has(code))).toEqual([]);
  });

  it('says of each what the code does', () => {
    for (const [text, verdict] of said) {
      const code = text === OTHERS ? 9999 : Number(text.split(' ')[1]);
      expect(verdict, text).toBe(fateOf(table, code));
    }
  });

  it('leaves out none that has a verdict of its own', () => {
    const own = Object.keys(table.codes).map((name) => `${name} ${ERROR_CODES[name as ErrorName]}`);
    expect([...own, OTHERS].filter((code) => !said.has(code))).toEqual([]);
  });

  it('has a verdict on every code there may be', () => {
    for (const code of [...Object.values(ERROR_CODES), 222]) {
      const { name } = errorCodeOf(code);
      const own = name === 'UNKNOWN_ERROR_CODE' ? undefined : table.codes[name];
      expect(fateOf(table, code)).toBe(own ?? table.others);
    }
  });
});

it('explains every verdict that it uses', () => {
  const explained = new Set([...doc.matchAll(/^\| `([a-zA-Z]+)` /gm)].map(([, verdict]) => verdict));
  const used = TABLES.flatMap((table) => [...Object.values(table.codes), table.others]);
  expect([...new Set(used)].filter((verdict) => !explained.has(verdict))).toEqual([]);
});
