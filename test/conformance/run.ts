import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { runAssignorCase } from './assignors.ts';
import { runMessageCase, type Failure, type Vector } from './messages.ts';
import { runRecordCase } from './records.ts';

// Walks a directory of vectors: *.jsonl (messages), records/*.bin with its .json, assignors/*.jsonl.

/** One case; it passed where there are no failures. */
export interface Result {
  /** Such as `Fetch.jsonl:12 response v12 typical`. */
  name: string;
  /** In the summary: the API or the file, and the version where there is one. */
  row: string;
  version: number | null;
  failures: Failure[];
}

export interface Choice {
  /** Names of files (without ending) or folders; all where it is empty. One that matches nothing fails. */
  only?: readonly string[];
  /** What to leave out, in the same way. */
  except?: readonly string[];
}

export function* runVectors(dir: string, { only = [], except = [] }: Choice = {}): Generator<Result> {
  const unmatched = new Set([...only, ...except]);
  const wanted = (...names: string[]): boolean => {
    for (const name of names) unmatched.delete(name);
    if (names.some((name) => except.includes(name))) return false;
    return only.length === 0 || names.some((name) => only.includes(name));
  };
  let cases = 0;
  for (const run of [messageFiles, recordFiles, assignorFiles]) {
    for (const result of run(dir, wanted)) {
      cases++;
      yield result;
    }
  }
  for (const name of unmatched) yield failed(name, `nothing of that name in ${dir}`);
  if (cases === 0 && unmatched.size === 0) yield failed(dir, 'no vectors');
}

type Wanted = (...names: string[]) => boolean;

function* messageFiles(dir: string, wanted: Wanted): Generator<Result> {
  for (const file of filesIn(dir, '.jsonl')) {
    const name = path.basename(file, '.jsonl');
    if (!wanted(name)) continue;
    yield* eachLine(path.join(dir, file), file, name, (line) => {
      const vector = vectorOf(line);
      return {
        row: vector.api,
        version: vector.version,
        about: `${vector.kind} v${vector.version} ${vector.case}`,
        failures: runMessageCase(vector),
      };
    });
  }
}

function vectorOf(line: unknown): Vector {
  const { api, kind, version, case: name, hex, json } = (line ?? {}) as Partial<Vector>; // checked below
  const isWhole = typeof api === 'string' && typeof hex === 'string' && typeof name === 'string' && json !== undefined;
  const isKnown = kind === 'request' || kind === 'response' || kind === 'data';
  if (!isWhole || !isKnown || typeof version !== 'number') throw new Error('no vector: see test/vectors/README.md');
  if (!/^([0-9a-f]{2})*$/i.test(hex)) throw new Error('no vector: hex is not hexadecimal');
  return line as Vector;
}

function* recordFiles(dir: string, wanted: Wanted): Generator<Result> {
  const folder = path.join(dir, 'records');
  for (const file of filesIn(folder, '.bin')) {
    const name = path.basename(file, '.bin');
    if (!wanted('records', name)) continue;
    const failures = attempt(() => {
      const json: unknown = JSON.parse(readFileSync(path.join(folder, `${name}.json`), 'utf8'));
      return runRecordCase(name, readFileSync(path.join(folder, file)), json);
    });
    yield { name: `records/${name}`, row: 'records', version: null, failures: plain(failures) };
  }
}

function* assignorFiles(dir: string, wanted: Wanted): Generator<Result> {
  const folder = path.join(dir, 'assignors');
  for (const file of filesIn(folder, '.jsonl')) {
    const assignor = path.basename(file, '.jsonl');
    const row = `assignors/${assignor}`;
    if (!wanted('assignors', assignor)) continue;
    yield* eachLine(path.join(folder, file), `assignors/${file}`, row, (line) => ({
      row,
      version: null,
      about: assignor,
      failures: plain(runAssignorCase(assignor, line)),
    }));
  }
}

type LineResult = Omit<Result, 'name'> & { about: string };

/** @param row where a line that is no case goes */
function* eachLine(file: string, shown: string, row: string, run: (line: unknown) => LineResult): Generator<Result> {
  let count = 0;
  for (const [index, line] of readFileSync(file, 'utf8').split('\n').entries()) {
    if (line === '') continue;
    count++;
    const name = `${shown}:${index + 1}`;
    try {
      const { about, ...result } = run(JSON.parse(line));
      yield { name: `${name} ${about}`, ...result };
    } catch (error) {
      yield { ...failed(name, String(error)), row };
    }
  }
  if (count === 0) yield { ...failed(shown, 'no vectors'), row };
}

function failed(name: string, message: string): Result {
  return { name, row: name, version: null, failures: [{ message }] };
}

function plain(failures: readonly string[]): Failure[] {
  return failures.map((message) => ({ message }));
}

/** A runner that throws has failed its case, not the whole run. */
function attempt(run: () => string[]): string[] {
  try {
    return run();
  } catch (error) {
    return [String(error)];
  }
}

function filesIn(dir: string, ending: string): string[] {
  if (!existsSync(dir)) return [];
  const files = readdirSync(dir).filter((name) => name.endsWith(ending));
  return files.sort();
}
