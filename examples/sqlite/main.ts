/*
 * Offsets outside Kafka: every order is in the database exactly once, whatever crashes when. Kafka's committed offsets are not used at all:
 * the position is stored in the transaction that stores the orders, and reading begins there.
 *
 *   npx tsx examples/sqlite/main.ts [--database FILE] [--orders N] [--bootstrap-servers … --topic T --group G]
 *
 * Without servers it brings a mock cluster with N orders. Ends when N orders are stored; kill it on the way, and start it again.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Consumer } from '../../src/index.ts';
import { MockCluster } from '../../src/testing/index.ts';
import { openDatabase } from './database.ts';
import { OrderStore } from './store.ts';

const { values } = parseArgs({
  options: {
    database: { type: 'string', default: join(tmpdir(), `samsa-orders-${process.pid}.db`) },
    orders: { type: 'string', default: '10000' },
    topic: { type: 'string', default: 'orders' },
    group: { type: 'string', default: 'billing' },
    'bootstrap-servers': { type: 'string' },
  },
});
const wanted = Number(values.orders);
const mock = values['bootstrap-servers'] === undefined ? await mockWithOrders() : null;
const database = await openDatabase(values.database);
const store = new OrderStore(database);

const consumer = new Consumer({
  bootstrapServers: values['bootstrap-servers'] ?? mock?.bootstrapServers ?? '',
  groupId: values.group,
  autoOffsetReset: 'earliest', // for partitions that the database knows nothing of
  enableAutoCommit: false,
});
consumer.subscribe([values.topic], {
  // Nothing of these is read before this returns.
  onAssigned: (partitions) => {
    for (const partition of partitions) {
      const position = store.position(partition);
      if (position !== null) consumer.seek(partition, position);
    }
  },
});
process.once('SIGTERM', () => void consumer.close());

if (store.totals.orders < wanted) {
  for await (const batch of consumer.batches()) {
    if (!store.store(batch)) {
      const position = store.position(batch);
      if (position !== null) consumer.seek(batch, position); // somebody else has stored these
    }
    if (store.totals.orders >= wanted) break;
  }
}
await consumer.close();
const { orders, amount } = store.totals;
console.log(`${orders} orders of ${amount} in all, in ${values.database}`);
database.close();
await mock?.close();

async function mockWithOrders(): Promise<MockCluster> {
  const cluster = await MockCluster.start({ topics: { orders: 3 } });
  for (let partition = 0; partition < 3; partition++) {
    const orders = Array.from({ length: Math.ceil((wanted - partition) / 3) }, (_, i) => ({
      value: JSON.stringify({ customer: `c${i % 100}`, amount: 1 + (i % 50) }),
    }));
    await cluster.append('orders', partition, orders);
  }
  return cluster;
}
