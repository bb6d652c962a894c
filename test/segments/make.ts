/*
 * Has Java's producer, kcat (librdkafka) and franz-go write the same records to a real broker, in each codec, and keeps the broker's
 * segment files beside this file; `segments.test.ts` reads them.
 *
 *   npx tsx test/segments/make.ts        needs Java 17+, Maven, kcat and Go
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestAdmin } from '../harness/admin.ts';
import { DEFAULT_KAFKA_VERSION } from '../harness/broker.ts';
import { startJvmBroker } from '../harness/jvm-broker.ts';
import { classPath, javaCommand } from '../harness/kafka-jars.ts';
import { CODECS, HEADER, PRODUCERS, records } from './records.ts';

const SEGMENT = '00000000000000000000.log';

const folder = mkdtempSync(join(tmpdir(), 'samsa-segments-'));
const broker = await startJvmBroker({ dataDir: folder });
const { bootstrapServers } = broker;
try {
  const admin = await TestAdmin.connect(bootstrapServers);
  for (const producer of PRODUCERS) {
    for (const codec of CODECS) {
      const topic = `${producer}-${codec}`;
      await admin.createTopic(topic, 1);
      produce(producer, topic, codec);
      console.log(`${topic}: ${(await admin.endOffsets(topic)).join()} records`);
    }
  }
  admin.close();
  await broker.kill('SIGTERM'); // so that all is on the disk
  for (const topic of PRODUCERS.flatMap((producer) => CODECS.map((codec) => `${producer}-${codec}`))) {
    const target = join(import.meta.dirname, 'captured', `${topic}-0`);
    mkdirSync(target, { recursive: true });
    copyFileSync(join(folder, 'data', `${topic}-0`, SEGMENT), join(target, SEGMENT));
  }
} finally {
  await broker.stop();
  rmSync(folder, { recursive: true });
}

function produce(producer: (typeof PRODUCERS)[number], topic: string, codec: string): void {
  const lines = (line: (record: (typeof records)[number]) => string): string =>
    records.map((record) => `${line(record)}\n`).join('');
  if (producer === 'java') {
    const settings = ['--compression-codec', codec, '--command-property', 'batch.size=100000'];
    const reader = ['parse.key=true', 'parse.headers=true'].flatMap((each) => ['--reader-property', each]);
    const args = [
      '-cp',
      classPath(DEFAULT_KAFKA_VERSION),
      'org.apache.kafka.tools.ConsoleProducer',
      ...settings,
      ...reader,
    ];
    const input = lines(({ key, value }) => `${HEADER}:java\t${key}\t${value}`);
    run(javaCommand(), [...args, '--bootstrap-server', bootstrapServers, '--topic', topic], input);
  } else if (producer === 'librdkafka') {
    const args = ['-P', '-b', bootstrapServers, '-t', topic, '-z', codec, '-K', '\t', '-H', `${HEADER}=librdkafka`];
    run(
      'kcat',
      args,
      lines(({ key, value }) => `${key}\t${value}`),
    );
  } else {
    const input = lines((record) => JSON.stringify(record));
    run('go', ['run', '.', bootstrapServers, topic, codec, HEADER], input, join(import.meta.dirname, 'go'));
  }
}

function run(command: string, args: readonly string[], input: string, cwd?: string): void {
  const result: SpawnSyncReturns<string> = spawnSync(command, args, { input, encoding: 'utf8', cwd });
  if (result.status !== 0)
    throw new Error(`${command} ended with ${String(result.status ?? result.error)}: ${result.stderr}`);
}
