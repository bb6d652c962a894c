// member.mjs BOOTSTRAP TOPIC GROUP SHARE: says `ready` once it has its share of the partitions, reads when it is told to, prints counts.
import { Consumer } from '../../dist/index.js';

const [bootstrapServers, topic, groupId, share] = process.argv.slice(2);
const REPORT_EVERY = 20_000;
const consumer = new Consumer({
  bootstrapServers,
  groupId,
  autoOffsetReset: 'earliest',
  partitionAssignmentStrategy: ['range'],
});
let isReady = false;
consumer.subscribe([topic], {
  onAssigned: () => {
    const assigned = consumer.assignment();
    consumer.pause(assigned);
    if (assigned.length !== Number(share) || isReady) return;
    isReady = true;
    console.log('ready');
  },
});
process.stdin.once('data', () => consumer.resume(consumer.assignment()));
let count = 0;
let sum = 0;
const report = () => {
  if (count > 0) process.stdout.write(`${count}\n`);
  count = 0;
};
consumer.on('partitionEnd', report); // nothing is left of one, and nothing of the others is there
for await (const batch of consumer.batches()) {
  for (const { value } of batch) sum += value[0];
  count += batch.recordCount;
  if (count >= REPORT_EVERY) report();
}
if (sum < 0) throw new Error('unreachable');
