import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { runAssignorCase } from './assignors.ts';
import { runMessageCase, type Vector } from './messages.ts';
import { runRecordCase } from './records.ts';

// Walks a directory of vectors: *.jsonl (messages), records/*.bin with its .json, assignors/*.jsonl.

/** One case; it passed where there are no failures. */
export interface Result {
  /** Such as `Fetch.jsonl:12 response v12 typical`. */
  name: string;
  failures: string[];
}

/**
 * @param only names of files (without ending), APIs or folders; all where it is empty. One that matches nothing fails.
 */
export function* runVectors(dir: string, only: readonly string[] = []): Generator<Result> {
  const unmatched = new Set(only);
  const wanted = (...names: string[]): boolean => {
    const matches = names.filter((name) => only.includes(name));
    for (const name of matches) unmatched.delete(name);
    return only.length === 0 || matches.length > 0;
  };
  let cases = 0;
  for (const run of [messageFiles, recordFiles, assignorFiles]) {
    for (const result of run(dir, wanted)) {
      cases++;
      yield result;
    }
  }
  for (const name of unmatched) yield { name, failures: [`nothing of that name in ${dir}`] };
  if (cases === 0 && unmatched.size === 0) yield { name: dir, failures: ['no vectors'] };
}

type Wanted = (...names: string[]) => boolean;

function* messageFiles(dir: string, wanted: Wanted): Generator<Result> {
  for (const file of filesIn(dir, '.jsonl')) {
    if (!wanted(path.basename(file, '.jsonl'))) continue;
    yield* eachLine(path.join(dir, file), file, (line) => {
      const vector = line as Vector; // a line that is none fails below
      return {
        about: `${vector.kind} v${vector.version} ${vector.case}`,
        failures: runMessageCase(vector),
      };
    });
  }
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
    yield { name: `records/${name}`, failures };
  }
}

function* assignorFiles(dir: string, wanted: Wanted): Generator<Result> {
  const folder = path.join(dir, 'assignors');
  for (const file of filesIn(folder, '.jsonl')) {
    const assignor = path.basename(file, '.jsonl');
    if (!wanted('assignors', assignor)) continue;
    yield* eachLine(path.join(folder, file), `assignors/${file}`, (line) => ({
      about: assignor,
      failures: runAssignorCase(assignor, line),
    }));
  }
}

function* eachLine(
  file: string,
  shown: string,
  run: (line: unknown) => { about: string; failures: string[] },
): Generator<Result> {
  const lines = readFileSync(file, 'utf8').split('\n');
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    let about = '';
    const failures = attempt(() => {
      const result = run(JSON.parse(line));
      about = ` ${result.about}`;
      return result.failures;
    });
    yield { name: `${shown}:${index + 1}${about}`, failures };
  }
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
