import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const POM = join(import.meta.dirname, 'kafka', 'pom.xml');

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
  const goal = ['-q', '-B', '-f', POM, `-Dkafka.version=${version}`, 'dependency:copy-dependencies'];
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
