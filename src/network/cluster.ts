import { backoffMs } from '../backoff.ts';
import { ConnectionError, RequestTimeoutError, type KafkaError } from '../errors.ts';
import { findCoordinator } from '../protocol/api/find-coordinator.ts';
import { metadata as metadataApi, type MetadataResponse } from '../protocol/api/metadata.ts';
import { NO_UUID } from '../protocol/codec.ts';
import { ERROR_CODES, kafkaErrorOf } from '../protocol/error-codes.ts';
import { AnyBroker } from './any-broker.ts';
import { addressOf, Candidates, type HostPort } from './candidates.ts';
import { Connection } from './connection.ts';
import { MetadataRefreshes } from './metadata-refreshes.ts';
import { ClusterMetadata, type BrokerAddress } from './metadata.ts';
import { isUsable, watched, type Opening } from './opening.ts';
import { Pauses } from './pauses.ts';
import { TrafficTotals, type BrokerTraffic } from './traffic.ts';

export interface ClusterOptions {
  bootstrapServers: readonly HostPort[];
  clientId: string;
  softwareVersion: string;
  requestTimeoutMs: number;
  connectTimeoutMs: number;
  maxFrameBytes: number;
  reconnectBackoffMs: number;
  reconnectBackoffMaxMs: number;
  metadataRecoveryStrategy: 'rebootstrap' | 'none';
  /** Metadata could not be had for so long: begin anew from the bootstrap servers (KIP-1102). */
  metadataRecoveryRebootstrapTriggerMs: number;
  allowAutoCreateTopics: boolean;
  /** A number in [0, 1): the jitter of the back-off, and which broker is asked first. */
  random: () => number;
  /** No broker could be reached or none gave metadata. It is tried again, for ever. */
  onUnreachable: (error: KafkaError) => void;
  /** One broker could not be asked about the cluster; another one is. */
  onPassedOver: (error: KafkaError) => void;
  /** No broker has answered a question about the cluster for some seconds. */
  onWaiting: (message: string) => void;
  /** A broker is silent where it should have answered long ago; again every two seconds. `message`: the first time. */
  onOverdue: (nodeId: number, message: string | null) => void;
  /** A broker has sent something that is wrong and harmless. */
  onOddity: (message: string) => void;
}

/**
 * What a connection is for. Fetches wait at the broker for new records, and requests on a connection are answered in
 * order: so heartbeats and look-ups each have a connection of their own (semantics §1).
 */
export type Purpose = 'fetch' | 'coordinator' | 'lookup';

/** A broker that has lost partitions to others so long ago is not fetched from for them any more. */
const MOVED_MS = 60_000;
/** Of so many addresses the failures are counted; those of brokers that are gone would add up for years. */
const MOST_FAILURES = 1000;

/** The brokers: connections made on demand and kept, back-off between failures, metadata, the group's coordinator. */
export class Cluster {
  readonly metadata = new ClusterMetadata();
  /** Whether asking for a topic may make it; may change at any time. */
  allowAutoCreateTopics: boolean;
  readonly #options: ClusterOptions;
  readonly #open = new Map<string, Opening>();
  readonly #all = new Set<Connection>();
  readonly #traffic = new TrafficTotals();
  /** By node id: when it lost partitions to other leaders. */
  readonly #movedFrom = new Map<number, number>();
  /** By address: failures in a row, for the back-off. */
  readonly #failures = new Map<string, number>();
  readonly #candidates: Candidates;
  readonly #any: AnyBroker;
  readonly #refreshes: MetadataRefreshes;
  readonly #pauses = new Pauses();
  #closed: KafkaError | null = null;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.allowAutoCreateTopics = options.allowAutoCreateTopics;
    this.#candidates = new Candidates(options, this.metadata);
    this.#any = new AnyBroker(options, this.#candidates, (candidate, timeoutMs) => this.#connect(candidate, timeoutMs));
    this.#refreshes = new MetadataRefreshes({
      refresh: (topics, isList) => this.#refresh(topics, isList),
      onFailed: (error, failingMs) => this.#onRefreshFailed(error, failingMs),
      pause: (attempt) => this.#pause(attempt),
    });
  }

  /**
   * The connection to a broker for one purpose, opened where there is none yet. After failures it waits out the
   * back-off first. Rejects with what the one attempt met; trying again is the caller's affair.
   */
  connection(nodeId: number, purpose: Purpose): Promise<Connection> {
    const key = keyOf(nodeId, purpose);
    const known = this.#open.get(key);
    if (known !== undefined && isUsable(known)) return known.promise;
    const broker = this.metadata.brokers.get(nodeId);
    if (broker === undefined) return Promise.reject(new ConnectionError(`broker ${nodeId} is not in the metadata`));
    const opening = watched(
      (onOpening) => this.#connectAfterBackoff(broker, onOpening),
      () => {
        if (this.#open.get(key) === opening) this.#open.delete(key);
      },
    );
    this.#open.set(key, opening);
    return opening.promise;
  }

  /**
   * Asks for these topics, and joins what is asked for already. Resolves once an answer is in, however long that takes.
   *
   * @param isList asks for all that there are, too: `metadata.listed` has their names then
   */
  refreshMetadata(topics: Iterable<string>, isList = false): Promise<void> {
    return this.#refreshes.ask(topics, isList);
  }

  /** What brokers have said of late about the cluster did not help: the next question goes to another broker. */
  doubtMetadata(): void {
    this.#any.doubt();
  }

  /**
   * Asks once which topics these ids stand for: `metadata.topicName` knows those that there are from then on. Apart from
   * `refreshMetadata`, for a request asks either by names or by ids.
   */
  async resolveTopics(topicIds: readonly string[]): Promise<void> {
    const request = {
      topics: topicIds.map((topicId) => ({ topicId, name: null })),
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    };
    await this.#any.ask('Metadata', async (connection, timeoutMs) => {
      this.#learn(await connection.send(metadataApi, request, { timeoutMs }), connection.address);
    });
  }

  /**
   * Asks for the coordinator of a group, once.
   *
   * @returns its node id; its address is in the metadata from then on
   * @throws KafkaError with the broker's error code, or ConnectionError
   */
  async findCoordinator(groupId: string): Promise<number> {
    const found = await this.#any.ask('FindCoordinator', async (connection, timeoutMs) => {
      const batched = connection.versionOf(findCoordinator) >= 4;
      const request = { key: batched ? '' : groupId, keyType: 0, coordinatorKeys: batched ? [groupId] : [] };
      const response = await connection.send(findCoordinator, request, { timeoutMs });
      return batched ? response.coordinators[0] : response;
    });
    if (found === undefined)
      throw kafkaErrorOf(15, { api: 'FindCoordinator', context: 'the answer names no coordinator' });
    if (found.errorCode !== 0) {
      this.doubtMetadata();
      throw kafkaErrorOf(found.errorCode, { api: 'FindCoordinator', context: `group '${groupId}'` });
    }
    const { nodeId, host, port } = found;
    const rack = this.metadata.brokers.get(nodeId)?.rack ?? null;
    this.metadata.brokers.set(nodeId, { nodeId, host, port, rack });
    return nodeId;
  }

  /** Closes every connection; whatever is pending is rejected with `error`. */
  close(error: KafkaError): void {
    if (this.#closed !== null) return;
    this.#closed = error;
    this.#pauses.end(error);
    this.#refreshes.close(error);
    this.#any.close(error);
    for (const connection of this.#all) connection.close(error);
  }

  /** What went to and fro, broker by broker. */
  traffic(): BrokerTraffic[] {
    return this.#traffic.of(this.#all, this.metadata.brokers.values());
  }

  async #refresh(topics: ReadonlySet<string>, isList: boolean): Promise<void> {
    if (!isList) return this.#ask([...topics]);
    await this.#ask(null);
    // What the list has not is asked for by name: the broker says why, or makes the topic.
    const missing = [...topics].filter((name) => this.metadata.listed?.has(name) !== true);
    if (missing.length > 0) await this.#ask(missing);
  }

  #onRefreshFailed(error: KafkaError, failingMs: number): boolean {
    this.#options.onUnreachable(error);
    if (failingMs < this.#options.metadataRecoveryRebootstrapTriggerMs) return false;
    this.#rebootstrap(new ConnectionError('no metadata for so long that the client begins anew', { cause: error }));
    return true;
  }

  /** @param topics `null` for all */
  async #ask(topics: readonly string[] | null): Promise<void> {
    const request = {
      topics: topics?.map((name) => ({ topicId: NO_UUID, name })) ?? null,
      allowAutoTopicCreation: this.allowAutoCreateTopics,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    };
    const { answer, from } = await this.#any.ask('Metadata', async (connection, timeoutMs) => {
      const answer = await connection.send(metadataApi, request, { timeoutMs });
      const { errorCode } = answer;
      if (errorCode === ERROR_CODES.REBOOTSTRAP_REQUIRED && this.#options.metadataRecoveryStrategy === 'rebootstrap') {
        const { message } = kafkaErrorOf(errorCode, { api: 'Metadata' });
        const error = new ConnectionError(message, { api: 'Metadata' });
        this.#rebootstrap(error);
        throw error;
      }
      if (errorCode !== 0) throw kafkaErrorOf(errorCode, { api: 'Metadata' });
      return { answer, from: connection.address };
    });
    this.#learn(answer, from, topics === null);
  }

  /** Takes in an answer. */
  #learn(response: MetadataResponse, from: string, isList = false): void {
    const { isCertain, movedFrom } = this.metadata.update(response, isList, from);
    if (!isCertain) this.doubtMetadata();
    for (const nodeId of movedFrom) this.#movedFrom.set(nodeId, performance.now());
    this.#endInVain();
  }

  /** A broker that is elsewhere now is not waited for where it was, nor one that is silent for what another one leads now. */
  #endInVain(): void {
    const recent = performance.now() - MOVED_MS;
    for (const [key, { connection, attempt }] of this.#open) {
      const nodeId = parseInt(key, 10);
      const broker = this.metadata.brokers.get(nodeId);
      const inVain = connection?.isOverdue === true ? connection : attempt;
      if (broker === undefined || inVain === null) continue;
      if (inVain.address !== addressOf(broker))
        inVain.close(new ConnectionError(`${inVain.address}: broker ${nodeId} is at ${addressOf(broker)} now`));
      else if (inVain.isOverdue && isOf(key, 'fetch') && (this.#movedFrom.get(nodeId) ?? -Infinity) > recent)
        inVain.close(new ConnectionError(`${inVain.address} is silent, and others lead partitions of it now`));
    }
  }

  /** KIP-1102: what is known of the brokers is out of date, connections included; the bootstrap list is all that is left. */
  #rebootstrap(error: ConnectionError): void {
    if (this.#options.metadataRecoveryStrategy === 'none') return;
    this.#candidates.forgetBrokers();
    for (const connection of [...this.#all]) connection.close(error);
  }

  async #connectAfterBackoff(broker: BrokerAddress, onOpening: (attempt: Connection) => void): Promise<Connection> {
    const address = addressOf(broker);
    const failures = this.#failures.get(address) ?? 0;
    if (failures > 0) await this.#pause(failures - 1);
    // Metadata may have given the broker a new address while this waited.
    return this.#connect(this.metadata.brokers.get(broker.nodeId) ?? broker, Infinity, onOpening);
  }

  /**
   * @param timeoutMs how long connecting, and then what the broker speaks, may take at the most
   * @param onOpening the attempt has begun; without it nobody is told where it takes long
   */
  async #connect(
    { host, port, nodeId }: HostPort & { nodeId?: number },
    timeoutMs: number,
    onOpening?: (attempt: Connection) => void,
  ): Promise<Connection> {
    if (this.#closed !== null) throw this.#closed;
    const address = addressOf({ host, port });
    const { clientId, softwareVersion, connectTimeoutMs, requestTimeoutMs, maxFrameBytes, onOddity } = this.#options;
    try {
      const connection = await Connection.open({
        host,
        port,
        addressesTried: this.#failures.get(address) ?? 0,
        clientId,
        softwareVersion,
        connectTimeoutMs: Math.min(connectTimeoutMs, timeoutMs),
        requestTimeoutMs: Math.min(requestTimeoutMs, timeoutMs),
        maxFrameBytes,
        onOddity,
        onOpening: (opening) => {
          this.#all.add(opening);
          onOpening?.(opening);
        },
        onOverdue: (_connection, what, waitedMs, isFirst) => {
          if (onOpening !== undefined) this.#onOverdue(address, nodeId ?? -1, what, isFirst ? waitedMs : -1);
        },
        onClose: (closed, error) => {
          this.#all.delete(closed);
          this.#traffic.closed(closed, this.metadata.brokers.values());
          // Whoever was silent there is not the first to be asked about anything else.
          if (error instanceof RequestTimeoutError) this.#candidates.failed(address);
        },
      });
      this.#failures.delete(address);
      return connection;
    } catch (error) {
      this.#countFailure(address);
      this.#candidates.failed(address);
      throw error;
    }
  }

  /** @param waitedMs −1 where it was told before */
  #onOverdue(address: string, nodeId: number, what: string, waitedMs: number): void {
    if (this.#closed !== null) return;
    this.#candidates.failed(address);
    const text = `${address}: ${what} is overdue after ${Math.round(waitedMs)} ms; asking others about the cluster`;
    this.#options.onOverdue(nodeId, waitedMs < 0 ? null : text);
    this.#endInVain();
  }

  #countFailure(address: string): void {
    const count = (this.#failures.get(address) ?? 0) + 1;
    this.#failures.delete(address);
    this.#failures.set(address, count);
    const [oldest] = this.#failures.keys();
    if (oldest !== undefined && this.#failures.size > MOST_FAILURES) this.#failures.delete(oldest);
  }

  #pause(attempt: number): Promise<void> {
    const { reconnectBackoffMs, reconnectBackoffMaxMs, random } = this.#options;
    return this.#pauses.wait(backoffMs(attempt, reconnectBackoffMs, reconnectBackoffMaxMs, random()));
  }
}

function keyOf(nodeId: number, purpose: Purpose): string {
  return `${nodeId}/${purpose}`;
}

function isOf(key: string, purpose: Purpose): boolean {
  return key.endsWith(`/${purpose}`);
}
