/** A fetcher on a bench: answers go in by hand, what it asks for is looked at, time is a number. */
import {
  epochsValidated,
  offsetsFetched,
  offsetsListed,
  recordsFetched,
  type EpochEndAnswer,
  index,
  type FetchedAnswer,
} from '../../src/fetch/answers.ts';
import { Fetcher, type FetchSettings } from '../../src/fetch/fetcher.ts';
import type { FetchAction, StartAt } from '../../src/fetch/partition.ts';
import { encodeRecordBatch } from '../../src/testing/record-batch-writer.ts';

export type ActionOf<T extends FetchAction['type']> = Extract<FetchAction, { type: T }>;

export const SETTINGS: FetchSettings = {
  autoOffsetReset: 'earliest',
  fetchMaxBytes: 1000,
  fetchMaxWaitMs: 500,
  maxPartitionFetchBytes: 400,
  metadataMaxAgeMs: 300_000,
  requestTimeoutMs: 30_000,
  retryBackoffMs: 100,
  retryBackoffMaxMs: 1000,
  random: () => 0.5,
  wallClock: () => 1_000_000_000,
};

export class Rig {
  readonly fetcher: Fetcher;
  readonly leaders = new Map<string, { leader: number; leaderEpoch: number }>();
  readonly unknownBrokers = new Set<number>();
  topicId: string | null = null;
  partitionCount: number | null = null;
  now = 0;
  #lastEpoch = 0;

  constructor(settings: Partial<FetchSettings> = {}) {
    this.fetcher = new Fetcher(
      { ...SETTINGS, ...settings },
      {
        partition: (topic, partition) => this.leaders.get(`${topic}/${partition}`),
        topicId: () => this.topicId,
        partitionCount: () => this.partitionCount,
        hasBroker: (nodeId) => !this.unknownBrokers.has(nodeId),
      },
    );
  }

  lead(partition: number, leader: number, leaderEpoch = 3): void {
    this.leaders.set(`t/${partition}`, { leader, leaderEpoch });
  }

  /** Assigns partitions of topic t, or seeks; their leader is broker 1 unless it is known already. */
  start(startAt: StartAt, ...partitions: number[]): void {
    for (const partition of partitions) if (!this.leaders.has(`t/${partition}`)) this.lead(partition, 1);
    this.fetcher.start(partitions.map((partition) => ({ topic: 't', partition, epoch: ++this.#lastEpoch, startAt })));
  }

  plan(): FetchAction[] {
    return this.fetcher.plan(this.now);
  }

  /** Plans, and expects exactly one action. */
  one<T extends FetchAction['type']>(type: T): ActionOf<T> {
    const actions = this.plan();
    const [action] = actions;
    if (actions.length !== 1 || action?.type !== type) throw new Error(`not one ${type}: ${JSON.stringify(actions)}`);
    return action as ActionOf<T>;
  }

  /** Lets the deadline come. */
  pass(): number {
    const waited = this.fetcher.deadline() - this.now;
    if (waited === Infinity) throw new Error('nothing is due');
    this.now = this.fetcher.deadline();
    return waited;
  }

  committed(id: number, offset: number, errorCode = 0, partition = 0, leaderEpoch = -1): FetchAction[] {
    return offsetsFetched(this.fetcher, id, [{ topic: 't', partition, offset, leaderEpoch, errorCode }], this.now);
  }

  listed(id: number, offset: number, errorCode = 0, partition = 0): FetchAction[] {
    return offsetsListed(this.fetcher, id, [{ topic: 't', partition, offset, leaderEpoch: 3, errorCode }], this.now);
  }

  /** Where the asked epoch ends. */
  validated(id: number, leaderEpoch: number, endOffset: number, part: Partial<EpochEndAnswer> = {}): FetchAction[] {
    const answer = { topic: 't', partition: 0, errorCode: 0, leaderEpoch, endOffset, ...part };
    return epochsValidated(this.fetcher, id, [answer], this.now);
  }

  metadata(): FetchAction[] {
    return this.fetcher.metadataChanged(this.now);
  }

  fetched(id: number, ...answers: Partial<FetchedAnswer>[]): FetchAction[] {
    const byKey = index(answers.map(answer));
    return recordsFetched(this.fetcher, id, { errorCode: 0, throttleTimeMs: 0, byKey }, this.now);
  }

  /** The whole response says so. */
  topFailed(id: number, errorCode: number, throttleTimeMs = 0): FetchAction[] {
    return recordsFetched(this.fetcher, id, { errorCode, throttleTimeMs, byKey: new Map() }, this.now);
  }

  failed(id: number, errorCode: number): FetchAction[] {
    return this.fetched(id, { errorCode, highWatermark: -1, records: null });
  }
}

function answer(part: Partial<FetchedAnswer>): FetchedAnswer {
  const endOffset = part.endOffset ?? part.highWatermark ?? 0;
  return {
    topic: 't',
    partition: 0,
    errorCode: 0,
    highWatermark: 0,
    abortedTransactions: [],
    records: Buffer.alloc(0),
    preferredReadReplica: -1,
    divergingEpoch: null,
    ...part,
    endOffset,
  };
}

/** One batch of `count` records from `baseOffset` on. */
export function batch(baseOffset: number, count = 1, bytes = 10, partitionLeaderEpoch = 3): Buffer {
  const value = Buffer.alloc(bytes);
  return encodeRecordBatch(
    Array.from({ length: count }, () => ({ value })),
    { baseOffset, timestamp: 1, partitionLeaderEpoch },
  );
}

export function types(actions: readonly FetchAction[]): string[] {
  return actions.map(({ type }) => type);
}
