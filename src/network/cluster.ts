import { backoffMs } from '../backoff.ts';
import { ConnectionError, KafkaError, toKafkaError } from '../errors.ts';
import { findCoordinator } from '../protocol/api/find-coordinator.ts';
import { metadata as metadataApi } from '../protocol/api/metadata.ts';
import { NO_UUID } from '../protocol/codec.ts';
import { ERROR_CODES, kafkaErrorOf } from '../protocol/error-codes.ts';
import { addressOf, Candidates, type HostPort } from './candidates.ts';
import { Connection, type Traffic } from './connection.ts';
import { ClusterMetadata, type BrokerAddress } from './metadata.ts';
import { Pauses } from './pauses.ts';

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
}

/**
 * What a connection is for. Fetches wait at the broker for new records, and requests on a connection are answered in
 * order: so heartbeats and look-ups each have a connection of their own (semantics §1).
 */
export type Purpose = 'fetch' | 'coordinator' | 'lookup';

/** A connection on its way, or there. */
interface Opening {
  readonly promise: Promise<Connection>;
  /** Null until it is there. */
  connection: Connection | null;
}

interface Refresh {
  readonly topics: Set<string>;
  /** Every topic there is, besides. */
  isList: boolean;
  readonly done: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: KafkaError) => void;
}

/** The brokers: connections made on demand and kept, back-off between failures, metadata, the group's coordinator. */
export class Cluster {
  readonly metadata = new ClusterMetadata();
  /** Whether asking for a topic may make it; may change at any time. */
  allowAutoCreateTopics: boolean;
  #options: ClusterOptions;
  #open = new Map<string, Opening>();
  #all = new Set<Connection>();
  /** What went over connections that are closed, by address. */
  #past = new Map<string, Traffic>();
  #failures = new Map<string, number>();
  #candidates: Candidates;
  #general: Opening | null = null;
  #queued: Refresh | null = null;
  #refreshing = false;
  #pauses = new Pauses();
  #closed: KafkaError | null = null;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.allowAutoCreateTopics = options.allowAutoCreateTopics;
    this.#candidates = new Candidates(options, this.metadata);
  }

  /**
   * The connection to a broker for one purpose, opened where there is none yet. After failures it waits out the
   * back-off first. Rejects with what the one attempt met; trying again is the caller's affair.
   */
  connection(nodeId: number, purpose: Purpose): Promise<Connection> {
    const key = `${nodeId}/${purpose}`;
    const known = this.#open.get(key);
    if (known !== undefined && isUsable(known)) return known.promise;
    const broker = this.metadata.brokers.get(nodeId);
    if (broker === undefined) return Promise.reject(new ConnectionError(`broker ${nodeId} is not in the metadata`));
    const opening = watched(this.#connectAfterBackoff(broker), () => {
      if (this.#open.get(key) === opening) this.#open.delete(key);
    });
    this.#open.set(key, opening);
    return opening.promise;
  }

  /**
   * Asks for these topics, and joins what is asked for already. Resolves once an answer is in, however long that takes.
   *
   * @param isList asks for all that there are, too: `metadata.listed` has their names then
   */
  refreshMetadata(topics: Iterable<string>, isList = false): Promise<void> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    this.#queued ??= newRefresh();
    for (const topic of topics) this.#queued.topics.add(topic);
    this.#queued.isList ||= isList;
    const { done } = this.#queued;
    if (!this.#refreshing) void this.#refreshLoop();
    return done;
  }

  /**
   * Asks once which topics these ids stand for: `metadata.topicName` knows those that there are from then on. Apart from
   * `refreshMetadata`, for a request asks either by names or by ids.
   */
  async resolveTopics(topicIds: readonly string[]): Promise<void> {
    const connection = await this.#generalConnection();
    const response = await connection.send(metadataApi, {
      topics: topicIds.map((topicId) => ({ topicId, name: null })),
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    });
    this.metadata.update(response);
  }

  /**
   * Asks one broker once for the coordinator of a group.
   *
   * @returns its node id; its address is in the metadata from then on
   * @throws KafkaError with the broker's error code, or ConnectionError
   */
  async findCoordinator(groupId: string): Promise<number> {
    const connection = await this.#generalConnection();
    const batched = connection.versionOf(findCoordinator) >= 4;
    const request = { key: batched ? '' : groupId, keyType: 0, coordinatorKeys: batched ? [groupId] : [] };
    const response = await this.#asked(connection, () => connection.send(findCoordinator, request));
    const found = batched ? response.coordinators[0] : response;
    if (found === undefined)
      throw kafkaErrorOf(15, { api: 'FindCoordinator', context: 'the answer names no coordinator' });
    if (found.errorCode !== 0)
      throw kafkaErrorOf(found.errorCode, { api: 'FindCoordinator', context: `group '${groupId}'` });
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
    this.#queued?.reject(error);
    this.#queued = null;
    for (const connection of this.#all) connection.close(error);
  }

  /** What went to and fro, broker by broker. `nodeId` −1: none that is known. */
  traffic(): (Traffic & { nodeId: number; address: string; connections: number })[] {
    const all = new Map([...this.#past].map(([address, traffic]) => [address, { ...traffic }]));
    for (const connection of this.#all) addTraffic(all, connection);
    const nodes = new Map(
      [...this.metadata.brokers.values()].map(({ nodeId, host, port }) => [`${host}:${port}`, nodeId]),
    );
    return [...all].map(([address, traffic]) => {
      const connections = [...this.#all].filter((each) => each.address === address).length;
      return { nodeId: nodes.get(address) ?? -1, address, connections, ...traffic };
    });
  }

  async #refreshLoop(): Promise<void> {
    this.#refreshing = true;
    let attempt = 0;
    let refusals = 0;
    let failingSince = 0;
    while (this.#queued !== null) {
      const refresh = this.#queued;
      this.#queued = null;
      try {
        await this.#refreshOnce(refresh);
        attempt = 0;
        refusals = 0;
        refresh.resolve();
      } catch (error) {
        const cause = toKafkaError(error);
        if (attempt === 0) failingSince = performance.now();
        if (!cause.retriable) refusals++;
        // What a person has to mend (credentials, permissions, a broker too old) ends the trying, once nobody is left to ask.
        if (this.#closed !== null || (!cause.retriable && refusals >= this.#candidates.inOrder().length)) {
          refresh.reject(this.#closed ?? cause);
          refusals = 0;
          continue;
        }
        this.#options.onUnreachable(cause);
        if (performance.now() - failingSince >= this.#options.metadataRecoveryRebootstrapTriggerMs) {
          this.#rebootstrap(new ConnectionError('no metadata for so long that the client begins anew', { cause }));
          failingSince = performance.now();
        }
        this.#queued = mergeRefresh(refresh, this.#queued);
        await this.#pause(attempt++).catch(() => undefined);
        // close() has rejected what was queued meanwhile, or could not see this one: do it here.
        if (this.#closed !== null) this.#queued?.reject(this.#closed);
        if (this.#closed !== null) this.#queued = null;
      }
    }
    this.#refreshing = false;
  }

  async #refreshOnce({ topics, isList }: Refresh): Promise<void> {
    if (!isList) return this.#ask([...topics]);
    await this.#ask(null);
    // What the list has not is asked for by name: the broker says why, or makes the topic.
    const missing = [...topics].filter((name) => this.metadata.listed?.has(name) !== true);
    if (missing.length > 0) await this.#ask(missing);
  }

  /** @param topics `null` for all */
  async #ask(topics: readonly string[] | null): Promise<void> {
    const connection = await this.#generalConnection();
    await this.#asked(connection, async () => {
      const response = await connection.send(metadataApi, {
        topics: topics?.map((name) => ({ topicId: NO_UUID, name })) ?? null,
        allowAutoTopicCreation: this.allowAutoCreateTopics,
        includeClusterAuthorizedOperations: false,
        includeTopicAuthorizedOperations: false,
      });
      const { errorCode } = response;
      if (errorCode === ERROR_CODES.REBOOTSTRAP_REQUIRED && this.#options.metadataRecoveryStrategy === 'rebootstrap') {
        const { message } = kafkaErrorOf(errorCode, { api: 'Metadata' });
        const error = new ConnectionError(message, { api: 'Metadata' });
        this.#rebootstrap(error);
        throw error;
      }
      if (errorCode !== 0) throw kafkaErrorOf(errorCode, { api: 'Metadata' });
      this.metadata.update(response, topics === null);
    });
  }

  /** One question to the general connection: whoever cannot answer it is asked last the next time. */
  async #asked<T>(connection: Connection, question: () => Promise<T>): Promise<T> {
    try {
      const answer = await question();
      this.#candidates.succeeded(connection.address);
      return answer;
    } catch (error) {
      this.#candidates.failed(connection.address);
      // It may have something against this question that another broker has not: its version, an error code.
      connection.close(new ConnectionError(`${connection.address} is left for another broker`, { cause: error }));
      throw error;
    }
  }

  /** KIP-1102: what is known of the brokers is out of date, connections included; the bootstrap list is all that is left. */
  #rebootstrap(error: ConnectionError): void {
    if (this.#options.metadataRecoveryStrategy === 'none') return;
    this.#candidates.forgetBrokers();
    for (const connection of [...this.#all]) connection.close(error);
  }

  /** Any broker will do: the one in use, else whoever answers first (KIP-899). */
  #generalConnection(): Promise<Connection> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    if (this.#general !== null && isUsable(this.#general)) return this.#general.promise;
    const opening = watched(this.#connectToAny(), () => {
      if (this.#general === opening) this.#general = null;
    });
    this.#general = opening;
    return opening.promise;
  }

  async #connectToAny(): Promise<Connection> {
    const failures = new Map<string, KafkaError>();
    const candidates = this.#candidates.inOrder();
    for (const candidate of candidates) {
      const address = addressOf(candidate);
      try {
        return await this.#connect(candidate);
      } catch (error) {
        if (this.#closed !== null) throw this.#closed;
        this.#candidates.failed(address);
        const failure = toKafkaError(error);
        failures.set(address, failure);
        if (failures.size < candidates.length) this.#options.onPassedOver(failure);
      }
    }
    const told = this.#candidates.told(failures);
    const [first] = told;
    if (first !== undefined && told.length === 1) throw first;
    const text = told.map(({ message }) => message).join('; ');
    // Only where all have refused is there nothing to wait for.
    if (first?.retriable === false && [...failures.values()].every(({ retriable }) => !retriable))
      throw new KafkaError(text, { code: first.code, name: first.name, cause: first });
    throw new ConnectionError(text, { cause: first });
  }

  async #connectAfterBackoff(broker: BrokerAddress): Promise<Connection> {
    const address = addressOf(broker);
    const failures = this.#failures.get(address) ?? 0;
    if (failures > 0) await this.#pause(failures - 1);
    // Metadata may have given the broker a new address while this waited.
    return this.#connect(this.metadata.brokers.get(broker.nodeId) ?? broker);
  }

  async #connect({ host, port }: HostPort): Promise<Connection> {
    if (this.#closed !== null) throw this.#closed;
    const address = addressOf({ host, port });
    const { clientId, softwareVersion, connectTimeoutMs, requestTimeoutMs, maxFrameBytes } = this.#options;
    try {
      const connection = await Connection.open({
        host,
        port,
        addressesTried: this.#failures.get(address) ?? 0,
        clientId,
        softwareVersion,
        connectTimeoutMs,
        requestTimeoutMs,
        maxFrameBytes,
        onOpening: (opening) => this.#all.add(opening),
        onClose: (closed) => {
          this.#all.delete(closed);
          addTraffic(this.#past, closed);
        },
      });
      this.#failures.delete(address);
      return connection;
    } catch (error) {
      this.#failures.set(address, (this.#failures.get(address) ?? 0) + 1);
      throw error;
    }
  }

  #pause(attempt: number): Promise<void> {
    const { reconnectBackoffMs, reconnectBackoffMaxMs, random } = this.#options;
    return this.#pauses.wait(backoffMs(attempt, reconnectBackoffMs, reconnectBackoffMaxMs, random()));
  }
}

function addTraffic(totals: Map<string, Traffic>, { address, traffic }: Connection): void {
  const total = totals.get(address) ?? { requests: 0, bytesIn: 0, bytesOut: 0 };
  total.requests += traffic.requests;
  total.bytesIn += traffic.bytesIn;
  total.bytesOut += traffic.bytesOut;
  totals.set(address, total);
}

/** @param onGone the attempt has failed, or the connection that it gave is closed */
function watched(promise: Promise<Connection>, onGone: () => void): Opening {
  const opening: Opening = { promise, connection: null };
  promise.then((connection) => {
    opening.connection = connection;
    void connection.closed.then(onGone);
  }, onGone);
  return opening;
}

/** A connection that was closed this very moment is still in its owner's map: `closed` is told a little later. */
function isUsable({ connection }: Opening): boolean {
  return connection === null || connection.isOpen;
}

function newRefresh(topics = new Set<string>()): Refresh {
  let resolve: () => void = () => undefined;
  let reject: (error: KafkaError) => void = () => undefined;
  const done = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { topics, isList: false, done, resolve, reject };
}

/** What failed is asked again together with what was asked for since; both askers hear of the one answer. */
function mergeRefresh(failed: Refresh, queued: Refresh | null): Refresh {
  if (queued === null) return failed;
  for (const topic of queued.topics) failed.topics.add(topic);
  failed.isList ||= queued.isList;
  failed.done.then(queued.resolve, queued.reject);
  return failed;
}
