import { type Socket, connect } from 'node:net';
import { ConnectionError, RequestTimeoutError } from '../../src/errors.ts';
import { type VersionRange, negotiateVersion } from '../../src/protocol/apis.ts';
import type { Api } from '../../src/protocol/api.ts';
import { apiVersions } from '../../src/protocol/api/api-versions.ts';
import { FrameAssembler } from '../../src/protocol/frame.ts';
import { decodeResponseFrame, encodeRequestFrame, readCorrelationId } from '../../src/protocol/header.ts';

const MAX_FRAME_BYTES = 128 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 15_000;

interface Pending {
  correlationId: number;
  resolve: (frame: Buffer) => void;
  reject: (error: Error) => void;
}

/**
 * One connection to one broker, for test tools: the project's codecs on a plain socket, nothing of the client's own
 * network code, so that a test never checks that code by itself. A request without an answer closes the connection.
 */
export class TestConnection {
  readonly #socket: Socket;
  readonly #name: string;
  readonly #pending: Pending[] = [];
  #versions = new Map<number, VersionRange>();
  #correlationId = 0;
  #failure: Error | undefined;

  private constructor(host: string, port: number) {
    this.#name = `${host}:${port}`;
    const assembler = new FrameAssembler(MAX_FRAME_BYTES);
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: () => assembler.target(),
        callback: (bytesRead) => {
          try {
            assembler.advance(bytesRead);
            for (let frame = assembler.next(); frame !== null; frame = assembler.next()) this.#onFrame(frame);
          } catch (error) {
            this.#fail(error instanceof Error ? error : new Error(String(error)));
          }
          return true;
        },
      },
    });
    this.#socket.on('error', (cause) => this.#fail(new ConnectionError(`${this.#name}: ${cause.message}`, { cause })));
    this.#socket.on('close', () => this.#fail(new ConnectionError(`${this.#name}: closed`)));
  }

  static async open(host: string, port: number): Promise<TestConnection> {
    const connection = new TestConnection(host, port);
    const body = { clientSoftwareName: '', clientSoftwareVersion: '' };
    const { apiKeys } = await connection.#sendVersion(apiVersions, 0, body);
    connection.#versions = new Map(
      apiKeys.map(({ apiKey, minVersion: min, maxVersion: max }) => [apiKey, { min, max }]),
    );
    return connection;
  }

  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /** In the newest version that both sides have. Several may be under way; their answers come in the same order. */
  send<Req, Res>(api: Api<Req, Res>, body: Req): Promise<Res> {
    return this.#sendVersion(api, negotiateVersion(api, this.#versions.get(api.key)), body);
  }

  close(): void {
    this.#socket.destroy();
  }

  async #sendVersion<Req, Res>(api: Api<Req, Res>, version: number, body: Req): Promise<Res> {
    if (this.#failure !== undefined) throw this.#failure;
    const correlationId = this.#correlationId++;
    const request = encodeRequestFrame(api, version, correlationId, 'samsa-test', body);
    const timer = setTimeout(
      () => this.#fail(new RequestTimeoutError(`${this.#name}: no answer to ${api.name}`)),
      REQUEST_TIMEOUT_MS,
    );
    const answer = new Promise<Buffer>((resolve, reject) => this.#pending.push({ correlationId, resolve, reject }));
    this.#socket.write(request);
    return decodeResponseFrame(api, version, await answer.finally(() => clearTimeout(timer)));
  }

  #onFrame(frame: Buffer): void {
    const next = this.#pending.shift();
    const correlationId = readCorrelationId(frame);
    if (next?.correlationId === correlationId) next.resolve(frame);
    else this.#fail(new Error(`${this.#name}: answer ${correlationId}, expected ${next?.correlationId ?? 'none'}`));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#socket.destroy();
    for (const { reject } of this.#pending.splice(0)) reject(this.#failure);
  }
}
