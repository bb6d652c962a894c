// samsa.ts BOOTSTRAP TOPIC RECORDS GROUP: reads so many records with batches() and touches every value.
import { Consumer } from '../../src/index.ts';

const [bootstrapServers = '', topic = '', wanted, groupId = ''] = process.argv.slice(2);
const target = Number(wanted);
let records = 0;
let bytes = 0;
let lastBytes = 0;
let first = 0;

const consumer = new Consumer({ bootstrapServers, groupId, autoOffsetReset: 'earliest' });
consumer.subscribe([topic]);
for await (const batch of consumer.batches()) {
  if (records === 0) first = performance.now();
  for (const { value } of batch) {
    if (value === null) continue;
    records++;
    bytes += value.length;
    lastBytes += value[value.length - 1] ?? 0;
  }
  if (records >= target) break;
}
const seconds = (performance.now() - first) / 1000;
console.log(JSON.stringify({ records, bytes, lastBytes, seconds }));
process.exit(0);
