import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer } from '../../src/index.ts';
import { HandledLog } from './handled-log.ts';
import type { KillsMember } from './kills.ts';

// One process of the group: `forEach` with many handlers at once, in order of the keys. What a handler has done goes to a file before the
// handler ends, so that not even SIGKILL parts what was handled from what is written. Complaints go to stderr and fail the run.

const settings = JSON.parse(process.argv[2] ?? '{}') as KillsMember;
const log = new HandledLog(openSync(settings.file, 'a'));
const consumer = new Consumer({
  bootstrapServers: settings.bootstrapServers,
  groupId: settings.groupId,
  autoCommitIntervalMs: settings.autoCommitIntervalMs,
  // With the consumer protocol (KIP-848) these are the broker's affair.
  ...(settings.assignor === 'consumer-protocol'
    ? { groupProtocol: 'consumer' as const }
    : {
        sessionTimeoutMs: settings.sessionTimeoutMs,
        heartbeatIntervalMs: Math.floor(settings.sessionTimeoutMs / 10),
        partitionAssignmentStrategy: settings.assignor,
      }),
  autoOffsetReset: 'earliest',
  logger: null,
});
const complain = (text: string): void => void process.stderr.write(`complaint: ${text}\n`);
consumer.on('error', (error) => process.stderr.write(`${error.message}\n`));
process.on('unhandledRejection', (reason) => complain(`unhandled rejection: ${String(reason)}`));
process.once('SIGTERM', () => {
  writeSync(1, `t ${log.now()}\n`);
  void consumer.close();
});

const running = new Set<string>();
consumer.subscribe([settings.topic]);
writeSync(1, 'ready\n');
await consumer.forEach(
  async (record) => {
    const key = record.key?.toString() ?? '';
    if (running.has(key)) complain(`two handlers for the key ${key} at a time`);
    running.add(key);
    const index = Number(record.value?.toString());
    // Most take some milliseconds, a few are slow: so the order of the ends is any but that of the offsets.
    await sleep(index % 97 === 0 ? 40 : (index * 7919) % 5);
    log.add(index);
    running.delete(key);
  },
  { concurrency: 64, ordering: 'key' },
);
