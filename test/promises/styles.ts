import type { KafkaRecord, RecordBatch } from '../../src/index.ts';
import { nameOf } from './ledger-of-truth.ts';
import { Mishap, type Member } from './member.ts';
import { pause, textOf } from './promises.ts';
import type { Held } from './watch.ts';

/** One way to read, for a while; it ends when the application has had enough, or when the consumer is closed. */
export type Style = (member: Member) => Promise<void>;

/** In hand while it is worked on; what is not finished comes again. @returns false for leaving the loop before that */
async function handle(member: Member, record: KafkaRecord, held: Held, signal?: AbortSignal): Promise<boolean> {
  member.watch.begin(held);
  try {
    if ((await member.trap(record)) === 'leave') return false;
    await member.work(record, signal);
  } finally {
    member.watch.end(held);
  }
  if (!member.scene.isCalm && member.random.chance(0.15)) member.commitSomething(record);
  return true;
}

/** What was handed out together: whatever comes between, the application goes through it as far as it can be read. */
class InHand {
  readonly #member: Member;
  readonly #all: { record: KafkaRecord; held: Held }[] = [];
  #error: Error | null = null;
  #done = 0;

  constructor(member: Member, batch: Iterable<KafkaRecord>) {
    this.#member = member;
    try {
      for (const record of batch) this.#all.push({ record, held: member.take(record, this.#all.length === 0) });
    } catch (error) {
      this.#error = error as Error; // a record that makes no sense
    }
  }

  get first(): Held | null {
    return this.#all[0]?.held ?? null;
  }

  get records(): KafkaRecord[] {
    return this.#all.map(({ record }) => record);
  }

  /** What was not gone through to its end. */
  get left(): KafkaRecord[] {
    return this.records.slice(this.#done);
  }

  /** @returns false for leaving before the end @throws what the batch throws after its good records */
  async handle(signal?: AbortSignal): Promise<boolean> {
    for (const { record, held } of this.#all) {
      if (!(await handle(this.#member, record, held, signal))) return false;
      this.#done++;
    }
    if (this.#error !== null) throw this.#error;
    return true;
  }
}

/** After how many records, or batches, the application leaves a loop. When all is calm it stays. */
function patience(member: Member): () => boolean {
  let left = member.random.int(1, 25);
  return () => !member.scene.isCalm && --left < 0;
}

const records: Style = async (member) => {
  const isEnough = patience(member);
  let held: Held | null = null;
  member.isInLoop = true;
  try {
    for await (const record of member.consumer) {
      held = member.take(record);
      if (isEnough() && member.random.chance(0.5)) break; // before it is handled
      if (!(await handle(member, record, held))) break;
      if (isEnough()) break;
      held = null;
    }
  } finally {
    member.isInLoop = false;
    if (held !== null) member.watch.again(held);
  }
};

const batches: Style = async (member) => {
  const isEnough = patience(member);
  let first: Held | null = null;
  member.isInLoop = true;
  try {
    for await (const batch of member.consumer.batches()) {
      const inHand = new InHand(member, batch);
      first = inHand.first;
      if (!(await inHand.handle())) break;
      if (batch.recordCount === 0) member.violation('a batch without records');
      if (isEnough()) break;
      if (!member.scene.isCalm && member.hasGroup && member.random.chance(0.1)) {
        member.call(`commit(batch to ${batch.partition}@${batch.nextOffset})`, () => member.consumer.commit(batch));
      }
      first = null;
    }
  } finally {
    member.isInLoop = false;
    if (first !== null) member.watch.again(first);
  }
};

/** By hand, and left while `next()` still waits. */
const byHand: Style = async (member) => {
  const { consumer, random } = member;
  const isEnough = patience(member);
  const iterator = consumer[Symbol.asyncIterator]();
  let held: Held | null = null;
  let isGivenUp = false;
  member.isInLoop = true;
  try {
    while (!isEnough()) {
      const next = iterator.next().then((result) => {
        // What comes after it was given up is dropped, as a stream that was destroyed does.
        if (result.done !== true && isGivenUp) member.note(`dropped ${nameOf(result.value)}@${result.value.offset}`);
        return result;
      });
      const watched = member.scene.promises.watch(member.name, 'next()', next);
      const result = member.scene.isCalm ? await watched : await Promise.race([watched, pause(random.int(0, 40))]);
      if (result === undefined) {
        watched.catch(() => undefined);
        isGivenUp = true;
        member.note('gives up a next() that waits');
        break;
      }
      if (result.done === true) return;
      held = member.take(result.value);
      if (!(await handle(member, result.value, held))) break;
      held = null;
    }
  } finally {
    member.isInLoop = false;
    isGivenUp = true;
    const ended = iterator.return?.();
    if (ended !== undefined) await member.scene.promises.watch(member.name, 'return()', ended);
    if (held !== null) member.watch.again(held);
    member.watch.jumpAll();
  }
};

const poll: Style = async (member) => {
  const { random, consumer } = member;
  const isEnough = patience(member);
  for (;;) {
    const polled = await consumer.poll({ timeoutMs: random.int(0, 30) });
    await handlePolled(member, polled);
    if (isEnough()) return;
    if (!member.scene.isCalm && random.chance(0.2)) member.commitSomething(null);
  }
};

const read: Style = async (member) => {
  const { random, consumer } = member;
  const isEnough = patience(member);
  for (;;) {
    const record = await consumer.read({ timeoutMs: random.int(0, 30) });
    if (record !== null) await handlePolled(member, [[record]]);
    if (isEnough()) return;
    if (!member.scene.isCalm && random.chance(0.2)) member.commitSomething(null);
  }
};

/** What `poll()` or `read()` gave is finished by the next one: so whoever does not handle it seeks back first. */
async function handlePolled(member: Member, polled: readonly (RecordBatch | readonly KafkaRecord[])[]): Promise<void> {
  const { unhandledPolls } = member;
  const inHand = polled.map((batch) => new InHand(member, batch));
  const records = inHand.flatMap((each) => each.records);
  for (const record of records) unhandledPolls.add(`${nameOf(record)}@${record.offset}`);
  try {
    for (const each of inHand) if (!(await each.handle())) throw new Mishap('has left');
  } catch (error) {
    for (const { topic, partition } of inHand.flatMap(({ left }) => left)) member.seekBack({ topic, partition });
    unhandledPolls.clear();
    throw error;
  }
  unhandledPolls.clear();
}

interface ForEachHabits {
  ordering: 'partition' | 'key' | 'none';
  concurrency: number;
  retries: number;
  hasDeadLetter: boolean;
  isSync: boolean;
  maxAhead: number;
  stopOnError: 'partition' | 'all';
}

function habitsOf({ random }: Member): ForEachHabits {
  return {
    ordering: random.pick(['partition', 'partition', 'key', 'none']),
    concurrency: random.pick([1, 2, 4, 16]),
    retries: random.pick([0, 0, 1, 3]),
    hasDeadLetter: random.chance(0.3),
    isSync: random.chance(0.2),
    maxAhead: random.pick([1, 3, 20, 1000]),
    stopOnError: random.pick(['partition', 'partition', 'all']),
  };
}

export async function forEach(member: Member, habits = habitsOf(member)): Promise<void> {
  const { random, consumer, scene } = member;
  const { ordering, hasDeadLetter, isSync, ...options } = habits;
  const stop = new AbortController();
  const stopper = leaveLater(member, stop);
  member.stop = stop;
  member.isInLoop = true;
  member.watch.ordering = ordering;
  member.note(`forEach ${JSON.stringify(habits)}`);
  const held = new Map<KafkaRecord, Held>();
  const handler = (record: KafkaRecord, context: { signal: AbortSignal; attempt: number }): unknown => {
    if (context.attempt === 1) held.set(record, member.take(record));
    const inHand = held.get(record);
    if (inHand === undefined) throw new Error('a second attempt without a first');
    if (isSync) {
      if (!scene.isCalm && random.chance(0.03)) throw new Mishap(`${nameOf(record)}@${record.offset}`);
      member.finish(record);
      return undefined;
    }
    return handle(member, record, inHand, random.chance(0.3) ? context.signal : undefined).then((isHandled) => {
      if (isHandled) return;
      stop.abort();
      throw new Mishap('has left');
    });
  };
  try {
    await consumer.forEach(handler, {
      ...options,
      ordering,
      retryBackoffMs: 1,
      retryBackoffMaxMs: 5,
      signal: stop.signal,
      ...(hasDeadLetter ? { deadLetter: (record: KafkaRecord) => void member.finish(record) } : {}),
    });
  } finally {
    clearInterval(stopper);
    member.isInLoop = false;
    member.stop = null;
    member.watch.ordering = 'partition';
    member.watch.jumpAll();
  }
}

export async function run(member: Member, isBatches = member.random.chance(0.5)): Promise<void> {
  const { random, consumer, scene } = member;
  const stop = new AbortController();
  const stopper = leaveLater(member, stop);
  member.stop = stop;
  member.isInLoop = true;
  member.isRun = true;
  try {
    await consumer.run(
      {
        setup: async (partitions) => {
          member.note(`setup ${partitions.map(({ partition }) => partition).join()}`);
          if (!scene.isCalm && random.chance(0.2)) await pause(random.int(0, 20));
        },
        consume: async (claim) => {
          let first: Held | null = null;
          try {
            for (let isAgain = true; isAgain; first = null) {
              isAgain = false;
              if (isBatches) {
                for await (const batch of claim.batches()) {
                  const inHand = new InHand(member, batch);
                  first = inHand.first;
                  isAgain = !(await inHand.handle(claim.signal));
                  if (isAgain) break;
                  first = null;
                }
              } else {
                for await (const record of claim) {
                  first = member.take(record);
                  const isLeft = !scene.isCalm && random.chance(0.05);
                  if (isLeft || !(await handle(member, record, first, claim.signal))) {
                    isAgain = true;
                    member.note(`leaves the loop of its claim at ${record.partition}@${record.offset}`);
                    break;
                  }
                  first = null;
                }
              }
              if (first !== null) member.watch.again(first);
            }
          } finally {
            if (first !== null) member.watch.again(first);
          }
        },
        cleanup: async (partitions) => {
          member.note(`cleanup ${partitions.map(({ partition }) => partition).join()}`);
          if (!scene.isCalm && random.chance(0.2)) await pause(random.int(0, 20));
        },
      },
      { signal: stop.signal, stopOnError: random.pick(['partition', 'all'] as const) },
    );
  } finally {
    clearInterval(stopper);
    member.isInLoop = false;
    member.isRun = false;
    member.stop = null;
    member.watch.jumpAll();
  }
}

/** The application ends `forEach` or `run` after a while, unless all is calm by then. */
function leaveLater(member: Member, stop: AbortController): NodeJS.Timeout {
  const { random, scene } = member;
  const timer = setInterval(() => {
    if (!scene.isCalm && random.chance(0.15)) stop.abort();
  }, 15);
  return timer;
}

/** `forEach` without retries and dead letters. */
const handlers =
  (ordering: ForEachHabits['ordering'], concurrency: number): Style =>
  (member) => {
    const rest = { retries: 0, hasDeadLetter: false, isSync: false, maxAhead: 1000, stopOnError: 'partition' } as const;
    return forEach(member, { ordering, concurrency, ...rest });
  };

/** Every way to read. */
export const ALL_STYLES: Readonly<Record<string, Style>> = {
  records,
  batches,
  byHand,
  poll,
  read,
  'forEach by partition': handlers('partition', 4),
  'forEach by partition, one by one': handlers('partition', 1),
  'forEach by key': handlers('key', 8),
  'forEach in any order': handlers('none', 8),
  'run over records': (member) => run(member, false),
  'run over batches': (member) => run(member, true),
};

/** The same, the last ones with habits by chance. */
const CHANCE: Readonly<Record<string, Style>> = {
  records,
  batches,
  byHand,
  poll,
  read,
  forEach: (member) => forEach(member),
  run: (member) => run(member),
};

/** Reads, in one style after the other, until the consumer is closed. */
export async function readOn(member: Member, styles: Readonly<Record<string, Style>> = CHANCE): Promise<void> {
  const { scene, random } = member;
  while (!member.isClosed) {
    const [name, style] = random.pick(Object.entries(styles));
    member.note(`reads: ${name}`);
    try {
      await scene.promises.watch(member.name, name, style(member));
    } catch (error) {
      member.onReadError(error);
      member.lastError = error;
      if (textOf(error).includes('ConcurrentReadError')) member.violation(`${name}: ${textOf(error)}`);
      await pause(random.int(0, 5));
    }
    if (member.isMarking) member.markAll();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
