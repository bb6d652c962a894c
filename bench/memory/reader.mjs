// reader.mjs BOOTSTRAP TOPIC MINUTES: reads the topic over and over, a line of figures every five seconds.
import { Consumer } from '../../dist/index.js';

const [bootstrapServers, topic, minutes] = process.argv.slice(2);
const SAMPLE_MS = 5000;
const until = performance.now() + Number(minutes) * 60_000;
const consumer = new Consumer({ bootstrapServers, groupId: `memory-${process.pid}`, autoOffsetReset: 'earliest' });
const ends = await consumer.endOffsets(await consumer.partitionsFor(topic));
const end = Math.max(...ends.map(({ offset }) => offset));
consumer.subscribe([topic]);
let records = 0;
let sampleAt = performance.now() + SAMPLE_MS;
let sum = 0;
for await (const batch of consumer.batches()) {
  for (const { value } of batch) sum += value[0];
  records += batch.recordCount;
  const now = performance.now();
  if (now >= sampleAt) {
    sampleAt += SAMPLE_MS;
    const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
    const [rssMegabytes, heapMegabytes, buffersMegabytes] = [rss, heapUsed, arrayBuffers].map((x) =>
      Math.round(x / 2 ** 20),
    );
    const seconds = Math.round(performance.now() / 1000);
    console.log(JSON.stringify({ seconds, records, rssMegabytes, heapMegabytes, buffersMegabytes }));
  }
  if (now >= until) break;
  if (batch.nextOffset >= end) consumer.seekToBeginning([{ topic, partition: batch.partition }]);
}
if (sum < 0) throw new Error('unreachable');
await consumer.close();
