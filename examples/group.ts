// The main job, as `npm start` shows it: a topic is filled, two members of a group share it, and everything that the group says is
// printed. With KAFKA_BOOTSTRAP_SERVERS it uses that cluster; without, it starts a broker of Kafka's own, for which it needs
// Docker, or Java 17+ and Maven.
import { Consumer } from '../src/index.ts';
import { TestAdmin } from '../test/harness/admin.ts';
import { startBroker } from '../test/harness/provide.ts';

const RECORDS = 200_000;

const broker = process.env['KAFKA_BOOTSTRAP_SERVERS'] === undefined ? await startBroker().catch(giveUp) : null;
const bootstrapServers = broker?.bootstrapServers ?? process.env['KAFKA_BOOTSTRAP_SERVERS'] ?? '';
const topic = `samsa-start-${Date.now()}`;

const admin = await TestAdmin.connect(bootstrapServers);
await admin.createTopic(topic, 6);
await admin.fill(topic, RECORDS, (index) => ({ key: `customer-${index % 100}`, value: `{"order":${index}}` }));
console.log(`${RECORDS} records in 6 partitions of '${topic}' on ${bootstrapServers}`);

let handled = 0;

function giveUp(error: Error): never {
  console.error(`no broker: ${error.message}; name yours with KAFKA_BOOTSTRAP_SERVERS=host:9092`);
  process.exit(1);
}

async function member(name: string): Promise<Consumer> {
  const consumer = new Consumer({ bootstrapServers, groupId: `${topic}-group`, autoOffsetReset: 'earliest' });
  const joined = new Promise<void>((resolve) => {
    consumer.subscribe([topic], {
      onAssigned: (partitions) => {
        console.log(`${name} reads partitions ${partitions.map(({ partition }) => partition).join(', ')}`);
        resolve();
      },
      onRevoked: (partitions) =>
        console.log(`${name} gives back ${partitions.map(({ partition }) => partition).join(', ')}`),
    });
  });
  void consume(consumer);
  await joined;
  return consumer;
}

async function consume(consumer: Consumer): Promise<void> {
  for await (const batch of consumer.batches()) for (const record of batch) if (record.json() !== null) handled++;
}

const began = performance.now();
const first = await member('the first member');
const second = await member('the second member');
while (handled < RECORDS) await new Promise((resolve) => setTimeout(resolve, 50));
const seconds = (performance.now() - began) / 1000;
await Promise.all([first.close(), second.close()]);

console.log(
  `${handled} records handled in ${seconds.toFixed(1)} s, two joins and a rebalance included; committed and closed`,
);
admin.close();
await broker?.stop();
