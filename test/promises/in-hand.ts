import { setTimeout as sleep } from 'node:timers/promises';
import { CorruptRecordError, type ConsumerOptions, type KafkaRecord } from '../../src/index.ts';
import { encodeRecordBatch, sealBatch } from '../../src/testing/record-batch-writer.ts';
import { SHORT } from './short.ts';
import { type Member, Mishap } from './member.ts';
import { until } from './promises.ts';
import { Random } from './random.ts';
import { Stage, TOPIC } from './stage.ts';
import type { Style } from './styles.ts';

/** What befalls an application with a record in hand, once. */
export const EVENTS = [
  'an error',
  'break',
  'a rebalance',
  'a seek back',
  'a seek forward',
  'pause()',
  'close()',
  'the end of its poll interval',
  'a damaged batch',
  'a malformed record',
  'unsubscribe()',
  'assign()',
  'a second reader',
] as const;
export type Event = (typeof EVENTS)[number];

const PROTOCOLS: readonly ConsumerOptions['partitionAssignmentStrategy'][] = ['range', 'cooperative-sticky', undefined];
const P0 = { topic: TOPIC, partition: 0 };
const LENGTH = 60;
/** With this record in hand: in the middle of a batch that was given, of a batch on the wire, and far from what was fetched first. */
const AT = 23;
/** Offsets of the batch that nobody can read. */
const DAMAGED = { from: 30, to: 35 };
const WAIT_MS = 20_000;

/**
 * One reading style, one event with a record in hand, and more data than one chunk: what was handed out, handled and committed is checked
 * against each other all the time. @returns the violations, and the timeline where there are any
 */
export async function befall(event: Event, style: Style, seed: number): Promise<string[]> {
  const random = new Random(seed);
  const stage = await Stage.set(2);
  const { scene, kafka } = stage;
  const strategy = PROTOCOLS[seed % PROTOCOLS.length];
  const protocol: Partial<ConsumerOptions> =
    strategy === undefined
      ? { groupProtocol: 'consumer' }
      : { partitionAssignmentStrategy: strategy, heartbeatIntervalMs: 30, sessionTimeoutMs: 10_000 };
  const consumer: ConsumerOptions = {
    ...SHORT,
    ...protocol,
    bootstrapServers: kafka.bootstrapServers,
    autoCommitIntervalMs: 10,
    maxPollIntervalMs: event === 'the end of its poll interval' ? 150 : 30_000,
    maxPollRecords: 7,
    maxPartitionFetchBytes: 400,
    fetchMaxWaitMs: 20,
  };
  try {
    for (const partition of [0, 1]) {
      await stage.append(random, partition, DAMAGED.from, 5);
      if (partition === 0 && (event === 'a damaged batch' || event === 'a malformed record')) damage(stage, event);
      await stage.append(random, partition, LENGTH - scene.truth.end({ topic: TOPIC, partition }), 5);
    }
    stage.calmDown(); // no mishaps but ours
    const begin = (): Member => stage.begin(random.fork(), { consumer, isManual: false }, { style });
    const member = begin();
    spring(stage, member, event, begin);
    if (event === 'close()') await until(() => member.isClosed || stage.isOver, WAIT_MS);
    if (event === 'close()') begin();
    await stage.finish();
  } finally {
    await stage.strike();
  }
  const { violations } = scene.timeline;
  return violations.length === 0 ? [] : [...violations, scene.timeline.text(60)];
}

/** Waits for the record, then lets it happen. */
function spring(stage: Stage, member: Member, event: Event, begin: () => Member): void {
  let isSprung = false;
  member.trap = async (record) => {
    if (isSprung || record.partition !== P0.partition || record.offset !== AT) return 'handle';
    isSprung = true;
    member.note(`${event}, with ${record.offset} in hand`);
    return happen(stage, member, event, begin, record);
  };
  if (event === 'a damaged batch' || event === 'a malformed record') decideLater(stage, member);
}

async function happen(
  stage: Stage,
  member: Member,
  event: Event,
  begin: () => Member,
  record: KafkaRecord,
): Promise<'leave' | 'handle'> {
  const { consumer } = member;
  const { truth } = stage.scene;
  switch (event) {
    case 'an error':
      throw new Mishap(event);
    case 'break':
      return 'leave';
    case 'a rebalance': {
      const joins = stage.kafka.faults.add({
        api: ['JoinGroup', 'ConsumerGroupHeartbeat'],
        clientId: 'm1',
        delayMs: 0,
      });
      begin();
      await joins.untilHit();
      await sleep(50); // the group has heard of it
      return 'handle';
    }
    case 'a seek back':
      member.seek(P0, 10);
      return 'handle';
    case 'a seek forward':
      for (let offset = 0; offset < 45; offset++) truth.handle(P0, offset); // the application's own decision
      member.seek(P0, 45);
      return 'handle';
    case 'pause()':
      consumer.pause([P0]);
      void until(() => truth.firstUnhandled({ topic: TOPIC, partition: 1 }) === LENGTH, WAIT_MS).then(() => {
        member.note('resumes');
        consumer.resume([P0]);
      });
      return 'handle';
    case 'close()':
      void member.close();
      await sleep(5);
      return 'handle';
    case 'the end of its poll interval': {
      const lost = new Promise((resolve) => consumer.once('lost', resolve).once('revoked', resolve));
      await Promise.race([lost, sleep(500)]);
      return 'handle';
    }
    case 'unsubscribe()':
      member.unsubscribe();
      void sleep(30).then(() => member.subscribe());
      return 'handle';
    case 'assign()':
      member.unsubscribe();
      member.assign();
      return 'handle';
    case 'a second reader': {
      if (!member.isInLoop) return 'handle'; // what `poll()` or `read()` gave is finished by the next one, whoever asks
      const other = await consumer.read({ timeoutMs: 0 }).catch(() => null);
      if (other === null) return 'handle';
      member.violation(`a second reader got ${other.offset} beside ${record.offset}`);
      return 'handle';
    }
    case 'a damaged batch':
    case 'a malformed record':
      return 'handle';
  }
}

/** Five records: as one batch with a wrong checksum, or with one record that makes no sense. */
function damage({ kafka, scene }: Stage, event: Event): void {
  const { from, to } = DAMAGED;
  const values = Array.from({ length: to - from }, (_, index) => ({ value: `${TOPIC}-0@${from + index}` }));
  if (event === 'a malformed record') {
    // A value that is said to be longer than its record.
    const batch = encodeRecordBatch(values);
    const at = batch.indexOf(`${TOPIC}-0@${from + 2}`) - 1;
    batch[at] = 0x7e;
    sealBatch(batch);
    kafka.appendBatch(TOPIC, 0, batch);
  } else {
    const batch = encodeRecordBatch(values);
    batch[batch.length - 2] = (batch.at(-2) ?? 0) ^ 0xff;
    kafka.appendBatch(TOPIC, 0, batch);
  }
  scene.truth.grow(P0, to);
}

/** Whoever meets it decides once to go on after it: nothing after it may have been handed out before. */
function decideLater(stage: Stage, member: Member): void {
  const { truth } = stage.scene;
  let isDecided = false;
  member.isDeciding = true;
  const errors: CorruptRecordError[] = [];
  member.trap = (record) => {
    if (record.partition === 0 && record.offset >= DAMAGED.to && !isDecided)
      member.violation(`${record.offset} was handed out before anybody had decided about ${DAMAGED.from}`);
    return 'handle';
  };
  const decide = async (thrown: unknown): Promise<void> => {
    const error = thrown instanceof Error && thrown.cause instanceof CorruptRecordError ? thrown.cause : thrown;
    if (!(error instanceof CorruptRecordError)) return;
    errors.push(error);
    if (errors.length > 1) return;
    const { nextOffset } = error as { nextOffset?: number };
    if (nextOffset === undefined || nextOffset <= DAMAGED.from || nextOffset > DAMAGED.to)
      member.violation(`the error says to go on at ${nextOffset ?? 'nothing'}`);
    // What was given before the damage is finished first.
    await until(() => truth.firstUnhandled(P0) >= DAMAGED.from || stage.isOver, WAIT_MS);
    for (let offset = DAMAGED.from; offset < DAMAGED.to; offset++) truth.handle(P0, offset);
    isDecided = true;
    member.seek(P0, DAMAGED.to);
    if (member.isRun) member.stop?.abort();
  };
  member.onReadError = (error) => void decide(error);
  member.consumer.on('error', (error) => void decide(error));
}
