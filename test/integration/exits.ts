import { Consumer } from '../../src/index.ts';

// A process of its own for `close.test.ts`: does one thing with a consumer and has to end by itself, without process.exit().
// exits.ts SCENARIO BOOTSTRAP TOPIC GROUP

const [scenario = '', bootstrapServers = '', topic = '', groupId = ''] = process.argv.slice(2);
const quick = { bootstrapServers, autoOffsetReset: 'earliest', logger: null } as const;

const scenarios: Record<string, () => Promise<void>> = {
  async 'never used'() {
    new Consumer({ ...quick, groupId });
    await Promise.resolve();
  },
  async 'read and closed'() {
    const consumer = new Consumer({ ...quick, groupId });
    consumer.subscribe([topic]);
    for await (const record of consumer) {
      if (record.offset === 4) break;
    }
    await consumer.close();
  },
  async 'await using'() {
    await using consumer = new Consumer(quick);
    consumer.assign([{ topic, partition: 0 }]);
    await consumer.poll({ timeoutMs: 5000 });
    consumer.pause();
    consumer.seekToBeginning();
  },
  async 'closed while joining'() {
    const consumer = new Consumer({ ...quick, groupId });
    consumer.subscribe([topic]);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await consumer.close();
  },
  async 'nobody there'() {
    const consumer = new Consumer({ ...quick, bootstrapServers: '127.0.0.1:1', groupId });
    consumer.subscribe([topic]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await consumer.close();
  },
  async aborted() {
    const controller = new AbortController();
    const consumer = new Consumer({ ...quick, groupId, signal: controller.signal });
    consumer.subscribe([topic]);
    for await (const record of consumer) {
      if (record.offset === 4) controller.abort();
    }
  },
  async 'SIGTERM while waiting'() {
    const consumer = new Consumer({ ...quick, groupId });
    process.once('SIGTERM', () => void consumer.close());
    consumer.subscribe([topic]);
    consumer.on('partitionEnd', () => process.kill(process.pid, 'SIGTERM'));
    for await (const record of consumer) if (record.topic !== topic) throw new Error(record.topic);
  },
};

process.on('unhandledRejection', (reason) => {
  console.log(`unhandled: ${String(reason)}`);
  process.exitCode = 2;
});
await scenarios[scenario]?.();
console.log('done');
