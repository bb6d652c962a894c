import { setTimeout as sleep } from 'node:timers/promises';
import { KafkaError } from '../../src/errors.ts';
import type { Api } from '../../src/protocol/api.ts';
import { type MetadataPartition, metadata } from '../../src/protocol/api/metadata.ts';
import { NO_UUID, decodeInt32, encodeInt32, encodeString } from '../../src/protocol/codec.ts';
import { ERROR_CODES, kafkaErrorOf } from '../../src/protocol/error-codes.ts';
import type { Reader } from '../../src/protocol/reader.ts';
import type { Writer } from '../../src/protocol/writer.ts';
import type { TestAdmin } from './admin.ts';
import { until } from './waiting.ts';

// What only tests do to a cluster: leaders moved, topics deleted, followers elected that lack records. Kafka's names:
// AlterPartitionReassignments (KIP-455), ElectLeaders (KIP-183, KIP-460), DeleteTopics. One version each.

const TIMEOUT_MS = 15_000;
/** How long what passes, such as a controller that was killed, is waited for. */
const RETRY_FOR_MS = 30_000;
const RETRY_BACKOFF_MS = 100;
const PREFERRED = 0;
const UNCLEAN = 1;

export async function partitionsOf(admin: TestAdmin, topic: string): Promise<MetadataPartition[]> {
  const answer = await admin.send(metadata, {
    topics: [{ topicId: NO_UUID, name: topic }],
    allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  });
  const found = answer.topics[0];
  check(found?.errorCode ?? ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION, 'Metadata', topic);
  return (found?.partitions ?? []).sort((a, b) => a.partitionIndex - b.partitionIndex);
}

/** Makes `nodeId`, a replica in sync, the leader, and waits until metadata says so. */
export async function moveLeader(admin: TestAdmin, topic: string, partition: number, nodeId: number): Promise<void> {
  await retrying(async () => {
    const { replicaNodes } = await partitionOf(admin, topic, partition);
    const replicas = [nodeId, ...replicaNodes.filter((each) => each !== nodeId)];
    const partitions = [{ partitionIndex: partition, replicas }];
    const { errorCode, codes } = await admin.send(alterPartitionReassignments, {
      topics: [{ name: topic, partitions }],
    });
    for (const code of [errorCode, ...codes]) check(code, 'AlterPartitionReassignments', topic);
    await elect(admin, PREFERRED, topic, partition);
  });
  await until(async () => (await retrying(() => partitionOf(admin, topic, partition))).leaderId === nodeId, {
    what: `leader ${nodeId} of ${topic}-${partition}`,
    timeoutMs: TIMEOUT_MS,
  });
}

/**
 * Lets `nodeId` lead, a replica that is out of sync, where nobody else is left: what it lacks is lost. Asks until it does: while the
 * controller takes the dead leader for alive, it sees no need for an election.
 */
export async function electUnclean(admin: TestAdmin, topic: string, partition: number, nodeId: number): Promise<void> {
  let refusal: unknown = null;
  const elected = async (): Promise<boolean> => {
    try {
      await elect(admin, UNCLEAN, topic, partition);
      return (await partitionOf(admin, topic, partition)).leaderId === nodeId;
    } catch (error) {
      refusal = error;
      return false;
    }
  };
  const what = `unclean election of ${nodeId} for ${topic}-${partition}`;
  await until(elected, { what, timeoutMs: 60_000, intervalMs: 500, details: () => String(refusal) });
}

export async function deleteTopic(admin: TestAdmin, topic: string): Promise<void> {
  await retrying(async () => {
    for (const code of await admin.send(deleteTopics, { topicNames: [topic] })) check(code, 'DeleteTopics', topic);
  });
}

async function partitionOf(admin: TestAdmin, topic: string, partition: number): Promise<MetadataPartition> {
  const found = (await partitionsOf(admin, topic)).find(({ partitionIndex }) => partitionIndex === partition);
  if (found === undefined) throw new Error(`${topic} has no partition ${partition}`);
  return found;
}

async function elect(admin: TestAdmin, electionType: number, topic: string, partition: number): Promise<void> {
  const { errorCode, codes } = await admin.send(electLeaders, { electionType, topic, partition });
  for (const code of [errorCode, ...codes]) {
    if (code !== ERROR_CODES.ELECTION_NOT_NEEDED) check(code, 'ElectLeaders', `${topic}-${partition}`);
  }
}

async function retrying<T>(attempt: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + RETRY_FOR_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const passes =
        error instanceof KafkaError && (error.retriable || error.code === ERROR_CODES.PREFERRED_LEADER_NOT_AVAILABLE);
      if (!passes || performance.now() > deadline) throw error;
      await sleep(RETRY_BACKOFF_MS);
    }
  }
}

function check(errorCode: number, api: string, context: string): void {
  if (errorCode !== ERROR_CODES.NONE) throw kafkaErrorOf(errorCode, { api, context });
}

interface Outcome {
  errorCode: number;
  /** One for each partition that was asked for. */
  codes: number[];
}

interface Reassignment {
  topics: { name: string; partitions: { partitionIndex: number; replicas: number[] }[] }[];
}

const alterPartitionReassignments: Api<Reassignment, Outcome> = {
  ...only(45, 'AlterPartitionReassignments', 0),
  encodeRequest(w, v, { topics }) {
    w.int32(TIMEOUT_MS);
    w.array(v, topics, (w, v, topic) => {
      w.string(topic.name);
      w.array(v, topic.partitions, (w, v, partition) => {
        w.int32(partition.partitionIndex);
        w.array(v, partition.replicas, encodeInt32);
        w.tags();
      });
      w.tags();
    });
    w.tags();
  },
  decodeResponse(r, v) {
    r.int32(); // throttle time
    const errorCode = r.int16();
    r.nullableString();
    return { errorCode, codes: readOutcomes(r, v) };
  },
};

const electLeaders: Api<{ electionType: number; topic: string; partition: number }, Outcome> = {
  ...only(43, 'ElectLeaders', 2),
  encodeRequest(w, v, { electionType, topic, partition }) {
    w.int8(electionType);
    w.array(v, [topic], (w, v, name) => {
      w.string(name);
      w.array(v, [partition], encodeInt32);
      w.tags();
    });
    w.int32(TIMEOUT_MS);
    w.tags();
  },
  decodeResponse(r, v) {
    r.int32(); // throttle time
    const errorCode = r.int16();
    return { errorCode, codes: readOutcomes(r, v) };
  },
};

const deleteTopics: Api<{ topicNames: string[] }, number[]> = {
  ...only(20, 'DeleteTopics', 4),
  encodeRequest(w, v, { topicNames }) {
    w.array(v, topicNames, encodeString);
    w.int32(TIMEOUT_MS);
    w.tags();
  },
  decodeResponse(r, v) {
    r.int32(); // throttle time
    const codes = r.array(v, (r) => {
      r.string();
      const code = r.int16();
      r.tags();
      return code;
    });
    r.tags();
    return codes;
  },
};

/** Error codes by topic and partition, as two of these answers have them. */
function readOutcomes(r: Reader, v: number): number[] {
  const codes = r.array(v, (r) => {
    r.string();
    const ofTopic = r.array(v, (r) => {
      decodeInt32(r);
      const code = r.int16();
      r.nullableString();
      r.tags();
      return code;
    });
    r.tags();
    return ofTopic;
  });
  r.tags();
  return codes.flat();
}

function only(
  key: number,
  name: string,
  version: number,
): Pick<Api<never, never>, 'key' | 'name' | 'minVersion' | 'maxVersion' | 'flexibleFrom'> & {
  decodeRequest: (r: Reader) => never;
  encodeResponse: (w: Writer) => never;
} {
  const refuse = (): never => {
    throw new Error(`${name}: tests only send it`);
  };
  return {
    key,
    name,
    minVersion: version,
    maxVersion: version,
    flexibleFrom: 0,
    decodeRequest: refuse,
    encodeResponse: refuse,
  };
}
