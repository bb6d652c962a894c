import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import Long from 'long';
import type { Api } from '../../src/protocol/api.ts';
import {
  apiVersions,
  decodeRequestFrame,
  encodeResponseFrame,
  FrameAssembler,
  metadata,
  NO_UUID,
  peekRequestHeader,
} from '../../src/protocol/index.ts';

// What a person may find behind a wrong address.

export interface TestServer {
  address: string;
  close(): Promise<void>;
}

async function listening(server: Server): Promise<TestServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

export function httpServer(): Promise<TestServer> {
  return listening(createHttpServer((_, response) => response.end('hello')));
}

/** Takes connections and says nothing. */
export function silentServer(): Promise<TestServer> {
  return listening(createServer((socket) => socket.resume()));
}

/**
 * A broker that can be reached and gives an address of itself that cannot: wrong `advertised.listeners`.
 * @param topics each with one partition
 */
export function misadvertisedBroker(host: string, port: number, topics: readonly string[]): Promise<TestServer> {
  return listening(
    createServer((socket) => {
      const frames = new FrameAssembler(1 << 20);
      socket.on('data', (data: Buffer) => {
        for (const frame of frames.feed(data)) answer(socket, frame);
      });
    }),
  );

  function answer(socket: Socket, frame: Buffer): void {
    const { requestApiKey, requestApiVersion, correlationId } = peekRequestHeader(frame);
    const respond = <Req, Res>(api: Api<Req, Res>, body: Res): void => {
      decodeRequestFrame(api, frame);
      socket.write(encodeResponseFrame(api, requestApiVersion, correlationId, body));
    };
    if (requestApiKey === apiVersions.key) respond(apiVersions, versions());
    else if (requestApiKey === metadata.key) respond(metadata, clusterOf(host, port, topics));
    else socket.destroy();
  }
}

function versions(): Parameters<typeof apiVersions.encodeResponse>[2] {
  const apiKeys = [
    { apiKey: apiVersions.key, minVersion: 0, maxVersion: apiVersions.maxVersion },
    { apiKey: metadata.key, minVersion: 0, maxVersion: metadata.maxVersion },
  ];
  const features = { supportedFeatures: [], finalizedFeaturesEpoch: Long.NEG_ONE, finalizedFeatures: [] };
  return { errorCode: 0, apiKeys, throttleTimeMs: 0, ...features, zkMigrationReady: false };
}

function clusterOf(
  host: string,
  port: number,
  topics: readonly string[],
): Parameters<typeof metadata.encodeResponse>[2] {
  const partition = { errorCode: 0, partitionIndex: 0, leaderId: 1, leaderEpoch: 0 };
  const replicas = { replicaNodes: [1], isrNodes: [1], offlineReplicas: [] };
  const notAsked = -2147483648;
  return {
    throttleTimeMs: 0,
    brokers: [{ nodeId: 1, host, port, rack: null }],
    clusterId: 'test',
    controllerId: 1,
    topics: topics.map((name) => ({
      errorCode: 0,
      name,
      topicId: NO_UUID,
      isInternal: false,
      partitions: [{ ...partition, ...replicas }],
      topicAuthorizedOperations: notAsked,
    })),
    clusterAuthorizedOperations: notAsked,
    errorCode: 0,
  };
}
