/*
 * Resident set and heap while a consumer reads without end: the topic of 5 M records, over and over from its beginning.
 *
 *   npx tsx bench/memory/run.ts [--minutes 10] [--write]
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startJvmBroker } from '../../test/harness/jvm-broker.ts';
import { CLIENTS, named } from '../consume/clients.ts';
import { KAFKA } from '../consume/places.ts';
import { writeResult } from '../consume/report.ts';
import { provideTopics, TOPICS } from '../consume/topics.ts';

interface Sample {
  seconds: number;
  records: number;
  rssMegabytes: number;
  heapMegabytes: number;
  buffersMegabytes: number;
}

const { values: flags } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, write: { type: 'boolean', default: false } },
});
const [client] = named(CLIENTS, 'samsa', 'client');
client?.prepare();
const broker = await startJvmBroker({ heap: '1g', dataDir: KAFKA });
const samples: Sample[] = [];
try {
  const topics = named(TOPICS, 'small', 'topic');
  await provideTopics(broker, topics);
  const program = join(import.meta.dirname, 'reader.mjs');
  const child = spawn(process.execPath, [program, broker.bootstrapServers, 'small', flags.minutes], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    samples.push(...lines.map((line) => JSON.parse(line) as Sample)); // reader.mjs prints exactly this
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`the reader ended with ${String(code)}`);
} finally {
  await broker.stop();
}
console.table(
  samples.filter((_, index) => index % Math.ceil(samples.length / 12) === 0 || index === samples.length - 1),
);
if (flags.write) writeResult('memory', { minutes: Number(flags.minutes), samples });
