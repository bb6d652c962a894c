import { once } from 'node:events';
import net from 'node:net';
import Long from 'long';
import type { Api } from '../../src/protocol/api.ts';
import { apiVersions, type ApiVersionsResponse } from '../../src/protocol/api/api-versions.ts';
import { findCoordinator, type FindCoordinatorRequest } from '../../src/protocol/api/find-coordinator.ts';
import { metadata, type MetadataRequest, type MetadataResponse } from '../../src/protocol/api/metadata.ts';
import { apiByKey, APIS } from '../../src/protocol/apis.ts';
import { FrameAssembler } from '../../src/protocol/frame.ts';
import { decodeRequestFrame, encodeResponseFrame, peekRequestHeader } from '../../src/protocol/header.ts';

/** A request as a handler sees it. */
export interface Received {
  readonly api: string;
  readonly version: number;
  readonly correlationId: number;
  readonly body: unknown;
  readonly socket: net.Socket;
}

/** What to answer: a response body, or undefined for nothing (yet). May throw: the connection is then dropped. */
export type Handler<Req, Res> = (body: Req, received: Received) => Res | undefined | Promise<Res | undefined>;

/** No answer at all. */
export const silence = (): undefined => undefined;

export interface ScriptedTopic {
  topicId: string;
  /** Leader epoch of each partition. */
  leaderEpochs: number[];
}

/**
 * A broker that does as a test says, on a real socket: ApiVersions, Metadata and FindCoordinator are answered by themselves,
 * with this broker as the only one; everything else, and these too, by what `on` was given.
 */
export class ScriptedBroker {
  readonly nodeId: number;
  readonly host: string;
  readonly received: Received[] = [];
  readonly sockets = new Set<net.Socket>();
  readonly topics = new Map<string, ScriptedTopic>();
  /** All brokers that Metadata names; this one alone by default. */
  cluster: ScriptedBroker[] = [this];
  /** Milliseconds, said in the Metadata answers. */
  throttleTimeMs = 0;
  /** How an answer's bytes go out; whole by default. */
  write: (socket: net.Socket, bytes: Buffer) => void = (socket, bytes) => socket.write(bytes);
  connectionCount = 0;
  #server: net.Server | null = null;
  #port = 0;
  #handlers = new Map<string, Handler<never, unknown>>();

  private constructor(nodeId: number, host: string) {
    this.nodeId = nodeId;
    this.host = host;
    this.on(apiVersions, () => versionsOf());
    this.on(metadata, (request) => this.describe(request));
    this.on(findCoordinator, (request) => this.#coordinator(request));
  }

  static async start({ nodeId = 1, host = '127.0.0.1' } = {}): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker(nodeId, host);
    await broker.listen();
    return broker;
  }

  get port(): number {
    return this.#port;
  }

  on<Req, Res>(api: Api<Req, Res>, handler: Handler<Req, Res>): this {
    this.#handlers.set(api.name, handler);
    return this;
  }

  count(api: { name: string }): number {
    return this.received.filter((each) => each.api === api.name).length;
  }

  /** Listens at the port that it had before, if it had one. */
  async listen(): Promise<void> {
    const server = net.createServer((socket) => this.#onConnection(socket));
    server.listen(this.#port, this.host);
    await once(server, 'listening');
    this.#server = server;
    this.#port = (server.address() as net.AddressInfo).port;
  }

  /** As a broker that was killed: every connection is reset, the port is closed. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const socket of this.sockets) socket.resetAndDestroy();
    if (server === null) return;
    const closed = once(server, 'close');
    server.close();
    await closed;
  }

  /** What Metadata is answered without a handler of a test's own. */
  describe(request: MetadataRequest): MetadataResponse {
    const names = request.topics === null ? [...this.topics.keys()] : request.topics.map(({ name }) => name ?? '');
    return {
      throttleTimeMs: this.throttleTimeMs,
      brokers: this.cluster.map(({ nodeId, host, port }) => ({ nodeId, host, port, rack: null })),
      clusterId: 'scripted',
      controllerId: this.nodeId,
      topics: names.map((name) => this.#topic(name)),
      clusterAuthorizedOperations: -2147483648,
      errorCode: 0,
    };
  }

  #topic(name: string): MetadataResponse['topics'][number] {
    const known = this.topics.get(name);
    const common = { name, isInternal: false, topicAuthorizedOperations: -2147483648 };
    if (known === undefined) return { ...common, errorCode: 3, topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partitions: [] };
    const partitions = known.leaderEpochs.map((leaderEpoch, partitionIndex) => ({
      errorCode: 0,
      partitionIndex,
      leaderId: this.nodeId,
      leaderEpoch,
      replicaNodes: [this.nodeId],
      isrNodes: [this.nodeId],
      offlineReplicas: [],
    }));
    return { ...common, errorCode: 0, topicId: known.topicId, partitions };
  }

  #coordinator({ coordinatorKeys }: FindCoordinatorRequest) {
    const { nodeId, host, port } = this;
    const found = { nodeId, host, port, errorCode: 0, errorMessage: null };
    if (coordinatorKeys.length === 0) return { throttleTimeMs: 0, ...found, coordinators: [] };
    const coordinators = coordinatorKeys.map((key) => ({ key, ...found }));
    return { throttleTimeMs: 0, errorCode: 0, errorMessage: null, nodeId: 0, host: '', port: 0, coordinators };
  }

  #onConnection(socket: net.Socket): void {
    this.connectionCount++;
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => undefined); // a client may hang up as it likes
    const frames = new FrameAssembler(1 << 26);
    socket.on('data', (bytes: Buffer) => {
      for (const frame of frames.feed(bytes)) void this.#onFrame(frame, socket);
    });
  }

  async #onFrame(frame: Buffer, socket: net.Socket): Promise<void> {
    const api = apiByKey(peekRequestHeader(frame).requestApiKey);
    if (api === undefined) throw new Error('a request of an API that has no codec');
    const { header, body } = decodeRequestFrame(api, frame);
    const { requestApiVersion: version, correlationId } = header;
    const received: Received = { api: api.name, version, correlationId, body, socket };
    this.received.push(received);
    const handler = this.#handlers.get(api.name);
    try {
      const answer = await handler?.(body as never, received);
      if (answer !== undefined && !socket.destroyed)
        this.write(socket, encodeResponseFrame(api, version, correlationId, answer));
    } catch (error) {
      socket.destroy(error as Error);
    }
  }
}

/** Every API in every version that has a codec; `ranges` replaces some, `null` takes one away. */
export function versionsOf(ranges: Record<string, [number, number] | null> = {}): ApiVersionsResponse {
  const apiKeys = APIS.flatMap(({ key, name, minVersion, maxVersion }) => {
    const range = ranges[name] === undefined ? [minVersion, maxVersion] : ranges[name];
    return range === null ? [] : [{ apiKey: key, minVersion: range[0] ?? 0, maxVersion: range[1] ?? 0 }];
  });
  return {
    errorCode: 0,
    apiKeys,
    throttleTimeMs: 0,
    supportedFeatures: [],
    finalizedFeaturesEpoch: Long.NEG_ONE,
    finalizedFeatures: [],
    zkMigrationReady: false,
  };
}

/** A TCP server that sends `bytes` to whoever connects, or to whoever says something first. */
export async function startStranger(bytes: Buffer, when: 'connected' | 'asked'): Promise<net.Server> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    if (when === 'connected') socket.write(bytes);
    else socket.once('data', () => socket.write(bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
