// kafkajs.mjs BOOTSTRAP TOPIC RECORDS GROUP: reads so many records with eachBatch and touches every value.
// The same limits as Kafka's own consumer has by default, and as samsa has.
import { Kafka, logLevel } from 'kafkajs';

const [bootstrapServers, topic, wanted, groupId] = process.argv.slice(2);
const target = Number(wanted);
let records = 0;
let bytes = 0;
let lastBytes = 0;
let first = 0;

const kafka = new Kafka({ clientId: 'bench', brokers: bootstrapServers.split(','), logLevel: logLevel.ERROR });
const consumer = kafka.consumer({
  groupId,
  minBytes: 1,
  maxBytes: 50 * 1024 * 1024,
  maxBytesPerPartition: 1024 * 1024,
  maxWaitTimeInMs: 500,
});
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
await consumer.run({
  eachBatch: async ({ batch }) => {
    if (records === 0) first = performance.now();
    for (const { value } of batch.messages) {
      records++;
      bytes += value.length;
      lastBytes += value[value.length - 1];
    }
    if (records < target) return;
    const seconds = (performance.now() - first) / 1000;
    console.log(JSON.stringify({ records, bytes, lastBytes, seconds }));
    process.exit(0);
  },
});
