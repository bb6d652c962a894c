import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { openDatabase } from '../../examples/sqlite/database.ts';
import { OrderStore } from '../../examples/sqlite/store.ts';
import { Consumer, type RecordBatch } from '../../src/index.ts';
import { MockCluster } from '../../src/testing/index.ts';

const MAIN = fileURLToPath(new URL('../../examples/sqlite/main.ts', import.meta.url));
const PARTITIONS = 3;
const ORDERS = 30_000;
const KILLS = 3;

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'samsa-sqlite-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function cluster(orders: number): Promise<MockCluster> {
  const kafka = await MockCluster.start({ topics: { orders: PARTITIONS } });
  onTestFinished(() => kafka.close());
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const records = Array.from({ length: orders / PARTITIONS }, (_, i) => ({
      value: JSON.stringify({ customer: `c${i % 100}`, amount: partition * 100_000 + i }),
    }));
    await kafka.append('orders', partition, records, { batchRecords: 100 });
  }
  return kafka;
}

/** Every amount is another one, so the sum finds what is missing as well as what is there twice. */
function sumOf(orders: number): number {
  const each = orders / PARTITIONS;
  return PARTITIONS * ((each * (each - 1)) / 2) + each * 100_000 * (0 + 1 + 2);
}

it(`exactly once into SQLite, killed ${KILLS} times with SIGKILL`, { timeout: 120_000 }, async () => {
  const kafka = await cluster(ORDERS);
  const database = join(folder(), 'orders.db');
  kafka.delay('Fetch', 20); // so that there is a way to be killed on
  const start = (): { child: ChildProcess; text: () => string; ended: Promise<number | null> } => {
    const args = ['--database', database, '--orders', `${ORDERS}`, '--bootstrap-servers', kafka.bootstrapServers];
    const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...args, '--group', `g${process.hrtime.bigint()}`]);
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (part: string) => (text += part));
    return { child, text: () => text, ended: new Promise((resolve) => child.once('close', resolve)) };
  };
  for (let kill = 0; kill < KILLS; kill++) {
    const { child, ended } = start();
    let fetches = 0;
    const onRequest = ({ api }: { api: string }): void => {
      if (api === 'Fetch' && ++fetches >= 3 + kill) child.kill('SIGKILL');
    };
    kafka.on('request', onRequest);
    await ended;
    kafka.off('request', onRequest);
  }
  const last = start();
  expect(await last.ended, last.text()).toBe(0);
  expect(last.text()).toContain(`${ORDERS} orders of ${sumOf(ORDERS)} in all`);
});

it('a member that does not know yet that it lost its partition stores nothing', async () => {
  const kafka = await cluster(300);
  const database = await openDatabase(join(folder(), 'orders.db'));
  onTestFinished(() => database.close());
  const store = new OrderStore(database);
  const batches: RecordBatch[] = [];
  await using consumer = new Consumer({ bootstrapServers: kafka.bootstrapServers, maxPollRecords: 10 });
  consumer.assign([{ topic: 'orders', partition: 1, offset: 0 }]);
  for await (const batch of consumer.batches()) if (batches.push(batch) === 3) break;
  const [first, second, third] = batches as [RecordBatch, RecordBatch, RecordBatch];
  expect([store.store(first), store.store(second)]).toEqual([true, true]);
  expect(store.position(first)).toBe(second.nextOffset);
  // The zombie still holds the second one.
  expect([store.store(second), store.store(first)]).toEqual([false, false]);
  expect(store.store(third)).toBe(true);
  const sum = [...first, ...second, ...third].reduce(
    (total, record) => total + (record.json<{ amount: number }>()?.amount ?? 0),
    0,
  );
  expect(store.totals).toEqual({ orders: first.recordCount + second.recordCount + third.recordCount, amount: sum });
});
