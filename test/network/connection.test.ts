import dns from 'node:dns';
import { once } from 'node:events';
import net from 'node:net';
import { afterEach, describe, expect, it, vi, type MockInstance } from 'vitest';
import { ConnectionError, ProtocolError, RequestTimeoutError, UnsupportedVersionError } from '../../src/errors.ts';
import type { KafkaError } from '../../src/errors.ts';
import { Connection, nextCorrelationId, type ConnectionOptions } from '../../src/network/connection.ts';
import { apiVersions } from '../../src/protocol/api/api-versions.ts';
import { fetch } from '../../src/protocol/api/fetch.ts';
import { findCoordinator } from '../../src/protocol/api/find-coordinator.ts';
import { heartbeat } from '../../src/protocol/api/heartbeat.ts';
import { metadata } from '../../src/protocol/api/metadata.ts';
import { encodeResponseFrame } from '../../src/protocol/header.ts';
import { until } from '../harness/waiting.ts';
import { ScriptedBroker, silence, startStranger, versionsOf, type Handler } from './scripted-broker.ts';
import { matching } from '../harness/matching.ts';

const ASK = {
  topics: [],
  allowAutoTopicCreation: false,
  includeClusterAuthorizedOperations: false,
  includeTopicAuthorizedOperations: false,
};
const BEAT = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null };
const FETCH = {
  clusterId: null,
  replicaId: -1,
  replicaState: null,
  maxWaitMs: 0,
  minBytes: 0,
  maxBytes: 1,
  isolationLevel: 0,
  sessionId: 0,
  sessionEpoch: -1,
  topics: [],
  forgottenTopicsData: [],
  rackId: '',
};
const NO_ERROR = { throttleTimeMs: 0, errorCode: 0 };

type Callback = (error: Error | null, addresses: unknown) => void;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startBroker(options: { host?: string } = {}): Promise<ScriptedBroker> {
  const broker = await ScriptedBroker.start(options);
  cleanups.push(() => broker.stop());
  return broker;
}

async function stranger(bytes: Buffer, when: 'connected' | 'asked' = 'connected'): Promise<number> {
  const server = await startStranger(bytes, when);
  cleanups.push(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

async function open(port: number, options: Partial<ConnectionOptions> = {}): Promise<Connection> {
  const connection = await Connection.open({
    host: '127.0.0.1',
    port,
    addressesTried: 0,
    clientId: 'test',
    connectTimeoutMs: 2000,
    requestTimeoutMs: 2000,
    maxFrameBytes: 1 << 20,
    softwareVersion: '0',
    onOpening: () => undefined,
    onClose: () => undefined,
    ...options,
  });
  cleanups.push(() => connection.close());
  return connection;
}

/** What a promise is rejected with. */
async function failureOf(promise: Promise<unknown>): Promise<KafkaError> {
  return promise.then(
    () => Promise.reject(new Error('it was resolved')),
    (error: KafkaError) => error,
  );
}

/** Holds answers back until the test lets them go. */
function held<Req, Res>(answer: Res): { handler: Handler<Req, Res>; release: () => void } {
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  return { handler: () => gate.then(() => answer), release };
}

describe('versions', () => {
  it('asks first with the newest ApiVersions and says who asks (KIP-511)', async () => {
    const broker = await startBroker();
    await open(broker.port);
    expect(broker.received[0]).toMatchObject({
      api: 'ApiVersions',
      version: 4,
      body: { clientSoftwareName: 'samsa', clientSoftwareVersion: '0' },
    });
  });

  it.each([
    ['names its own range', [{ apiKey: 18, minVersion: 0, maxVersion: 2 }], 2],
    ['says nothing more (before KIP-511)', [], 0],
  ])('a refusal in version 0 that %s', async (_, apiKeys, asked) => {
    const broker = await startBroker();
    broker.on(apiVersions, (_request, { version, correlationId, socket }) => {
      if (version === asked) return versionsOf({ Metadata: [0, 7] });
      // UNSUPPORTED_VERSION, in version 0 whatever was asked with
      socket.write(encodeResponseFrame(apiVersions, 0, correlationId, { ...versionsOf(), errorCode: 35, apiKeys }));
      return undefined;
    });
    const connection = await open(broker.port);
    expect(broker.received.map(({ version }) => version)).toEqual([4, asked]);
    expect(connection.versionOf(metadata)).toBe(7);
  });

  it('a refusal in the version that is refused: it is asked for anew, in version 0', async () => {
    const broker = await startBroker();
    broker.on(apiVersions, (_request, { version, correlationId, socket }) => {
      if (version === 0) return versionsOf();
      // librdkafka's mock cluster, before and after its mending: error 35, then an array in compact form.
      const body = Buffer.from('00230100120000000200' + '00000000', 'hex');
      const head = Buffer.alloc(8);
      head.writeInt32BE(body.length + 4, 0);
      head.writeInt32BE(correlationId, 4);
      socket.write(Buffer.concat([head, body]));
      return undefined;
    });
    const connection = await open(broker.port);
    expect(broker.received.map(({ version }) => version)).toEqual([4, 0]);
    expect(connection.versionOf(heartbeat)).toBe(4);
  });

  it('no version in common names the API and both ranges', async () => {
    const broker = await startBroker();
    broker.on(apiVersions, () => versionsOf({ Metadata: [90, 99], Heartbeat: null }));
    const connection = await open(broker.port);
    const error = await failureOf(connection.send(metadata, ASK));
    expect(error).toBeInstanceOf(UnsupportedVersionError);
    expect(error.message).toMatch(/Metadata: .* samsa has 0-13, the broker at .* has 90-99/);
    await expect(connection.send(heartbeat, BEAT)).rejects.toThrow(/does not have it/);
    expect(connection.isOpen).toBe(true);
  });

  it.each([
    [
      7,
      /is too old: it has Fetch up to version 7, as Kafka 1\.1 has; samsa needs version 10, which is Kafka 2\.1 or newer$/,
    ],
    [9, /is too old: it has Fetch up to version 9; samsa needs/],
  ])('a broker that is too old, with Fetch %i, is refused in one line', async (max, text) => {
    const broker = await startBroker();
    broker.on(apiVersions, () => versionsOf({ Fetch: [0, max] }));
    const error = await failureOf(open(broker.port));
    expect(error).toMatchObject({
      name: 'UnsupportedVersionError',
      retriable: false,
      message: matching(text),
    });
    expect(error.message).toContain(`127.0.0.1:${broker.port}`);
    await until(() => broker.sockets.size === 0, { what: 'end of the connection', timeoutMs: 2000 });
    broker.on(apiVersions, () => versionsOf({ Fetch: [0, 10] }));
    await open(broker.port);
  });

  it('no ApiVersions version in common', async () => {
    const broker = await startBroker();
    broker.on(apiVersions, (_request, { correlationId, socket }) => {
      const apiKeys = [{ apiKey: 18, minVersion: 50, maxVersion: 60 }];
      socket.write(encodeResponseFrame(apiVersions, 0, correlationId, { ...versionsOf(), errorCode: 35, apiKeys }));
      return undefined;
    });
    await expect(open(broker.port)).rejects.toThrow(UnsupportedVersionError);
    await until(() => broker.sockets.size === 0, { what: 'end of the connection', timeoutMs: 2000 });
  });

  it('an error code of ApiVersions is thrown by its name', async () => {
    const broker = await startBroker();
    broker.on(apiVersions, () => ({ ...versionsOf(), errorCode: 31 }));
    expect(await failureOf(open(broker.port))).toMatchObject({ name: 'CLUSTER_AUTHORIZATION_FAILED', code: 31 });
  });

  it('a request that its version cannot carry rejects and leaves the connection alone', async () => {
    const broker = await startBroker();
    broker.on(apiVersions, () => versionsOf({ Heartbeat: [0, 2] }));
    broker.on(heartbeat, () => NO_ERROR);
    const connection = await open(broker.port);
    const promise = connection.send(heartbeat, { ...BEAT, groupInstanceId: 'static' });
    await expect(promise).rejects.toThrow(UnsupportedVersionError);
    await expect(connection.send(heartbeat, BEAT)).resolves.toMatchObject(NO_ERROR);
  });
});

describe('frames', () => {
  it('come byte by byte', async () => {
    const broker = await startBroker();
    broker.topics.set('t', { topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', leaderEpochs: [5] });
    broker.write = (socket, bytes) => {
      socket.setNoDelay(true);
      for (const byte of bytes) socket.write(Buffer.of(byte));
    };
    const connection = await open(broker.port);
    const topics = [{ topicId: 'AAAAAAAAAAAAAAAAAAAAAA', name: 't' }];
    const response = await connection.send(metadata, { ...ASK, topics });
    expect(response.topics[0]).toMatchObject({ name: 't', partitions: [{ leaderEpoch: 5 }] });
  });

  it('several come in one piece, and answers go to their requests in order', async () => {
    const broker = await startBroker();
    const answers: Buffer[] = [];
    broker.on(heartbeat, (_request, { version, correlationId, socket }) => {
      const errorCode = answers.length;
      answers.push(encodeResponseFrame(heartbeat, version, correlationId, { throttleTimeMs: 0, errorCode }));
      if (answers.length === 3) socket.write(Buffer.concat(answers));
      return undefined;
    });
    const connection = await open(broker.port);
    const sent = [0, 1, 2].map(() => connection.send(heartbeat, BEAT));
    expect((await Promise.all(sent)).map(({ errorCode }) => errorCode)).toEqual([0, 1, 2]);
  });

  const strangers: [string, Buffer, 'connected' | 'asked', RegExp][] = [
    ['2 GiB', Buffer.from('7fffffff00000000', 'hex'), 'asked', /frame of 2147483647 bytes/],
    ['a negative length', Buffer.from('fffffffe00000000', 'hex'), 'asked', /frame of -2 bytes/],
    ['more than the limit', Buffer.from('0010000100000000', 'hex'), 'asked', /expected 4 to 1048576/],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'asked', /HTTP server/],
    ['a TLS alert', Buffer.from('15030300020246', 'hex'), 'asked', /speaks TLS/],
    ['text', Buffer.from('220 smtp ready\r\n'), 'connected', /no Kafka broker/],
    ['an answer to nobody', Buffer.from('0000000600000000' + '0000', 'hex'), 'connected', /./],
    ['another correlation id', Buffer.from('0000000600000007' + '0000', 'hex'), 'asked', /correlation id 7 where 0/],
    ['an answer cut short', Buffer.from('0000000500000000' + '00', 'hex'), 'asked', /ApiVersions|byte/],
  ];
  it.each(strangers)('%s is a ProtocolError that says where', async (_, bytes, when, hint) => {
    const port = await stranger(bytes, when);
    const error = await failureOf(open(port));
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error.message).toMatch(hint);
    expect(error.message).toContain(`127.0.0.1:${port}`);
  });

  it('bytes left over after an answer are passed over, and told once for each API', async () => {
    const broker = await startBroker();
    broker.on(heartbeat, () => NO_ERROR);
    broker.write = (socket, bytes) => {
      const isHeartbeat = broker.received.at(-1)?.api === 'Heartbeat';
      const longer = isHeartbeat ? Buffer.concat([bytes, Buffer.alloc(3)]) : bytes;
      longer.writeInt32BE(longer.length - 4, 0);
      socket.write(longer);
    };
    const odd: string[] = [];
    const connection = await open(broker.port, { onOddity: (message) => odd.push(message) });
    for (let i = 0; i < 2; i++) expect(await connection.send(heartbeat, BEAT)).toEqual(NO_ERROR);
    expect(odd).toEqual([`127.0.0.1:${broker.port}: Heartbeat v4: 3 bytes left over after the answer; passed over`]);
  });

  it('only an answer to Fetch may be as long as the limit; others are refused at 16 MiB', async () => {
    const broker = await startBroker();
    const announced = Buffer.alloc(4);
    announced.writeInt32BE(17 * 1024 * 1024);
    const announce = (_request: unknown, { socket }: { socket: net.Socket }): void => void socket.write(announced);
    broker.on(metadata, announce as never).on(fetch, announce as never);
    const limit = { maxFrameBytes: 100 * 1024 * 1024, requestTimeoutMs: 300 };
    expect(await failureOf((await open(broker.port, limit)).send(metadata, ASK))).toMatchObject({
      name: 'ProtocolError',
      message: matching(/frame of 17825792 bytes, expected 4 to 16777216/),
    });
    expect(await failureOf((await open(broker.port, limit)).send(fetch, FETCH))).toMatchObject({
      name: 'RequestTimeoutError', // the rest of it has not come
    });
  });

  it('a wrong correlation id fails all that is in flight and closes the connection', async () => {
    const broker = await startBroker();
    broker.on(heartbeat, (_request, { version, correlationId, socket }) => {
      if (broker.count(heartbeat) < 3) return undefined;
      socket.write(encodeResponseFrame(heartbeat, version, correlationId + 5, NO_ERROR));
      return undefined;
    });
    const connection = await open(broker.port);
    const errors = await Promise.all([0, 1, 2].map(() => failureOf(connection.send(heartbeat, BEAT))));
    for (const error of errors) expect(error).toBeInstanceOf(ProtocolError);
    expect(connection.isOpen).toBe(false);
    await expect(connection.send(heartbeat, BEAT)).rejects.toBe(errors[0]);
    await until(() => broker.sockets.size === 0, { what: 'end of the connection', timeoutMs: 2000 });
  });

  it('an answer that no request is out for closes the connection', async () => {
    const broker = await startBroker();
    const connection = await open(broker.port);
    for (const socket of broker.sockets) socket.write(Buffer.from('000000060000000000' + '00', 'hex'));
    expect(await connection.closed).toMatchObject({
      name: 'ProtocolError',
      message: matching(/an answer to no request/),
    });
  });
});

it('correlation ids begin anew after 2^31 − 1', () => {
  expect([0, 2 ** 31 - 2, 2 ** 31 - 1].map(nextCorrelationId)).toEqual([1, 2 ** 31 - 1, 0]);
});

describe('deadlines', () => {
  it('silence is a RequestTimeoutError within requestTimeoutMs, and takes the connection and what is in flight with it', async () => {
    const broker = await startBroker();
    broker.on(heartbeat, silence).on(metadata, silence);
    const connection = await open(broker.port, { requestTimeoutMs: 100 });
    const start = performance.now();
    const [first, second] = await Promise.all([
      failureOf(connection.send(heartbeat, BEAT)),
      failureOf(connection.send(metadata, ASK, { timeoutMs: 60_000 })),
    ]);
    expect(performance.now() - start).toBeLessThan(1500);
    expect(first).toBeInstanceOf(RequestTimeoutError);
    expect(first).toMatchObject({ retriable: true, api: 'Heartbeat' });
    expect(second).toBe(first);
    await until(() => broker.sockets.size === 0, { what: 'end of the connection', timeoutMs: 2000 });
  });

  it('a broker that accepts and never answers ApiVersions is found out as well', async () => {
    const broker = await startBroker();
    broker.on(apiVersions, silence);
    expect(await failureOf(open(broker.port, { requestTimeoutMs: 100 }))).toBeInstanceOf(RequestTimeoutError);
  });

  it('an answer that has arrived while the event loop stood still counts, and the connection stays', async () => {
    const broker = await startBroker();
    broker.on(heartbeat, () => NO_ERROR);
    const connection = await open(broker.port, { requestTimeoutMs: 100 });
    broker.write = (socket, bytes) => {
      socket.write(bytes); // the kernel has it now
      const until = performance.now() + 300;
      while (performance.now() < until);
    };
    await expect(connection.send(heartbeat, BEAT)).resolves.toMatchObject(NO_ERROR);
    expect(connection.isOpen).toBe(true);
  });

  it('a request may wait longer than 2^31 ms', async () => {
    const broker = await startBroker();
    const { handler, release } = held<unknown, typeof NO_ERROR>(NO_ERROR);
    broker.on(heartbeat, handler);
    const connection = await open(broker.port);
    const sent = connection.send(heartbeat, BEAT, { timeoutMs: 0x7fffffff + 30_000 });
    await until(() => broker.count(heartbeat) === 1, { what: 'Heartbeat', timeoutMs: 2000 });
    release();
    await expect(sent).resolves.toMatchObject(NO_ERROR);
  });
});

describe('ends', () => {
  it.each([
    // Some bytes came before it: then libuv tells of an end.
    ['reset', (socket: net.Socket) => socket.resetAndDestroy(), /closed the connection|reset by the other side/],
    ['closed', (socket: net.Socket) => socket.end(), /closed the connection/],
  ])('%s in the middle of an answer fails what is in flight, retriably', async (_, hangUp, text) => {
    const broker = await startBroker();
    broker.on(heartbeat, (_request, { socket }) => {
      socket.write(Buffer.from('00000100', 'hex'), () => hangUp(socket));
      return undefined;
    });
    const closed: KafkaError[] = [];
    const connection = await open(broker.port, { onClose: (_connection, error) => closed.push(error) });
    const error = await failureOf(connection.send(heartbeat, BEAT));
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({ retriable: true, message: matching(text) });
    expect(await connection.closed).toBe(error);
    connection.close();
    expect(closed).toEqual([error]);
  });

  it('nothing listens', async () => {
    const broker = await startBroker();
    await broker.stop();
    const error = await failureOf(open(broker.port));
    expect(error).toMatchObject({
      name: 'ConnectionError',
      retriable: true,
      message: matching(/connection refused/),
    });
  });

  it('no such host, no such port', async () => {
    const noHost = await failureOf(open(1, { host: 'no-such-host.invalid' }));
    expect(noHost).toMatchObject({ name: 'ConnectionError', message: matching(/host name not found/) });
    expect(await failureOf(open(99_999))).toMatchObject({ name: 'ConnectionError', retriable: true });
  });

  it('localhost finds the broker at whichever of its addresses it listens', async () => {
    const broker = await startBroker();
    const addresses = [
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ];
    const lookup = vi.spyOn(dns, 'lookup') as unknown as MockInstance<(...args: unknown[]) => void>;
    lookup.mockImplementation((_host, _options, callback) => (callback as Callback)(null, addresses));
    const connection = await open(broker.port, { host: 'localhost' });
    await expect(connection.send(metadata, ASK)).resolves.toMatchObject({ clusterId: 'scripted' });
    await broker.stop();
    const error = await failureOf(open(broker.port, { host: 'localhost' }));
    expect(error).toMatchObject({ name: 'ConnectionError', message: matching(/refused|EADDRNOTAVAIL/) });
    expect(lookup).toHaveBeenCalledTimes(2);
  });

  it('an address that took the connection and then was of no use is tried last the next time', async () => {
    const broker = await startBroker({ host: '127.0.0.2' });
    const useless = net.createServer((socket) => socket.destroy());
    useless.listen(broker.port, '127.0.0.3');
    await once(useless, 'listening');
    cleanups.push(() => useless.close());
    const addresses = [3, 2].map((last) => ({ address: `127.0.0.${last}`, family: 4 }));
    const lookup = vi.spyOn(dns, 'lookup') as unknown as MockInstance<(...args: unknown[]) => void>;
    lookup.mockImplementation((_host, _options, callback) => (callback as Callback)(null, addresses));
    const opened = (addressesTried: number) => open(broker.port, { host: 'kafka', addressesTried });
    expect(await failureOf(opened(0))).toMatchObject({
      message: matching(/instead of answering ApiVersions|reset/),
    });
    await expect((await opened(1)).send(metadata, ASK)).resolves.toMatchObject({ clusterId: 'scripted' });
    expect(await failureOf(opened(2))).toBeInstanceOf(ConnectionError);
  });

  it('a host name that the resolver never answers for is given up', async () => {
    const lookup = vi.spyOn(dns, 'lookup') as unknown as MockInstance<(...args: unknown[]) => void>;
    lookup.mockImplementation(() => undefined);
    const error = await failureOf(open(9092, { host: 'kafka', connectTimeoutMs: 50 }));
    expect(error).toMatchObject({
      name: 'ConnectionError',
      message: matching(/did not answer within 50 ms/),
    });
  });

  it('one that hangs up instead of saying its versions gets a hint', async () => {
    const broker = await startBroker();
    broker.on(apiVersions, (_request, { socket }) => {
      socket.end();
      return undefined;
    });
    expect(await failureOf(open(broker.port))).toMatchObject({
      message: matching(/closed the connection instead of answering ApiVersions: .* wants TLS/),
    });
  });

  it('close() while connecting, and while ApiVersions is out', async () => {
    const broker = await startBroker();
    broker.on(apiVersions, silence);
    const reason = new ConnectionError('enough');
    const early = open(broker.port, { onOpening: (connection) => connection.close(reason) });
    expect(await failureOf(early)).toBe(reason);
    let opening: Connection | undefined;
    const late = failureOf(open(broker.port, { onOpening: (connection) => (opening = connection) }));
    await until(() => broker.count(apiVersions) === 1, { what: 'ApiVersions', timeoutMs: 2000 });
    opening?.close(reason);
    expect(await late).toBe(reason);
    await until(() => broker.sockets.size === 0, { what: 'end of the connections', timeoutMs: 2000 });
  });
});

describe('throttling (KIP-219)', () => {
  async function throttled(throttleTimeMs: number): Promise<{ broker: ScriptedBroker; connection: Connection }> {
    const broker = await startBroker();
    broker.on(heartbeat, () => NO_ERROR);
    broker.throttleTimeMs = throttleTimeMs;
    const connection = await open(broker.port);
    await connection.send(metadata, ASK);
    broker.throttleTimeMs = 0;
    return { broker, connection };
  }

  it('holds all requests back, heartbeats too, and then sends them in their order', async () => {
    const { broker, connection } = await throttled(300);
    const start = performance.now();
    const before = broker.received.length;
    const order: string[] = [];
    await Promise.all([
      connection.send(metadata, ASK).then(() => order.push('Metadata')),
      connection.send(heartbeat, BEAT).then(() => order.push('Heartbeat')),
    ]);
    expect(performance.now() - start).toBeGreaterThan(200); // the broker's 300 began before `start`
    expect(broker.received.slice(before).map(({ api }) => api)).toEqual(['Metadata', 'Heartbeat']);
    expect(order).toEqual(['Metadata', 'Heartbeat']);
  });

  it('what is sent at the very moment of its end is sent', async () => {
    for (const throttleTimeMs of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
      const { connection } = await throttled(throttleTimeMs);
      await connection.send(metadata, ASK);
      for (let i = 0; i < 5; i++) await connection.send(metadata, ASK);
    }
  });

  it('close() fails what is held back, and no timer is left', async () => {
    const { connection } = await throttled(60_000);
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const muted = failureOf(connection.send(metadata, ASK));
    const before = timers();
    connection.close();
    expect(await muted).toBeInstanceOf(ConnectionError);
    expect(timers()).toBe(before - 2); // that of the throttle, and that of the request
  });

  it('a forged throttle does not silence for longer than a request may take', async () => {
    const broker = await startBroker();
    broker.throttleTimeMs = 0x7fffffff;
    const connection = await open(broker.port, { requestTimeoutMs: 300 });
    await connection.send(metadata, ASK);
    broker.throttleTimeMs = 0;
    await expect(
      connection.send(findCoordinator, { key: '', keyType: 0, coordinatorKeys: ['g'] }),
    ).resolves.toBeTruthy();
  });
});
