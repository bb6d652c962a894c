import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const POM = join(import.meta.dirname, 'kafka', 'pom.xml');
const OLD_POM = join(import.meta.dirname, 'kafka', 'old.xml');
const FIRST_NEW_RELEASE = '4.0';
/** Before it there are no jars for Scala 2.13. */
const FIRST_SCALA_213_RELEASE = '2.4';

/** Where the jars of Kafka's releases are kept, a folder for each: `SAMSA_KAFKA_LIBS`, else the user's cache folder. */
function jarsRoot(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return process.env['SAMSA_KAFKA_LIBS'] ?? join(cache, 'samsa-test', 'kafka');
}

/** The folder of one release's jars. It exists only when it is complete. */
export function jarsFolder(version: string): string {
  return join(jarsRoot(), version);
}

export function haveJars(version: string): boolean {
  return existsSync(join(jarsFolder(version), `kafka-clients-${version}.jar`));
}

/** Compares releases such as `2.8.2` and `3.3`, number by number. */
export function isOlder(version: string, than: string): boolean {
  const [one = [], other = []] = [version, than].map((text) => text.split('.').map(Number));
  const index = other.findIndex((number, at) => number !== (one[at] ?? 0));
  return index >= 0 && (one[index] ?? 0) < (other[index] ?? 0);
}

/** For `java -cp`, which expands the star itself. */
export function classPath(version: string): string {
  return join(jarsFolder(version), '*');
}

export function javaCommand(): string {
  const home = process.env['JAVA_HOME'];
  return home === undefined || home === '' ? 'java' : join(home, 'bin', 'java');
}

/** Java's major version; 0 where there is none. */
export function javaMajorVersion(): number {
  const { status, stderr } = spawnSync(javaCommand(), ['-version'], { encoding: 'utf8', timeout: 10_000 });
  if (status !== 0) return 0;
  return Number(/version "(?:1\.)?(\d+)/.exec(stderr)?.[1] ?? 0);
}

export function haveMaven(): boolean {
  return spawnSync('mvn', ['-v'], { stdio: 'ignore', timeout: 20_000 }).status === 0;
}

/**
 * Fetches one release's jars from Maven Central unless they are here. Safe for several processes at once: each fills a
 * folder of its own, and one of them becomes the real one. Throws with Maven's own words.
 */
export async function fetchJars(version: string, timeoutMs = 300_000): Promise<void> {
  if (haveJars(version)) return;
  mkdirSync(jarsRoot(), { recursive: true });
  const staging = mkdtempSync(join(jarsRoot(), '.fetching-'));
  const scala = `-Dscala.version=${isOlder(version, FIRST_SCALA_213_RELEASE) ? '2.12' : '2.13'}`;
  const pom = isOlder(version, FIRST_NEW_RELEASE) ? OLD_POM : POM;
  const goal = ['-q', '-B', '-f', pom, `-Dkafka.version=${version}`, scala, 'dependency:copy-dependencies'];
  try {
    await promisify(execFile)('mvn', [...goal, `-DoutputDirectory=${staging}`], { timeout: timeoutMs });
    renameSync(staging, jarsFolder(version));
  } catch (cause) {
    if (haveJars(version)) return;
    const said = cause instanceof Error && 'stdout' in cause ? String(cause.stdout).trim().slice(-2000) : String(cause);
    throw new Error(`could not fetch the jars of Kafka ${version} with mvn: ${said}`, { cause });
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}
