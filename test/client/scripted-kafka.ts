import Long from 'long';
import { fetch, type FetchResponse } from '../../src/protocol/api/fetch.ts';
import { heartbeat } from '../../src/protocol/api/heartbeat.ts';
import { joinGroup } from '../../src/protocol/api/join-group.ts';
import { leaveGroup } from '../../src/protocol/api/leave-group.ts';
import { listOffsets } from '../../src/protocol/api/list-offsets.ts';
import { offsetCommit } from '../../src/protocol/api/offset-commit.ts';
import { offsetFetch } from '../../src/protocol/api/offset-fetch.ts';
import { syncGroup } from '../../src/protocol/api/sync-group.ts';
import { ScriptedBroker } from '../network/scripted-broker.ts';
import { batch } from './partition-rig.ts';

const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ';
const NO_ERROR = { throttleTimeMs: 0, errorCode: 0 };

/**
 * A scripted broker with one topic, `t`, of one record a batch, and a group that lets one member in: as little as a whole
 * consumer needs. Handlers can be replaced like all of the broker's.
 */
export interface ScriptedKafka {
  readonly broker: ScriptedBroker;
  /** Records of each partition of `t`, from offset 0 on. */
  readonly counts: number[];
  /** What was committed, by partition. */
  readonly committed: Map<number, number>;
  /** Answer heartbeats with REBALANCE_IN_PROGRESS until the next JoinGroup. */
  rebalance(): void;
}

export async function startScriptedKafka(...counts: number[]): Promise<ScriptedKafka> {
  const broker = await ScriptedBroker.start();
  broker.topics.set('t', { topicId: TOPIC_ID, leaderEpochs: counts.map(() => 3) });
  const committed = new Map<number, number>();
  let generationId = 0;
  let assignment: Buffer = Buffer.alloc(0);
  let isRebalancing = false;

  broker.on(joinGroup, ({ memberId, protocols }) => {
    const protocol = protocols[0];
    if (memberId === '' || protocol === undefined)
      return {
        ...NO_ERROR,
        errorCode: 79,
        generationId: -1,
        protocolType: null,
        protocolName: '',
        leader: '',
        skipAssignment: false,
        memberId: 'member-1',
        members: [],
      };
    isRebalancing = false;
    const member = { memberId, groupInstanceId: null, metadata: protocol.metadata };
    return {
      ...NO_ERROR,
      generationId: ++generationId,
      protocolType: 'consumer',
      protocolName: protocol.name,
      leader: memberId,
      skipAssignment: false,
      memberId,
      members: [member],
    };
  });
  broker.on(syncGroup, ({ assignments, protocolName }) => {
    assignment = assignments[0]?.assignment ?? assignment;
    return { ...NO_ERROR, protocolType: 'consumer', protocolName, assignment };
  });
  broker.on(heartbeat, () => ({ ...NO_ERROR, errorCode: isRebalancing ? 27 : 0 }));
  broker.on(leaveGroup, ({ members }) => {
    return {
      ...NO_ERROR,
      members: members.map(({ memberId, groupInstanceId }) => ({ memberId, groupInstanceId, errorCode: 0 })),
    };
  });
  broker.on(offsetFetch, ({ groups }) => {
    const answered = groups.map(({ groupId, topics }) => ({
      groupId,
      errorCode: 0,
      topics: (topics ?? []).map(({ name, topicId, partitionIndexes }) => ({
        name,
        topicId,
        partitions: partitionIndexes.map((partitionIndex) => ({
          partitionIndex,
          committedOffset: Long.fromNumber(committed.get(partitionIndex) ?? -1),
          committedLeaderEpoch: -1,
          metadata: '',
          errorCode: 0,
        })),
      })),
    }));
    return { ...NO_ERROR, topics: [], groups: answered };
  });
  broker.on(offsetCommit, ({ topics }) => {
    for (const { partitions } of topics) {
      for (const { partitionIndex, committedOffset } of partitions)
        committed.set(partitionIndex, committedOffset.toNumber());
    }
    const answered = topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: 0 })),
    }));
    return { throttleTimeMs: 0, topics: answered };
  });
  broker.on(listOffsets, ({ topics }) => {
    const answered = topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, timestamp }) => ({
        partitionIndex,
        errorCode: 0,
        timestamp: Long.NEG_ONE,
        offset: Long.fromNumber(timestamp.equals(-2) ? 0 : (counts[partitionIndex] ?? 0)),
        leaderEpoch: 3,
      })),
    }));
    return { throttleTimeMs: 0, topics: answered };
  });
  broker.on(fetch, ({ topics, maxWaitMs }) => {
    const responses = topics.map(({ topic, topicId, partitions }) => ({
      topic,
      topicId,
      partitions: partitions.map(({ partition, fetchOffset }) => {
        return recordsFrom(partition, fetchOffset.toNumber(), counts[partition] ?? 0);
      }),
    }));
    const response: FetchResponse = { ...NO_ERROR, sessionId: 0, responses, nodeEndpoints: [] };
    if (responses.some(({ partitions }) => partitions.some(({ records }) => (records?.length ?? 0) > 0)))
      return response;
    return new Promise((resolve) => setTimeout(() => resolve(response), maxWaitMs).unref());
  });
  return { broker, counts, committed, rebalance: () => (isRebalancing = true) };
}

function recordsFrom(
  partitionIndex: number,
  from: number,
  count: number,
): FetchResponse['responses'][number]['partitions'][number] {
  const batches: Buffer[] = [];
  for (let offset = from; offset < Math.min(count, from + 20); offset++) batches.push(batch(offset, 1));
  return {
    partitionIndex,
    errorCode: 0,
    highWatermark: Long.fromNumber(count),
    lastStableOffset: Long.fromNumber(count),
    logStartOffset: Long.ZERO,
    divergingEpoch: null,
    currentLeader: null,
    snapshotId: null,
    abortedTransactions: null,
    preferredReadReplica: -1,
    records: Buffer.concat(batches),
  };
}
