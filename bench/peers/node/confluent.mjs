// confluent.mjs BOOTSTRAP TOPIC RECORDS GROUP: @confluentinc/kafka-javascript, eachBatch
import { createRequire } from 'node:module';
import { bootstrapServers, groupId, LIMITS, topic, touch } from './tally.mjs';

const { KafkaJS } = createRequire(import.meta.url)('@confluentinc/kafka-javascript');
const kafka = new KafkaJS.Kafka({ 'bootstrap.servers': bootstrapServers });
const consumer = kafka.consumer({
  'group.id': groupId,
  'auto.offset.reset': 'earliest',
  'fetch.min.bytes': LIMITS.minBytes,
  'fetch.max.bytes': LIMITS.maxBytes,
  'max.partition.fetch.bytes': LIMITS.maxPartitionBytes,
  log_level: 3,
});
await consumer.connect();
await consumer.subscribe({ topics: [topic] });
await consumer.run({
  eachBatch: async ({ batch }) => {
    for (const { value, key, offset } of batch.messages) touch(value, key, Number(offset));
  },
});
