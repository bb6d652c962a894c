import type { MockCluster } from '../../src/testing/index.ts';
import type { FetchResponse } from '../../src/protocol/api/fetch.ts';
import { pause } from './promises.ts';
import type { Random } from './random.ts';
import type { Scene } from './member.ts';

const APIS = [
  'Fetch',
  'Metadata',
  'FindCoordinator',
  'JoinGroup',
  'SyncGroup',
  'Heartbeat',
  'OffsetCommit',
  'OffsetFetch',
  'ListOffsets',
  'ConsumerGroupHeartbeat',
  'ApiVersions',
] as const;

/** Codes after which an application may expect to go on as before, by the API that says them. */
const PASSING: Readonly<Record<string, readonly (string | number)[]>> = {
  Fetch: [
    'UNKNOWN_SERVER_ERROR',
    222,
    'NOT_LEADER_OR_FOLLOWER',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'FENCED_LEADER_EPOCH',
    'UNKNOWN_LEADER_EPOCH',
    'KAFKA_STORAGE_ERROR',
    'OFFSET_NOT_AVAILABLE',
    'CORRUPT_MESSAGE',
    'FETCH_SESSION_ID_NOT_FOUND',
    'REPLICA_NOT_AVAILABLE',
    'UNKNOWN_TOPIC_ID',
  ],
  Metadata: ['UNKNOWN_SERVER_ERROR', 222, 'LEADER_NOT_AVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION'],
  FindCoordinator: ['UNKNOWN_SERVER_ERROR', 222, 'COORDINATOR_NOT_AVAILABLE', 'COORDINATOR_LOAD_IN_PROGRESS'],
  JoinGroup: ['COORDINATOR_LOAD_IN_PROGRESS', 'NOT_COORDINATOR', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS'],
  SyncGroup: ['NOT_COORDINATOR', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION'],
  Heartbeat: ['NOT_COORDINATOR', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION'],
  OffsetCommit: [
    'COORDINATOR_LOAD_IN_PROGRESS',
    'NOT_COORDINATOR',
    'REBALANCE_IN_PROGRESS',
    'ILLEGAL_GENERATION',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'REQUEST_TIMED_OUT',
  ],
  OffsetFetch: ['COORDINATOR_LOAD_IN_PROGRESS', 'NOT_COORDINATOR', 'UNSTABLE_OFFSET_COMMIT', 'UNKNOWN_SERVER_ERROR'],
  ListOffsets: ['UNKNOWN_SERVER_ERROR', 222, 'NOT_LEADER_OR_FOLLOWER', 'LEADER_NOT_AVAILABLE'],
  ConsumerGroupHeartbeat: [
    'COORDINATOR_LOAD_IN_PROGRESS',
    'NOT_COORDINATOR',
    'UNKNOWN_MEMBER_ID',
    'FENCED_MEMBER_EPOCH',
  ],
};

/** One thing that goes wrong with the brokers. */
async function strike(kafka: MockCluster, scene: Scene, random: Random, groupId: string): Promise<void> {
  const note = (text: string): void => scene.timeline.note('fault', text);
  const api = random.pick(APIS);
  const partition = random.pick(scene.truth.partitions);
  const node = random.int(1, 2);
  const times = random.pick([1, 1, 2, 5]);
  const kind = random.weighted([
    [8, 'error'],
    [4, 'drop'],
    [2, 'cut'],
    [2, 'silent'],
    [3, 'delay'],
    [2, 'throttle'],
    [4, 'moveLeader'],
    [4, 'moveCoordinator'],
    [2, 'stop'],
    [2, 'freeze'],
    [3, 'disconnect'],
    [3, 'corrupt'],
  ] as const);
  switch (kind) {
    case 'error': {
      const named = random.pick(Object.keys(PASSING));
      const errorCode = random.pick(PASSING[named] ?? [222]) as number;
      note(`${named} is answered with ${errorCode} ${times} times`);
      kafka.fail(named, { errorCode, times, ...(random.chance(0.3) ? { on: 'answer' as const } : {}) });
      return;
    }
    case 'drop':
      note(`${api} is dropped ${times} times`);
      kafka.drop(api, { times, on: random.pick(['arrival', 'answer'] as const) });
      return;
    case 'cut':
      note(`${api} is cut off`);
      kafka.cut(api, random.int(1, 40));
      return;
    case 'silent':
      note(`${api} is not answered`);
      kafka.faults.add({ api, silent: true, ...(random.chance(0.5) ? { on: 'arrival' as const } : {}) });
      return;
    case 'delay':
      note(`${api} is late`);
      kafka.delay(api, random.int(5, 150), { times: times * 2 });
      return;
    case 'throttle':
      note(`${api} is throttled`);
      kafka.throttle(api, random.int(5, 60), { times: times * 2 });
      return;
    case 'moveLeader':
      note(`the leader of ${partition.partition} is ${node}`);
      kafka.moveLeader(partition.topic, partition.partition, node);
      return;
    case 'moveCoordinator':
      note(`the coordinator is ${node}`);
      kafka.moveCoordinator(groupId, node);
      return;
    case 'stop':
      note(`broker ${node} stops`);
      await kafka.broker(node).stop();
      await pause(random.int(10, 120));
      note(`broker ${node} starts`);
      await startAgain(kafka, node);
      return;
    case 'freeze':
      note(`broker ${node} is frozen`);
      kafka.broker(node).freeze();
      await pause(random.int(10, 300));
      note(`broker ${node} is thawed`);
      kafka.broker(node).thaw();
      return;
    case 'disconnect':
      note(`broker ${node} resets its connections`);
      kafka.broker(node).disconnectAll();
      return;
    case 'corrupt':
      note('records are damaged on their way');
      kafka.faults.add({ api: 'Fetch', after: random.int(0, 3), answer: damaged(random) });
      return;
  }
}

/** Its port may have been taken meanwhile. */
async function startAgain(kafka: MockCluster, node: number): Promise<void> {
  for (let left = 500; ; left--) {
    try {
      return await kafka.broker(node).start();
    } catch (error) {
      if (left === 0) throw error;
      await pause(20);
    }
  }
}

/** A bit of some batch is another one: its CRC fails. */
function damaged(random: Random): (response: FetchResponse) => FetchResponse {
  return (response) => {
    for (const { partitions } of response.responses) {
      for (const each of partitions) {
        if (each.records === null || each.records.length < 62) continue;
        const records = Buffer.from(each.records);
        const at = 61 + Math.floor(random.next() * (records.readInt32BE(8) + 12 - 61)); // in the first batch, after its CRC
        if (at < records.length) records[at] = (records[at] ?? 0) ^ 0x10;
        each.records = records;
        return response;
      }
    }
    return response;
  };
}

/** Lets things go wrong until it is told to end; then everything works again. */
export async function plague(
  kafka: MockCluster,
  scene: Scene,
  random: Random,
  { groupId, faults }: { groupId: string; faults: number },
): Promise<void> {
  const under: Promise<void>[] = [];
  for (let left = faults; left > 0 && !scene.isCalm; left--) {
    await pause(random.int(0, 120));
    under.push(strike(kafka, scene, random, groupId));
  }
  await Promise.all(under);
}
