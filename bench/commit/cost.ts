/*
 * What it costs to know what is finished, and to commit it, in nanoseconds per record:
 *
 *   npx tsx bench/commit/cost.ts [--write]
 *
 * First the ledger alone, then whole consumers on a mock cluster in the same process (whose own work is in every figure alike), each
 * beside the same without. Rounds are interleaved; the median counts. `--write` puts the figures into bench/results/commit.json.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { PartitionLedger } from '../../src/commit/ledger.ts';
import { Consumer, type ConsumerOptions } from '../../src/index.ts';
import { MockCluster } from '../../src/testing/index.ts';

const LEDGER_RECORDS = 1_000_000;
const LEDGER_ROUNDS = 9;
const RECORDS = 400_000;
const ROUNDS = 7;

type Round = () => number | Promise<number>;

const ledgerCases: Record<string, Round> = {
  'none (a loop that adds up offsets)': () => {
    let sum = 0;
    for (let offset = 0; offset < LEDGER_RECORDS; offset++) sum += offset;
    return sum;
  },
  'in order, record by record (for await)': () => {
    const ledger = new PartitionLedger();
    for (let offset = 0; offset < LEDGER_RECORDS; offset++) ledger.finish(offset + 1, 1);
    return ledger.finished;
  },
  'in order, a batch of 500 (batches)': () => {
    const ledger = new PartitionLedger();
    for (let offset = 0; offset < LEDGER_RECORDS; offset += 500) ledger.finish(offset + 500, 1);
    return ledger.finished;
  },
  'handed out and ended at once (forEach, no promise)': () => {
    const ledger = tracking();
    for (let offset = 0; offset < LEDGER_RECORDS; offset++) ledger.end(ledger.begin(offset, offset + 1, 1));
    return ledger.finished;
  },
  'any order, 64 outstanding (forEach)': () => anyOrder(64),
  'any order, 10,000 outstanding': () => anyOrder(10_000),
  'by offset, 1,000,000 outstanding, backwards (markConsumed)': () => {
    const ledger = tracking();
    for (let offset = 0; offset < LEDGER_RECORDS; offset++) ledger.begin(offset, offset + 1, 1);
    for (let offset = LEDGER_RECORDS - 1; offset >= 0; offset--) ledger.endRecord(offset);
    return ledger.finished;
  },
};

function tracking(): PartitionLedger {
  const ledger = new PartitionLedger();
  ledger.restart(0);
  ledger.track();
  return ledger;
}

/** A new record for each that ends; which one ends is as good as random. */
function anyOrder(outstanding: number): number {
  const ledger = tracking();
  const tickets: number[] = [];
  let next = 0;
  for (; next < outstanding; next++) tickets.push(ledger.begin(next, next + 1, 1));
  for (let i = 0; next < LEDGER_RECORDS; next++) {
    i = (Math.imul(i, 1_103_515_245) + 12_345) & 0x7fffffff;
    const which = (i >>> 8) % outstanding;
    ledger.end(tickets[which] ?? -1);
    tickets[which] = ledger.begin(next, next + 1, 1);
  }
  for (const ticket of tickets) ledger.end(ticket);
  return ledger.finished;
}

await using kafka = await MockCluster.start({ topics: { bench: 1 } });
const value = Buffer.alloc(100, 97);
await kafka.append(
  'bench',
  0,
  (function* () {
    for (let i = 0; i < RECORDS; i++) yield { key: `${i % 1000}`, value };
  })(),
  { batchRecords: 150 },
);

const OFF = { enableAutoCommit: false };
/** Fifty times as often as by default. */
const AUTO = { autoCommitIntervalMs: 100 };

const consumerCases: Record<string, Round> = {
  'batches(), no commits': () => consume(OFF, batches),
  'batches(), automatic commits every 100 ms': () => consume(AUTO, batches),
  'for await, no commits': () => consume(OFF, records),
  'for await, automatic commits every 100 ms': () => consume(AUTO, records),
  'for await, every record marked (enableAutoOffsetStore: false)': () =>
    consume({ ...AUTO, enableAutoOffsetStore: false }, async (consumer, count) => {
      for await (const record of consumer) {
        consumer.markConsumed(record);
        if (count(record.value)) break;
      }
    }),
  'forEach, no promise, ordering none': () =>
    consume(AUTO, (consumer, count) => forEach(consumer, count, 'none', false)),
  'forEach, no promise, ordering key': () => consume(AUTO, (consumer, count) => forEach(consumer, count, 'key', false)),
  'forEach, a promise each, 64 at a time, ordering none': () =>
    consume(AUTO, (consumer, count) => forEach(consumer, count, 'none', true)),
  'forEach, a promise each, 64 at a time, ordering key': () =>
    consume(AUTO, (consumer, count) => forEach(consumer, count, 'key', true)),
};

type Count = (value: Buffer | null) => boolean;

async function batches(consumer: Consumer, count: Count): Promise<void> {
  for await (const batch of consumer.batches()) {
    let isDone = false;
    for (const record of batch) isDone = count(record.value);
    if (isDone) break;
  }
}

async function records(consumer: Consumer, count: Count): Promise<void> {
  for await (const record of consumer) if (count(record.value)) break;
}

async function forEach(consumer: Consumer, count: Count, ordering: 'key' | 'none', isAsync: boolean): Promise<void> {
  const controller = new AbortController();
  const handle = (record: { value: Buffer | null }): void => {
    if (count(record.value)) controller.abort();
  };
  const handleLater = async (record: { value: Buffer | null }): Promise<void> => {
    await Promise.resolve();
    handle(record);
  };
  await consumer.forEach(isAsync ? handleLater : handle, { concurrency: 64, ordering, signal: controller.signal });
}

let groups = 0;

/** CPU nanoseconds from the first record to the last one; the check that all were seen is the sum. */
async function consume(
  options: Partial<ConsumerOptions>,
  read: (consumer: Consumer, count: Count) => Promise<void>,
): Promise<number> {
  await using consumer = new Consumer({
    bootstrapServers: kafka.bootstrapServers,
    groupId: `bench-${++groups}`,
    autoOffsetReset: 'earliest',
    logger: null,
    ...options,
  });
  consumer.subscribe(['bench']);
  let seen = 0;
  let start = process.cpuUsage();
  let nanoseconds = 0;
  await read(consumer, (each) => {
    if (seen === 0) start = process.cpuUsage();
    if (each === null || each.length !== 100) throw new Error('a wrong value');
    if (++seen < RECORDS) return false;
    const { user, system } = process.cpuUsage(start);
    nanoseconds = (user + system) * 1000;
    return true;
  });
  if (seen < RECORDS) throw new Error(`${seen} of ${RECORDS} records`);
  return nanoseconds;
}

async function measured(cases: Record<string, Round>, rounds: number, perRound: number, isTimed: boolean) {
  const samples = new Map<string, number[]>(Object.keys(cases).map((name) => [name, []]));
  for (let round = -2; round < rounds; round++) {
    // Another one first each time: what one leaves behind is collected in the time of the next.
    const entries = Object.entries(cases);
    const first = (round + 2) % entries.length;
    for (const [name, run] of [...entries.slice(first), ...entries.slice(0, first)]) {
      const start = process.hrtime.bigint();
      const result = await run();
      const nanoseconds = isTimed ? Number(process.hrtime.bigint() - start) : result;
      if (round >= 0) samples.get(name)?.push(nanoseconds / perRound); // the first two rounds are for the compiler
    }
  }
  return Object.fromEntries(
    [...samples].map(([name, values]) => {
      const sorted = values.sort((a, b) => a - b);
      return [name, { median: rounded(sorted[sorted.length >> 1] ?? NaN), fastest: rounded(sorted[0] ?? NaN) }];
    }),
  );
}

function rounded(number: number): number {
  return Math.round(number * 10) / 10;
}

const ledger = await measured(ledgerCases, LEDGER_ROUNDS, LEDGER_RECORDS, true);
console.table(ledger);
const consumer = await measured(consumerCases, ROUNDS, RECORDS, false);
console.table(consumer);
if (process.argv.includes('--write')) {
  const packageJson = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const result = {
    command: 'npx tsx bench/commit/cost.ts --write',
    machine: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores, shared`,
    loadAverage: rounded(loadavg()[0] ?? 0),
    node: process.version,
    samsa: packageJson.version,
    rounds: { ledger: LEDGER_ROUNDS, consumer: ROUNDS },
    ledgerNsPerRecord: ledger,
    consumerCpuNsPerRecord: consumer,
  };
  writeFileSync(new URL('../results/commit.json', import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
}
