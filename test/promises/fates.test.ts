import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_CODES, type ErrorName } from '../../src/protocol/error-codes.ts';
import { MockCluster } from '../../src/testing/index.ts';
import { type Fate, fateOf, type Place, PLACES } from './fates.ts';

/**
 * Every error code of Kafka and one that nobody knows, once, in every place of every API that a consumer uses: afterwards it reads and commits, or it
 * has failed as Kafka's own consumer does, and says so at every read. SAMSA_CODES=all for all; by default those that brokers really say to
 * consumers and a few others, as all of the rest have the same fate.
 */
const NOBODY_KNOWS = 222;
const AT_ONCE = 12;
/** What a few brokers in trouble, or without permissions, say for a while. */
const FOR_A_WHILE: readonly ErrorName[] = [
  'UNKNOWN_SERVER_ERROR',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'TOPIC_AUTHORIZATION_FAILED',
];
const A_WHILE = 6;
const COMMON: readonly ErrorName[] = [
  'UNKNOWN_SERVER_ERROR',
  'OFFSET_OUT_OF_RANGE',
  'CORRUPT_MESSAGE',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_OR_FOLLOWER',
  'REQUEST_TIMED_OUT',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'REBALANCE_IN_PROGRESS',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'UNSUPPORTED_VERSION',
  'INVALID_REQUEST',
  'KAFKA_STORAGE_ERROR',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'FENCED_INSTANCE_ID',
  'UNKNOWN_TOPIC_ID',
  'FENCED_MEMBER_EPOCH',
  'STALE_MEMBER_EPOCH',
  'INVALID_RECORD',
];
const isAll = process.env['SAMSA_CODES'] === 'all';
const names = (isAll ? Object.keys(ERROR_CODES) : COMMON) as ErrorName[];
const CODES = [...names.map((name) => ERROR_CODES[name]), NOBODY_KNOWS].filter((code) => code !== 0);

/** What a person has to mend, by place: the consumer has failed then. docs/error-fates.md says why. */
const OF_THE_GROUP: readonly ErrorName[] = [
  'INVALID_GROUP_ID',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'UNSUPPORTED_VERSION',
  'INVALID_REQUEST',
];
const OF_A_CONSUMER_GROUP: readonly ErrorName[] = [
  ...OF_THE_GROUP,
  'GROUP_MAX_SIZE_REACHED',
  'FENCED_INSTANCE_ID',
  'UNRELEASED_INSTANCE_ID',
  'UNSUPPORTED_ASSIGNOR',
  'INVALID_REGULAR_EXPRESSION',
];
const FATAL: Readonly<Record<string, readonly ErrorName[]>> = {
  FindCoordinator: OF_THE_GROUP,
  JoinGroup: [
    ...OF_THE_GROUP,
    'INCONSISTENT_GROUP_PROTOCOL',
    'INVALID_SESSION_TIMEOUT',
    'GROUP_MAX_SIZE_REACHED',
    'FENCED_INSTANCE_ID',
  ],
  SyncGroup: [...OF_THE_GROUP, 'INCONSISTENT_GROUP_PROTOCOL', 'FENCED_INSTANCE_ID'],
  Heartbeat: [...OF_THE_GROUP, 'FENCED_INSTANCE_ID'],
  'ConsumerGroupHeartbeat at first': [...OF_A_CONSUMER_GROUP, 'GROUP_ID_NOT_FOUND'],
  // GROUP_ID_NOT_FOUND: the group is gone, and made again.
  'ConsumerGroupHeartbeat later': OF_A_CONSUMER_GROUP,
  OffsetCommit: ['FENCED_INSTANCE_ID'],
};

let kafka: MockCluster;
beforeAll(async () => {
  kafka = await MockCluster.start({
    brokers: 2,
    replicationFactor: 2,
    groups: { consumer: { heartbeatIntervalMs: 20 } },
  });
});
afterAll(() => kafka.close());

describe('an error code, once', () => {
  it.each(PLACES)('$name', { timeout: 300_000 }, async (place) => {
    const fates = await fatesOf(place, CODES, 1);
    const failed = Object.entries(fates).filter(([, fate]) => fate !== 'flows');
    const fatal = FATAL[place.name] ?? [];
    const wanted = CODES.filter((code) => fatal.some((name) => ERROR_CODES[name] === code));
    expect(Object.fromEntries(failed)).toEqual(Object.fromEntries(wanted.map((code) => [code, 'fails'])));
  });
});

describe(`an error code, ${A_WHILE} times`, () => {
  const all = [...FOR_A_WHILE.map((name) => ERROR_CODES[name]), NOBODY_KNOWS];
  it.each(PLACES.filter(({ provoke }) => provoke === undefined))('$name', { timeout: 300_000 }, async (place) => {
    // Nobody is authorized for a topic there.
    const isGeneral = place.name === 'ApiVersions' || place.name === 'Metadata at the top';
    const codes = all.filter((code) => !isGeneral || code !== ERROR_CODES.TOPIC_AUTHORIZATION_FAILED);
    const fates = await fatesOf(place, codes, A_WHILE);
    expect(Object.entries(fates).filter(([, fate]) => fate !== 'flows')).toEqual([]);
  });
});

async function fatesOf(place: Place, codes: readonly number[], times: number): Promise<Record<number, Fate>> {
  const left = [...codes];
  const fates: Record<number, Fate> = {};
  const next = async (): Promise<void> => {
    for (let code = left.shift(); code !== undefined; code = left.shift()) {
      const fate = await fateOf(kafka, place, code, times);
      fates[code] = fate === 'told' ? 'flows' : fate;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return fates;
}
