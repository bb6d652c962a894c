import { statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { addTo, jsonOf, tableOf, total, type Summary } from './report.ts';
import { runVectors, type Result } from './run.ts';

// Exit codes: 0 all passed, 1 something failed, 2 wrong arguments.

const USAGE =
  'usage: npm run conformance -- [--vectors DIR] [--only NAME[,NAME…]] [--except NAME[,NAME…]] [--json FILE] [--help]';

const HELP = `${USAGE}

Runs Kafka's own bytes through samsa: encode(json) = hex, decode(hex) = json, encode(decode(hex)) = hex.

--vectors DIR   *.jsonl (messages), records/*.bin with *.json, assignors/*.jsonl; the format is in
                test/vectors/README.md. Default: the project's own, test/vectors
--only NAME     only these files (Fetch, range, v2-lz4) or folders (records, assignors)
--except NAME   all but these
--json FILE     writes counts and failures to FILE as JSON

Prints a line for each failure with the first byte of the body that is wrong and its field, then a table of how many cases
passed by API and version ("12!3": 12 passed, 3 failed), then "N passed, N failed". What samsa has no codec for fails, and so
does a directory without vectors.
`;

interface Options {
  dir: string;
  only: string[];
  except: string[];
  json: string | null;
}

function parse(): Options | 'help' {
  const { values } = parseArgs({
    options: {
      vectors: { type: 'string' },
      only: { type: 'string', multiple: true },
      except: { type: 'string', multiple: true },
      json: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) return 'help';
  const dir = values.vectors ?? path.join(import.meta.dirname, '../vectors');
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`--vectors ${dir}: no such directory`);
  return {
    dir,
    only: namesIn('only', values.only),
    except: namesIn('except', values.except),
    json: values.json ?? null,
  };
}

function namesIn(option: string, values: string[] = []): string[] {
  const names = values.flatMap((value) => value.split(',')).map((name) => name.trim());
  if (names.includes('')) throw new Error(`--${option}: an empty name`);
  return names;
}

function main(): number {
  let options: Options | 'help';
  try {
    options = parse();
  } catch (error) {
    const [problem] = (error instanceof Error ? error.message : String(error)).split('\n');
    process.stderr.write(`conformance: ${problem}; ${USAGE}\n`);
    return 2;
  }
  if (options === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  const summary: Summary = new Map();
  const failed: Result[] = [];
  for (const result of runVectors(options.dir, options)) {
    addTo(summary, result);
    if (result.failures.length > 0) failed.push(result);
    for (const { message } of result.failures)
      process.stdout.write(`${result.name}: ${message.replaceAll('\n', ' ')}\n`);
  }
  const all = total([...summary.values()].flatMap((columns) => [...columns.values()]));
  process.stdout.write(`\n${tableOf(summary).join('\n')}\n\n${all.passed} passed, ${all.failed} failed\n`);
  if (options.json !== null) {
    try {
      writeFileSync(options.json, `${JSON.stringify(jsonOf(options.dir, summary, failed), null, 2)}\n`);
    } catch (error) {
      process.stderr.write(`conformance: --json ${options.json}: ${String(error)}\n`);
      return 2;
    }
  }
  return all.failed === 0 ? 0 : 1;
}

process.exitCode = main();
