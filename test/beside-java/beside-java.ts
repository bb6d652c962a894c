import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { classPath, fetchJars, javaCommand } from '../harness/kafka-jars.ts';
import { TestAdmin } from '../harness/admin.ts';
import { TOOLS_VERSION } from '../harness/kafka-tools.ts';
import { samsaCases, type CaseSetting } from './samsa-cases.ts';

const PROGRAM = join(import.meta.dirname, 'JavaCases.java');
const RECORDS = 20;
const JAVA_TIMEOUT_MS = 240_000;

export interface Outcome {
  readonly name: string;
  readonly java: string;
  readonly samsa: string;
  /** Why the two differ; undefined where they must not. */
  readonly reason: string | undefined;
}

/** Where samsa differs from Java's consumer on purpose. Every other difference is a defect. */
export const REASONS: Readonly<Record<string, string>> = {
  'poll-close': 'close() cannot tell whether the application is done with what poll() gave; commit() before it says so',
  'poll-throw-close': 'for the same reason: Java loses the records that were not handled',
};

/** Where Java's own consumer behaves otherwise with the group protocol `consumer`. */
const REASONS_OF_CONSUMER: Readonly<Record<string, string>> = {
  'onRevoked-throws': "Java's member keeps its partitions; samsa goes on with the rebalance, as with `classic`",
  'onLost-default': "Java's member is told late; samsa tells it at once, as with `classic`",
};

/** Runs every case with Java's consumer and with samsa on the same broker, each on topics of its own. */
export async function besideJava(setting: CaseSetting, prefix: string): Promise<Outcome[]> {
  const cases = samsaCases(setting);
  const { bootstrapServers, groupProtocol } = setting;
  const admin = await TestAdmin.connect(bootstrapServers);
  try {
    for (const topic of Object.keys(cases).flatMap((name) => [`${prefix}-java-${name}`, `${prefix}-samsa-${name}`])) {
      await admin.createTopic(topic, 2);
      await admin.fill(topic, RECORDS, (index) => ({ value: `${index}` }));
    }
  } finally {
    admin.close();
  }
  const java = await javaOutcomes(bootstrapServers, groupProtocol, `${prefix}-java`);
  const outcomes: Outcome[] = [];
  for (const [name, run] of Object.entries(cases)) {
    const samsa = await run(`${prefix}-samsa-${name}`).catch((error: unknown) => `threw ${String(error)}`);
    const reason = REASONS[name] ?? (groupProtocol === 'consumer' ? REASONS_OF_CONSUMER[name] : undefined);
    outcomes.push({ name, java: java.get(name) ?? 'nothing', samsa, reason });
  }
  return outcomes;
}

async function javaOutcomes(servers: string, protocol: string, prefix: string): Promise<Map<string, string>> {
  await fetchJars(TOOLS_VERSION);
  const jvm = ['-Xmx256m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=off', '-cp', classPath(TOOLS_VERSION)];
  const args = [...jvm, PROGRAM, servers, protocol, prefix];
  const { stdout } = await promisify(execFile)(javaCommand(), args, { timeout: JAVA_TIMEOUT_MS });
  const lines = stdout.split('\n').filter((line) => line.includes('\t'));
  return new Map(lines.map((line) => line.split('\t', 2) as [string, string]));
}
