// samsa.mjs BOOTSTRAP TOPIC RECORDS GROUP batches|scan|records|each: samsa as npm installs it, from dist/.
import { Consumer } from '../../dist/index.js';
import { bootstrapServers, groupId, mode, topic, touch, touchRange } from '../peers/node/tally.mjs';

const consumer = new Consumer({ bootstrapServers, groupId, autoOffsetReset: 'earliest' });
consumer.subscribe([topic]);
switch (mode) {
  case 'batches':
    for await (const batch of consumer.batches()) for (const { value, key, offset } of batch) touch(value, key, offset);
    break;
  case 'scan':
    for await (const batch of consumer.batches())
      batch.scan(({ bytes, valueStart, valueLength, keyLength, offset }) =>
        touchRange(bytes, valueStart, valueLength, keyLength, offset),
      );
    break;
  case 'records':
    for await (const { value, key, offset } of consumer) touch(value, key, offset);
    break;
  case 'each':
    await consumer.forEach(async ({ value, key, offset }) => touch(value, key, offset), { concurrency: 64 });
    break;
  default:
    throw new Error(`no mode '${mode}'`);
}
