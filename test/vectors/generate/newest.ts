import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { APIS } from '../../../src/protocol/apis.ts';
import { entriesOf } from './zip.ts';

// Which versions of our APIs the newest release of Kafka has and we lack: npx tsx test/vectors/generate/newest.ts
// A notice, never a failure: a release that comes out does not break anything. Needs Maven, and says so where it cannot be asked.

const OLDEST = '4.2.0'; // what the vectors are made from: the newest is never older
const TIMEOUT_MS = 180_000;

/** `Fetch: Kafka has 4-19, samsa 4-18`, a line for each API that has grown. */
export function missing(ranges: ReadonlyMap<number, { min: number; max: number }>): string[] {
  return APIS.flatMap(({ key, name, minVersion, maxVersion }) => {
    const range = ranges.get(key);
    if (range === undefined || (range.min >= minVersion && range.max <= maxVersion)) return [];
    return [`${name}: Kafka has ${range.min}-${range.max}, samsa ${minVersion}-${maxVersion}`];
  });
}

/** The versions of each API by its key, as the schemas in the jar of kafka-clients say; those still in development are not counted. */
export function rangesIn(jar: Buffer): Map<number, { min: number; max: number }> {
  const ranges = new Map<number, { min: number; max: number }>();
  for (const { name, read } of entriesOf(jar)) {
    if (!/^common\/message\/\w+Request\.json$/.test(name)) continue;
    const text = read().toString();
    const key = /"apiKey": *(\d+)/.exec(text)?.[1];
    const [, min = '', max = min] = /"validVersions": *"(\d+)(?:-(\d+))?"/.exec(text) ?? [];
    if (key === undefined || min === '') continue;
    const isUnstable = /"latestVersionUnstable": *true/.test(text);
    ranges.set(Number(key), { min: Number(min), max: Number(max) - (isUnstable ? 1 : 0) });
  }
  return ranges;
}

async function newestJar(): Promise<{ version: string; jar: Buffer }> {
  const dir = mkdtempSync(path.join(tmpdir(), 'samsa-kafka-'));
  try {
    const args = ['-q', '-B', '-U', '-f', path.join(import.meta.dirname, 'pom.xml'), `-DKAFKA_VERSION=[${OLDEST},)`];
    const goal = ['dependency:copy-dependencies', '-DincludeArtifactIds=kafka-clients', `-DoutputDirectory=${dir}`];
    await promisify(execFile)('mvn', [...args, ...goal], { timeout: TIMEOUT_MS });
    const file = readdirSync(dir).find((name) => name.startsWith('kafka-clients-')) ?? '';
    return { version: file.slice('kafka-clients-'.length, -'.jar'.length), jar: readFileSync(path.join(dir, file)) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  let newest: { version: string; jar: Buffer };
  try {
    newest = await newestJar();
  } catch (error) {
    const [problem = ''] = String(error).split('\n');
    console.log(`notice: the newest release of Kafka is not known (${problem})`);
    return;
  }
  const lacking = missing(rangesIn(newest.jar));
  for (const line of lacking) console.log(`notice: Kafka ${newest.version}: ${line}`);
  if (lacking.length === 0) console.log(`Kafka ${newest.version}: samsa has every version of its ${APIS.length} APIs`);
}

if (process.argv[1] === import.meta.filename) await main();
