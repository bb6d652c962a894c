import { Consumer, KafkaError, type ConsumerOptions } from '../../src/index.ts';
import { ERROR_CODES } from '../../src/protocol/error-codes.ts';
import type { Fault, MockCluster } from '../../src/testing/index.ts';
import { SHORT } from './short.ts';
import { pause, settles, textOf, until } from './promises.ts';

/** How long a consumer may take to come over one error. An idle machine needs a fraction of it. */
const LIMIT_MS = Number(process.env['SAMSA_LIMIT_MS'] ?? 20_000);

/** Where in an answer a code may stand, and what the consumer has to do to get that answer. */
export interface Place {
  readonly name: string;
  readonly api: string;
  /** Puts the code into an answer. */
  readonly put: 'asBrokersDo' | 'intoTopic' | ((answer: never, code: number) => void);
  readonly protocol?: 'consumer';
  /** Default: it is sent anyway. */
  readonly provoke?: (kafka: MockCluster, consumer: Consumer, topic: string) => unknown;
  /** Not before this has been read and committed: the consumer was well before. */
  readonly isLater?: true;
}

interface WithCode {
  errorCode: number;
}
interface Metadata {
  topics: (WithCode & { partitions: WithCode[] })[];
}

export const PLACES: readonly Place[] = [
  { name: 'ApiVersions', api: 'ApiVersions', put: 'asBrokersDo' },
  { name: 'Metadata at the top', api: 'Metadata', put: top },
  { name: 'Metadata of a topic', api: 'Metadata', put: ({ topics }: Metadata, code) => setAll(topics, code) },
  {
    name: 'Metadata of a partition',
    api: 'Metadata',
    put: ({ topics }: Metadata, code) => topics.forEach(({ partitions }) => setAll(partitions, code)),
  },
  { name: 'FindCoordinator', api: 'FindCoordinator', put: 'asBrokersDo' },
  { name: 'JoinGroup', api: 'JoinGroup', put: 'asBrokersDo' },
  { name: 'SyncGroup', api: 'SyncGroup', put: 'asBrokersDo' },
  { name: 'Heartbeat', api: 'Heartbeat', put: 'asBrokersDo', isLater: true },
  { name: 'ConsumerGroupHeartbeat at first', api: 'ConsumerGroupHeartbeat', put: 'asBrokersDo', protocol: 'consumer' },
  {
    name: 'ConsumerGroupHeartbeat later',
    api: 'ConsumerGroupHeartbeat',
    put: 'asBrokersDo',
    protocol: 'consumer',
    isLater: true,
  },
  {
    name: 'OffsetFetch of the group',
    api: 'OffsetFetch',
    put: ({ groups }: { groups: WithCode[] }, code) => setAll(groups, code),
  },
  { name: 'OffsetFetch of a partition', api: 'OffsetFetch', put: 'intoTopic' },
  { name: 'ListOffsets', api: 'ListOffsets', put: 'intoTopic' },
  { name: 'Fetch at the top', api: 'Fetch', put: top },
  { name: 'Fetch of a partition', api: 'Fetch', put: 'intoTopic' },
  { name: 'OffsetCommit', api: 'OffsetCommit', put: 'intoTopic', isLater: true },
  {
    name: 'OffsetForLeaderEpoch',
    api: 'OffsetForLeaderEpoch',
    put: 'intoTopic',
    isLater: true,
    provoke: (kafka, _consumer, topic) => kafka.moveLeader(topic, 0, 3 - kafka.leaderOf(topic, 0)),
  },
  {
    name: 'LeaveGroup',
    api: 'LeaveGroup',
    put: 'asBrokersDo',
    isLater: true,
    provoke: (_kafka, consumer) => consumer.unsubscribe(),
  },
];

function top(answer: WithCode, code: number): void {
  answer.errorCode = code;
}

function setAll(all: WithCode[], code: number): void {
  for (const each of all) each.errorCode = code;
}

/**
 * `flows`: all is read and committed, whatever was thrown or told on the way. `told`: the same, and a read has thrown the error meanwhile.
 * `fails`: every read throws it from then on, and the group was left. Anything else is a text.
 */
export type Fate = 'flows' | 'told' | 'fails' | `stuck: ${string}`;

/** What becomes of a consumer whose request is answered with this code, once or until it has seen it so often. */
export async function fateOf(kafka: MockCluster, place: Place, code: number, times = 1): Promise<Fate> {
  const id = `${place.name}-${code}-${times}`.replaceAll(' ', '-');
  kafka.createTopic(id, 1);
  await kafka.append(id, 0, ['before']);
  const options: ConsumerOptions = {
    ...SHORT,
    bootstrapServers: kafka.bootstrapServers,
    clientId: id,
    groupId: id,
    enableAutoCommit: false,
    fetchMaxWaitMs: 20,
    requestTimeoutMs: 10_000,
    socketConnectionSetupTimeoutMs: 10_000,
    ...(place.protocol === 'consumer'
      ? { groupProtocol: 'consumer' }
      : { heartbeatIntervalMs: 20, sessionTimeoutMs: 1500 }),
  };
  const consumer = new Consumer(options);
  const failures: KafkaError[] = [];
  const told: string[] = [];
  consumer.on('error', (error) => told.push(textOf(error)));
  const fault = (): Fault => inject(kafka, place, code, times, id);
  let hit: Fault | null = null;
  try {
    if (place.isLater !== true) hit = fault();
    consumer.subscribe([id]);
    if (place.isLater === true) {
      if (!(await readTo(consumer, 1, failures))) return `stuck: before the fault, ${failures.map(textOf).join()}`;
      await consumer.commit();
      hit = fault();
    }
    await place.provoke?.(kafka, consumer, id);
    if (place.api === 'LeaveGroup') {
      if (!(await until(() => hit?.hits === times, LIMIT_MS))) return 'stuck: LeaveGroup was never sent';
      consumer.subscribe([id]);
    }
    if (place.api === 'OffsetCommit') await consumer.commit({ topic: id, partition: 0, offset: 1 }).catch(ignore);
    const reading = (async () => {
      // Not everything is asked again so often.
      await until(() => hit?.hits === times || failures.length > 4, times === 1 ? LIMIT_MS : 1000);
      await kafka.append(id, 0, ['after']);
    })();
    const isRead = await readTo(consumer, 2, failures);
    await reading;
    if (isRead) {
      if (times > 1) hit?.remove();
      const committed = commitAtLast(consumer, { topic: id, partition: 0, offset: 2 });
      if (!(await settles(committed, LIMIT_MS))) return 'stuck: the commit does not end';
      await committed;
      return failures.length > 0 ? 'told' : 'flows';
    }
    if (failures.length < 5) return `stuck: nothing is read. ${told.join('; ')}`;
    // Whoever has the instance id is the member now.
    const mayStay = code === ERROR_CODES.FENCED_INSTANCE_ID || code === ERROR_CODES.UNRELEASED_INSTANCE_ID;
    if (!mayStay && !(await until(() => kafka.members(id).length === 0, LIMIT_MS)))
      return 'stuck: has failed and stays in the group';
    return failures.at(-1)?.code === code ? 'fails' : `stuck: fails with ${textOf(failures.at(-1))}`;
  } catch (error) {
    return `stuck: ${textOf(error)}`;
  } finally {
    hit?.remove();
    const isClosed = await settles(consumer.close({ timeoutMs: 1000 }), LIMIT_MS);
    if (!isClosed) told.push('close() does not end');
    kafka.deleteTopic(id);
  }
}

function inject(kafka: MockCluster, { api, put }: Place, code: number, times: number, id: string): Fault {
  const match = { api, clientId: id, times };
  // A member that leaves is gone, whatever it is told.
  const on = api === 'LeaveGroup' ? { on: 'answer' as const } : {};
  if (put === 'asBrokersDo') return kafka.faults.add({ ...match, ...on, errorCode: code });
  if (put === 'intoTopic') return kafka.faults.add({ ...match, topic: id, errorCode: code });
  const answer = (response: never): unknown => {
    put(response, code);
    return response;
  };
  return kafka.faults.add({ ...match, answer });
}

/** @returns false where reads throw and throw again, or nothing comes */
async function readTo(consumer: Consumer, offset: number, failures: KafkaError[]): Promise<boolean> {
  const endsAt = performance.now() + LIMIT_MS;
  let inARow = 0;
  while (performance.now() < endsAt) {
    try {
      const record = await consumer.read({ timeoutMs: 100 });
      inARow = 0;
      if (record !== null && record.offset === offset - 1) return true;
    } catch (error) {
      failures.push(error as KafkaError);
      inARow++;
      // Long enough for what is asked again to be answered, unless nothing is asked any more.
      if (inARow >= 8 && performance.now() > endsAt - LIMIT_MS + 600) return false;
      await pause(inARow < 4 ? 10 : 150);
    }
  }
  return false;
}

/** Again where the session has ended meanwhile: it is short, and the machine may be busy. */
async function commitAtLast(consumer: Consumer, offset: Parameters<Consumer['commit']>[0]): Promise<void> {
  for (let left = 20; ; left--) {
    try {
      return await consumer.commit(offset);
    } catch (error) {
      if (left === 0 || !['UNKNOWN_MEMBER_ID', 'FencedError'].includes((error as Error).name)) throw error;
      await consumer.read({ timeoutMs: 100 }).catch(ignore);
    }
  }
}

const ignore = (): void => undefined;
