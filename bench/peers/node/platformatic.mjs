// platformatic.mjs BOOTSTRAP TOPIC RECORDS GROUP data|iter
import { Consumer } from '@platformatic/kafka';
import { bootstrapServers, groupId, LIMITS, mode, topic, touch } from './tally.mjs';

const consumer = new Consumer({
  clientId: 'bench',
  groupId,
  bootstrapBrokers: bootstrapServers.split(','),
  minBytes: LIMITS.minBytes,
  maxBytes: LIMITS.maxBytes,
  maxBytesPerPartition: LIMITS.maxPartitionBytes,
  maxWaitTime: LIMITS.maxWaitMs,
});
const stream = await consumer.consume({
  topics: [topic],
  mode: 'committed',
  fallbackMode: 'earliest',
  autocommit: 5000,
});
if (mode === 'iter') for await (const { value, key, offset } of stream) touch(value, key, Number(offset));
else stream.on('data', ({ value, key, offset }) => touch(value, key, Number(offset)));
