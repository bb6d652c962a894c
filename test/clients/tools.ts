/** Which foreign clients this machine has. What is missing is not fetched for these tests: the files that want it are left out, with a line. */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { haveJars, javaMajorVersion } from '../harness/kafka-jars.ts';
import { DEFAULT_KAFKA_VERSION } from '../harness/broker.ts';

/** `kcat`, or as Debian called it before. */
export function kcatCommand(): string | null {
  for (const name of ['kcat', 'kafkacat'])
    if (spawnSync(name, ['-V'], { stdio: 'ignore', timeout: 10_000 }).status === 0) return name;
  return null;
}

export function haveKafkaJs(): boolean {
  try {
    createRequire(import.meta.url).resolve('kafkajs');
    return true;
  } catch {
    return false;
  }
}

/** The files in this folder that cannot run here, and what each of them lacks. */
export function missingClients(): { file: string; lacks: string }[] {
  const missing: { file: string; lacks: string }[] = [];
  if (kcatCommand() === null) missing.push({ file: 'test/clients/kcat.test.ts', lacks: 'kcat' });
  if (javaMajorVersion() < 17 || !haveJars(DEFAULT_KAFKA_VERSION))
    missing.push({
      file: 'test/clients/java.test.ts',
      lacks: `Java 17+ and the jars of Kafka ${DEFAULT_KAFKA_VERSION}`,
    });
  if (!haveKafkaJs()) missing.push({ file: 'test/clients/kafkajs.test.ts', lacks: 'kafkajs' });
  return missing;
}
