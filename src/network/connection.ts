import type net from 'node:net';
import { ConnectionError, KafkaError, ProtocolError } from '../errors.ts';
import type { Api } from '../protocol/api.ts';
import { apiVersions, type ApiVersionsResponse } from '../protocol/api/api-versions.ts';
import { fetch } from '../protocol/api/fetch.ts';
import { kafkaErrorOf } from '../protocol/error-codes.ts';
import { FrameAssembler } from '../protocol/frame.ts';
import { decodeResponseFrame, encodeRequestFrame, readCorrelationId, type ApiRange } from '../protocol/header.ts';
import { BrokerVersions } from './broker-versions.ts';
import { addressOf } from './candidates.ts';
import { RequestQueue, type PendingRequest } from './request-queue.ts';
import { openSocket, reasonOf } from './socket.ts';

const UNSUPPORTED_VERSION = 35;
/** Says nothing of what there is. */
const REFUSAL = { errorCode: UNSUPPORTED_VERSION, apiKeys: [], throttleTimeMs: 0 };
const MAX_INT32 = 0x7fffffff;
/** The longest answer of any API but Fetch: Metadata of some 400,000 partitions. Its elements take many times their bytes in memory. */
const MOST_ANSWER_BYTES = 16 * 1024 * 1024;
/** More where longer answers are allowed in general. */
const ANSWER_SHARE = 8;
/** So long after it was begun, a connection that is not there is overdue. */
const OVERDUE_MS = 2000;
/** How long most answers are, at the most: Metadata of some ten thousand partitions. */
const USUAL_ANSWER_BYTES = 1024 * 1024;

export interface ConnectionOptions {
  host: string;
  port: number;
  /** Of the addresses that the host name stands for, how many to leave for last: those that failed before. */
  addressesTried: number;
  clientId: string;
  /** How long the TCP connection may take. Kafka: `socket.connection.setup.timeout.ms`. */
  connectTimeoutMs: number;
  requestTimeoutMs: number;
  /** A longer answer is refused before a byte of it is read; of all APIs but Fetch one that is longer than an eighth, or 16 MiB. */
  maxFrameBytes: number;
  softwareVersion: string;
  /** Called with each connection before it connects, so that its owner can close it at any moment. */
  onOpening: (connection: Connection) => void;
  /** Called once, whoever closed it. */
  onClose: (connection: Connection, error: KafkaError) => void;
  /** The other side does something that is wrong and harmless. Told once for each API. */
  onOddity?: (message: string) => void;
  /**
   * Something takes much longer than it should: the connection itself, or an answer of which nothing has come. Again every two seconds.
   *
   * @param what `a connection`, or the name of the API
   */
  onOverdue?: (connection: Connection, what: string, waitedMs: number, isFirst: boolean) => void;
}

/** What to send, or how to say it in the version that the connection has: brokers differ while they are upgraded. */
export type Request<Req> = Req | ((version: number) => Req);

export interface SendOptions {
  timeoutMs?: number;
  maxVersion?: number;
  /** An answer up to this length gets its memory at once; that of a longer one comes with its bytes. Default 1 MiB. */
  answerBytes?: number;
}

export interface Traffic {
  requests: number;
  bytesIn: number;
  bytesOut: number;
}

/**
 * One TCP connection to one broker. Requests are answered in the order in which they were sent; a request whose
 * deadline passes takes the connection with it, since later answers could no longer be told apart (semantics §1).
 *
 * Bytes go from the kernel straight into the buffer of the frame that they belong to: `onread` asks the
 * `FrameAssembler` where the next ones go, so no two reads are concatenated, and a kept record pins one frame only.
 */
export class Connection {
  readonly address: string;
  #socket: net.Socket;
  #options: ConnectionOptions;
  #frames: FrameAssembler;
  readonly #queue: RequestQueue;
  /** The APIs whose answers have been odd. */
  readonly #odd = new Set<string>();
  #correlationId = 0;
  /** Null until the broker has said what it speaks. */
  #versions: BrokerVersions | null = null;
  #requests = 0;
  #isConnectOverdue = false;
  #closed: KafkaError | null = null;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<KafkaError>;
  #resolveClosed: (error: KafkaError) => void = () => undefined;

  /** Connects, and asks the broker what it speaks. Rejects with ConnectionError, RequestTimeoutError or ProtocolError. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    let connection: Connection | undefined;
    try {
      connection = new Connection(options); // throws for a port that cannot be, which metadata may name
      options.onOpening(connection);
      await connection.#connected();
      await connection.#negotiate();
      return connection;
    } catch (error) {
      const { host, port } = options;
      const kafkaError =
        error instanceof KafkaError
          ? error
          : new ConnectionError(`${addressOf({ host, port })}: ${String(error)}`, { cause: error });
      connection?.close(kafkaError);
      throw kafkaError;
    }
  }

  private constructor(options: ConnectionOptions) {
    this.#options = options;
    this.address = addressOf(options);
    this.#frames = new FrameAssembler(options.maxFrameBytes, 0);
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    this.#socket = openSocket({
      ...options,
      onread: {
        buffer: () => this.#frames.target(),
        callback: (bytesRead) => this.#onRead(bytesRead),
      },
    });
    this.#queue = new RequestQueue({
      address: this.address,
      write: (frame) => {
        this.#requests++;
        this.#socket.write(frame);
      },
      bytesRead: () => this.#socket.bytesRead,
      onExpired: (error) => this.close(error),
      onOverdue: ({ api }, waitedMs, isFirst) => options.onOverdue?.(this, api.name, waitedMs, isFirst),
    });
    this.#socket.on('error', (error) => this.close(this.#lost(reasonOf(error), error)));
    this.#socket.on('end', () => this.close(this.#lost('closed the connection')));
    this.#socket.on('close', () => this.close(new ConnectionError(`the connection to ${this.address} was closed`)));
  }

  /** What went over it so far. */
  get traffic(): Traffic {
    return { requests: this.#requests, bytesIn: this.#socket.bytesRead, bytesOut: this.#socket.bytesWritten };
  }

  get isOpen(): boolean {
    return this.#closed === null;
  }

  /** Nothing is in flight, and nothing waits to be sent. */
  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  /** An answer should have come long ago, or the connection itself. */
  get isOverdue(): boolean {
    return this.#isConnectOverdue || this.#queue.isOverdue;
  }

  /** JoinGroup or SyncGroup is in flight: what is sent now is read by the broker when the rest of the group is there. */
  get isHeldUpByGroup(): boolean {
    return this.#queue.isHeldUpByGroup;
  }

  /** The version that requests of this API use here. Throws UnsupportedVersionError where there is none in common. */
  versionOf(api: ApiRange): number {
    if (this.#versions === null) throw new ConnectionError(`${this.address} has not yet said which versions it has`);
    return this.#versions.of(api);
  }

  /** Whether requests of this API may use `version` or a later one here. */
  supports(api: ApiRange, version: number): boolean {
    return this.#versions?.has(api, version) ?? false;
  }

  /**
   * Sends a request at the highest common version and resolves with its answer, whatever error codes that carries.
   *
   * @param options.timeoutMs  from the moment of writing, and before that as long for being held back (KIP-219); default
   *   `requestTimeoutMs`. What it is above that the broker may wait by itself
   * @param options.maxVersion where the request can only be said in an older version
   */
  async send<Req extends object, Res>(
    api: Api<Req, Res>,
    request: Request<Req>,
    options: SendOptions = {},
  ): Promise<Res> {
    if (this.#closed !== null) throw this.#closed;
    const version = Math.min(this.versionOf(api), options.maxVersion ?? api.maxVersion);
    // `await`, for a promise that is returned takes two turns more of the queue of microtasks.
    return await this.#send(api, version, typeof request === 'function' ? request(version) : request, options);
  }

  /** Fails all that is in flight with `error` and drops the socket. Does nothing the second time. */
  close(error: KafkaError = new ConnectionError(`the connection to ${this.address} was closed by this client`)): void {
    if (this.#closed !== null) return;
    this.#closed = error;
    this.#socket.destroy();
    this.#queue.fail(error);
    this.#options.onClose(this, error);
    this.#resolveClosed(error);
  }

  /** A broker that answers nothing at all and hangs up is one of a few things, all of which can be mended. */
  #lost(reason: string, cause?: Error): ConnectionError {
    const isUnheard = this.#queue.has(({ api }) => api.key === apiVersions.key);
    const hint = isUnheard
      ? ' instead of answering ApiVersions: no Kafka broker, one before 0.10, or a listener that wants TLS'
      : '';
    return new ConnectionError(`${this.address}${cause === undefined ? ' ' : ': '}${reason}${hint}`, { cause });
  }

  #connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      const { connectTimeoutMs, onOverdue } = this.#options;
      const startedAt = performance.now();
      const overdue = setInterval(() => {
        const isFirst = !this.#isConnectOverdue;
        this.#isConnectOverdue = true;
        onOverdue?.(this, 'a connection', performance.now() - startedAt, isFirst);
      }, OVERDUE_MS);
      // The loop may have stood still while the connection was made: that is seen in the turn which follows.
      const timer = setTimeout(() => {
        setImmediate(() => reject(new ConnectionError(`${this.address} did not answer within ${connectTimeoutMs} ms`)));
      }, connectTimeoutMs);
      const stop = (): void => {
        clearTimeout(timer);
        clearInterval(overdue);
        this.#isConnectOverdue = false;
      };
      this.#socket.once('connect', () => {
        stop();
        resolve();
      });
      this.#socket.once('close', () => {
        stop();
        reject(this.#closed ?? new ConnectionError(`the connection to ${this.address} was closed`));
      });
    });
  }

  /** KIP-511: ask with the newest version; a broker that does not know it answers 35 in version 0, with its own range. */
  async #negotiate(): Promise<void> {
    const request = { clientSoftwareName: 'samsa', clientSoftwareVersion: this.#options.softwareVersion };
    // A broker has it at hand: who does not say it is no more there than one that does not take the connection.
    const timeoutMs = Math.min(this.#options.requestTimeoutMs, this.#options.connectTimeoutMs);
    const ask = (version: number): Promise<ApiVersionsResponse> =>
      this.#send(apiVersions, version, request, { timeoutMs });
    let response = await ask(apiVersions.maxVersion);
    if (response.errorCode === UNSUPPORTED_VERSION) {
      const own = response.apiKeys.find((range) => range.apiKey === apiVersions.key);
      response = await ask(own === undefined ? 0 : new BrokerVersions(this.address, [own]).of(apiVersions));
    }
    if (response.errorCode !== 0) throw kafkaErrorOf(response.errorCode, { api: 'ApiVersions', context: this.address });
    this.#versions = new BrokerVersions(this.address, response.apiKeys);
    this.#versions.mustBeRecent();
  }

  #send<Req, Res>(api: Api<Req, Res>, version: number, request: Req, options: SendOptions): Promise<Res> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    const correlationId = this.#correlationId;
    this.#correlationId = nextCorrelationId(correlationId);
    const frame = encodeRequestFrame(api, version, correlationId, this.#options.clientId, request);
    return new Promise<Res>((resolve, reject) => {
      // The queue holds requests of every API; each is resolved with what its own decoder made.
      const untyped = api as Api<unknown, unknown>;
      const { requestTimeoutMs } = this.#options;
      const timeoutMs = options.timeoutMs ?? requestTimeoutMs;
      this.#queue.push({
        api: untyped,
        version,
        correlationId,
        frame,
        timeoutMs,
        brokerWaitMs: Math.max(0, timeoutMs - requestTimeoutMs),
        answerBytes: options.answerBytes ?? USUAL_ANSWER_BYTES,
        resolve,
        reject,
      });
    });
  }

  #onRead(bytesRead: number): boolean {
    try {
      this.#frames.advance(bytesRead);
      this.#takeFrames();
    } catch (error) {
      this.close(this.#protocolError(error));
    }
    return true;
  }

  #takeFrames(): void {
    let isLast = false;
    while (!isLast) {
      const request = this.#queue.head;
      if (request === undefined) throw new ProtocolError('an answer to no request');
      this.#frames.promptBytes = request.answerBytes;
      this.#frames.maxFrameBytes = this.#mostBytes(request);
      const frame = this.#frames.next();
      if (frame === null) return;
      isLast = this.#frames.isBetweenFrames;
      // Then what comes before it is not to be trusted either.
      if (!isLast && this.#queue.sentCount === 1) throw new ProtocolError('an answer to no request');
      this.#onFrame(frame, request);
    }
  }

  #onFrame(frame: Buffer, request: PendingRequest): void {
    const correlationId = readCorrelationId(frame);
    if (correlationId !== request.correlationId) {
      throw new ProtocolError(`an answer with correlation id ${correlationId} where ${request.correlationId} was due`, {
        api: request.api.name,
      });
    }
    const response = this.#decode(request, frame);
    this.#queue.answered();
    this.#throttle(response);
    request.resolve(response as never);
  }

  #mostBytes({ api }: PendingRequest): number {
    const { maxFrameBytes } = this.#options;
    if (api.key === fetch.key) return maxFrameBytes;
    return Math.min(maxFrameBytes, Math.max(MOST_ANSWER_BYTES, Math.floor(maxFrameBytes / ANSWER_SHARE)));
  }

  #decode({ api, version }: PendingRequest, frame: Buffer): unknown {
    if (api.key !== apiVersions.key)
      return decodeResponseFrame(api, version, frame, (bytes) => this.#onLeftOver(api.name, version, bytes));
    const isRefused = frame.length >= 6 && frame.readInt16BE(4) === UNSUPPORTED_VERSION;
    if (!isRefused) return decodeResponseFrame(api, version, frame);
    try {
      // A refusal of the version is itself in version 0.
      return decodeResponseFrame(api, 0, frame);
    } catch {
      // There are brokers, librdkafka's mock among them, that say so in the version which they refuse. What they have is then asked for anew.
      return REFUSAL;
    }
  }

  /** Java's client does not look there, so that there are brokers, proxies and mocks that send more than they should. */
  #onLeftOver(api: string, version: number, bytes: number): void {
    if (this.#odd.has(api)) return;
    this.#odd.add(api);
    this.#options.onOddity?.(
      `${this.address}: ${api} v${version}: ${bytes} bytes left over after the answer; passed over`,
    );
  }

  #throttle(response: unknown): void {
    const { throttleTimeMs } = response as { throttleTimeMs?: number };
    if (throttleTimeMs === undefined || throttleTimeMs <= 0) return;
    // A broker's quota window is seconds; a forged 2^31 ms must not silence the connection for weeks, nor for as long as requests wait.
    this.#queue.mute(Math.min(throttleTimeMs, this.#options.requestTimeoutMs / 2));
  }

  /** Retriable: the connection is replaced, and another broker, or the same one, may make sense. */
  #protocolError(error: unknown): KafkaError {
    const message = error instanceof Error ? error.message : String(error);
    return new ProtocolError(`${this.address}: ${message}`, {
      retriable: true,
      ...(error instanceof KafkaError && error.api !== null ? { api: error.api } : {}),
      ...(error instanceof ProtocolError ? { version: error.version, position: error.position } : {}),
      cause: error,
    });
  }
}

/** They wrap at 2^31 − 1, as Java's do. */
export function nextCorrelationId(correlationId: number): number {
  return correlationId === MAX_INT32 ? 0 : correlationId + 1;
}
