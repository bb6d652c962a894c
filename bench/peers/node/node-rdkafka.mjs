// node-rdkafka.mjs BOOTSTRAP TOPIC RECORDS GROUP: node-rdkafka, consume(1000, callback) in a loop
import { createRequire } from 'node:module';
import { bootstrapServers, groupId, LIMITS, topic, touch } from './tally.mjs';

const { KafkaConsumer } = createRequire(import.meta.url)('node-rdkafka');
const consumer = new KafkaConsumer(
  {
    'bootstrap.servers': bootstrapServers,
    'group.id': groupId,
    'fetch.min.bytes': LIMITS.minBytes,
    'fetch.max.bytes': LIMITS.maxBytes,
    'max.partition.fetch.bytes': LIMITS.maxPartitionBytes,
    'fetch.queue.backoff.ms': 10, // by default it stalls for a second at every full queue
    log_level: 3,
  },
  { 'auto.offset.reset': 'earliest' },
);
consumer.connect({}, (error) => {
  if (error) throw error;
  consumer.subscribe([topic]);
  consumer.setDefaultConsumeTimeout(100);
  const next = () =>
    consumer.consume(1000, (failure, messages) => {
      if (failure) throw failure;
      for (const { value, key, offset } of messages) touch(value, key, offset);
      setImmediate(next);
    });
  next();
});
