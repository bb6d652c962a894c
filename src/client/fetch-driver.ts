import { toKafkaError } from '../errors.ts';
import {
  cannotValidate,
  epochsValidated,
  offsetsFetched,
  offsetsListed,
  recordsFetched,
  requestFailed,
} from '../fetch/answers.ts';
import { Fetcher } from '../fetch/fetcher.ts';
import type { FetchAction } from '../fetch/partition.ts';
import { FetchSession } from '../fetch/session.ts';
import type { Connection } from '../network/connection.ts';
import { fetch } from '../protocol/api/fetch.ts';
import { listOffsets } from '../protocol/api/list-offsets.ts';
import { offsetForLeaderEpoch } from '../protocol/api/offset-for-leader-epoch.ts';
import { askCommitted } from './commit-driver.ts';
import type { EngineContext } from './engine-context.ts';
import type { EngineCommand, MeasuredPartition } from './port.ts';
import * as requests from './requests.ts';

/** Headers, and what is said of each partition, aborted transactions included. */
const ANSWER_OVERHEAD_BYTES = 256 * 1024;

const SMALL_ANSWER_BYTES = 16 * 1024;

/** Turns what the fetcher decides into requests, and their answers into what the fetcher wants to hear. */
export class FetchDriver {
  readonly fetcher: Fetcher;
  #engine: EngineContext;
  /** A broker forgets a session with its connection at the latest when it is restarted: so do we. */
  #sessions = new WeakMap<Connection, FetchSession>();

  constructor(engine: EngineContext) {
    this.#engine = engine;
    this.fetcher = new Fetcher(
      { ...engine.settings, random: Math.random, wallClock: Date.now },
      engine.cluster.metadata,
    );
  }

  tick(now: number): void {
    this.#perform(this.fetcher.plan(now));
  }

  /** @returns whether there may be something to do now */
  release({ topic, partition, epoch, bytes }: EngineCommand & { type: 'release' }): boolean {
    return this.fetcher.release(topic, partition, epoch, bytes);
  }

  refetch({ topic, partition, epoch, offset, attempt }: EngineCommand & { type: 'refetch' }, now: number): void {
    this.fetcher.start([{ topic, partition, epoch, startAt: offset }]);
    const state = this.fetcher.get(topic, partition);
    if (state !== undefined && attempt >= 0) this.fetcher.backOff(state, attempt, now);
  }

  halt({ topic, partition, epoch }: EngineCommand & { type: 'halt' }): void {
    const state = this.fetcher.get(topic, partition);
    if (state?.epoch === epoch) state.stage = 'failed';
  }

  measure(): MeasuredPartition[] {
    const now = this.#engine.now();
    return [...this.fetcher.partitions].map((state) => {
      const { topic, partition, buffered: bufferedBytes, meter } = state;
      const { bytes: fetchedBytes, records: fetchedRecords, latencyMs } = meter;
      const nodeId = state.readFrom(this.fetcher.leaderOf(state).leader, now);
      const bytesPerSecond = meter.bytesPerSecond(now);
      const recordsPerSecond = meter.recordsPerSecond(now);
      const rates = { bytesPerSecond, recordsPerSecond, latencyMs };
      return { topic, partition, nodeId, bufferedBytes, fetchedBytes, fetchedRecords, ...rates };
    });
  }

  metadataChanged(): void {
    this.#perform(this.fetcher.metadataChanged(this.#engine.now()));
  }

  #perform(actions: readonly FetchAction[]): void {
    for (const action of actions) {
      switch (action.type) {
        case 'fetchOffsets':
          void this.#request(action.id, () => this.#fetchOffsets(action));
          break;
        case 'listOffsets':
          void this.#request(action.id, () => this.#listOffsets(action));
          break;
        case 'fetch':
          void this.#request(action.id, () => this.#fetch(action));
          break;
        case 'validate':
          void this.#request(action.id, () => this.#validate(action));
          break;
        case 'refreshMetadata':
          this.#engine.refreshMetadata(action.topics);
          break;
        case 'positioned':
        case 'records':
        case 'partitionFailed':
        case 'partitionRefused':
        case 'refused':
        case 'trouble':
        case 'log':
          this.#engine.emit(action);
          break;
      }
    }
  }

  /**
   * After an answer the next requests leave before the application sees a record of it. But for a small one: whoever gets few records
   * waits for each, and planning and sending would take longer than all the way to the application.
   */
  async #request(id: number, work: () => Promise<readonly FetchAction[]>): Promise<void> {
    let actions: readonly FetchAction[];
    try {
      actions = await work();
    } catch (error) {
      actions = requestFailed(this.fetcher, id, toKafkaError(error), this.#engine.now());
    }
    if (this.#engine.isClosed) return;
    this.#perform(actions);
    if (isSmall(actions)) this.#engine.stepSoon();
    else this.#engine.step();
  }

  async #fetch(action: FetchAction & { type: 'fetch' }): Promise<readonly FetchAction[]> {
    const { fetchMinBytes: minBytes, clientRack: rackId, isolationLevel, requestTimeoutMs } = this.#engine.settings;
    const { metadata } = this.#engine.cluster;
    const { maxBytes, maxWaitMs, topicIds } = action;
    const connection = await this.#engine.cluster.connection(action.nodeId, 'fetch');
    const session = this.#sessionOf(connection);
    const version = connection.versionOf(fetch);
    const canUseIds = version > requests.LAST_FETCH_VERSION_WITH_TOPIC_NAMES;
    const asked = session.next(action.partitions, {
      hasSessions: version >= requests.FETCH_SESSIONS_VERSION,
      // The id as it was when this was planned: a position must not be read from another topic of that name.
      topicId: (topic) => (canUseIds ? (topicIds.get(topic) ?? null) : null),
    });
    const request = requests.fetchRequest(asked, { minBytes, maxBytes, maxWaitMs, rackId, isolationLevel });
    const response = await connection.send(fetch, request, {
      timeoutMs: maxWaitMs + requestTimeoutMs,
      answerBytes: answerBytes(action),
      ...(session.usesTopicIds ? {} : { maxVersion: requests.LAST_FETCH_VERSION_WITH_TOPIC_NAMES }),
    });
    const { errorCode, sessionId } = response;
    const hints = requests.leaderHints(response, (id) => session.topicName(id));
    if (hints.length > 0) metadata.learnLeaders(hints, response.nodeEndpoints);
    const said = requests.readFetchResponse(response, isolationLevel, (id) => session.topicName(id));
    const answers = session.answered(errorCode, sessionId, said);
    const { throttleTimeMs } = response;
    return recordsFetched(this.fetcher, action.id, { errorCode, throttleTimeMs, byKey: answers }, this.#engine.now());
  }

  #sessionOf(connection: Connection): FetchSession {
    const known = this.#sessions.get(connection);
    if (known !== undefined) return known;
    const session = new FetchSession();
    this.#sessions.set(connection, session);
    return session;
  }

  async #listOffsets(action: FetchAction & { type: 'listOffsets' }): Promise<readonly FetchAction[]> {
    const { isolationLevel, requestTimeoutMs } = this.#engine.settings;
    const request = requests.listOffsetsRequest(action.partitions, isolationLevel, requestTimeoutMs);
    const connection = await this.#engine.cluster.connection(action.nodeId, 'lookup');
    const response = await connection.send(listOffsets, request);
    return offsetsListed(this.fetcher, action.id, requests.readListOffsets(response), this.#engine.now());
  }

  async #validate(action: FetchAction & { type: 'validate' }): Promise<readonly FetchAction[]> {
    const connection = await this.#engine.cluster.connection(action.nodeId, 'lookup');
    if (!connection.supports(offsetForLeaderEpoch, requests.OFFSET_FOR_LEADER_EPOCH_VERSION))
      return cannotValidate(this.fetcher, action.id);
    const request = requests.offsetForLeaderEpochRequest(action.partitions);
    const response = await connection.send(offsetForLeaderEpoch, request);
    return epochsValidated(this.fetcher, action.id, requests.readOffsetForLeaderEpoch(response), this.#engine.now());
  }

  async #fetchOffsets(action: FetchAction & { type: 'fetchOffsets' }): Promise<readonly FetchAction[]> {
    const offsets = await askCommitted(this.#engine, action.partitions);
    return offsetsFetched(this.fetcher, action.id, offsets, this.#engine.now());
  }
}

/** Records, and not many. */
function isSmall(actions: readonly FetchAction[]): boolean {
  let bytes = 0;
  for (const action of actions) if (action.type === 'records') bytes += action.bytes.length;
  return bytes > 0 && bytes <= SMALL_ANSWER_BYTES;
}

/** As much as the broker was asked for; what a batch has beyond it (KIP-74) comes as its bytes come. */
function answerBytes({ partitions, maxBytes }: FetchAction & { type: 'fetch' }): number {
  const records = partitions.reduce((sum, { partitionMaxBytes }) => sum + partitionMaxBytes, 0);
  return Math.min(maxBytes, records) + ANSWER_OVERHEAD_BYTES;
}
