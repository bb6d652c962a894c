import type { MetadataResponse } from '../protocol/api/metadata.ts';
import { NO_UUID } from '../protocol/codec.ts';
import { ERROR_CODES } from '../protocol/error-codes.ts';

export interface BrokerAddress {
  nodeId: number;
  host: string;
  port: number;
  rack: string | null;
}

export interface PartitionMetadata {
  partition: number;
  /** Kafka's error code; 0 for none. */
  errorCode: number;
  /** Node id, or −1 while there is none. */
  leader: number;
  /** −1 where the broker does not tell (before Metadata v7). */
  leaderEpoch: number;
  replicas: number[];
}

export interface TopicMetadata {
  name: string;
  topicId: string;
  errorCode: number;
  isInternal: boolean;
  partitions: PartitionMetadata[];
}

/** A broker that does not know a topic says so so many times in a row before that counts, where it is the only one that is asked. */
const TIMES_MISSING = 3;

/** What is known of the cluster. Plain data, taken in answer by answer. */
export class ClusterMetadata {
  brokers = new Map<number, BrokerAddress>();
  topics = new Map<string, TopicMetadata>();
  /** The names of all topics, where all were asked for; `null` before that. */
  listed: ReadonlySet<string> | null = null;
  /**
   * Of these, what the newest list has not, and the one before it had. A broker that has only just started may not know them
   * yet: what two lists in a row have not is gone.
   */
  doubtful: ReadonlySet<string> = new Set();
  #namesById = new Map<string, string>();
  /** By name, of topics that have partitions: who has not known it, and how often in a row it was not known. */
  #missing = new Map<string, { from: string; times: number }>();

  /**
   * Takes in an answer. A partition's leader is never replaced by one of an older epoch (KIP-320): two brokers may be of
   * different minds for a while. A new topic id means a new topic, whose epochs start again. A topic that a broker does not know
   * keeps its partitions until another broker does not know it either, or the same one a third time: one that has only just started knows nothing.
   *
   * @param isList all topics were asked for
   * @param from the address of who gave it
   * @returns whether that is certain or another broker should be asked, too; and the node ids of brokers that lead less than before
   */
  update(
    response: MetadataResponse,
    isList = false,
    from = '',
  ): { isCertain: boolean; movedFrom: ReadonlySet<number> } {
    let isCertain = true;
    const movedFrom = new Set<number>();
    if (response.brokers.length > 0) {
      this.brokers = new Map(
        response.brokers.map((broker) => [
          broker.nodeId,
          { nodeId: broker.nodeId, host: broker.host, port: broker.port, rack: broker.rack },
        ]),
      );
    }
    if (isList) this.#takeList(response);
    for (const topic of response.topics) {
      if (topic.name === null) continue;
      const known = this.topics.get(topic.name);
      // An answer without an id is one of a broker before Metadata v10, or an error: no sign of another topic.
      const isOther = topic.topicId !== NO_UUID && known?.topicId !== topic.topicId && known?.topicId !== NO_UUID;
      const sameTopic = known !== undefined && !isOther;
      const isMissing = topic.errorCode !== 0 && topic.partitions.length === 0;
      if (!isMissing) this.#missing.delete(topic.name);
      else if (sameTopic && known.partitions.length > 0 && !this.#isGone(topic.name, topic.errorCode, from)) {
        // Its leaders stand until they fail.
        known.errorCode = topic.errorCode;
        isCertain = false;
        continue;
      }
      // Without ids, a topic that was not there any more may be another one now, whose epochs start again.
      const wasGone = topic.topicId === NO_UUID && known?.errorCode === ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION;
      const older = new Map(
        (sameTopic && !wasGone ? known.partitions : []).map((partition) => [partition.partition, partition]),
      );
      const partitions = topic.partitions.map((partition): PartitionMetadata => {
        const before = older.get(partition.partitionIndex);
        if (before !== undefined && partition.leaderEpoch >= 0 && partition.leaderEpoch < before.leaderEpoch)
          return before;
        if (before !== undefined && before.leader >= 0 && before.leader !== partition.leaderId)
          movedFrom.add(before.leader);
        return {
          partition: partition.partitionIndex,
          errorCode: partition.errorCode,
          leader: partition.leaderId,
          leaderEpoch: partition.leaderEpoch,
          replicas: partition.replicaNodes,
        };
      });
      partitions.sort((a, b) => a.partition - b.partition);
      if (known !== undefined) this.#namesById.delete(known.topicId);
      if (topic.topicId !== NO_UUID) this.#namesById.set(topic.topicId, topic.name);
      this.topics.set(topic.name, {
        name: topic.name,
        topicId: topic.topicId,
        errorCode: topic.errorCode,
        isInternal: topic.isInternal,
        partitions,
      });
    }
    return { isCertain, movedFrom };
  }

  #isGone(topic: string, errorCode: number, from: string): boolean {
    if (errorCode !== ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION) return false;
    const before = this.#missing.get(topic);
    const times = (before?.times ?? 0) + 1;
    const isGone = before !== undefined && (before.from !== from || times >= TIMES_MISSING);
    if (isGone) this.#missing.delete(topic);
    else this.#missing.set(topic, { from, times });
    return isGone;
  }

  #takeList(response: MetadataResponse): void {
    const listed = new Set(response.topics.flatMap(({ name }) => name ?? []));
    const missing = [...(this.listed ?? [])].filter((name) => !listed.has(name));
    const doubtful = missing.filter((name) => !this.doubtful.has(name));
    for (const name of missing) {
      if (this.doubtful.has(name)) this.topics.delete(name);
    }
    for (const name of doubtful) listed.add(name);
    this.listed = listed;
    this.doubtful = new Set(doubtful);
  }

  /** Takes in what an answer says of leaders beside an error (KIP-951), where that is newer than what is known. */
  learnLeaders(
    leaders: readonly { topic: string; partition: number; leaderId: number; leaderEpoch: number }[],
    endpoints: readonly BrokerAddress[],
  ): void {
    for (const { nodeId, host, port, rack } of endpoints) this.brokers.set(nodeId, { nodeId, host, port, rack });
    for (const { topic, partition, leaderId, leaderEpoch } of leaders) {
      const known = this.partition(topic, partition);
      // One whose address nobody has told would only be asked for in vain.
      if (known === undefined || leaderEpoch <= known.leaderEpoch || !this.brokers.has(leaderId)) continue;
      known.leader = leaderId;
      known.leaderEpoch = leaderEpoch;
      known.errorCode = 0;
    }
  }

  hasBroker(nodeId: number): boolean {
    return this.brokers.has(nodeId);
  }

  partition(topic: string, partition: number): PartitionMetadata | undefined {
    const partitions = this.topics.get(topic)?.partitions;
    // Almost always dense and sorted, so that the number is the place.
    const guess = partitions?.[partition];
    return guess?.partition === partition ? guess : partitions?.find((each) => each.partition === partition);
  }

  /** How many partitions the topic has; null while that is not known for sure. */
  partitionCount(topic: string): number | null {
    const known = this.topics.get(topic);
    return known === undefined || known.errorCode !== 0 ? null : known.partitions.length;
  }

  /** The topic's id, or null where the brokers do not give ids (before Metadata v10). */
  topicId(topic: string): string | null {
    const id = this.topics.get(topic)?.topicId;
    return id === undefined || id === NO_UUID ? null : id;
  }

  topicName(topicId: string): string | undefined {
    return this.#namesById.get(topicId);
  }
}
