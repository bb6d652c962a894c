import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer } from '../../src/index.ts';
import type { MemberSettings } from './scenario.ts';

// One process of the group. What it was given goes to a file, a line per batch and before the next one is asked for, so
// that not even SIGKILL parts what was delivered from what is written:
//
//   d PARTITION FIRST LAST MS    delivered, offsets from FIRST to LAST without a gap
//   c PARTITION OFFSET MS        acknowledged commit
//   a MS P,P,…  r MS P,P,…  l MS P,P,…    assigned, revoked, lost
//   x MESSAGE                    something that must not be

const { bootstrapServers, topic, groupId, partitions, file, pauseMs, sessionTimeoutMs, autoCommitIntervalMs } =
  JSON.parse(process.argv[2] ?? '{}') as MemberSettings;

const log = openSync(file, 'a');
const write = (line: string): void => void writeSync(log, `${line}\n`);
const numbers = (list: readonly { partition: number }[]): string => list.map(({ partition }) => partition).join(',');

const consumer = new Consumer({
  bootstrapServers,
  groupId,
  sessionTimeoutMs,
  autoCommitIntervalMs,
  heartbeatIntervalMs: Math.floor(sessionTimeoutMs / 10),
  autoOffsetReset: 'earliest',
});
consumer.on('committed', (offsets) => {
  for (const { partition, offset } of offsets) write(`c ${partition} ${offset} ${Date.now()}`);
});
consumer.on('error', (error) => process.stderr.write(`${error.message}\n`));
process.once('SIGTERM', () => void consumer.close());
process.on('unhandledRejection', (reason) => write(`x unhandled rejection: ${String(reason)}`));

consumer.subscribe([topic], {
  onAssigned: (list) => write(`a ${Date.now()} ${numbers(list)}`),
  onRevoked: (list) => write(`r ${Date.now()} ${numbers(list)}`),
  onLost: (list) => write(`l ${Date.now()} ${numbers(list)}`),
});

for await (const batch of consumer.batches()) {
  const { partition, firstOffset, lastOffset } = batch;
  write(`d ${partition} ${firstOffset} ${lastOffset} ${Date.now()}`);
  let expected = firstOffset;
  for (const { offset, value } of batch) {
    const index = Number(value?.toString());
    if (offset !== expected) write(`x ${partition}: offset ${offset} where ${expected} was expected`);
    if (index !== offset * partitions + partition) write(`x ${partition}@${offset} has the value ${index}`);
    expected = offset + 1;
  }
  if (expected !== lastOffset + 1) write(`x ${partition}: the batch to ${lastOffset} ended before ${expected}`);
  if (pauseMs > 0) await sleep(pauseMs);
}
