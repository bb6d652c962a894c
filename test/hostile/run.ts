/**
 * What a hostile or broken broker does to a connection and to a whole consumer, measured: the tables of docs/hostile-network.md.
 * `npx tsx test/hostile/run.ts`; exits with 1 where something hangs, is left over, or ends in another error than it should.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { consumeBeside, REQUEST_TIMEOUT_MS, type Memory } from './consumption.ts';
import { MISDEEDS, type Misdeed } from './misdeeds.ts';
import { meet } from './on-connection.ts';

const MIB = 1024 * 1024;

setFlagsFromString('--expose_gc');
const collectGarbage = runInNewContext('gc') as () => void;

function table(title: string, columns: readonly string[]): void {
  console.log(`\n### ${title}\n\n| ${columns.join(' | ')} |\n|${columns.map(() => ' --- |').join('')}`);
}

function row(...cells: readonly string[]): void {
  console.log(`| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll(/\s*\r?\n\s*/g, ' ')).join(' | ')} |`);
}

function megabytes({ rss, arrayBuffers, external }: Memory): string {
  return [rss, external, arrayBuffers].map((bytes) => (bytes / MIB).toFixed(1)).join(' / ');
}

/** Ports are of the moment. */
function short(text: string): string {
  return text
    .replaceAll(/127\.0\.0\.1:\d+/g, 'broker')
    .replaceAll(/correlation id \d+ where \d+/g, 'correlation id 8 where 1');
}

function check(misdeed: Misdeed, texts: readonly string[], left: readonly string[]): string {
  const isRight = misdeed.error === null ? texts.length === 0 : misdeed.error.test(texts.join('\n'));
  if (isRight && left.length === 0) return '';
  process.exitCode = 1;
  return ` **WRONG** ${left.join(', ')}`;
}

async function connections(when: 'at ApiVersions' | 'later'): Promise<void> {
  table(
    `One connection, ${when === 'later' ? 'Metadata in place of which' : 'ApiVersions in place of which'} comes …`,
    ['the peer sends', 'the request is rejected with', 'after, ms', 'rss / external / ArrayBuffers, MiB more'],
  );
  for (const misdeed of MISDEEDS) {
    collectGarbage();
    const { error, ms, memory } = await meet(misdeed, when, REQUEST_TIMEOUT_MS);
    const text = error === null ? [] : [`${error.name}: ${error.message}`];
    row(
      misdeed.name,
      short(text[0] ?? '(nothing: it works)') + check(misdeed, text, []),
      ms.toFixed(0),
      megabytes(memory),
    );
  }
}

async function consumers(title: string, spared: readonly string[]): Promise<void> {
  table(title, [
    'it sends',
    'the application is told (`error` event), or gets from its read',
    'all records of the other broker after, ms',
    'told after, ms',
    'connections tried till then',
    'all of its own records after it behaves, ms',
    'rss / external / ArrayBuffers, MiB more',
  ]);
  for (const misdeed of MISDEEDS) {
    collectGarbage();
    const outcome = await consumeBeside(misdeed, spared, REQUEST_TIMEOUT_MS);
    const texts = [...outcome.told, ...outcome.thrown];
    const first =
      outcome.told[0] ?? (outcome.thrown[0] === undefined ? '(nothing: it works)' : `read: ${outcome.thrown[0]}`);
    const { otherMs, toldMs, connections, healedMs, memory, left } = outcome;
    const told = short(first) + check(misdeed, texts, left);
    row(
      misdeed.name,
      told,
      otherMs.toFixed(0),
      toldMs.toFixed(0),
      String(connections),
      healedMs.toFixed(0),
      megabytes(memory),
    );
  }
}

const startedAt = performance.now();
console.log(`Node ${process.version}; every deadline (\`requestTimeoutMs\`) is ${REQUEST_TIMEOUT_MS} ms.`);
if (MISDEEDS[0] !== undefined) await meet(MISDEEDS[0], 'later', REQUEST_TIMEOUT_MS); // the first of all pays for what is compiled
await connections('later');
await connections('at ApiVersions');
await consumers('A consumer on two brokers, one of which answers like that after ApiVersions', ['ApiVersions']);
await consumers('The same, from its first answer on', []);
console.log(`\n${MISDEEDS.length} cases, four times, in ${((performance.now() - startedAt) / 1000).toFixed(0)} s.`);
