import type { Socket } from 'node:net';
import { KafkaError } from '../errors.ts';
import { API_VERSIONS_KEY } from '../protocol/api/api-versions.ts';
import { ERROR_CODES } from '../protocol/error-codes.ts';
import { FrameAssembler } from '../protocol/frame.ts';
import { decodeRequestFrame, encodeResponseFrame, peekRequestHeader } from '../protocol/header.ts';
import { Authentication } from './authentication.ts';
import type { Broker } from './broker.ts';
import type { Cluster } from './cluster.ts';
import { errorCodeFrom, NO_STRIKE, type RequestInfo, type Strike } from './faults.ts';
import type { Handler, RequestContext } from './handler.ts';

/** A broker's own limit, `socket.request.max.bytes`. */
const MAX_REQUEST_BYTES = 100 * 1024 * 1024;
/** Requests that wait for the one before them: then nothing more is read from the socket. */
const MAX_QUEUED = 16;
const NEVER = new Promise<never>(() => undefined);

/**
 * One connection of a client: requests are handled one after the other, in their order, the next one only when the one before was answered, as
 * brokers do.
 */
export class ClientConnection {
  readonly id: number;
  readonly authentication: Authentication;
  readonly clientHost: string;
  readonly #socket: Socket;
  readonly #broker: Broker;
  readonly #cluster: Cluster;
  readonly #queue: Buffer[] = [];
  #isBusy = false;
  #mayEnd = false;

  constructor(socket: Socket, broker: Broker, cluster: Cluster) {
    this.id = cluster.nextConnection();
    this.authentication = new Authentication(cluster.sasl, cluster.timers.clock);
    this.clientHost = `/${socket.remoteAddress ?? ''}`;
    this.#socket = socket;
    this.#broker = broker;
    this.#cluster = cluster;
    const assembler = new FrameAssembler(MAX_REQUEST_BYTES);
    socket.on('error', () => undefined); // clients hang up as they like
    socket.on('data', (bytes) => this.#onBytes(bytes, assembler));
  }

  /** After the answer to the request that is being handled. */
  endAfterAnswer(): void {
    this.#mayEnd = true;
  }

  /** A reset, unless the client has ended it: with its own FIN under way, Node can neither reset a socket nor let go of it. */
  reset(): void {
    if (this.#socket.readableEnded || this.#socket.writableEnded) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #onBytes(bytes: Buffer, assembler: FrameAssembler): void {
    try {
      for (const frame of assembler.feed(bytes)) this.#queue.push(frame);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    if (this.#queue.length > MAX_QUEUED) this.#socket.pause();
    if (!this.#isBusy) void this.#serveAll();
  }

  async #serveAll(): Promise<void> {
    this.#isBusy = true;
    try {
      for (let frame = this.#queue.shift(); frame !== undefined; frame = this.#queue.shift()) {
        await this.#serve(frame);
        if (this.#mayEnd) this.#socket.end();
        if (this.#socket.destroyed || this.#mayEnd) return;
        if (this.#queue.length === 0 && this.#socket.isPaused()) this.#socket.resume();
      }
    } catch (error) {
      this.#refuse(error);
    } finally {
      this.#isBusy = false;
    }
  }

  /** What makes no sense, or is not there, ends the connection, as it does on a broker. */
  #refuse(error: unknown): void {
    this.#socket.destroy();
    if (error instanceof KafkaError) this.#cluster.observer.refused?.(error);
    else this.#cluster.observer.failed(error);
  }

  async #serve(frame: Buffer): Promise<void> {
    const header = peekRequestHeader(frame);
    const { requestApiKey, correlationId } = header;
    const handler = this.#cluster.handlers.get(requestApiKey) as Handler<unknown, unknown> | undefined;
    if (handler === undefined)
      throw new KafkaError(`a request of api key ${requestApiKey}, which the mock cluster does not have`);
    const { api } = handler;
    this.authentication.admit(api.name);
    const clientId = header.clientId ?? '';
    const range = this.#broker.versions.get(api.name);
    const asked = header.requestApiVersion;
    const isOffered = range !== undefined && asked >= range.min && asked <= range.max;
    // ApiVersions is answered whatever its version: in version 0, so that any client can read what the broker has (KIP-511).
    const isFallback = !isOffered && api.key === API_VERSIONS_KEY;
    const version = isFallback ? 0 : asked;
    const body = isFallback ? {} : decodeRequestFrame(api, frame).body; // throws where the codec does not know the version
    await this.#broker.gate.pass();
    if (!this.#broker.isUp) return; // killed while it was frozen: it has never seen this request
    const common = { cluster: this.#cluster, broker: this.#broker, connection: this, version, clientId };
    const bare: RequestContext = { ...common, errorFor: NO_STRIKE.errorFor };
    const info: RequestInfo = {
      api: api.name,
      version,
      broker: this.#broker.nodeId,
      connection: this.id,
      clientId,
      body,
      partitions: handler.partitionsOf?.(body, bare) ?? [],
      groups: handler.groupsOf?.(body) ?? [],
    };
    this.#cluster.observer.request?.(info);
    if (!isOffered) {
      const answer = await answerWith(handler, body, common, () => ERROR_CODES.UNSUPPORTED_VERSION);
      if (answer !== null) this.#socket.write(encodeResponseFrame(api, version, correlationId, answer));
      return;
    }
    const strike = this.#cluster.faults.strike(info);
    if (strike === NO_STRIKE) {
      const answer = await handler.handle(body, bare);
      await this.#broker.gate.pass();
      if (answer !== null && !this.#socket.destroyed) {
        this.#socket.write(encodeResponseFrame(api, version, correlationId, answer));
      }
      return;
    }
    await this.#serveStruck(handler, body, common, info, strike, correlationId);
  }

  async #serveStruck(
    handler: Handler<unknown, unknown>,
    body: unknown,
    common: Omit<RequestContext, 'errorFor'>,
    info: RequestInfo,
    { effects, errorFor }: Strike,
    correlationId: number,
  ): Promise<void> {
    const onArrival = effects.filter(({ on }) => on === 'arrival');
    if (onArrival.some(({ drop }) => drop)) return void this.#socket.destroy();
    if (onArrival.some(({ silent }) => silent)) return NEVER;
    let answer = await answerWith(handler, body, common, errorFor);
    const afterwards = effects.find(({ on, errorCode }) => on === 'answer' && errorCode !== undefined)?.errorCode;
    if (afterwards !== undefined) answer = await answerWith(handler, body, common, () => errorCodeFrom(afterwards));
    let throttleTimeMs = 0;
    for (const effect of effects) {
      if (effect.delayMs !== undefined) await this.#cluster.timers.sleep(effect.delayMs);
      throttleTimeMs = Math.max(throttleTimeMs, effect.throttleTimeMs ?? 0);
      if (effect.answer !== undefined) answer = effect.answer(answer as never, info);
      if (effect.silent === true) return NEVER;
    }
    await this.#broker.gate.pass();
    if (answer !== null && answer !== undefined && !this.#socket.destroyed) {
      if (throttleTimeMs > 0) answer = { ...answer, throttleTimeMs };
      this.#write(effects, encodeResponseFrame(handler.api, common.version, correlationId, answer));
    } else if (effects.some(({ drop }) => drop)) this.#socket.destroy();
    if (throttleTimeMs > 0) await this.#cluster.timers.sleep(throttleTimeMs);
  }

  #write(effects: Strike['effects'], bytes: Buffer): void {
    const cut = effects.find((effect) => effect.cut !== undefined)?.cut;
    if (effects.some(({ drop }) => drop)) this.#socket.destroy();
    else if (cut !== undefined) this.#socket.end(bytes.subarray(0, cut), () => this.#socket.destroy());
    else {
      this.#socket.write(bytes);
      if (effects.some(({ duplicate }) => duplicate)) this.#socket.write(bytes);
    }
  }
}

/** The answer to a request that an error has struck: nothing but the error, or with it where `errorFor` says. */
async function answerWith<Req, Res>(
  handler: Handler<Req, Res>,
  body: Req,
  common: Omit<RequestContext, 'errorFor'>,
  errorFor: RequestContext['errorFor'],
): Promise<Res | null> {
  const context: RequestContext = { ...common, errorFor };
  const code = firstError(handler, body, context);
  const refused = code === 0 ? null : handler.refuse(body, code, context);
  return refused ?? handler.handle(body, context);
}

function firstError<Req, Res>(handler: Handler<Req, Res>, body: Req, context: RequestContext): number {
  const general = context.errorFor(null, -1);
  if (general !== 0) return general;
  for (const { topic, partition } of handler.partitionsOf?.(body, context) ?? []) {
    const code = context.errorFor(topic, partition);
    if (code !== 0) return code;
  }
  return 0;
}
